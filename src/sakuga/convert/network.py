"""What an importer gives: a graph, and the facts about its network that a style must state."""

from __future__ import annotations

from dataclasses import dataclass

import onnx


@dataclass(frozen=True)
class Network:
    """A network as a graph under the style contract."""

    name: str  # in words, as its paper calls it
    model: onnx.ModelProto  # `photo` to `anime`
    size_multiple: int  # pixels
    minimum_side: int  # pixels
    receptive_radius: int | None  # pixels; None: looks at the whole picture
    attribution: tuple[str, ...]
