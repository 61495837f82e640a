"""Settings as people write them: TOML files, and `key=value` beside them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sakuga.errors import OptionError


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file. Raises OptionError: no such file, not text, not TOML."""
    path = Path(path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # TOML's own, or bytes that are no text
        raise OptionError(f"{path}: not TOML: {error}") from error


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` texts: values in TOML syntax, or bare text. Raises OptionError."""
    values = {}
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator:
            raise OptionError(f"--set {override}: write key=value")
        values[key.strip()] = _toml_value(value)
    return values


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()
