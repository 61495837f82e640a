"""`sakuga train`: it imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sakuga.extras import need

Words = Annotated[tuple[str, ...], Parameter(consume_multiple=True, show_default=False)]


def train(
    config: str | None = None,
    *,
    set: Words = (),
    run: Path | None = None,
    resume: Path | None = None,
    start_from: str | None = None,
    minutes: float | None = None,
    keep: int = 5,
    dry_run: bool = False,
    devices: int | Literal["auto"] = "auto",
    nodes: int = 1,
    accelerator: Literal["auto", "cpu", "cuda"] = "auto",
    quiet: bool = False,
) -> None:
    """Train a style from photos and drawings.

    Example:  sakuga train novel --set pairs=pairs --minutes 60

    Parameters
    ----------
    config
        A recipe (novel, storybook, manga, cartoongan, smoke), or a TOML file of settings.
    set
        KEY=VALUE: settings to change.
    run
        Folder for the checkpoint, log and contact sheets; otherwise runs/NAME.
    resume
        Folder of a run to go on with, exactly as if it had never stopped.
    start_from
        A run, checkpoint, style or CartoonGAN weights whose generator to start from (fine-tuning).
    minutes
        Time to take from now on: a step is measured, and the schedule fitted to it.
    keep
        Checkpoints of so many last sheets stay in RUN/checkpoints, and the best; 0: none.
    dry_run
        Print the settings and the plan, and train nothing.
    devices
        How many devices of a machine to train on.
    nodes
        How many machines to train on.
    accelerator
        Where to train.
    quiet
        Tell nothing on the way.
    """
    modules = ("torch", "lightning_fabric", "safetensors", "cv2", "tensorboard", "onnx")
    need("sakuga train", "train", *modules, "onnxscript", "onnxslim")
    from sakuga.train.command import Request, run_training

    run_folder = run_training(
        Request(
            config=config,
            overrides=set,
            run=run,
            resume=resume,
            start_from=start_from,
            minutes=minutes,
            keep=keep,
            dry_run=dry_run,
            devices=devices,
            nodes=nodes,
            accelerator=accelerator,
            quiet=quiet,
        )
    )
    if run_folder is not None:
        from sakuga.convert.onnx_export import export_run

        style = export_run(run_folder)
        if not quiet:
            print(f"to paint with it: sakuga paint photo.jpg --style {style}")
