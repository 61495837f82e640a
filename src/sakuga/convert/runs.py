"""A training's folder in the place of a style: `sakuga paint --style runs/mine`."""

from __future__ import annotations

from pathlib import Path

from sakuga.extras import need


def style_of(style: str) -> str:
    """A style's name or file as it is; of a run's folder, the style file in it.

    The file is made if there is none, or anew if the training has gone on since; only that needs
    torch.

    Raises:
        MissingExtraError, TrainingError, OutputError: it has to be made, and cannot be.
    """
    if not is_run(style):
        return style
    from sakuga.train.config import CHECKPOINT

    run = Path(style)
    saved = (run / CHECKPOINT).stat().st_mtime_ns
    made = {path.stat().st_mtime_ns: path for path in run.glob("*.onnx")}
    if made and max(made) >= saved:
        return str(made[max(made)])
    need("painting with a training", "train", "torch", "onnx", "onnxscript", "onnxslim")
    from sakuga.convert.onnx_export import export_run

    return str(export_run(run))


def is_run(word: str) -> bool:
    """Whether it is a training's folder."""
    if not Path(word).is_dir():  # so that a style's name loads nothing of training
        return False
    from sakuga.train.config import CHECKPOINT

    return (Path(word) / CHECKPOINT).is_file()
