"""What a run of `sakuga prepare` did, for a person and for a program."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sakuga.data.picture_set import PictureSet, Reject

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
