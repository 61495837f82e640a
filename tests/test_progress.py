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


def test_lines_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line at times says how far it is, how fast, and how long it will take."""
    now = 0.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    with ProgressBar("Training", total=1000, line_every_s=60.0) as bar:
        for step in range(1, 301):
            now += 1.0
            bar.update(step, "loss 0.5", 1300 if step > 200 else None)
        bar.say("sheet: a.png")
    assert stream.getvalue().splitlines() == [
        "Training: 60 of 1,000, loss 0.5, 0:15:40 left",
        "Training: 120 of 1,000, loss 0.5, 0:14:40 left",
        "Training: 180 of 1,000, loss 0.5, 0:13:40 left",
        "Training: 240 of 1,300, loss 0.5, 0:17:40 left",
        "Training: 300 of 1,300, loss 0.5, 0:16:40 left",
        "sheet: a.png",
    ]
    monkeypatch.setattr(sys, "stderr", silent := io.StringIO())
    with ProgressBar("Training", total=3, quiet=True, line_every_s=0.0) as bar:
        bar.update(1)
        bar.say("sheet: a.png")
    assert silent.getvalue() == ""
