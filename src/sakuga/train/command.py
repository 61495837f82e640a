"""What `sakuga train` does around the loop: which config, which folder, what is printed.

torch, which takes seconds to load, is imported only when the request is known to make sense.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sakuga.console import ProgressBar
from sakuga.errors import OptionError
from sakuga.options import parse_overrides
from sakuga.train.clock import describe_plan
from sakuga.train.config import (
    CHECKPOINT,
    TrainConfig,
    check_objective,
    check_paths,
    config_from,
    config_to_json,
    find_checkpoint,
    load_config,
)

LINE_EVERY_S = 60.0  # where there is no terminal for a bar


@dataclass(frozen=True)
class Request:
    """One call of `sakuga train`."""

    config: str | None  # a TOML file, or a recipe's name
    overrides: Sequence[str]
    run: Path | None  # folder of the run; by default runs/NAME
    resume: Path | None  # folder of a run to go on with
    start_from: str | None  # training, style or published weights to fine-tune from
    minutes: float | None  # that the training may take; None: as the config says
    keep: int  # checkpoints of the last sheets
    dry_run: bool
    devices: int | str
    nodes: int
    accelerator: str
    quiet: bool


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
        find_checkpoint(request.resume)
        from sakuga.train.checkpoint import load_checkpoint

        config, _ = load_checkpoint(request.resume)
        changes = parse_overrides(request.overrides)
        return config_from({**json.loads(config_to_json(config)), **changes}), request.resume
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
    with ProgressBar(label, config.steps, quiet=not speaks, line_every_s=LINE_EVERY_S) as bar:
        bar.say(f"precision: {precision} ({why})")
        if request.minutes is not None:
            bar.say("measuring a step")
        steps = config.steps

        def announce(planned: TrainConfig, step: int, left_s: float) -> None:
            nonlocal steps
            steps = planned.steps
            for line in describe_plan(planned, run, step, left_s):
                bar.say(line)

        def show(step: int, terms: dict[str, float]) -> None:
            note = ""
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
    if speaks:
        print(f"trained: {checkpoint}")
    return run
