"""What a program reads of styles."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sakuga.styles.spec import DEFAULT_STYLE, Style, StyleSpec, spec_to_json


def default_of(names: Iterable[str]) -> str:
    """The style to paint with unless another is asked for."""
    names = list(names)
    return DEFAULT_STYLE if DEFAULT_STYLE in names else min(names)


def list_for_page(specs: Sequence[StyleSpec]) -> dict[str, list[dict[str, Any]]]:
    """What the page reads of its styles: from `GET /api/styles`, or from a file beside it."""
    default = default_of(spec.name for spec in specs)
    names = ("name", "version", "description", "licence", "attribution")
    return {
        "styles": [
            {**{name: getattr(spec, name) for name in names}, "default": spec.name == default}
            for spec in specs
        ]
    }


def facts_of(style: Style) -> dict[str, Any]:
    """The spec and where it is from, in the words of the style file."""
    facts: dict[str, Any] = json.loads(spec_to_json(style.spec))
    facts["origin"] = style.origin
    facts["default"] = style.spec.name == DEFAULT_STYLE
    facts["path"] = str(style.path)
    facts["file_bytes"] = style.path.stat().st_size
    return facts
