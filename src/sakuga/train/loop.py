"""The training loop, one function read from top to bottom: initialise, then alternate."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import os
import platform
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from sakuga.errors import TrainingError
from sakuga.models.discriminators import CartoonDiscriminator, PatchDiscriminator
from sakuga.models.local import Painting
from sakuga.models.vgg import load_vgg
from sakuga.train.checkpoint import (
    build_generator,
    keep_checkpoint,
    load_checkpoint,
    load_weights,
    save_checkpoint,
)
from sakuga.train.clock import keep_to_the_clock, plan_steps
from sakuga.train.collapse import check_health, check_terms, check_weights, measure_health
from sakuga.train.config import CHECKPOINT, TrainConfig, check_objective, config_to_json
from sakuga.train.dataset import CropSampler, PairSampler, load_pairs
from sakuga.train.distributed import any_rank, mean_over_ranks, open_fabric
from sakuga.train.log import Journal
from sakuga.train.objective import Batch, discriminator_terms, generator_terms, uses_cel
from sakuga.train.precision import choose_precision
from sakuga.train.rolling import open_sampler
from sakuga.train.starting import starting_credits, starting_weights

Progress = Callable[[int, dict[str, float]], None]  # steps done, latest terms
Planned = Callable[[TrainConfig, int, float], None]  # the plan, steps done, seconds left
KEPT = 5  # checkpoints, of the last contact sheets
RESERVE = 0.01  # share of the minutes left for the end: the last sheet, the style file
WARM_UP_STEPS = 2  # before a step is measured
MEASURED_LEAST = 3  # steps, and until
MEASURED_S = 4.0  # seconds have gone by
TRIAL_CROPS = 48  # always the same ones, on which checkpoints are compared


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
    progress: Progress | None = None,
    planned: Planned | None = None,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Train a generator and leave its checkpoint, log and contact sheets in `run`.

    Args:
        config: the settings; with `resume`, they replace those the run began with.
        run: folder of the run, made if need be.
        resume: go on from the run's checkpoint, exactly as if it had never stopped.
        start_from: begin with the averaged generator of another checkpoint, a style's, or the
            published weights of a CartoonGAN (fine-tuning).
        devices, nodes, accelerator: as `open_fabric` takes them.
        minutes: that the training may take from now on. A step is measured and the schedule
            fitted to it (`plan_steps`); None: as the config says.
        keep: how many checkpoints of the last contact sheets to keep by their step, in
            `run`/checkpoints, with the best of all beside them, best.pt; 0: none.
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
    generator = build_generator(config)
    discriminators = build_discriminators(config)
    ema = copy.deepcopy(generator).requires_grad_(False)
    state = None
    credits: tuple[str, ...] = ()  # what the style owes to what it started from
    if resume:
        _, state = load_checkpoint(run)
        credits = tuple(state.get("credits", ()))
    elif start_from is not None:
        origin = starting_weights(start_from, config)
        credits = starting_credits(start_from)
        if config.decides:  # a start without the head that decides gets a fresh one
            fresh = {n: v for n, v in generator.state_dict().items() if n.startswith("decisions.")}
            origin = {**fresh, **origin}
        load_weights(generator, origin, start_from)
        load_weights(ema, origin, start_from)
    if state:
        load_weights(generator, state["generator"], run)
        load_weights(ema, state["ema"], run)
        for name, discriminator in discriminators.items():
            load_weights(discriminator, state["discriminators"][name], run)

    precision, _ = choose_precision(config.precision, accelerator)
    fabric = open_fabric(devices, nodes, accelerator, precision)
    if config.batch % (fabric.world_size * config.accumulate):
        raise TrainingError(
            f"batch {config.batch} cannot be shared evenly by {fabric.world_size} devices "
            f"in {config.accumulate} passes: set batch to a multiple of both"
        )
    vgg = None
    if needs_vgg(config):  # before the pictures, which take minutes to decode
        features = _channels_last(load_vgg(config.vgg or None).to(fabric.device))
        vgg = _in_autocast(fabric, features)
    shared: dict[str, Any] = {
        "memory_gb": config.memory_gb / 2,
        "seed": config.seed,
        "crops_a_step": config.batch // fabric.world_size,
        "rank": fabric.global_rank,
        "world": fabric.world_size,
    }
    photos: CropSampler | PairSampler
    if config.pairs:
        pairs = load_pairs(config.pairs)
        photos = PairSampler(pairs, config.crop, config.face_share, fabric.device)
    else:
        photos = open_sampler(
            config.photos, config.crop, config.photo_sides, fabric.device, **shared
        )
    anime = None
    if config.anime or not config.pairs:  # the drawings of pairs can do without others
        anime = open_sampler(
            config.anime,
            config.crop,
            config.anime_sides,
            fabric.device,
            smooth=True,
            copies=config.smooth,
            **shared,
        )
    ema.to(fabric.device)

    betas = (config.beta1, config.beta2)
    adam_settings: dict[str, Any] = {"betas": betas, "weight_decay": config.weight_decay}
    generator_adam = torch.optim.AdamW(generator.parameters(), config.generator_lr, **adam_settings)
    discriminator_adam = {
        name: torch.optim.AdamW(
            discriminator.parameters(), config.discriminator_lr, **adam_settings
        )
        for name, discriminator in discriminators.items()
    }
    if state:
        generator_adam.load_state_dict(state["generator_adam"])
        for name, adam in discriminator_adam.items():
            adam.load_state_dict(state["discriminator_adam"][name])
        for adam in (generator_adam, *discriminator_adam.values()):
            # As the config says now; earlier versions began with plain Adam.
            adam.param_groups[0].update(adam_settings, decoupled_weight_decay=True)
    painter, generator_adam = fabric.setup(_channels_last(generator), generator_adam)
    critics = {}
    for name, discriminator in discriminators.items():
        critics[name], discriminator_adam[name] = fabric.setup(
            _channels_last(discriminator), discriminator_adam[name]
        )

    # In the generator's step the critics only look: their bare modules, in autocast, like VGG.
    judges = {name: _in_autocast(fabric, critic.module) for name, critic in critics.items()}

    networks = {"generator": generator, "average": ema, **discriminators}
    adams = [generator_adam, *discriminator_adam.values()]

    first_step = state["step"] if state else 0
    elapsed_before_s = state["elapsed_s"] if state else 0.0
    best = state.get("best") if state else None  # distance of the best of the kept ones

    def take_step(step: int) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Take a step: its terms, and photos with what was painted of them."""
        adversarial = step >= config.init_steps
        rate = learning_rate_factor(config, step)
        initial = config.init_lr if config.init_lr and not adversarial else config.generator_lr
        for adam, base in [(generator_adam, initial)] + [
            (adam, config.discriminator_lr) for adam in discriminator_adam.values()
        ]:
            adam.param_groups[0]["lr"] = base * rate
        parts = draw_batch(config, photos, anime, step, fabric).parts(config.accumulate)
        share = 1 / len(parts)
        # In one pass both steps use the same painting; of several, no graph is kept meanwhile.
        once = paint(config, painter, parts[0].noisy) if len(parts) == 1 else None
        terms: dict[str, Tensor] = {}

        # Discriminators: anime up; painted photos, smoothed anime and plain photos down.
        if adversarial:
            for adam in discriminator_adam.values():
                adam.zero_grad()
            for part in parts:
                with torch.no_grad():
                    painting = paint(config, painter, part.noisy) if once is None else once
                    painted = painting.picture.detach()
                critic_terms = discriminator_terms(config, critics, part, painted)
                for name, critic in critics.items():
                    with fabric.no_backward_sync(critic, enabled=part is not parts[-1]):
                        fabric.backward(critic_terms[f"discriminator_{name}"] * share)
                _add_terms(terms, critic_terms, share)
            for name, critic in critics.items():
                discriminator_adam[name].step()
                critic.module.requires_grad_(False)

        # Generator: fool them, keep the structure, flatten, and draw as the drawings do.
        generator_adam.zero_grad()
        for part in parts:
            with fabric.no_backward_sync(painter, enabled=part is not parts[-1]):
                painting = paint(config, painter, part.noisy) if once is None else once
                clean = painter(part.photo) if config.noise_weight else None
                painter_terms = generator_terms(
                    config, judges, vgg, part, painting, clean, adversarial=adversarial
                )
                fabric.backward(torch.stack(list(painter_terms.values())).sum() * share)
            _add_terms(terms, painter_terms, share)
        if config.clip_norm:
            fabric.clip_gradients(
                painter, generator_adam, max_norm=config.clip_norm, error_if_nonfinite=False
            )
        generator_adam.step()
        for critic in critics.values():
            critic.module.requires_grad_(True)

        # The average that will be exported: young averages forget faster.
        decay = min(config.ema_decay, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(ema.parameters()), list(generator.parameters()), 1 - decay)
        return terms, part.photo, painting.picture.detach()

    if minutes is not None:
        init_s = step_s = measure_step(
            fabric, take_step, max(first_step, config.init_steps), networks, adams
        )
        if first_step < config.init_steps:
            init_s = measure_step(fabric, take_step, first_step, networks, adams)
        left_s = 60 * minutes - (time.monotonic() - began)
        times = mean_over_ranks(fabric, {"left": left_s, "init": init_s, "step": step_s})
        left_s, init_s, step_s = (float(value) for value in times.values())
        config = plan_steps(config, left_s, init_s, step_s, first_step)
        if fabric.is_global_zero and planned:
            planned(config, first_step, left_s)

    started = time.monotonic()
    journal = Journal(config, run, first_step, fabric.device) if fabric.is_global_zero else None
    trial = draw_trial(config, photos, anime, fabric) if keep else []

    def guard(step: int, terms: Mapping[str, Tensor], photo: Tensor, painted: Tensor) -> None:
        """Stop before something broken is saved; every rank must ask, so that all of them stop."""
        try:
            check_terms(terms, step)
            check_weights(networks, step)
            if step > config.init_steps:  # a network fresh from chance may look like anything
                health = mean_over_ranks(fabric, measure_health(photo, painted))
                check_health(
                    {name: float(value) for name, value in health.items()},
                    step,
                    chroma_limit=config.chroma_limit,
                    texture_limit=config.texture_limit,
                )
        except TrainingError as error:
            kept = "no checkpoint was saved yet"
            if saved_step is not None:
                kept = f"the last checkpoint is kept (step {saved_step})"
            raise TrainingError(f"{error}; {kept}") from error

    saved_step = first_step if state else None
    if tell and journal:
        for line in credits:
            tell(f"the style will say: {line}")
        for note in (photos.note, anime.note if anime else "", journal.note):
            if note:
                tell(note)

    def snapshot(step: int) -> dict[str, Any]:
        """What a style is made of."""
        return {
            "step": step,
            "elapsed_s": elapsed_before_s + time.monotonic() - started,
            "hardware": describe_hardware(fabric.device, fabric.world_size),
            "photos": photos.total,
            "drawings": anime.total if anime else 0,
            "config": config_to_json(config),
            "credits": list(credits),
            "ema": ema.state_dict(),
        }

    def save(step: int) -> None:
        nonlocal saved_step
        saved_step = step
        if not fabric.is_global_zero:
            return
        save_checkpoint(
            run,
            {
                **snapshot(step),
                "best": best,
                "generator": generator.state_dict(),
                "discriminators": {n: d.state_dict() for n, d in discriminators.items()},
                "generator_adam": generator_adam.state_dict(),
                "discriminator_adam": {n: a.state_dict() for n, a in discriminator_adam.items()},
            },
        )

    with (
        contextlib.closing(journal) if journal else contextlib.nullcontext(),
        noted_ctrl_c(speaks=fabric.is_global_zero) as asked,
    ):
        paced = (first_step, time.monotonic())  # since when the speed is taken
        step = first_step
        while step < config.steps:
            terms, photo, painted = take_step(step)
            step += 1
            drawing = step % config.sheet_every == 0
            if step == config.init_steps:
                paced = (step, time.monotonic())
            if minutes is not None and drawing and step > config.init_steps:
                now = time.monotonic()
                pace = {"step": (now - paced[1]) / (step - paced[0])}
                pace["left"] = 60 * minutes * (1 - RESERVE) - (now - began)
                step_s, left_s = (float(v) for v in mean_over_ranks(fabric, pace).values())
                paced = (step, now)
                fitted = keep_to_the_clock(config, step, left_s, step_s)
                if fitted is not config and journal:
                    journal.write_config(fitted)
                    if planned:
                        planned(fitted, step, left_s)
                config = fitted
            last = step == config.steps
            drawing = drawing or last
            saving = drawing or step % config.save_every == 0
            guarding = saving or step % config.guard_every == 0
            logging = last or step % config.log_every == 0
            if guarding or logging:  # on every rank, so that all of them stop, or none
                terms = mean_over_ranks(fabric, terms)
            if guarding:
                guard(step, terms, photo, painted)
            if journal and logging:
                journal.log(step, terms, generator_adam.param_groups[0]["lr"])
            if drawing:
                if journal:
                    sheet = journal.draw_sheet(step, ema)
                    if tell:
                        tell(f"sheet: {sheet}")
                if trial:
                    distance = trial_distance(config, ema, vgg, trial, fabric)
                    improved = best is None or distance <= best
                    best = distance if improved else best
                    if fabric.is_global_zero:
                        keep_checkpoint(run, snapshot(step), keep, best=improved)
            if saving:
                save(step)
            if journal and progress:
                progress(step, journal.latest)
            if any_rank(fabric, asked.is_set()):
                if not saving:
                    guard(step, mean_over_ranks(fabric, terms), photo, painted)
                    save(step)
                raise KeyboardInterrupt
    if first_step >= config.steps:  # nothing was left to do, but the settings may be new
        save(first_step)
    return run / CHECKPOINT


