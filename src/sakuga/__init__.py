"""Photos and videos into anime pictures.

    import sakuga
    sakuga.paint("photo.jpg", style="novel").save("anime.png")

Public names: `paint`, `compare`, `paint_video` with `VideoOptions`, `Stylizer`, `Style`,
`SakugaError` and the module `styles`, which has `styles.installed()` and `styles.find(name)`. Each
is imported when first used, so that `import sakuga` costs nothing.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sakuga import styles
    from sakuga.errors import SakugaError
    from sakuga.inputs.compare import compare
    from sakuga.painting.pictures import paint
    from sakuga.painting.stylizer import Stylizer
    from sakuga.styles import Style
    from sakuga.video import VideoOptions, paint_video

# onnxruntime 1.32 reports its use to its makers unless this is set before it is imported. A program
# that says pictures stay on this machine makes no calls of its own.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = [
    "SakugaError",
    "Style",
    "Stylizer",
    "VideoOptions",
    "compare",
    "paint",
    "paint_video",
    "styles",
]

_HOMES = {
    "compare": "sakuga.inputs.compare",
    "paint": "sakuga.painting.pictures",
    "paint_video": "sakuga.video",
    "VideoOptions": "sakuga.video",
    "Stylizer": "sakuga.painting.stylizer",
    "Style": "sakuga.styles",
    "SakugaError": "sakuga.errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name from the module it lives in."""
    if name == "styles":
        return importlib.import_module("sakuga.styles")
    if name == "__version__":
        from importlib.metadata import version

        return version("sakuga")
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'sakuga' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
