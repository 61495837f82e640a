"""Network interpolation (Wang et al., CVPR 2019): a style between two, the mean of their weights.

It needs two networks of one architecture, and it pays where one was fine-tuned from the other, or
both from a third: then each step between their weights is a good painter. Unlike a mixture of
results it costs no more to run than one style, and its lines do not show twice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from sakuga.errors import OptionError, StyleError
from sakuga.images.colour import Pixels
from sakuga.images.sheet import contact_sheet
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import Style, StyleSpec, write_spec
from sakuga.styles.spec import credits_of
from sakuga.styles.tensors import store_full, store_half

STRIP_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)


def interpolate(first: Style, second: Style, share: float, name: str) -> onnx.ModelProto:
    """A style whose weights are (1 - share) * first + share * second.

    Args:
        share: from 0, the first style, to 1, the second.
        name: of the new style.

    Raises:
        OptionError: the share is out of its range, or the name is not one of a style.
        StyleError: the two are of different architectures.
    """
    if not 0 <= share <= 1:
        raise OptionError(f"share is {share:g}; it must be from 0 (the first style) to 1")
    models = [onnx.load(style.path) for style in (first, second)]
    half = any(tensor.data_type == TensorProto.FLOAT16 for tensor in models[0].graph.initializer)
    for model in models:
        store_full(model)
    _check_same(models, (first, second))
    others = {tensor.name: tensor for tensor in models[1].graph.initializer}
    for tensor in models[0].graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            ours, theirs = (numpy_helper.to_array(t) for t in (tensor, others[tensor.name]))
            mean = np.asarray((1 - share) * ours + share * theirs, np.float32)
            tensor.CopyFrom(numpy_helper.from_array(mean, tensor.name))
    if half:
        store_half(models[0])
    write_spec(models[0], _spec(first.spec, second.spec, share, name))
    return models[0]


def strip(first: Style, second: Style, photos: Sequence[Pixels]) -> Pixels:
    """A sheet from the first style to the second: a row a photo, a column a share.

    Args:
        photos: uint8 (H, W, 3).

    Returns:
        uint8 (H, W, 3).
    """
    columns = []
    with tempfile.TemporaryDirectory() as folder:
        for share in STRIP_SHARES:
            model = interpolate(first, second, share, "between")
            path = Path(folder) / f"{share}.onnx"
            onnx.save(model, path)
            stylizer = Stylizer(path)
            columns.append([stylizer(photo) for photo in photos])
    titles = [f"{100 * share:.0f} % {second.spec.name}" for share in STRIP_SHARES]
    titles[0] = first.spec.name
    titles[-1] = second.spec.name
    rows = [[photo, *(column[index] for column in columns)] for index, photo in enumerate(photos)]
    return contact_sheet(rows, ["photo", *titles])


def _check_same(models: Sequence[onnx.ModelProto], styles: tuple[Style, Style]) -> None:
    """Raise StyleError unless the graphs do the same steps with weights of the same shapes."""
    steps = [[_step(node) for node in model.graph.node] for model in models]
    shapes = [
        {tensor.name: (tensor.data_type, *tensor.dims) for tensor in model.graph.initializer}
        for model in models
    ]
    if steps[0] == steps[1] and shapes[0] == shapes[1]:
        return
    names = " and ".join(style.spec.name for style in styles)
    differing = [name for name, shape in shapes[0].items() if shapes[1].get(name) != shape]
    detail = f"{differing[0]} is not the same" if differing else "their steps differ"
    raise StyleError(
        f"{names} are of different architectures ({detail}); mix their results instead: "
        f"--style {styles[0].spec.name}:0.5+{styles[1].spec.name}:0.5"
    )


def _step(node: onnx.NodeProto) -> bytes:
    bare = onnx.NodeProto()
    bare.CopyFrom(node)
    for field in ("name", "doc_string", "metadata_props"):
        bare.ClearField(field)
    content: bytes = bare.SerializeToString(deterministic=True)
    return content


def _spec(first: StyleSpec, second: StyleSpec, share: float, name: str) -> StyleSpec:
    try:
        return StyleSpec(
            name=name,
            version=f"{first.version}+{second.version}",
            description=f"Between {first.name} and {second.name}.",
            size_multiple=first.size_multiple,
            minimum_side=max(first.minimum_side, second.minimum_side),
            receptive_radius=first.receptive_radius,
            **credits_of((first, second)),
            training={f"share of {second.name}": share},
        )
    except ValueError as error:
        raise OptionError(f"{error}; name the file after a style") from error
