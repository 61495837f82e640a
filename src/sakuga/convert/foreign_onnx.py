"""Any image-to-image onnx file under the style contract: range, layout and colour order inside.

AnimeGANv3 files are known by the name of their input; of any other the user says how it is fed. The
file's own graph is kept, with steps before and after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, compose, helper, numpy_helper

from sakuga.convert.check import paints_size
from sakuga.convert.verbs import Feeding, Layout
from sakuga.errors import OptionError, StyleError, one_line
from sakuga.styles import GRAPH_INPUT, GRAPH_OUTPUT, SPEC_KEY

MAX_BYTES = 1_000_000_000
_INNER = "network/"  # before every name of the file's own graph
_MULTIPLES = (1, 2, 4, 8, 16, 32, 64)  # tried in turn
_OLDEST_OPSET = 8  # Min and Max broadcast since then
_ANIMEGAN3_INPUT = "animeganv3"  # how its input's name begins
_ANIMEGAN3_SIDE = 256  # pixels: its authors enlarge smaller pictures to this


@dataclass(frozen=True)
class Foreign:
    """A foreign network as a graph under the style contract."""

    name: str  # in words, as its paper calls it
    model: onnx.ModelProto  # `photo` to `anime`
    size_multiple: int  # pixels
    minimum_side: int  # pixels
    attribution: tuple[str, ...]
    receptive_radius: int | None = None  # pixels; None: looks at the whole picture


def build(path: Path, feeding: Feeding) -> Foreign:
    """Wrap a file's graph; it is not tiled, since nobody knows how far it looks.

    Raises:
        StyleError: damaged, with weights outside, of a fixed size, or not picture to picture.
        OptionError: it must be said how it is fed, or what was said contradicts the file.
    """
    model = _load(path)
    value, result = _ends(path, model)
    known = value.name.lower().startswith(_ANIMEGAN3_INPUT)
    if known:
        feeding = replace(
            feeding,
            value_range=feeding.value_range or (-1.0, 1.0),
            layout=feeding.layout or "nhwc",
            minimum_side=feeding.minimum_side or _ANIMEGAN3_SIDE,
        )
    if feeding.value_range is None:
        raise OptionError(
            f"{path}: say which values this network takes: --range -1 1, --range 0 1 or "
            "--range 0 255 (its author's example shows it); --bgr if blue comes first"
        )
    layout = _layout(path, value, feeding.layout)
    wrapped = _wrap(model, value, result, feeding.value_range, layout, feeding.bgr)
    minimum = feeding.minimum_side or 1
    multiple = _multiple(path, wrapped, feeding.multiple, minimum)
    return Foreign(
        name="AnimeGANv3" if known else "a network of unknown origin",
        model=wrapped,
        size_multiple=multiple,
        minimum_side=minimum,
        attribution=("AnimeGANv3, Liu, Chen et al., 2024",) if known else (),
    )


def _load(path: Path) -> onnx.ModelProto:
    if path.stat().st_size > MAX_BYTES:
        raise StyleError(f"{path}: is larger than {MAX_BYTES / 1e9:g} GB; no generator is")
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        external = TensorProto.EXTERNAL
        if any(t.data_location == external or t.external_data for t in _tensors(model)):
            raise StyleError(f"{path}: keeps its weights in another file; save it as one file")
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, UnicodeDecodeError) as error:
        reason = one_line(error)[:200]
        raise StyleError(f"{path}: is a damaged ONNX file ({reason}); get it again") from error
    if any(entry.key == SPEC_KEY for entry in model.metadata_props):
        raise StyleError(f"{path}: is a style already; use it with --style, or `sakuga styles add`")
    versions = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    if versions.get("ai.onnx", 0) < _OLDEST_OPSET:
        raise StyleError(
            f"{path}: is of the ONNX operator set {versions.get('ai.onnx', 0)}, older than "
            f"{_OLDEST_OPSET}; export it again"
        )
    return model


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor of a model: weights, and constants in attributes and branches."""

    def of_nodes(nodes: Any) -> Iterator[onnx.TensorProto]:
        for node in nodes:
            for attribute in node.attribute:
                yield attribute.t
                yield from attribute.tensors
                for graph in (attribute.g, *attribute.graphs):
                    yield from of_graph(graph)

    def of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield sparse.values
            yield sparse.indices
        yield from of_nodes(graph.node)

    yield from of_graph(model.graph)
    for function in model.functions:
        yield from of_nodes(function.node)


def _ends(path: Path, model: onnx.ModelProto) -> tuple[onnx.ValueInfoProto, onnx.ValueInfoProto]:
    """The one input that is not a weight, and the one output."""
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    outputs = list(model.graph.output)
    if len(inputs) != 1 or len(outputs) != 1:
        raise StyleError(
            f"{path}: takes {len(inputs)} inputs and gives {len(outputs)} outputs; a network from "
            "picture to picture takes one and gives one"
        )
    for value in (inputs[0], outputs[0]):
        tensor = value.type.tensor_type
        if tensor.elem_type != TensorProto.FLOAT:
            kind = TensorProto.DataType.Name(tensor.elem_type).lower()
            raise StyleError(f"{path}: its {value.name} is of the type {kind}, must be float")
    if len(inputs[0].type.tensor_type.shape.dim) != 4:
        raise StyleError(f"{path}: its input {inputs[0].name} has not the four axes of pictures")
    return inputs[0], outputs[0]


