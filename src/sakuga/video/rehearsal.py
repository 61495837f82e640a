"""All that follows the painting, done with one grey frame before the first one is painted.

Encoders that refuse a size, tracks that a file cannot hold and places that cannot be written are
found out at once, not after hours.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sakuga.video.choices import choose_tracks
from sakuga.video.mux import Recipe, write_file
from sakuga.video.segments import SegmentWriter
from sakuga.video.tracks import Window

if TYPE_CHECKING:
    from sakuga.video.choices import Choices

_GREY = 128


def rehearse(folder: Path, recipe: Recipe, window: Window) -> tuple[Choices, list[str]]:
    """Choose what becomes of the tracks of the source, and make a short file with them.

    Args:
        folder: where it is made; nothing of it stays.
        window: the part of the source that will be painted.

    Returns:
        The choices, and what the user should know of them, one sentence each.

    Raises:
        OutputError: the file could not be written.
        av.error.FFmpegError: the encoder takes no such frames.
    """
    notes: list[str] = []
    choices: Choices = {}
    encoding, source = recipe.encoding, recipe.source
    if source is not None and not recipe.container.is_animated:
        choices = choose_tracks(source, recipe.container, window, notes)
    frame_file = folder / f"rehearsal.{encoding.encoder.segment_format}"
    result = folder / f"rehearsal-result{recipe.target.suffix}"
    step = max(1, round(1 / (encoding.rate * encoding.time_base)))
    try:
        writer = SegmentWriter(frame_file, encoding)
        grey = np.full((encoding.height, encoding.width, 3), _GREY, np.uint8)
        writer.add(grey, 0, step)
        short = replace(window, end=window.origin + step * encoding.time_base)
        write_file(result, recipe, [writer.finish()], short, choices)
    finally:
        frame_file.unlink(missing_ok=True)
        result.unlink(missing_ok=True)
    return choices, notes
