"""`sakuga styles ...`: each verb imports what it needs when it runs."""

from __future__ import annotations

from json import dumps
from pathlib import Path
from typing import Any

from cyclopts import App

styles_app = App(name="styles", help="List, show, add and remove styles.")


@styles_app.command(name="list")
@styles_app.default
def list_styles(*, json: bool = False) -> None:
    """List the styles that a name finds.

    Parameters
    ----------
    json
        Print all that is known of them as JSON.
    """
    from sakuga.styles.listing import facts_of
    from sakuga.styles.spec import DEFAULT_STYLE, installed

    styles = installed()
    if json:
        print(dumps([facts_of(style) for style in styles], indent=2))
        return
    width = max((len(style.spec.name) for style in styles), default=0)
    for style in styles:
        notes = ["the default"] if style.spec.name == DEFAULT_STYLE else []
        notes += ["added"] if style.origin != "shipped" else []
        told = f"  ({', '.join(notes)})" if notes else ""
        print(f"{style.spec.name:<{width}}  {style.spec.description}{told}")
    if not styles:
        print("no style is installed; add one with  sakuga styles add FILE")


@styles_app.command(name="show")
def show_style(style: str, *, json: bool = False) -> None:
    """Show all that is known of a style.

    Parameters
    ----------
    style
        A style's name, or a style file.
    json
        Print it as JSON.
    """
    from sakuga.styles.listing import facts_of
    from sakuga.styles.spec import find

    facts = facts_of(find(style))
    if json:
        print(dumps(facts, indent=2))
        return
    for key, value in facts.items():
        lines = _lines(value)
        print(f"{key.replace('_', ' '):<18}{lines[0] if lines else '-'}")
        for line in lines[1:]:
            print(" " * 18 + line)


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{key}: {item}" for key, item in value.items()]
    if isinstance(value, list):
        return [str(item) for item in value]
    return ["not tileable" if value is None else str(value) or "-"]


@styles_app.command(name="add")
def add_style(source: str, *, sha256: str | None = None, index: str | None = None) -> None:
    """Add a style from a file, an address or an index, so that its name finds it.

    Example:  sakuga styles add https://example.org/ink.onnx --sha256 0f3c...

    Parameters
    ----------
    source
        A style file or the address of one; with --index, a name in it.
    sha256
        The sum of the file, or of the index; needed for what comes from the network.
    index
        File or address of a list of styles, as `sakuga styles index` writes it.
    """
    from sakuga.styles import sharing

    if index is None:
        style = sharing.add_style(source, sha256)
    else:
        style = sharing.add_from_index(source, index, sha256)
    print(f"added {style.spec.name}; use it with --style {style.spec.name}")


@styles_app.command(name="index", usage="sakuga styles index [OPTIONS] FILES...")
def index_styles(*files: Path, out: Path = Path("styles.json")) -> None:
    """Write a list of style files with their sums, to share them under one sum.

    Example:  sakuga styles index ink.onnx wash.onnx --out styles.json

    Parameters
    ----------
    files
        Style files; they and the list lie in one folder, here and where they are shared.
    out
        The list.
    """
    from sakuga.styles.sharing import write_index

    print(f"{out}: sha256 {write_index(files, out)}")


@styles_app.command(name="remove")
def remove_style(name: str) -> None:
    """Delete a style that was added.

    Parameters
    ----------
    name
        The style's name.
    """
    from sakuga.styles.spec import remove

    print(f"removed {remove(name)}")
