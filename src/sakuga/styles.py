"""A style is ONE onnx file; all that is needed to run it is written inside.

The file's metadata holds one key, `sakuga.style`, whose value is the JSON of a `StyleSpec`. The graph
takes `photo`, float32 (B, 3, H, W) RGB in [-1, 1], and gives `anime` of the same shape and range. H and
W are multiples of `size_multiple` and at least `minimum_side`; padding to that is the caller's work.
"""

from __future__ import annotations

from dataclasses import dataclass

SPEC_KEY = "sakuga.style"
SPEC_FORMAT = 1


@dataclass(frozen=True)
class StyleSpec:
    """What must be known of a style to run it and to give credit for it."""

    name: str  # what `--style` takes: lower-case letters, digits, '-', '_'
    version: str  # of the weights: a change alters people's pictures
    description: str  # one sentence for a list of styles
    size_multiple: int  # pixels: H and W given to the graph must be multiples of this
    minimum_side: int  # pixels: H and W given to the graph must be at least this
    receptive_radius: int | None  # pixels an output pixel looks in each direction; None: not tileable
    licence: str  # SPDX identifier of the weights
    attribution: tuple[str, ...]  # one credit a line
    training: dict[str, str | int | float]  # a summary: data, steps, hardware, seconds
    value_range: tuple[float, float] = (-1.0, 1.0)  # of the graph's input and output