def _layout(path: Path, value: onnx.ValueInfoProto, wanted: Layout | None) -> Layout:
    """Where the channels are: as the file says, else as the user does."""
    extents = [axis.dim_value for axis in value.type.tensor_type.shape.dim]  # 0: any
    shape = " x ".join(str(extent or "any") for extent in extents)
    if wanted is None and (extents[1] == 3) == (extents[3] == 3):
        raise OptionError(
            f"{path}: its input is {shape}, which does not show where the channels are; "
            "say --layout nchw or --layout nhwc"
        )
    layout: Layout = wanted or ("nchw" if extents[1] == 3 else "nhwc")
    channels, *sides = extents[1:] if layout == "nchw" else (extents[3], *extents[1:3])
    if channels not in (0, 3):
        raise OptionError(f"{path}: its input is {shape}; with the layout {layout} that is not RGB")
    if any(sides):
        raise StyleError(
            f"{path}: takes pictures of one size only ({shape}); export it with dynamic height "
            "and width"
        )
    return layout


def _wrap(
    model: onnx.ModelProto,
    value: onnx.ValueInfoProto,
    result: onnx.ValueInfoProto,
    value_range: tuple[float, float],
    layout: Layout,
    bgr: bool,
) -> onnx.ModelProto:
    """Put the steps of the contract before and after the graph."""
    inner = compose.add_prefix(model, _INNER)
    low, high = value_range
    constants = {
        "half": np.float32((high - low) / 2),
        "middle": np.float32((high + low) / 2),
        "reversed": np.array([2, 1, 0], np.int64),
        "one": np.float32(1),
        "minus_one": np.float32(-1),
    }
    reverse = [("Gather", ["reversed"], {"axis": 1})] if bgr else []
    before: list[tuple[str, list[str], dict[str, Any]]] = [
        *reverse,
        ("Mul", ["half"], {}),
        ("Add", ["middle"], {}),
        *([("Transpose", [], {"perm": [0, 2, 3, 1]})] if layout == "nhwc" else []),
    ]
    after: list[tuple[str, list[str], dict[str, Any]]] = [
        *([("Transpose", [], {"perm": [0, 3, 1, 2]})] if layout == "nhwc" else []),
        ("Sub", ["middle"], {}),
        ("Div", ["half"], {}),
        *reverse,
        ("Min", ["one"], {}),
        ("Max", ["minus_one"], {}),
    ]
    nodes = [
        *_chain(before, GRAPH_INPUT, _INNER + value.name),
        *inner.graph.node,
        *_chain(after, _INNER + result.name, GRAPH_OUTPUT),
    ]
    batch: int | str = value.type.tensor_type.shape.dim[0].dim_value or "batch"
    shape: list[int | str | None] = [batch, 3, "height", "width"]
    weight_inputs = [entry for entry in inner.graph.input if entry.name != _INNER + value.name]
    del inner.graph.node[:], inner.graph.input[:], inner.graph.output[:]
    inner.graph.node.extend(nodes)
    inner.graph.input.append(helper.make_tensor_value_info(GRAPH_INPUT, TensorProto.FLOAT, shape))
    inner.graph.output.append(helper.make_tensor_value_info(GRAPH_OUTPUT, TensorProto.FLOAT, shape))
    inner.graph.value_info.extend(weight_inputs)
    inner.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()
    )
    return inner


def _chain(
    steps: list[tuple[str, list[str], dict[str, Any]]], start: str, end: str
) -> Iterator[onnx.NodeProto]:
    """Steps one after the other: operator, further inputs, attributes."""
    names = [start, *(f"{start}/{number}" for number in range(len(steps) - 1)), end]
    for (operator, inputs, attributes), source, target in zip(
        steps, names[:-1], names[1:], strict=True
    ):
        yield helper.make_node(operator, [source, *inputs], [target], **attributes)


def _multiple(path: Path, model: onnx.ModelProto, wanted: int | None, minimum: int) -> int:
    """The least multiple of sizes for which the network gives back the size it was given."""
    content = model.SerializeToString()
    tried = (wanted,) if wanted else _MULTIPLES
    reasons = []
    for multiple in tried:
        reason = paints_size(content, multiple, minimum)
        if reason is None:
            return multiple
        reasons.append(reason)
    raise StyleError(
        f"{path}: does not paint pictures whose sides are multiples of "
        f"{', '.join(map(str, tried))} ({reasons[-1]}); give --multiple, --minimum-side or --layout"
    )
