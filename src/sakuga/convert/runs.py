"""A training's folder in the place of a style: `sakuga paint --style runs/mine`."""

from __future__ import annotations

from pathlib import Path

from sakuga.extras import need
from sakuga.styles.spec import is_run, made_in


def style_of(style: str) -> str:
    """A style's name or file as it is; of a run's folder, the style file in it.

    The file is made if there is none, or anew if the training has gone on since; only that needs
    torch.

    Raises:
        MissingExtraError, TrainingError, OutputError: it has to be made, and cannot be.
    """
    if not is_run(style):
        return style
    run = Path(style)
    made, current = made_in(run)
    if made is not None and current:
        return str(made)
    need("painting with a training", "train", "torch", "onnx", "onnxscript", "onnxslim")
    from sakuga.convert.onnx_export import export_run

    return str(export_run(run))
