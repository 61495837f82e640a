"""What a training changes: its networks, their optimisers and average, and how far it has come."""

from __future__ import annotations

import copy
import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sakuga.errors import TrainingError
from sakuga.models.discriminators import CartoonDiscriminator, PatchDiscriminator
from sakuga.models.local import LocalGenerator, Painting
from sakuga.train.checkpoint import (
    build_generator,
    in_todays_form,
    load_checkpoint,
    load_weights,
    starting_credits,
    starting_weights,
)
from sakuga.train.collapse import check_health, check_terms, check_weights, measure_health
from sakuga.train.config import TrainConfig, config_to_json
from sakuga.train.distributed import mean_over_ranks
from sakuga.train.objective import Batch, discriminator_terms, generator_terms

Terms = dict[str, Tensor]  # of the objective, by name
Look = Callable[..., Any]  # a network that is only looked through


class TrainState:
    """A training between two steps.

    Made anew, its networks come from torch's global random state; then it may be filled from a run
    (`resume`) or another generator (`start_from`), and is `set_up` on the devices of a fabric.
    """

    def __init__(self, config: TrainConfig) -> None:
        self.generator: nn.Module = build_generator(config)
        self.discriminators = build_discriminators(config)
        # What will be exported: the average of the generator.
        self.ema = copy.deepcopy(self.generator).requires_grad_(False)
        self.step = 0  # steps done
        self.elapsed_s = 0.0  # before `began`
        self.began = time.monotonic()
        self.best: float | None = None  # distance of the best of the kept checkpoints
        self.credits: tuple[str, ...] = ()  # what the style owes to what it started from
        self.saved_step: int | None = None  # of the last checkpoint
        self._resumed: dict[str, Any] | None = None

    def resume(self, run: Path) -> None:
        """Go on from a run's checkpoint. Raises TrainingError: none there, or it does not fit."""
        _, saved = load_checkpoint(run)
        new = sorted(self.discriminators.keys() - saved.get("discriminators", {}).keys())
        if "generator" not in saved or new:
            lacks = f"{new[0]} discriminator" if "generator" in saved else "training, only a style"
            raise TrainingError(
                f"{run}: holds no {lacks}, to go on with; begin a new run:  --start-from {run}"
            )
        load_weights(self.generator, saved["generator"], run)
        load_weights(self.ema, saved["ema"], run)
        for name, discriminator in self.discriminators.items():
            load_weights(discriminator, saved["discriminators"][name], run)
        self.step = self.saved_step = saved["step"]
        self.elapsed_s = saved["elapsed_s"]
        self.best = saved.get("best")
        self.credits = tuple(saved.get("credits", ()))
        self._resumed = saved

    def start_from(self, source: str | Path, config: TrainConfig) -> None:
        """Begin with another generator's weights. Raises TrainingError: they do not fit."""
        origin = starting_weights(source, config)
        self.credits = starting_credits(source)
        if config.decides:  # a start without the head that decides gets a fresh one
            own = self.generator.state_dict()
            fresh = {name: v for name, v in own.items() if name.startswith("choices.")}
            origin = {**fresh, **origin}
        load_weights(self.generator, origin, source)
        load_weights(self.ema, origin, source)

    def set_up(self, config: TrainConfig, fabric: Fabric) -> None:
        """Make the optimisers, and lay everything out on the devices."""
        self.fabric = fabric
        self.ema.to(fabric.device)
        settings: dict[str, Any] = {
            "betas": (config.beta1, config.beta2),
            "weight_decay": config.weight_decay,
        }
        adam = torch.optim.AdamW
        self.generator_adam: Any = adam(
            self.generator.parameters(), config.generator_lr, **settings
        )
        self.discriminator_adam: dict[str, Any] = {
            name: adam(discriminator.parameters(), config.discriminator_lr, **settings)
            for name, discriminator in self.discriminators.items()
        }
        if self._resumed:
            if isinstance(self.generator, LocalGenerator):
                names = list(self._resumed["generator"])
                for index, moments in self._resumed["generator_adam"]["state"].items():
                    for kind, values in moments.items():
                        _, moments[kind] = in_todays_form(names[index], values)
            self.generator_adam.load_state_dict(self._resumed["generator_adam"])
            for name, own in self.discriminator_adam.items():
                own.load_state_dict(self._resumed["discriminator_adam"][name])
            for own in (self.generator_adam, *self.discriminator_adam.values()):
                # As the config says now; earlier versions began with plain Adam.
                own.param_groups[0].update(settings, decoupled_weight_decay=True)
            self._resumed = None
        self.wrapped, self.generator_adam = fabric.setup(
            channels_last(self.generator), self.generator_adam
        )
        self.wrapped_discriminators: dict[str, Any] = {}
        for name, discriminator in self.discriminators.items():
            self.wrapped_discriminators[name], self.discriminator_adam[name] = fabric.setup(
                channels_last(discriminator), self.discriminator_adam[name]
            )
        # The generator's step only looks through them: bare modules, in autocast, like VGG.
        self.looks = {
            name: in_autocast(fabric, wrapped.module)
            for name, wrapped in self.wrapped_discriminators.items()
        }

    @property
    def networks(self) -> dict[str, nn.Module]:
        """All of them, by name."""
        return {"generator": self.generator, "average": self.ema, **self.discriminators}

    @property
    def optimisers(self) -> list[Any]:
        """All of them."""
        return [self.generator_adam, *self.discriminator_adam.values()]

    def learn(
        self, config: TrainConfig, batch: Batch, step: int, vgg: Look | None
    ) -> tuple[Terms, Batch, Tensor]:
        """Take a step: its terms, and the batch's last part with what was painted of it."""
        adversarial = step >= config.init_steps
        self._set_learning_rates(config, step)
        parts = batch.parts(config.accumulate)
        # In one pass both steps use the same painting; of several, no graph is kept meanwhile.
        once = paint(config, self.wrapped, parts[0].noisy) if len(parts) == 1 else None
        terms: Terms = {}
        if adversarial:
            self.discriminator_step(config, parts, once, terms)
        painted = self.generator_step(config, parts, once, terms, vgg, adversarial=adversarial)
        # Young averages forget faster.
        decay = min(config.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.ema.parameters()), list(self.generator.parameters()), 1 - decay
            )
        return terms, parts[-1], painted

    def discriminator_step(
        self, config: TrainConfig, parts: Sequence[Batch], once: Painting | None, terms: Terms
    ) -> None:
        """Anime up; painted photos, smoothed anime and plain photos down."""
        fabric, discriminators = self.fabric, self.wrapped_discriminators
        share = 1 / len(parts)
        for adam in self.discriminator_adam.values():
            adam.zero_grad()
        for part in parts:
            with torch.no_grad():
                painting = paint(config, self.wrapped, part.noisy) if once is None else once
                painted = painting.picture.detach()
            own = discriminator_terms(config, discriminators, part, painted)
            for name, discriminator in discriminators.items():
                with fabric.no_backward_sync(discriminator, enabled=part is not parts[-1]):
                    fabric.backward(own[f"discriminator_{name}"] * share)
            _add_terms(terms, own, share)
        for name, discriminator in discriminators.items():
            self.discriminator_adam[name].step()
            discriminator.module.requires_grad_(False)

    def generator_step(
        self,
        config: TrainConfig,
        parts: Sequence[Batch],
        once: Painting | None,
        terms: Terms,
        vgg: Look | None,
        *,
        adversarial: bool,
    ) -> Tensor:
        """Fool the discriminators, keep the structure, flatten, and draw as the drawings do."""
        fabric, share = self.fabric, 1 / len(parts)
        self.generator_adam.zero_grad()
        for part in parts:
            with fabric.no_backward_sync(self.wrapped, enabled=part is not parts[-1]):
                painting = paint(config, self.wrapped, part.noisy) if once is None else once
                clean = self.wrapped(part.photo) if config.noise_weight else None
                own = generator_terms(
                    config, self.looks, vgg, part, painting, clean, adversarial=adversarial
                )
                fabric.backward(torch.stack(list(own.values())).sum() * share)
            _add_terms(terms, own, share)
        if config.clip_norm:
            fabric.clip_gradients(
                self.wrapped,
                self.generator_adam,
                max_norm=config.clip_norm,
                error_if_nonfinite=False,
            )
        self.generator_adam.step()
        for discriminator in self.wrapped_discriminators.values():
            discriminator.module.requires_grad_(True)
        return painting.picture.detach()

    def _set_learning_rates(self, config: TrainConfig, step: int) -> None:
        factor = learning_rate_factor(config, step)
        initial = config.init_lr if config.init_lr and step < config.init_steps else None
        self.generator_adam.param_groups[0]["lr"] = factor * (initial or config.generator_lr)
        for adam in self.discriminator_adam.values():
            adam.param_groups[0]["lr"] = factor * config.discriminator_lr

    @property
    def learning_rate(self) -> float:
        """The generator's, in the last step."""
        return float(self.generator_adam.param_groups[0]["lr"])

    def check(self, config: TrainConfig, terms: Terms, batch: Batch, painted: Tensor) -> None:
        """Stop before something broken is saved; every rank must ask, so that all of them stop.

        Raises:
            TrainingError: what broke, and which checkpoint is kept.
        """
        try:
            check_terms(terms, self.step)
            check_weights(self.networks, self.step)
            if self.step > config.init_steps:  # fresh from chance it may look like anything
                health = mean_over_ranks(
                    self.fabric, measure_health(batch.photo, painted, batch.drawing)
                )
                check_health(
                    {name: float(value) for name, value in health.items()},
                    self.step,
                    chroma_limit=config.chroma_limit,
                    texture_limit=config.texture_limit,
                )
        except TrainingError as error:
            kept = "no checkpoint was saved yet"
            if self.saved_step is not None:
                kept = f"the last checkpoint is kept (step {self.saved_step})"
            raise TrainingError(f"{error}; {kept}") from error

    def style_dict(self, config: TrainConfig, photos: int, drawings: int) -> dict[str, Any]:
        """What a style is made of. photos, drawings: how many it learns from."""
        return {
            "step": self.step,
            "elapsed_s": self.elapsed_s + time.monotonic() - self.began,
            "hardware": describe_hardware(self.fabric.device, self.fabric.world_size),
            "photos": photos,
            "drawings": drawings,
            "config": config_to_json(config),
            "credits": list(self.credits),
            "ema": self.ema.state_dict(),
        }

    def state_dict(self, config: TrainConfig, photos: int, drawings: int) -> dict[str, Any]:
        """All that is needed to go on exactly."""
        return {
            **self.style_dict(config, photos, drawings),
            "best": self.best,
            "generator": self.generator.state_dict(),
            "discriminators": {n: d.state_dict() for n, d in self.discriminators.items()},
            "generator_adam": self.generator_adam.state_dict(),
            "discriminator_adam": {n: a.state_dict() for n, a in self.discriminator_adam.items()},
        }


