"""The training loop, one function read from top to bottom: initialise, then alternate."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sakuga.console import noted_ctrl_c
from sakuga.errors import TrainingError
from sakuga.models.vgg import load_vgg
from sakuga.train.batches import draw_batch, draw_trial, open_samplers
from sakuga.train.checkpoint import build_generator, keep_checkpoint, save_checkpoint
from sakuga.train.config import CHECKPOINT, TrainConfig, check_objective
from sakuga.train.distributed import any_rank, mean_over_ranks, open_fabric
from sakuga.train.log import RunLog
from sakuga.train.objective import Batch, generator_terms, uses_cel
from sakuga.train.pace import Pace
from sakuga.train.precision import choose_precision
from sakuga.train.state import (
    Look,
    Terms,
    TrainState,
    build_discriminators,
    channels_last,
    in_autocast,
    paint,
)

OnStep = Callable[[int, dict[str, float]], None]  # steps done, latest terms
Planned = Callable[[TrainConfig, int, float], None]  # the plan, steps done, seconds left
STOPPING = "sakuga: stopping when this step is done and saved; Ctrl-C again ends at once"
KEPT = 5  # checkpoints, of the last contact sheets


def train(
    config: TrainConfig,
    run: Path,
    *,
    resume: bool = False,
    start_from: str | Path | None = None,
    devices: int | str = "auto",
    nodes: int = 1,
    accelerator: str = "auto",
    minutes: float | None = None,
    keep: int = KEPT,
    progress: OnStep | None = None,
    planned: Planned | None = None,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Train a generator and leave its checkpoint, log and contact sheets in `run`.

    Args:
        config: the settings; with `resume`, they replace those the run began with.
        run: folder of the run, made if need be.
        resume: go on from the run's checkpoint, exactly as if it had never stopped.
        start_from, minutes, keep: as `sakuga train` takes them.
        devices, nodes, accelerator: as `open_fabric` takes them.
        progress: called on rank 0 after each step.
        planned: called on rank 0 with a plan for `minutes`, and when it changes.
        tell: called on rank 0 with what is worth a line, such as the path of a new sheet.

    Returns:
        The checkpoint's path.

    Raises:
        TrainingError: a guard broke, which is asked before anything is saved; or a checkpoint does
            not fit.
        DataError: pictures or VGG weights that cannot be used.
        DeviceError, OptionError: devices that are not there, or nothing to learn.
        KeyboardInterrupt: after Ctrl-C on any rank, when the step was finished and saved.
    """
    began = time.monotonic()
    check_objective(config)
    torch.manual_seed(config.seed)
    state = TrainState(config)
    if resume:
        state.resume(run)
    elif start_from is not None:
        state.start_from(start_from, config)
    precision, _ = choose_precision(config.precision, accelerator)
    fabric = open_fabric(devices, nodes, accelerator, precision)
    if config.batch % (fabric.world_size * config.accumulate):
        raise TrainingError(
            f"batch {config.batch} cannot be shared evenly by {fabric.world_size} devices "
            f"in {config.accumulate} passes: set batch to a multiple of both"
        )
    vgg = open_vgg(config, fabric)  # before the pictures, which take minutes to decode
    photos, anime = open_samplers(config, fabric)
    counts = (photos.total, anime.total if anime else 0)
    state.set_up(config, fabric)
    first_step = state.step

    def take_step(step: int) -> tuple[Terms, Batch, Tensor]:
        return state.learn(config, draw_batch(config, photos, anime, step, fabric), step, vgg)

    pace = Pace(state, began + 60 * minutes, 60 * minutes) if minutes is not None else None
    if pace:
        config, left_s = pace.plan(config, take_step)
        if fabric.is_global_zero and planned:
            planned(config, first_step, left_s)

    state.began = time.monotonic()
    log = RunLog(config, run, first_step, fabric.device) if fabric.is_global_zero else None
    trial = draw_trial(config, photos, anime, fabric) if keep else []
    if tell and log:
        for line in state.credits:
            tell(f"the style will say: {line}")
        for note in (photos.note, anime.note if anime else "", log.note):
            if note:
                tell(note)

    def save() -> None:
        state.saved_step = state.step
        if fabric.is_global_zero:
            save_checkpoint(run, state.state_dict(config, *counts))

    with (
        contextlib.closing(log) if log else contextlib.nullcontext(),
        noted_ctrl_c(STOPPING if fabric.is_global_zero else "", insists=True) as asked,
    ):
        if pace:
            pace.start_anew()
        while state.step < config.steps:
            terms, batch, painted = take_step(state.step)
            state.step += 1

            # The clock: more steps or fewer, where the machine is not as fast as it was.
            drawing = state.step % config.sheet_every == 0
            if pace and state.step == config.init_steps:  # the steps to come are longer
                pace.start_anew()
            if pace and drawing and state.step > config.init_steps:
                fitted, left_s = pace.keep(config)
                if fitted is not config and log:
                    log.write_config(fitted)
                    if planned:
                        planned(fitted, state.step, left_s)
                config = fitted

            # Checked before anything is written, on every rank, so that all of them stop or none.
            last = state.step == config.steps
            drawing = drawing or last
            saving = drawing or state.step % config.save_every == 0
            checking = saving or state.step % config.guard_every == 0
            logging = last or state.step % config.log_every == 0
            if checking or logging:
                terms = mean_over_ranks(fabric, terms)
            if checking:
                state.check(config, terms, batch, painted)
            if log and logging:
                log.add(state.step, terms, state.learning_rate)

            # A sheet to look at, and a checkpoint of what it shows.
            if drawing and log:
                sheet = log.draw_sheet(state.step, state.ema)
                if tell:
                    tell(f"sheet: {sheet}")
            if drawing and trial:
                distance = trial_distance(config, state.ema, vgg, trial, fabric)
                improved = state.best is None or distance <= state.best
                state.best = distance if improved else state.best
                if fabric.is_global_zero:
                    style = state.style_dict(config, *counts)
                    keep_checkpoint(run, style, keep, best=improved)
            if saving:
                save()
            if log and progress:
                progress(state.step, log.latest)

            if any_rank(fabric, asked.is_set()):
                if not saving:
                    state.check(config, mean_over_ranks(fabric, terms), batch, painted)
                    save()
                raise KeyboardInterrupt
    if first_step >= config.steps:  # nothing was left to do, but the settings may be new
        save()
    return run / CHECKPOINT


