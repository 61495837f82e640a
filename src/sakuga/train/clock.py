"""Training by the clock: from the seconds a step takes to steps, phases and rates that fit.

Nothing here looks at a clock: what was measured comes in, and a config goes out. It is saved like
any other, so that a training that was planned so resumes exactly.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from pathlib import Path

from sakuga.errors import OptionError
from sakuga.train.config import TrainConfig

OVERHEAD = 0.03  # share of the time that goes into sheets, checkpoints and the style file
FEWEST_STEPS = 10  # fewer are no training
SAVE_S = 45.0  # seconds between checkpoints: what a power cut costs
SHEETS = 20  # in the whole time, but none sooner than
SHEET_LEAST_S = 60.0  # seconds after the last, and none later than
SHEET_MOST_S = 300.0
LOG_S = 5.0  # seconds between lines of the log, at most
WARM_UP_SHARE = 0.02  # of all steps, at most
AVERAGE_SHARE = 0.1  # of all steps the average may look back over
TOLERANCE = 0.05  # of what is left: a plan that is off by less is left alone


def plan_steps(
    config: TrainConfig, left_s: float, init_s: float, step_s: float, first_step: int = 0
) -> TrainConfig:
    """Fit a config into a time: its steps, phases, warm-up, average, sheets and checkpoints.

    The learning rate falls along its cosine to the last step that is planned; the initialisation
    keeps its share of the steps.

    Args:
        left_s: seconds that the training may take from now on.
        init_s: seconds a step takes in the initialisation.
        step_s: seconds a step takes after it.
        first_step: steps that are done already; the initialisation is then left as it is.

    Raises:
        OptionError: hardly a step fits.
    """
    usable_s = left_s * (1 - OVERHEAD)
    if first_step:
        initial = config.init_steps
        initial_left = max(0, initial - first_step)
        steps = first_step + initial_left + int((usable_s - initial_left * init_s) / step_s)
    else:
        share = config.init_steps / config.steps
        steps = int(usable_s / (share * init_s + (1 - share) * step_s))
        initial = round(share * steps)
    if steps - first_step < FEWEST_STEPS:
        raise OptionError(
            f"a step takes {step_s:.2g} s here, so {max(0, steps - first_step)} fit into "
            f"{max(0.0, left_s) / 60:.2g} minutes: give more --minutes, or lower batch or crop"
        )
    sheet_s = min(max(SHEET_LEAST_S, left_s / SHEETS), SHEET_MOST_S)
    return dataclasses.replace(
        config,
        steps=steps,
        init_steps=min(initial, steps),
        warmup_steps=min(config.warmup_steps, max(1, int(WARM_UP_SHARE * steps))),
        ema_decay=min(config.ema_decay, max(0.0, 1 - 1 / (AVERAGE_SHARE * steps))),
        sheet_every=max(1, round(sheet_s / step_s)),
        save_every=max(1, round(SAVE_S / step_s)),
        log_every=max(1, min(config.log_every, round(LOG_S / step_s))),
    )


def keep_to_the_clock(config: TrainConfig, done: int, left_s: float, step_s: float) -> TrainConfig:
    """Change the number of steps where the machine has become slower or faster than planned.

    Args:
        done: steps, beyond the initialisation.
        left_s: seconds until the training should end; none left: this step is the last.
        step_s: seconds a step took lately, with all that is done beside it.
    """
    fitting = max(0, int(left_s / step_s))
    planned = config.steps - done
    if abs(fitting - planned) <= max(TOLERANCE * planned, 0.01 * config.steps):
        return config
    return dataclasses.replace(config, steps=done + fitting)


def describe_plan(config: TrainConfig, run: Path, first_step: int, left_s: float) -> list[str]:
    """What a training will do and when it will be done, in lines."""
    steps = config.steps - first_step
    step_s = left_s * (1 - OVERHEAD) / max(1, steps)
    end = datetime.now() + timedelta(seconds=left_s)
    lines = [
        f"plan: {steps:,} steps of about {step_s:.2g} s, done at about {end:%H:%M} ({end:%d %B})"
    ]
    if config.init_steps > first_step:
        lines.append(
            f"phases: {config.init_steps - first_step:,} steps of initialisation, then "
            f"{config.steps - max(first_step, config.init_steps):,}"
        )
    last = config.generator_lr * config.final_lr
    lines.append(f"learning rate: {config.generator_lr:.3g}, falling to {last:.3g}")
    minutes = config.sheet_every * step_s / 60
    lines.append(f"a contact sheet about every {minutes:.2g} minutes: {run / 'sheets'}")
    return lines
