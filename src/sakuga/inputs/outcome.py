"""What became of a job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sakuga.errors import OutputError, SakugaError
from sakuga.inputs.plan import Job


@dataclass(frozen=True)
class Outcome:
    """What became of one job."""

    job: Job
    status: Literal["painted", "skipped", "failed"]
    seconds: float = 0.0
    error: SakugaError | None = None  # why it failed
    notes: tuple[str, ...] = ()  # what the user should know, one sentence each
    own: bool = False  # skipped because it is itself a result
    unmarked: bool = False  # skipped, and what is there does not say what it shows


class PaintedOtherwiseError(OutputError):
    """A result that is there and is not the one that is asked for.

    Args:
        target: the result.
        difference: how it differs, as "was painted with strength 1, not 0.5".
    """

    def __init__(self, target: Path, difference: str) -> None:
        super().__init__(
            f"{target}: is there already and {difference}; --overwrite paints it again, or choose "
            "another place with --out"
        )
        self.difference = difference
