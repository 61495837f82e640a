"""What became of the jobs, told to a person or a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sakuga.console import tell
from sakuga.errors import OutputError, SakugaError, one_line
from sakuga.inputs.places import shown
from sakuga.inputs.plan import Job

if TYPE_CHECKING:
    from sakuga.errors import InputError


_NAMED = 3  # results that are named one by one


@dataclass(frozen=True)
class Outcome:
    """The result of one job."""

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


def tell_outcomes(outcomes: Sequence[Outcome], folders: Sequence[Path], *, failures: bool) -> None:
    """Say in a line or two what was done, and where it is.

    Args:
        folders: of the results; none if those lie among photos.
        failures: whether some are told of beside those of the outcomes.
    """
    for outcome in outcomes:
        if outcome.status == "painted":
            for note in outcome.notes:
                tell(f"{outcome.job.source}: {note}")
    unmarked = [outcome for outcome in outcomes if outcome.unmarked]
    if unmarked:
        more = f" and {len(unmarked) - 1} more" if len(unmarked) > 1 else ""
        verb = "are" if more else "is"
        tell(
            f"{unmarked[0].job.target}{more} {verb} there already; what was painted there it does "
            "not say; --overwrite paints it again"
        )
    if len(outcomes) == 1 and not failures and not folders:
        (only,) = outcomes
        if only.status == "painted":
            assert only.job.target is not None  # of what went to stdout nothing is told
            print(shown(only.job.target))
        elif only.own:
            tell(f"{only.job.source}: is itself a result of Sakuga, and left out")
        elif not only.unmarked:
            tell(f"{only.job.target} is there already; --overwrite paints it again")
        return
    tell(summary(outcomes, folders, failures=failures))


def line_of(outcome: Outcome) -> str:
    """What became of one job: trip/a.jpg -> trip-novel/a.jpg, 1.2 s."""
    job = outcome.job
    said = f"{outcome.seconds:.1f} s" if outcome.status == "painted" else outcome.status
    return f"{job.source} -> {'stdout' if job.target is None else shown(job.target)}, {said}"


def tell_failures(outcomes: Sequence[Outcome], errors: Sequence[InputError]) -> int:
    """Say what failed, each reason a line of its own, and give the exit status.

    Results that were all painted otherwise in one way are told of together.
    """
    told: dict[str, int] = {}
    lines: list[str] = []
    failures: list[SakugaError] = [one.error for one in outcomes if one.error is not None]
    for error in [*failures, *errors]:
        if isinstance(error, PaintedOtherwiseError):
            told[error.difference] = told.get(error.difference, 0) + 1
            if told[error.difference] > _NAMED:
                continue
        lines.append(f"sakuga: {one_line(error)}")
    for difference, count in told.items():
        if count > _NAMED:
            lines.append(f"sakuga: {count - _NAMED} more are there already and each {difference}")
    for line in lines:
        tell(line)
    return 1 if lines else 0


def summary(outcomes: Sequence[Outcome], folders: Sequence[Path], *, failures: bool) -> str:
    """8 painted in 53.7 s -> photos-novel/, 2 were there already, 1 failed:"""
    painted = [outcome for outcome in outcomes if outcome.status == "painted"]
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    own = sum(outcome.own for outcome in outcomes)
    skipped = len(outcomes) - len(painted) - failed - own
    seconds = sum(outcome.seconds for outcome in outcomes)
    places = [f"{shown(folder).rstrip('/')}/" for folder in dict.fromkeys(folders)]
    if not places:
        places = [shown(one.job.target) for one in painted if one.job.target is not None]
    if len(places) > _NAMED:
        places = [f"{places[0]} ... {places[-1]}"]
    text = f"{len(painted)} painted in {seconds:.1f} s"
    if places:
        text += f" -> {', '.join(places)}"
    if skipped:
        text += f", {skipped} {'was' if skipped == 1 else 'were'} there already"
    if own:
        text += f", {own} left out that {'is' if own == 1 else 'are'} painted already"
    if failed or failures:
        text += f", {failed} failed:" if failed else ", not all could be read:"
    return text


def row_of(outcome: Outcome) -> dict[str, str | float | list[str] | None]:
    """What `--json` prints of one job."""
    return {
        "source": outcome.job.source,
        "target": str(outcome.job.target),
        "status": outcome.status,
        "seconds": round(outcome.seconds, 3),
        "error": None if outcome.error is None else one_line(outcome.error),
        "notes": list(outcome.notes),
    }
