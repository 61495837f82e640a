"""What `sakuga train` does around the loop: which config, which folder, what is printed.

torch, which takes seconds to load, is imported only when the request is known to make sense.
"""

from __future__ import annotations

import dataclasses
import math
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sakuga.console import ProgressBar
from sakuga.errors import OptionError, TrainingError
from sakuga.files import alone_in
from sakuga.train.clock import describe_plan
from sakuga.train.config import (
    CHECKPOINT,
    TrainConfig,
    check_objective,
    check_paths,
    config_to_json,
    load_config,
    with_overrides,
)

LINE_EVERY_S = 60.0  # where there is no terminal for a bar


@dataclass(frozen=True)
class Request:
    """One call of `sakuga train`; each field is an option of it.

    Parameters
    ----------
    overrides
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

    # A TOML file, or a recipe's name: the verb's own argument.
    config: Annotated[str | None, Parameter(parse=False)] = None
    overrides: Annotated[
        tuple[str, ...], Parameter(name="--set", consume_multiple=True, show_default=False)
    ] = ()
    run: Path | None = None
    resume: Path | None = None
    start_from: str | None = None
    minutes: float | None = None
    keep: int = 5
    dry_run: bool = False
    devices: int | Literal["auto"] = "auto"
    nodes: int = 1
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    quiet: bool = False


def resolve(request: Request) -> tuple[TrainConfig, Path]:
    """The config and the run's folder of a request.

    Raises:
        OptionError: options that contradict each other, a bad config, a folder that holds a run
        already. TrainingError: nothing to resume.
    """
    if request.resume is not None:
        if request.config is not None or request.start_from is not None or request.run is not None:
            raise OptionError(
                "--resume takes its config and folder from the run: give only --set beside it"
            )
        if request.resume.is_file():
            raise OptionError(
                f"{request.resume}: is a file; --resume takes a run's folder, and --start-from "
                "begins a new run from a checkpoint"
            )
        if not (request.resume / CHECKPOINT).is_file():
            raise TrainingError(
                f"{request.resume}: holds no {CHECKPOINT} to go on from: give a run's folder; one "
                "that was stopped before its first checkpoint is begun again"
            )
        from sakuga.train.checkpoint import load_checkpoint

        config, _ = load_checkpoint(request.resume)
        return with_overrides(dataclasses.asdict(config), request.overrides), request.resume
    if request.config is None:
        raise OptionError("give a recipe's name (novel) or a TOML file, or --resume RUN")
    config = load_config(request.config, request.overrides)
    run = request.run or Path("runs") / config.name
    if (run / CHECKPOINT).exists() and not request.dry_run:
        raise OptionError(
            f"{run} holds a run already: go on with --resume {run}, or choose another --run"
        )
    return config, run


def run_training(request: Request) -> Path | None:
    """Train as asked, telling how it goes; or print the plan.

    Returns:
        The run's folder, of which a style can be made; None after a dry run, and in all processes
        but the first.
    """
    if request.minutes is not None and not 0 < request.minutes < math.inf:
        raise OptionError(f"--minutes {request.minutes:g}: a number above 0")
    if request.minutes is not None and request.dry_run:
        raise OptionError(
            "--minutes is planned with a step that is measured, and --dry-run takes none: "
            "leave one of them away"
        )
    if request.keep < 0:
        raise OptionError(f"--keep {request.keep}: not negative")
    config, run = resolve(request)
    if not request.dry_run:
        check_paths(config)
        check_objective(config)
    from sakuga.train.distributed import is_first_process
    from sakuga.train.loop import plan, train
    from sakuga.train.precision import choose_precision

    precision, why = choose_precision(config.precision, request.accelerator)
    if request.dry_run:
        print(config_to_json(config))
        for name, value in plan(config).items():
            print(f"{name:>24}: {value:,}")
        print(f"{'precision':>24}: {precision} ({why})")
        return None
    speaks = is_first_process() and not request.quiet
    label = f"Training {config.name}"
    with (
        alone_in(run) if is_first_process() else nullcontext(),
        ProgressBar(label, config.steps, quiet=not speaks, line_every_s=LINE_EVERY_S) as bar,
    ):
        bar.say(f"precision: {precision} ({why})")
        if request.minutes is not None:
            bar.say("measuring a step")
        steps, moved = config.steps, False

        def announce(planned: TrainConfig, step: int, left_s: float) -> None:
            nonlocal steps
            steps = planned.steps
            for line in describe_plan(planned, run, step, left_s):
                bar.say(line)

        def show(step: int, terms: dict[str, float]) -> None:
            nonlocal moved
            moved, note = True, ""
            if terms:
                speed = terms["crops_per_s"] / config.batch
                note = f"loss {terms['loss']:.3g}, {speed:.2g} steps a second"
            bar.update(step, note, steps)

        checkpoint = train(
            config,
            run,
            resume=request.resume is not None,
            start_from=request.start_from,
            devices=request.devices,
            nodes=request.nodes,
            accelerator=request.accelerator,
            minutes=request.minutes,
            keep=request.keep,
            progress=show,
            planned=announce,
            tell=bar.say,
        )
    if not is_first_process():
        return None
    if speaks and not moved:
        print(f"all {steps:,} steps were done before; to go on, add --minutes N or --set steps=N")
    if speaks:
        print(f"trained: {checkpoint}")
    return run
