"""Several styles in one `paint`: which words after --style are styles, and what goes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from sakuga.errors import OptionError
from sakuga.images.urls import is_url
from sakuga.inputs.plan import STREAM, names_a_file
from sakuga.paths import kind_of
from sakuga.styles import DEFAULT_STYLE, installed
from sakuga.video.options import is_live

_OF_PATHS = "*?[./\\"  # what names of styles never hold


def choose_styles(
    words: Sequence[str] | None,
    inputs: Sequence[str],
    out: Path | None,
    is_run: Callable[[str], bool],
    *,
    every: bool,
) -> tuple[list[str], list[str]]:
    """The styles to paint in, and inputs that stood behind them.

    `--style novel storybook cat.jpg` has two styles and an input. The first word is a style in any
    case; a style's name goes before a file or folder of that name.

    Args:
        words: behind --style.
        is_run: tells whether a word is a training's folder, which is a style, too.
        every: paint in all styles that a name finds.

    Raises:
        OptionError: --style beside --all-styles, a style twice, or inputs or a place that only one
            style can have.
    """
    names = [style.spec.name for style in installed()]
    if every and words:
        raise OptionError("--all-styles and --style cannot be had together; leave one out")
    styles = names if every else [DEFAULT_STYLE]
    more: list[str] = []
    if words:
        styles = [words[0]]
        for word in words[1:]:
            is_style = word in names or word.endswith(".onnx") or is_run(word)
            (styles if is_style or not is_input(word) else more).append(word)
    if len(styles) > 1:
        _check_several(styles, [*inputs, *more], out)
    return styles, more


def is_input(word: str) -> bool:
    """True for what can be painted: a pattern, an address, or what is there."""
    if word == STREAM or is_url(word) or is_live(word) or kind_of(Path(word)) != "nothing":
        return True
    return "+" not in word and any(sign in word for sign in _OF_PATHS)  # + is of mixtures


def _check_several(styles: Sequence[str], inputs: Sequence[str], out: Path | None) -> None:
    if len(set(styles)) < len(styles):
        raise OptionError(f"--style {' '.join(styles)}: one of them is given twice")
    if any(given == STREAM or is_live(given) for given in inputs):
        raise OptionError("stdin, cameras and streams are painted in one style; name one")
    if out is not None and (str(out) == STREAM or names_a_file(out)):
        raise OptionError(
            f"--out {out} is one file, and there are {len(styles)} styles; name a folder"
        )
