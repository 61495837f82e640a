"""Styles as text for a person, or as JSON for a program."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sakuga.styles.spec import DEFAULT_STYLE, Style, StyleSpec, find, installed, spec_to_json


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


def print_styles(*, as_json: bool = False) -> None:
    """Print the styles that a name finds."""
    styles = installed()
    if as_json:
        print(json.dumps([_facts(style) for style in styles], indent=2))
        return
    width = max((len(style.spec.name) for style in styles), default=0)
    for style in styles:
        notes = ["the default"] if style.spec.name == DEFAULT_STYLE else []
        notes += ["added"] if style.origin != "shipped" else []
        told = f"  ({', '.join(notes)})" if notes else ""
        print(f"{style.spec.name:<{width}}  {style.spec.description}{told}")
    if not styles:
        print("no style is installed; add one with  sakuga styles add FILE")


def print_style(name: str, *, as_json: bool = False) -> None:
    """Print all that is known of one style.

    Raises:
        StyleError: it is unknown, or not a style.
    """
    facts = _facts(find(name))
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    for key, value in facts.items():
        lines = _lines(value)
        print(f"{key.replace('_', ' '):<18}{lines[0] if lines else '-'}")
        for line in lines[1:]:
            print(" " * 18 + line)


def _facts(style: Style) -> dict[str, Any]:
    """The spec and where it is from, in the words of the style file."""
    facts: dict[str, Any] = json.loads(spec_to_json(style.spec))
    facts["origin"] = style.origin
    facts["default"] = style.spec.name == DEFAULT_STYLE
    facts["path"] = str(style.path)
    facts["file_bytes"] = style.path.stat().st_size
    return facts


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}: {item}" for key, item in value.items()]
    if isinstance(value, list):
        return [str(item) for item in value]
    return ["not tileable" if value is None else str(value) or "-"]
