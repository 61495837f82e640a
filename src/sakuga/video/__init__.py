"""Clips in, anime clips out, with their sound and timing.

    decode     a file, camera or stream -> upright RGB frames and their times
    painter    a frame -> anime, painted once for a still shot
    deflicker  anime frames -> calmer ones, blended along the motion of the source
    segments   anime frames -> a row of short encoded files, so that a killed job resumes
    choices    which tracks of the source go into the result, tried before the first frame is
               painted: `tracks` copied, `sound` encoded again
    mux        segments + tracks + chapters -> the file the user asked for
    pipeline   all of it, with decoding, painting and encoding side by side

Light to import: PyAV is loaded when the first clip is opened.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sakuga.video.options import VideoOptions, is_video

if TYPE_CHECKING:
    from sakuga.video.job import Progress, VideoResult
    from sakuga.video.pipeline import paint_clip, paint_video
    from sakuga.video.preview import preview_clip, preview_video

__all__ = [
    "Progress",
    "VideoOptions",
    "VideoResult",
    "is_video",
    "paint_clip",
    "paint_video",
    "preview_clip",
    "preview_video",
]

_HOMES = {
    "paint_clip": "sakuga.video.pipeline",
    "paint_video": "sakuga.video.pipeline",
    "Progress": "sakuga.video.job",
    "VideoResult": "sakuga.video.job",
    "preview_clip": "sakuga.video.preview",
    "preview_video": "sakuga.video.preview",
}


def __getattr__(name: str) -> Any:
    """Import a public name from the module it lives in."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sakuga.video' has no attribute {name!r}")
