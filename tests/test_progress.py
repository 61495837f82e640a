"""The bar shows itself on a terminal after a second, and nowhere else."""

from __future__ import annotations

import io
import sys

import pytest

from sakuga import console
from sakuga.console import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "patience_s", "quiet", "shows"),
    [
        (Terminal(), 0.0, False, True),
        (Terminal(), 60.0, False, False),
        (Terminal(), 0.0, True, False),
        (io.StringIO(), 0.0, False, False),
    ],
)
def test_when_it_shows(
    stream: io.StringIO,
    patience_s: float,
    quiet: bool,
    shows: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(console, "_PATIENCE_S", patience_s)
    monkeypatch.setenv("TERM", "xterm")
    with ProgressBar("Painting", total=4, quiet=quiet) as bar:
        bar.update(1.5, "[odd] name.jpg")
        bar.update(4, "b.jpg")
    written = stream.getvalue()
    assert ("Painting" in written) == shows
    assert ("100%" in written) == shows