def paint(config: TrainConfig, generator: Look, photos: Tensor) -> Painting:
    """Paint a batch as it is learned from: in parts where the drawings of pairs are known."""
    if config.pairs and config.generator == "local":
        painting: Painting = generator(photos, in_parts=True)
        return painting
    picture = generator(photos)
    return Painting(picture, picture, picture)


def build_discriminators(config: TrainConfig) -> dict[str, nn.Module]:
    """The discriminators that have a weight, by name."""
    makers = {
        "texture": lambda: PatchDiscriminator(1, config.discriminator_width),
        "surface": lambda: PatchDiscriminator(3, config.discriminator_width),
        "picture": CartoonDiscriminator,
    }
    return {name: makers[name]() for name in config.adversarial_terms}


def learning_rate_factor(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a cosine from 1 down to `final_lr` at the last step."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    progress = step / max(1, config.steps - 1)
    return warm * (config.final_lr + (1 - config.final_lr) * (1 + math.cos(math.pi * progress)) / 2)


def describe_hardware(device: torch.device, count: int) -> str:
    """The machine a training ran on, in words."""
    if device.type == "cuda":
        return f"{count} x {torch.cuda.get_device_name(device)}"
    return f"CPU, {count} x {torch.get_num_threads()} threads, {platform.machine()}"


def channels_last(network: nn.Module) -> nn.Module:
    """Lay a network's weights out as convolutions are fastest with."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
    return network


def in_autocast(fabric: Fabric, network: nn.Module) -> Look:
    """A network as it is looked through: in the precision that fabric chose."""

    def call(*arguments: Any) -> Any:
        with fabric.autocast():
            return network(*arguments)

    return call


def _add_terms(sums: dict[str, Tensor], terms: Mapping[str, Tensor], share: float) -> None:
    """Add a pass's share to the terms of the step."""
    for name, term in terms.items():
        sums[name] = sums.get(name, 0.0) + term.detach() * share
