"""A training's settings: one frozen dataclass; a TOML file holds only what deviates, and why."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sakuga.cel.settings import CelSettings, load_settings
from sakuga.errors import DataError, OptionError, TrainingError, suggestion
from sakuga.options import parse_overrides, read_recipe
from sakuga.styles.spec import CHECKPOINT as CHECKPOINT  # in a run's folder
from sakuga.styles.spec import NAME_PATTERN as _STYLE_NAME

VGG_LAYERS = ("conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv3_3",
              "conv3_4", "conv4_1", "conv4_2", "conv4_3", "conv4_4")  # fmt: skip

# What a field must be at least, lest it divide by zero, ask for nothing or make no sense.
_AT_LEAST = {
    **dict.fromkeys(("batch", "accumulate", "steps", "width", "discriminator_width"), 1),
    **dict.fromkeys(("log_every", "guard_every", "sheet_every", "save_every", "brush"), 1),
    **dict.fromkeys(("warmup_steps", "clip_norm", "memory_gb", "photo_noise", "detail"), 0),
    "weight_decay": 0,
    **dict.fromkeys(("chroma_limit", "texture_limit", "ink_emphasis", "vividness"), 0),
    **dict.fromkeys(("blocks", "line_light"), 0),
}
_ABOVE_ZERO = ("accent", "flatten", "gamma", "line_width")
_SHARES = ("ink", "final_lr", "face_share", "stroke_tone")


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a training, with the values of the `sakuga` recipe as defaults."""

    # --- data
    pairs: tuple[str, ...] = ()  # sets of `sakuga prepare cel`: photos with their drawings
    face_share: float = 0.2  # of the crops of pairs lie on a face that was found
    photos: tuple[str, ...] = ()  # folders and tar files of real photos; none with pairs
    anime: tuple[str, ...] = ()  # folders and tar files of drawings
    smooth: str = ""  # `sakuga prepare smooth anime smooth`; empty: smoothed as they are loaded
    vgg: str = ""  # file of VGG19 (.safetensors, .pth); empty: torchvision's, downloaded
    sheet_photos: str = (
        ""  # folder of photos for the contact sheets; empty: the first four held-out ones
    )
    crop: int = 256  # pixels, the side of a training crop
    photo_sides: tuple[int, int] = (
        256,
        640,
    )  # pixels: a photo's short side is scaled into this range
    anime_sides: tuple[int, int] = (256, 512)  # pixels: the same of a drawing
    batch: int = 32  # crops a step, over all devices
    photo_noise: float = 10.0  # grey levels: the largest sigma of noise added to a photo G sees
    memory_gb: float = (
        12.0  # decoded pictures up to this are kept in memory, else they are streamed
    )

    # --- networks
    generator: Literal["local", "cartoongan", "cartoongan-light"] = "local"
    width: int = 24  # channels of the local generator at half size
    blocks: int = 5  # residual blocks of the local generator at an eighth
    decides: bool = False  # the local generator has a head that decides tones and strokes
    gray: bool = False  # the local generator paints without colour
    stroke_colour: tuple[float, ...] = (0.0, 0.0, 0.0)  # RGB in [0, 1] of what it inks,
    stroke_tone: float = 0.3  # 0 to 1: and how much of the darkened local colour is in it
    discriminator_width: int = 32  # channels of the first layer of the patch discriminators

    # --- objective: a term whose weight is 0 is not computed
    adversarial: Literal["lsgan", "bce"] = "lsgan"
    texture_weight: float = 0.0  # discriminator on gray
    surface_weight: float = 0.0  # discriminator on blurred colour
    picture_weight: float = 0.0  # discriminator on the picture itself (CartoonGAN)
    anime_positives: float = 1.0  # weight of drawings as positives, in each discriminator's loss
    painted_negatives: float = 1.0  # weight of painted photos as negatives
    smooth_negatives: float = 1.0  # weight of edge-smoothed drawings as negatives
    photo_negatives: float = 0.5  # weight of photos as negatives
    content_weight: float = 0.0  # VGG conv4_4, to the photo
    feature_layers: tuple[str, ...] = ("conv2_2", "conv3_3", "conv4_4")  # of gray, for the next two
    structure_weights: tuple[float, ...] = (0.0, 0.0, 0.0)  # a layer each, to the cel target
    gram_weights: tuple[float, ...] = (0.0, 0.0, 0.0)  # a layer each, to a drawing's shading
    flat_weight: float = 0.0  # pixels, to the cel target
    ink_emphasis: float = 8.0  # how many times more a pixel of a line counts in it
    colour_weight: float = 0.0  # Lab, to the cel target's colours
    variation_weight: float = 0.0  # total variation
    noise_weight: float = 0.0  # |G(p + n) - G(p)|

    # --- objective, the drawings of pairs
    tone_weight: float = 1.0  # pixels outside of strokes, laid flat
    base_weight: float = 0.3  # the same before they are laid flat
    drawing_weight: float = 0.7  # all pixels of the finished picture
    stroke_emphasis: float = 2.0  # how many times more a pixel of a stroke counts in it
    gradient_weight: float = 1.0  # differences of neighbouring pixels: crisp borders
    sparse_weight: float = 0.0  # root of gradients where the drawing has none: flat tones
    side_weight: float = 0.1  # cross-entropy of the sides of two tones
    stroke_weight: float = 0.3  # cross-entropy of the strokes
    stroke_favour: float = 1.5  # how much more a stroke that is missing counts than one too many

    # --- the cel target (flatten.cel_target)
    flatten: float = 0.008  # lambda of the L0 flattening
    ink: float = 1.0  # darkness of the contours, 0 to 1
    vividness: float = 1.1  # factor on the distance of a colour from its gray
    gamma: float = 0.94  # exponent, below 1 brightens
    detail: float = 0.25  # share of fine detail left on texture
    accent: float = 0.07  # of lightness: fine detail that changes it so much stays; 1: none
    brush: int = 2  # pixels, radius of the brush on texture
    line_width: float = 0.8  # pixels, sigma of the contours
    line_slope: float = 60.0  # how surely a dip of lightness becomes a line
    line_light: float = 0.5  # lightness above which lines fade
    ink_colour: tuple[float, ...] = (0.0, 0.0, 0.0)  # what black becomes, RGB, 0 to 1
    paper_colour: tuple[float, ...] = (1.0, 1.0, 1.0)  # what white becomes

    # --- schedule
    steps: int = 20_000  # optimiser steps of the generator, initialisation included
    init_steps: int = 1_000  # of them without discriminators
    init_lr: float = 0.0  # of the generator in the initialisation; 0: generator_lr
    generator_lr: float = 4e-4
    discriminator_lr: float = 2e-4
    beta1: float = 0.5  # of Adam
    beta2: float = 0.999
    weight_decay: float = 0.0  # of AdamW, a share of the learning rate a step; 0: plain Adam
    warmup_steps: int = 100  # linear from 0
    final_lr: float = 0.05  # share of the rate left at the end of the cosine
    clip_norm: float = 1.0  # of the generator's gradient; 0: none
    ema_decay: float = 0.999  # of the generator that is exported; 0: no average

    # --- machine
    seed: int = 0
    accumulate: int = 1  # passes a step, each over its share of the batch: less memory, more time
    precision: Literal["auto", "bf16-mixed", "32-true"] = "auto"  # bf16 where the device has it
    log_every: int = 20  # steps between lines of the log
    guard_every: int = 100  # steps between checks against collapse
    chroma_limit: float = 15.0  # CIELAB units: a larger shift of the colours stops the training
    texture_limit: float = 1.2  # of the photo's gradient: more, which is noise, stops it too
    sheet_every: int = 500  # steps between contact sheets
    save_every: int = 500  # steps between checkpoints

    # --- the style it becomes
    name: str = "mine"  # what --style takes
    version: str = "1.0.0"
    description: str = ""
    licence: str = ""  # SPDX identifier; empty: not said
    attribution: tuple[str, ...] = ()  # one credit a line; that of a start is added by itself

    def __post_init__(self) -> None:
        """Check what each value must obey by itself; paths are checked where they are opened."""
        _check(
            self.crop >= 32 and self.crop % 8 == 0,
            f"crop {self.crop}: a multiple of 8, at least 32",
        )
        for name, least in _AT_LEAST.items():
            _check(getattr(self, name) >= least, f"{name} {getattr(self, name)}: at least {least}")
        for name in _ABOVE_ZERO:
            _check(getattr(self, name) > 0, f"{name} {getattr(self, name)}: above 0")
        for name in _SHARES:
            value = getattr(self, name)
            _check(0 <= value <= 1, f"{name} {value}: between 0 and 1")
        for name in ("beta1", "beta2", "ema_decay"):
            value = getattr(self, name)
            _check(0 <= value < 1, f"{name} {value}: from 0 to below 1")
        _check(-(2**63) <= self.seed < 2**63, f"seed {self.seed}: at most 63 bits")
        _check(
            _STYLE_NAME.fullmatch(self.name) is not None,
            f"name {self.name!r}: lower-case letters, digits, '-' and '_', at most 64",
        )
        _check(
            0 <= self.init_steps <= self.steps,
            f"init_steps {self.init_steps}: 0 to steps ({self.steps})",
        )
        for name in ("photo_sides", "anime_sides"):
            low, high = getattr(self, name)
            _check(
                32 <= low <= high, f"{name} {low}, {high}: two sizes in rising order, at least 32"
            )
        _check(
            not (self.pairs and self.photos),
            "pairs hold their photos: leave photos empty, or make pairs of them",
        )
        to_target = (self.flat_weight, self.colour_weight, *self.structure_weights)
        _check(
            not (self.pairs and any(to_target)),
            "pairs bring their drawings: flat_weight, colour_weight and structure_weights, which "
            "aim at the target painted in the step, must be 0",
        )
        _check(
            not self.decides or self.generator == "local",
            "decides: only the local generator has such a head",
        )
        _check(
            not self.gray or self.generator == "local",
            "gray: only the local generator leaves colour out",
        )
        _check(
            not self.smooth or (len(",".join(self.anime).split(",")) == 1 and any(self.anime)),
            "smooth: copies are found by their originals' names: give one folder of anime",
        )
        for name in ("ink_colour", "paper_colour", "stroke_colour"):
            colour = getattr(self, name)
            _check(
                len(colour) == 3 and all(0 <= value <= 1 for value in colour),
                f"{name} {colour}: three values between 0 and 1",
            )
        for name in self.feature_layers:
            _check(
                name in VGG_LAYERS, f"feature_layers {name!r}: choose from {', '.join(VGG_LAYERS)}"
            )
        for name in ("structure_weights", "gram_weights"):
            layers, weights = len(self.feature_layers), len(getattr(self, name))
            _check(layers == weights, f"{name}: {weights} values for {layers} feature_layers")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name.endswith(("_weight", "_positives", "_negatives", "_lr")):
                _check(value >= 0, f"{field.name}: not negative")
            for number in value if isinstance(value, tuple) else (value,):
                finite = not isinstance(number, float) or math.isfinite(number)
                _check(finite, f"{field.name} {number}: not a finite number")

    @property
    def adversarial_terms(self) -> dict[str, float]:
        """The discriminators in use and the weight of each in the generator's loss."""
        weights = {
            "texture": self.texture_weight,
            "surface": self.surface_weight,
            "picture": self.picture_weight,
        }
        return {name: weight for name, weight in weights.items() if weight}


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise OptionError(message)