GRACE_S = 1.0  # that the main thread has to hear a second Ctrl-C
SHOW_CURSOR = "\x1b[?25h"  # which the progress bar hides
_END = b"\0"  # no signal has this number


@contextlib.contextmanager
def noted_ctrl_c(*, speaks: bool = True) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a flag, read between steps, so that what is saved is a whole step.

    It is acknowledged at once. The second one ends at once: by KeyboardInterrupt, or, where the
    main thread is deep inside one computation and does not hear it, by ending the process.
    Python hears signals only between the bytecodes of its main thread, of which a backward pass of
    a minute is one; so a thread of its own listens. Outside the main thread nothing is changed.

    Args:
        speaks: tell the user that Ctrl-C was heard.
    """
    asked, heard = threading.Event(), threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    count = 0

    def note(number: int, frame: object) -> None:
        if asked.is_set() or count > 1:  # two that came during one computation are heard as one
            heard.set()
            raise KeyboardInterrupt
        asked.set()

    def listen() -> None:
        nonlocal count
        while (byte := ear.recv(1)) != _END:
            if byte != bytes([signal.SIGINT]):
                continue
            count += 1
            if count == 1 and speaks:
                _say("sakuga: stopping when this step is done and saved; Ctrl-C again ends at once")
            elif count == 2 and not heard.wait(GRACE_S):
                _say("sakuga: stopped" + SHOW_CURSOR * sys.stderr.isatty())
                os._exit(130)

    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    listener = threading.Thread(target=listen, name="ctrl-c", daemon=True)
    listener.start()
    previous_mouth = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    previous = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        heard.set()  # whatever comes now, this is being left
        signal.signal(signal.SIGINT, previous)
        signal.set_wakeup_fd(previous_mouth)
        mouth.send(_END)
        listener.join()
        ear.close()
        mouth.close()


def measure_step(
    fabric: Fabric,
    take_step: Callable[[int], tuple[dict[str, Tensor], Tensor, Tensor]],
    step: int,
    networks: Mapping[str, nn.Module],
    adams: Sequence[torch.optim.Optimizer],
) -> float:
    """Seconds that a step takes, found by taking it several times; nothing is learned by that."""
    weights = {
        name: {key: value.clone() for key, value in network.state_dict().items()}
        for name, network in networks.items()
    }
    # Fabric's wrappers share this mapping with the optimisers: it is emptied and filled in place.
    moments = [
        {
            parameter: {k: v.clone() if isinstance(v, Tensor) else v for k, v in kept.items()}
            for parameter, kept in adam.state.items()
        }
        for adam in adams
    ]

    def take() -> None:
        terms, _, _ = take_step(step)
        float(next(iter(terms.values())))  # waits for the device

    for _ in range(WARM_UP_STEPS):
        take()
    began, count = time.monotonic(), 0
    while any_rank(
        fabric, count < MEASURED_LEAST or (time.monotonic() - began < MEASURED_S and count < 50)
    ):
        take()
        count += 1
    seconds = (time.monotonic() - began) / count

    for name, network in networks.items():
        network.load_state_dict(weights[name])
        network.zero_grad(set_to_none=True)
    for adam, kept in zip(adams, moments, strict=True):
        adam.state.clear()
        adam.state.update(kept)
    return seconds


def draw_trial(
    config: TrainConfig,
    photos: CropSampler | PairSampler,
    anime: CropSampler | None,
    fabric: Fabric,
) -> list[Batch]:
    """Batches that are the same throughout a training, on which its checkpoints are compared."""
    seeds = [(config.seed + 1 + n) % 2**62 for n in range(max(1, TRIAL_CROPS // config.batch))]
    return [
        draw_batch(dataclasses.replace(config, seed=seed), photos, anime, 0, fabric)
        for seed in seeds
    ]


@torch.no_grad()
def trial_distance(
    config: TrainConfig,
    generator: nn.Module,
    vgg: Callable[..., Any] | None,
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


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
        print(text, file=sys.stderr, flush=True)


def _add_terms(sums: dict[str, Tensor], terms: Mapping[str, Tensor], share: float) -> None:
    """Add a pass's share to the terms of the step."""
    for name, term in terms.items():
        sums[name] = sums.get(name, 0.0) + term.detach() * share


