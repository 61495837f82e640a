"""What a run of `sakuga prepare` did: a bar on the way, then text or JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sakuga.console import ProgressBar
from sakuga.data.picture_set import OnPictures, PictureSet, Reject

SMALL_LOSS = 0.05  # share of what was asked for; the network is never whole
EXAMPLES = 5  # losses told in full; all of them are in rejected.jsonl


@dataclass(frozen=True)
class Outcome:
    """A set after a run."""

    folder: Path
    pictures: int  # in the set now
    new: int  # of them made by this run
    rejects: tuple[Reject, ...]  # not in the set, with the reason
    notes: dict[str, Any] = field(default_factory=dict)  # what else is worth a line
    wanted: int | None = None  # pictures asked for; None: all, those that are not there included

    @classmethod
    def of(cls, pictures: PictureSet, *, limit: int | None = None, **notes: Any) -> Outcome:
        """Sum a set up."""
        if pictures.removed:
            notes["removed"] = pictures.removed
        return cls(
            folder=pictures.folder,
            pictures=len(pictures.entries),
            new=len(pictures.entries) + pictures.removed - pictures.pictures_before,
            rejects=tuple(pictures.rejects.values()),
            notes=notes,
            wanted=limit,
        )

    @property
    def is_whole(self) -> bool:
        """Whether what was asked for is there, but for a small share."""
        wanted = self.wanted if self.wanted is not None else self.pictures + len(self.rejects)
        return self.pictures >= (1 - SMALL_LOSS) * wanted

    def reasons(self) -> dict[str, int]:
        """Count the losses by reason, the most frequent first."""
        return dict(Counter(reject.reason for reject in self.rejects).most_common())

    def as_json(self) -> dict[str, Any]:
        """Give all of it as JSON values."""
        return {
            "folder": str(self.folder),
            "pictures": self.pictures,
            "new": self.new,
            "rejected": self.reasons(),
            **self.notes,
        }

    def as_text(self) -> str:
        """Say it in a few lines."""
        lines = [f"{self.folder}: {self.pictures:,} pictures, {self.new:,} of them new"]
        lines += [f"  {name.replace('_', ' ')}: {value}" for name, value in self.notes.items()]
        for reason, count in self.reasons().items():
            lines.append(f"  {count:,} not there: {reason}")
        for reject in self.rejects[:EXAMPLES]:
            lines.append(f"    {reject.source}: {reject.reason} ({reject.detail})")
        if len(self.rejects) > EXAMPLES:
            lines.append(f"    ... all of them are in {self.folder / 'rejected.jsonl'}")
        return "\n".join(lines)


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
    work: Callable[[OnPictures], Outcome],
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
