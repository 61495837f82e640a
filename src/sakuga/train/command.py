"""What `sakuga train` does around the loop: which config, which folder, what is printed.

torch, which takes seconds to load, is imported only when the request is known to make sense.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sakuga.console import ProgressBar
from sakuga.errors import OptionError
from sakuga.options import parse_overrides
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

SHOWN_TERMS = ("flat", "adversarial_texture", "crops_per_s")  # beside the bar; the log has all


@dataclass(frozen=True)
class Request:
    """One call of `sakuga train`."""

    config: Path | None
    overrides: Sequence[str]
    run: Path | None  # folder of the run; by default runs/NAME
    resume: Path | None  # folder of a run to go on with
    start_from: str | None  # training, style or published weights to fine-tune from
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
        raise OptionError("give a CONFIG.toml (configs/ has some), or --resume RUN")
    config = load_config(request.config, request.overrides)
    run = request.run or Path("runs") / config.name
    if (run / CHECKPOINT).exists() and not request.dry_run:
        raise OptionError(
            f"{run} holds a run already: go on with --resume {run}, or choose another --run"
        )
    return config, run


def run_training(request: Request) -> None:
    """Train as asked, with a progress bar on a terminal, or print the plan."""
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
        return
    speaks = is_first_process() and not request.quiet
    if speaks:
        print(f"precision: {precision} ({why})", file=sys.stderr)
    with ProgressBar(f"Training {config.name}", config.steps, quiet=not speaks) as bar:

        def show(step: int, terms: dict[str, float]) -> None:
            shown = [f"{name} {terms[name]:.3g}" for name in SHOWN_TERMS if name in terms]
            bar.update(step, ", ".join(shown))

        checkpoint = train(
            config,
            run,
            resume=request.resume is not None,
            start_from=request.start_from,
            devices=request.devices,
            nodes=request.nodes,
            accelerator=request.accelerator,
            progress=show,
        )
    if speaks:
        print(f"trained: {checkpoint}")
        print(f"to make a style of it: sakuga export {run} {config.name}.onnx")
