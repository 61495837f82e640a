"""How long a step takes on this machine, and a schedule that keeps to the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable

from torch import Tensor

from sakuga.train.clock import keep_to_the_clock, plan_steps
from sakuga.train.config import TrainConfig
from sakuga.train.distributed import any_rank, mean_over_ranks
from sakuga.train.objective import Batch
from sakuga.train.state import Terms, TrainState

RESERVE = 0.01  # share of the time left for the end: the last sheet, the style file
WARM_UP_STEPS = 2  # before a step is measured
MEASURED_LEAST = 3  # steps, and until
MEASURED_S = 4.0  # seconds have gone by

TakeStep = Callable[[int], tuple[Terms, Batch, Tensor]]


class Pace:
    """Keeps a training to the clock; every rank must ask, and all get the same answer.

    Args:
        ends: when the training is to be done, as `time.monotonic` tells it.
        allowed_s: seconds, all in all, of which `ends` is the last.
    """

    def __init__(self, state: TrainState, ends: float, allowed_s: float) -> None:
        self._state = state
        self._ends = ends
        self._reserve_s = RESERVE * allowed_s
        self.start_anew()

    def plan(self, config: TrainConfig, take_step: TakeStep) -> tuple[TrainConfig, float]:
        """Measure a step of each phase and fit the config. Returns the seconds left, too.

        Raises:
            OptionError: hardly a step fits.
        """
        first = self._state.step
        init_s = step_s = measure_step(self._state, take_step, max(first, config.init_steps))
        if first < config.init_steps:
            init_s = measure_step(self._state, take_step, first)
        times = {"left": self._ends - time.monotonic(), "init": init_s, "step": step_s}
        left_s, init_s, step_s = self._mean(times)
        return plan_steps(config, left_s, init_s, step_s, first), left_s

    def start_anew(self) -> None:
        """Take the speed from here on."""
        self._since = (self._state.step, time.monotonic())

    def keep(self, config: TrainConfig) -> tuple[TrainConfig, float]:
        """Fit the config to the speed since the last time. Returns the seconds left, too."""
        step, now = self._state.step, time.monotonic()
        last_step, last = self._since
        step_s = (now - last) / (step - last_step)
        left_s = self._ends - self._reserve_s - now
        step_s, left_s = self._mean({"step": step_s, "left": left_s})
        self._since = (step, now)
        return keep_to_the_clock(config, step, left_s, step_s), left_s

    def _mean(self, seconds: dict[str, float]) -> list[float]:
        return [float(value) for value in mean_over_ranks(self._state.fabric, seconds).values()]


def measure_step(state: TrainState, take_step: TakeStep, step: int) -> float:
    """Seconds that a step takes, found by taking it several times; nothing is learned by that."""
    weights = {
        name: {key: value.clone() for key, value in network.state_dict().items()}
        for name, network in state.networks.items()
    }
    # Fabric's wrappers share this mapping with the optimisers: it is emptied and filled in place.
    moments = [
        {
            parameter: {k: v.clone() if isinstance(v, Tensor) else v for k, v in kept.items()}
            for parameter, kept in adam.state.items()
        }
        for adam in state.optimisers
    ]

    def take() -> None:
        terms, _, _ = take_step(step)
        float(next(iter(terms.values())))  # waits for the device

    for _ in range(WARM_UP_STEPS):
        take()
    began, count = time.monotonic(), 0
    while any_rank(
        state.fabric,
        count < MEASURED_LEAST or (time.monotonic() - began < MEASURED_S and count < 50),
    ):
        take()
        count += 1
    seconds = (time.monotonic() - began) / count

    for name, network in state.networks.items():
        network.load_state_dict(weights[name])
        network.zero_grad(set_to_none=True)
    for adam, kept in zip(state.optimisers, moments, strict=True):
        adam.state.clear()
        adam.state.update(kept)
    return seconds