def load_config(source: str | Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a TOML file, or a recipe by its name, over the defaults, then `key=value` overrides.

    Tables belong to other verbs, but for the ink of [cel]: what the painter draws strokes with, the
    generator does too, unless the file says otherwise.

    Raises:
        OptionError: no such file or recipe, not TOML, an unknown key (the nearest is suggested), a
        wrong type, or a setting of the training in the table [cel].
    """
    values = read_recipe(source)
    painter, hints = values.get("cel", {}), get_type_hints(TrainConfig)
    for key in sorted(hints.keys() & painter) if isinstance(painter, dict) else ():
        _check(
            key in get_type_hints(CelSettings),
            f"{source}: {key} stands in the table [cel], and is a setting of the training: write "
            "it above [cel]",
        )
    known = dataclasses.asdict(load_settings(source))
    ink = {ours: known[theirs] for theirs, ours in _INK.items() if theirs in painter}
    values = {key: value for key, value in values.items() if not isinstance(value, dict)}
    return with_overrides({**ink, **values}, overrides)


def with_overrides(values: dict[str, Any], overrides: Sequence[str]) -> TrainConfig:
    """Make a config from plain values, then `key=value` texts. Raises OptionError."""
    texts = [name for name, hint in get_type_hints(TrainConfig).items() if hint in _TEXTS]
    return config_from({**values, **parse_overrides(overrides, texts)})


_TEXTS = (str, tuple[str, ...])
_INK = {"line_colour": "stroke_colour", "line_tone": "stroke_tone"}  # painter: generator


def find_checkpoint(source: str | Path) -> Path:
    """The checkpoint file of a run's folder, or the file itself. Raises TrainingError."""
    source = Path(source)
    path = source / CHECKPOINT if source.is_dir() else source
    if not path.is_file():
        raise TrainingError(
            f"{source}: holds no {CHECKPOINT}: give a run's folder or a checkpoint file"
        )
    return path


def check_paths(config: TrainConfig) -> None:
    """See whether what a training reads is there at all, before anything slow begins.

    Raises:
        DataError: no photos or drawings are named, or a path that is not there.
    """
    needed = ("pairs",) if config.pairs else ("photos", "anime")
    for name in ("pairs", "photos", "anime"):
        sources = getattr(config, name)
        if name in needed and not any(sources):
            raise DataError(f"{name}: none are named; add  --set {name}=FOLDER")
        for source in (part for several in sources for part in several.split(",") if part):
            if not Path(source).exists():
                raise DataError(f"{name}: {source}: no such folder or tar file; check the spelling")
    for name in ("vgg", "sheet_photos", "smooth"):
        source = getattr(config, name)
        if source and not Path(source).exists():
            raise DataError(f"{name}: {source}: no such file or folder; check the spelling")


def check_objective(config: TrainConfig) -> None:
    """See whether there is anything to learn at every step. Raises OptionError."""
    by_itself = [
        config.content_weight,
        config.flat_weight,
        config.colour_weight,
        config.variation_weight,
        config.noise_weight,
        *config.structure_weights,
    ]
    if config.pairs:
        by_itself += [config.tone_weight, config.base_weight, config.drawing_weight]
        by_itself += [config.gradient_weight, config.stroke_weight * config.decides]
    if any(by_itself):
        return
    if config.init_steps or not any((*config.adversarial_terms, *config.gram_weights)):
        phase = " in the initialisation" if config.init_steps else ""
        raise OptionError(
            f"nothing is learned{phase}: no term has a weight; give pairs (sakuga prepare cel), "
            "or set content_weight or the like"
        )


def config_from(values: dict[str, Any]) -> TrainConfig:
    """Make a config from plain values, as TOML or JSON gives them. Raises OptionError."""
    hints = get_type_hints(TrainConfig)
    checked = {}
    for key, value in values.items():
        if key not in hints:
            raise OptionError(f"unknown setting {key!r}{suggestion(key, hints)}")
        checked[key] = _typed(key, value, hints[key])
    return TrainConfig(**checked)


def config_to_json(config: TrainConfig) -> str:
    """All settings, resolved, as JSON; `config_from(json.loads(...))` reads it back."""
    return json.dumps(dataclasses.asdict(config), indent=2)


def _typed(key: str, value: Any, hint: Any) -> Any:
    """Bring a TOML value to the field's type, or say what was expected."""
    origin = get_origin(hint)
    if origin is Literal:
        if value in get_args(hint):
            return value
        raise OptionError(f"{key} = {value!r}: one of {', '.join(map(str, get_args(hint)))}")
    if origin is tuple:
        kinds = get_args(hint)
        if isinstance(value, str):
            value = value.split(",") if value else []
        if not isinstance(value, list | tuple):
            raise OptionError(f"{key} = {value!r}: a list, in brackets")
        if kinds[-1] is Ellipsis:
            return tuple(_typed(key, item, kinds[0]) for item in value)
        if len(value) != len(kinds):
            raise OptionError(f"{key} = {value!r}: a list of {len(kinds)} values")
        return tuple(_typed(key, item, kind) for item, kind in zip(value, kinds, strict=True))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, hint) and not (hint is int and isinstance(value, bool)):
        return value
    raise OptionError(f"{key} = {value!r}: {_KINDS[hint]} was expected")


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text in quotes"}