def _channels_last(network: nn.Module) -> nn.Module:
    """Lay a network's weights out as convolutions are fastest with."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub
    return network


def _in_autocast(fabric: Fabric, network: nn.Module) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        with fabric.autocast():
            return network(*arguments)

    return call


def paint(config: TrainConfig, generator: Callable[..., Any], photos: Tensor) -> Painting:
    """Paint a batch as it is learned from: in parts where the drawings of pairs are known."""
    if config.pairs and config.generator == "local":
        painting: Painting = generator(photos, in_parts=True)
        return painting
    picture = generator(photos)
    return Painting(picture, picture, picture)


def draw_batch(
    config: TrainConfig,
    photos: CropSampler | PairSampler,
    anime: CropSampler | None,
    step: int,
    fabric: Fabric,
) -> Batch:
    """This rank's pictures of a step: a function of (seed, step), whatever came before."""
    seed = (config.seed * 1_000_003 + step) % 2**62
    dice = torch.Generator().manual_seed(seed)
    share = {"rank": fabric.global_rank, "world": fabric.world_size}
    drawing = strokes = drawn = smooth = None
    if isinstance(photos, PairSampler):
        photo, drawing, strokes = photos.draw(config.batch, dice, **share)
    else:
        photos.move_to(step)
        (photo,) = photos.draw(config.batch, dice, **share)
    if anime is not None:
        anime.move_to(step)
        drawn, smooth = anime.draw(config.batch, dice, **share)
    noisy = photo
    if config.photo_noise:
        # Sigma differs from crop to crop, 0 to photo_noise grey levels: half of the range is mild.
        sigma = (
            torch.rand(config.batch, 1, 1, 1, generator=dice).square() * config.photo_noise / 127.5
        )
        noise_dice = torch.Generator(fabric.device).manual_seed(seed)
        shape = (config.batch, *photo.shape[1:])
        noise = torch.randn(shape, generator=noise_dice, device=fabric.device)
        noise = noise * sigma.to(fabric.device)
        noisy = photo + noise[fabric.global_rank :: fabric.world_size]
    batch = Batch(photo, noisy, drawn, smooth, drawing, strokes)
    return batch.map(lambda p: p.contiguous(memory_format=torch.channels_last))


def build_discriminators(config: TrainConfig) -> dict[str, nn.Module]:
    """The discriminators that have a weight, by name."""
    makers = {
        "texture": lambda: PatchDiscriminator(1, config.discriminator_width),
        "surface": lambda: PatchDiscriminator(3, config.discriminator_width),
        "picture": CartoonDiscriminator,
    }
    return {name: makers[name]() for name in config.adversarial_terms}


def needs_vgg(config: TrainConfig) -> bool:
    """Whether any term looks through VGG19."""
    weights: Sequence[float] = config.gram_weights if config.anime else ()
    if uses_cel(config):
        weights = (*weights, *config.structure_weights)
    return bool(config.content_weight) or any(weights)


def learning_rate_factor(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a cosine from 1 down to `final_lr` at the last step."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    progress = step / max(1, config.steps - 1)
    return warm * (config.final_lr + (1 - config.final_lr) * (1 + math.cos(math.pi * progress)) / 2)


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


def describe_hardware(device: torch.device, count: int) -> str:
    """The machine a training ran on, in words."""
    if device.type == "cuda":
        return f"{count} x {torch.cuda.get_device_name(device)}"
    return f"CPU, {count} x {torch.get_num_threads()} threads, {platform.machine()}"