def open_vgg(config: TrainConfig, fabric: Fabric) -> Look | None:
    """VGG19 on the device, where any term looks through it. Raises DataError: its weights."""
    weights: Sequence[float] = config.gram_weights if config.anime else ()
    if uses_cel(config):
        weights = (*weights, *config.structure_weights)
    if not config.content_weight and not any(weights):
        return None
    return in_autocast(fabric, channels_last(load_vgg(config.vgg or None).to(fabric.device)))


@torch.no_grad()
def trial_distance(
    config: TrainConfig,
    generator: nn.Module,
    vgg: Look | None,
    trial: Sequence[Batch],
    fabric: Fabric,
) -> float:
    """How far a generator is from what it should paint: all terms but the discriminators', summed.

    Every rank must call it, and all get the same answer.
    """
    distance = torch.zeros((), device=fabric.device)
    for batch in trial:
        painting = paint(config, generator, batch.photo)
        terms = generator_terms(config, {}, vgg, batch, painting, None, adversarial=False)
        distance += sum(terms.values()) / len(trial)
    return float(mean_over_ranks(fabric, {"distance": distance})["distance"])


def plan(config: TrainConfig) -> dict[str, int | float]:
    """What a training will do, without data: crops seen, learned values, memory of the state."""
    learned = sum(p.numel() for p in build_generator(config).parameters())
    judging = sum(p.numel() for d in build_discriminators(config).values() for p in d.parameters())
    # Adam keeps two values a parameter, the average one more, gradients one.
    state_bytes = 4 * (5 * learned + 4 * judging)
    return {
        "steps": config.steps,
        "crops": config.steps * config.batch,
        "generator_parameters": learned,
        "discriminator_parameters": judging,
        "learned_state_mb": round(state_bytes / 1e6, 1),
        "batch_mb": round(config.batch * 3 * config.crop**2 * 4 * 4 / 1e6, 1),
    }
