"""The styles a server offers, and one uploaded picture painted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sakuga.errors import StyleError
from sakuga.images.formats import format_like
from sakuga.images.read import read_picture
from sakuga.images.write import encode_picture
from sakuga.painting.pictures import mark_of, paint_picture
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import installed
from sakuga.styles.listing import default_of, list_for_page
from sakuga.web.errors import Problem
from sakuga.web.parameters import Question
from sakuga.web.settings import Settings
from sakuga.web.uploads import check_picture


class Styles:
    """The installed styles, by name; each is loaded when it is first used.

    Raises:
        StyleError: none is installed, or one of them is damaged.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._styles = {style.spec.name: style for style in installed()}
        if not self._styles:
            raise StyleError(
                "no style is installed, so there is nothing to paint with; "
                "add one with  sakuga styles add FILE"
            )
        self.default = default_of(self._styles)
        self._loaded: dict[str, Stylizer] = {}
        self._loading = threading.Lock()

    def check(self, name: str | None) -> str:
        """Return the name, or that of the default style.

        Raises:
            Problem: 404 with the list. Only names count: a path would read any file.
        """
        if name is None:
            return self.default
        if name not in self._styles:
            raise Problem(
                404,
                f"style {name[:40]!r} is unknown; there are {', '.join(self._styles)}",
                styles=list(self._styles),
            )
        return name

    def load(self, name: str) -> Stylizer:
        """The stylizer of a name that `check` returned."""
        with self._loading:
            if name not in self._loaded:
                self._loaded[name] = Stylizer(
                    self._styles[name],
                    device=self._settings.device,
                    threads=self._settings.threads,
                )
            return self._loaded[name]

    def describe(self) -> dict[str, list[dict[str, Any]]]:
        """What `GET /api/styles` tells."""
        return list_for_page([style.spec for style in self._styles.values()])


def paint_upload(
    source: Path,
    target: Path,
    stylizer: Stylizer,
    question: Question,
    settings: Settings,
    check: Callable[[], None],
) -> tuple[str, int]:
    """Paint the picture file `source` into `target`.

    Args:
        check: called between tiles and frames; raises to stop.

    Returns:
        The format it was written in, as "png", and how many pixels were painted.

    Raises:
        Problem: 415, for a kind of file that is not let in.
        SakugaError: it cannot be read, is too large, or cannot be written in that format.
    """
    check()
    check_picture(source)
    photo = read_picture(source, name="the picture", max_pixels=settings.picture_pixels)
    anime = paint_picture(photo, stylizer, question.painting, progress=lambda _: check())
    check()
    file_format = question.file_format or format_like(photo.file_format)
    with target.open("wb") as file:
        encode_picture(anime, file, file_format, mark=mark_of(stylizer, question.painting))
    width, height = photo.frames[0].size
    return file_format, width * height * len(photo.frames)
