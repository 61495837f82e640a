"""The [tune] table of a training's TOML file: what is searched, and how a trial is judged.

[tune]
network = "resnet50.safetensors"    # feature network of the KID in the score
trials = 40

[tune.short]                        # the short trainings deviate from the file in these fields
steps = 1200
init_steps = 200

[tune.space]                        # any fields of the file
structure_weights = [[0.5, 1], [1, 1]]              # one of these
flatten = { low = 0.004, high = 0.02, log = true }  # a number in a range
"gram_weights.0" = { low = 0.0, high = 1.0 }        # one number of a list
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sakuga.errors import DataError, OptionError, suggestion
from sakuga.evaluate.statistics import BARS
from sakuga.options import read_toml
from sakuga.train.config import TrainConfig, check_paths, config_from, load_config

MEASURED_BARS = tuple(name for name in BARS if name != "flicker")  # a trial paints no clip


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, both included."""

    low: float
    high: float
    log: bool  # uniform in the logarithm
    whole: bool  # whole numbers only


Dimension = Choice | Range


@dataclass(frozen=True)
class TuneSettings:
    """The [tune] table, checked."""

    base: TrainConfig  # the training that is being tuned, as its file says
    space: Mapping[str, Dimension]  # "field" or "field.index" -> what it may become
    short: Mapping[str, Any]  # fields in which the trials deviate from the base
    network: str  # feature network of KID: a file, or "inception"
    trials: int = 30  # in all, over all processes
    report_every: int = 0  # steps between the scores of a trial; 0: a quarter of its steps
    photos: int = 32  # held-out photos that a trial paints for its score
    kid_weight: float = 1.0
    bars_weight: float = 1.0
    bars: Sequence[str] = MEASURED_BARS  # statistics whose bars are in the score

    def trial_config(self, values: Mapping[str, Any]) -> TrainConfig:
        """The config of one trial: the base, shortened, with values of the space.

        Raises:
            OptionError: the values do not make a valid config.
        """
        return self._changed({**self.short}, values, save_every=self.scored_every)

    def full_config(self, values: Mapping[str, Any]) -> TrainConfig:
        """The base with values of the space: the training to do with them."""
        return self._changed({}, values)

    @property
    def steps(self) -> int:
        """Steps of one trial."""
        return int(self.short.get("steps", self.base.steps))

    @property
    def scored_every(self) -> int:
        """Steps between the scores of a trial."""
        return self.report_every or max(1, self.steps // 4)

    def _changed(
        self, changes: dict[str, Any], values: Mapping[str, Any], **more: Any
    ) -> TrainConfig:
        fields = {**dataclasses.asdict(self.base), **changes, **more}
        for key, value in values.items():
            name, _, index = key.partition(".")
            if index:
                items = list(fields[name])
                items[int(index)] = value
                value = items
            fields[name] = value
        return config_from(fields)


def load_settings(path: Path, overrides: Sequence[str] = ()) -> TuneSettings:
    """Read a training's TOML file with its [tune] table.

    Raises:
        OptionError: no such file, no [tune] table, or something in it that makes no sense.
    """
    base = load_config(path, overrides)
    table = read_toml(path).get("tune")
    if table is None:
        raise OptionError(f"{path}: has no [tune] table: say there what to search.")
    known = [field.name for field in dataclasses.fields(TuneSettings) if field.name != "base"]
    for key in table:
        _know(key, known, f"{path}: [tune]")
    if not table.get("network"):
        raise OptionError(
            f'{path}: [tune] names no network: a feature network\'s file, or "inception".'
        )
    if not table.get("space"):
        raise OptionError(f"{path}: [tune.space] is empty: name at least one field to search.")
    space = {key: _dimension(key, value, base, path) for key, value in table["space"].items()}
    settings = TuneSettings(
        **{**table, "base": base, "space": space, "short": dict(table.get("short", {}))}
    )
    _check_numbers(settings, path)
    for key in settings.short:
        if any(key == name.partition(".")[0] for name in space):
            raise OptionError(f"{path}: {key} is both in [tune.short] and in [tune.space].")
    for key, one in space.items():  # refuse now what a trial would be refused for later
        for value in one.values if isinstance(one, Choice) else (one.low, one.high):
            settings.trial_config({key: value})
    return settings


def check_files(settings: TuneSettings) -> None:
    """See whether what a search reads is there at all. Raises DataError."""
    if settings.base.pairs:
        raise DataError(
            "pairs: trials are scored on held-out photos, and pairs have none: a search takes a "
            "training from photos and anime, without pairs"
        )
    check_paths(settings.base)
    if settings.network != "inception" and not Path(settings.network).is_file():
        raise DataError(f"[tune] network: {settings.network}: no such file; check the spelling")


def fingerprint(settings: TuneSettings) -> str:
    """What must agree for two runs to belong to one search: everything but the number of trials."""
    return json.dumps({**dataclasses.asdict(settings), "trials": None}, sort_keys=True, default=str)


def _check_numbers(settings: TuneSettings, path: Path) -> None:
    for name, least in (("trials", 1), ("photos", 2), ("report_every", 0)):
        value = getattr(settings, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise OptionError(
                f"{path}: [tune] {name} = {value!r}: a whole number, at least {least}."
            )
    for name in ("kid_weight", "bars_weight"):
        value = getattr(settings, name)
        if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
            raise OptionError(f"{path}: [tune] {name} = {value!r}: a number, not negative.")
    if not isinstance(settings.bars, list | tuple):
        raise OptionError(f"{path}: [tune] bars = {settings.bars!r}: a list of statistics.")
    for name in settings.bars:
        _know(name, MEASURED_BARS, f"{path}: [tune] bars")
    if settings.steps % settings.scored_every:
        raise OptionError(
            f"{path}: [tune] report_every = {settings.scored_every} does not divide the "
            f"{settings.steps} steps of a trial: its last score would be missing."
        )


def _dimension(key: str, value: Any, base: TrainConfig, path: Path) -> Dimension:
    """Read one line of [tune.space]."""
    name, dot, index = key.partition(".")
    fields = [field.name for field in dataclasses.fields(TrainConfig)]
    _know(name, fields, f"{path}: [tune.space]")
    current = getattr(base, name)
    if dot:
        if not isinstance(current, tuple) or not index.isdigit() or int(index) >= len(current):
            raise OptionError(f"{path}: [tune.space] {key}: {name} has no element {index!r}.")
        current = current[int(index)]
    if isinstance(value, list):
        if not value:
            raise OptionError(f"{path}: [tune.space] {key}: the list of choices is empty.")
        return Choice(tuple(value))
    if not isinstance(value, dict):
        raise OptionError(
            f"{path}: [tune.space] {key} = {value!r}: a list of choices, or "
            "{ low = ..., high = ... }."
        )
    for part in value:
        _know(part, ["low", "high", "log"], f"{path}: [tune.space] {key}")
    if not isinstance(current, int | float) or isinstance(current, bool):
        raise OptionError(f"{path}: [tune.space] {key} is not a number: give a list of choices.")
    low, high, log = value.get("low"), value.get("high"), value.get("log", False)
    kinds = int if isinstance(current, int) else int | float
    if not isinstance(low, kinds) or not isinstance(high, kinds) or not low < high:
        raise OptionError(
            f"{path}: [tune.space] {key}: low = {low!r}, high = {high!r}: two "
            f"{'whole ' if isinstance(current, int) else ''}numbers, the smaller one first."
        )
    if log and low <= 0:
        raise OptionError(f"{path}: [tune.space] {key}: a logarithmic range begins above 0.")
    return Range(low, high, bool(log), isinstance(current, int))


def _know(key: object, known: Sequence[str], where: str) -> None:
    if key not in known:
        raise OptionError(f"{where}: unknown key {key!r}{suggestion(key, known)}")
