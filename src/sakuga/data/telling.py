"""How `sakuga prepare ...` tells what came of it: a bar on the way, then text or JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sakuga.console import ProgressBar

if TYPE_CHECKING:
    from sakuga.data.outcome import Outcome
    from sakuga.data.picture_set import Progress


@dataclass(frozen=True)
class Telling:
    """How the result is told.

    Parameters
    ----------
    json
        Print the result as JSON.
    quiet
        Show no progress.
    """

    json: bool = False
    quiet: bool = False


Told = Annotated[Telling, Parameter(name="*")]
USUALLY = Telling()


def run(
    label: str,
    work: Callable[[Progress], Outcome],
    *,
    told: Telling,
    failed: Callable[[Outcome], bool] = lambda outcome: not outcome.is_whole,
) -> int:
    """Do the work under a progress bar, print what came of it, and give the exit status.

    One lost picture among thousands is told, and is no failure that should stop a script.
    """
    with ProgressBar(label, 1.0, quiet=told.quiet or told.json) as bar:

        def progress(done: int, total: int | None) -> None:
            bar.update(done / total if total else 0.0, f"{done:,}" if total is None else "")

        outcome = work(progress)
    print_values(outcome.as_json(), outcome.as_text(), as_json=told.json)
    return 1 if failed(outcome) else 0


def print_values(values: dict[str, object], text: str, *, as_json: bool) -> None:
    """Print values as JSON, or the text that says the same."""
    print(json.dumps(values, indent=2) if as_json else text)
