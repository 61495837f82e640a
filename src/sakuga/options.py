"""Settings as people write them: TOML files, recipes by name, and `key=value` beside them."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from sakuga.errors import OptionError, suggestion

RECIPES = Path(__file__).parent / "recipes"  # those that come with the program
TABLES = ("cel", "tune")  # of a recipe: the painter's settings, and what a search tries


def read_recipe(source: str | Path) -> dict[str, Any]:
    """Read a TOML file, or a recipe in the package by its name, such as "novel".

    A file may begin with  recipe = "novel"  and then say only what differs from that one.

    Raises:
        OptionError: no such file, no such recipe (the nearest is suggested), not TOML, or a table
        that nobody reads.
    """
    path = Path(source)
    if path.is_file() or path.suffix or len(path.parts) > 1:
        values = read_toml(path)
        for name, value in values.items():
            if isinstance(value, dict) and name not in TABLES:
                raise OptionError(f"{path}: unknown table [{name}]{suggestion(name, TABLES)}")
        base = values.pop("recipe", None)
        if base is None:
            return values
        if not isinstance(base, str):
            raise OptionError(f"{path}: recipe = {base!r}: the name of one, in quotes")
        no_file = "a file cannot be built on, copy what it says"
        merged = _shipped_recipe(base, f"{path}: recipe = {base!r}", no_file)
        for key, value in values.items():
            known = merged.get(key)
            if isinstance(known, dict) and isinstance(value, dict):
                value = {**known, **value}
            merged[key] = value
        return merged
    return _shipped_recipe(str(source), f"recipe {str(source)!r}", "or give a TOML file")


def _shipped_recipe(name: str, told: str, of_files: str) -> dict[str, Any]:
    names = sorted(path.stem for path in RECIPES.glob("*.toml"))
    if name in names:
        return read_toml(RECIPES / f"{name}.toml")
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise OptionError(f"{told} is unknown: {hint}there are {', '.join(names)}; {of_files}")


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file. Raises OptionError: no such file, not text, not TOML."""
    path = Path(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # TOML's own, or bytes that are no text
        raise OptionError(f"{path}: not TOML: {error}") from error


def parse_overrides(overrides: Sequence[str], texts: Collection[str] = ()) -> dict[str, Any]:
    """Read `key=value` texts: values in TOML syntax, or bare text.

    Args:
        texts: keys whose values are text: a folder 2024 needs no quotes.

    Raises:
        OptionError: one without "=".
    """
    values = {}
    for override in overrides:
        key, separator, value = (part.strip() for part in override.partition("="))
        if not separator:
            raise OptionError(f"--set {override}: write key=value")
        bare = key in texts and not value.startswith(("[", '"', "'"))
        values[key] = value if bare else _toml_value(value)
    return values


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
