"""int8: the convolutions of a style in whole numbers, and what that costs, measured.

Static quantisation (Jacob et al., CVPR 2018) with onnxruntime's tool: weights int8 a channel each,
activations uint8 over the range of nearly all values seen on photos. Everything but convolutions
stays float32, and so do the first and the last convolutions: between them and the picture there is
little that would smooth their rounding, which then answers to noise. Worth it on processors with
whole-number dot products (VNNI, or dot product on Arm).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from sakuga.convert.check import kept_quiet
from sakuga.errors import DataError, StyleError
from sakuga.evaluate.statistics import medians, noise_gain, picture_statistics
from sakuga.evaluate.systems import list_pictures
from sakuga.images.colour import Pixels
from sakuga.images.picture import shrink_within
from sakuga.images.read import to_float
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import GRAPH_INPUT, Style, StyleSpec, write_spec
from sakuga.styles.tensors import store_full

PHOTO_SIDE = 512  # pixels: photos are shrunk to this
MAX_PHOTOS = 64
# The choice is between speed, noise gain and exactness: docs/weights.md has the table.
KEPT_FIRST = 3  # convolutions
KEPT_LAST = 5
PERCENTILE = 99.9  # of the values of an activation; the rare larger ones are cut off
TIMED_SIDE = 512  # pixels
TIMED_RUNS = 7


@dataclass(frozen=True)
class Comparison:
    """A style in float32 and in int8, on photos that calibration did not see."""

    photos: int
    statistics: dict[str, tuple[float, float]]  # by name: float32, int8
    difference: float  # grey levels, mean over all pixels
    seconds: tuple[float, float]  # of one picture of 512 x 512 on one thread: float32, int8

    def __str__(self) -> str:
        lines = [f"{'':<16}{'float32':>9}{'int8':>9}{'change':>9}"]
        for name, (full, small) in self.statistics.items():
            change = f"{100 * (small / full - 1):+.1f} %" if full else ""
            lines.append(f"{name.replace('_', ' '):<16}{full:>9.3f}{small:>9.3f}{change:>9}")
        full_s, small_s = self.seconds
        lines.append(
            f"{'ms at 512 x 512':<16}{1000 * full_s:>9.0f}{1000 * small_s:>9.0f}"
            f"{full_s / small_s:>7.2f} x"
        )
        lines.append(
            f"mean difference {self.difference:.2f} grey levels, on {self.photos} photos that were "
            "not used for calibration"
        )
        return "\n".join(lines)


def read_photos(source: Path) -> list[Pixels]:
    """Up to 64 photos of a folder or tar file, evenly taken, shrunk to 512 pixels.

    Raises:
        DataError: fewer than two, or none.
        InputError: one does not decode.
    """
    items = list_pictures(source, "photos")
    if len(items) < 2:
        raise DataError(f"{source}: holds one photo; calibration needs two, better forty")
    chosen = items[:: -(-len(items) // MAX_PHOTOS)]
    return [shrink_within(item.read(), PHOTO_SIDE) for item in chosen]


def quantise(style: Style, photos: Sequence[Pixels]) -> onnx.ModelProto:
    """Turn the convolutions of a style to int8, with ranges seen on the photos.

    Args:
        photos: uint8 (H, W, 3), of any sizes.

    Returns:
        A model with the style's spec; -int8 is added to its name, so that both can be installed.

    Raises:
        StyleError: it has no convolution but those that are kept.
    """
    from onnxruntime.quantization import (
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    model = onnx.load(style.path)
    store_full(model)
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    if len(convolutions) <= KEPT_FIRST + KEPT_LAST:
        raise StyleError(
            f"{style.spec.name}: has {len(convolutions)} convolutions, of which the first "
            f"{KEPT_FIRST} and the last {KEPT_LAST} are never int8; leave it as it is"
        )
    with tempfile.TemporaryDirectory() as folder, kept_quiet():
        out = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            out,
            _Photos(photos, style.spec),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=convolutions[:KEPT_FIRST] + convolutions[-KEPT_LAST:],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            # By strides of one photo: activations of all at once would fill gigabytes.
            extra_options={"CalibPercentile": PERCENTILE, "CalibStridedMinMax": 1},
        )
        small = onnx.load(out)
    write_spec(small, replace(style.spec, name=f"{style.spec.name[:58]}-int8"))
    return small


def compare(style: Style, small: Style, photos: Sequence[Pixels]) -> Comparison:
    """Paint photos with both and time them, turn by turn, on one thread."""
    stylizers = [Stylizer(which, device="cpu", threads=1) for which in (style, small)]
    rows: list[list[dict[str, float]]] = [[], []]
    differences = []
    for photo in photos:
        results = [stylizer(photo) for stylizer in stylizers]
        for row, stylizer, result in zip(rows, stylizers, results, strict=True):
            gain = noise_gain(photo, result, stylizer)
            row.append({**picture_statistics(photo, result), "noise_gain": gain})
        differences.append(np.abs(results[0].astype(np.int16) - results[1]).mean())
    full, quantised = (medians(row) for row in rows)
    return Comparison(
        photos=len(photos),
        statistics={name: (full[name], quantised[name]) for name in full},
        difference=float(np.mean(differences)),
        seconds=_best_seconds(stylizers),
    )


class _Photos:
    """Photos as onnxruntime's calibration wants them: those of a range one by one, then None."""

    def __init__(self, photos: Sequence[Pixels], spec: StyleSpec) -> None:
        self._photos = photos
        self._spec = spec
        self._inputs: Iterator[NDArray[np.float32]] = iter(())

    def __len__(self) -> int:
        return len(self._photos)

    def set_range(self, start_index: int, end_index: int) -> None:
        chosen = self._photos[start_index:end_index]
        self._inputs = (_fitting(photo, self._spec) for photo in chosen)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        photo = next(self._inputs, None)
        return None if photo is None else {GRAPH_INPUT: photo}


def _fitting(photo: Pixels, spec: StyleSpec) -> NDArray[np.float32]:
    """A photo as the graph takes it: mirrored up to the style's size multiple and least side."""
    multiple = spec.size_multiple
    pads = [
        (0, -(-max(extent, spec.minimum_side) // multiple) * multiple - extent)
        for extent in photo.shape[:2]
    ]
    return to_float(np.pad(photo, (*pads, (0, 0)), mode="symmetric"))


def _best_seconds(stylizers: Sequence[Stylizer]) -> tuple[float, float]:
    """Least time of several runs of each of two, in turn, so that both meet the same machine."""
    shape = (TIMED_SIDE, TIMED_SIDE, 3)
    photo = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    best = [float("inf")] * 2
    for _ in range(TIMED_RUNS):
        for index, stylizer in enumerate(stylizers):
            start_s = time.perf_counter()
            stylizer(photo)
            best[index] = min(best[index], time.perf_counter() - start_s)
    return best[0], best[1]
