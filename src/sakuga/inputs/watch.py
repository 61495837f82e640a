"""`sakuga paint --watch`: paints what arrives in folders, until Ctrl-C.

It looks once a second, and does not ask the system to be told: that works on the shares and cards
that cameras and scanners write to, needs nothing installed, and whether a file still grows can only
be seen by looking twice.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

from sakuga.console import ProgressBar, tell
from sakuga.errors import OptionError
from sakuga.inputs.jobs import Request, run_jobs
from sakuga.inputs.places import shown
from sakuga.inputs.telling import Outcome, line_of, row_of, summary, tell_failures
from sakuga.paths import kind_of

LOOK_EVERY_S = 1.0


class Arrivals:
    """Tells, asked again and again of the files of a folder, when one has come whole.

    That is when its size and time are those of the look before. It is told once, and again if the
    file changes. Empty files have not come yet.
    """

    def __init__(self) -> None:
        self._seen: dict[Path, tuple[int, int]] = {}
        self._told: dict[Path, tuple[int, int]] = {}

    def __call__(self, path: Path) -> bool:
        try:
            facts = path.stat()
        except OSError:  # gone again
            return False
        now = (facts.st_size, facts.st_mtime_ns)
        before, self._seen[path] = self._seen.get(path), now
        if before != now or not facts.st_size or self._told.get(path) == now:
            return False
        self._told[path] = now
        return True


def watch_folders(folders: Sequence[str], requests: Sequence[Request]) -> int:
    """Paint what is in the folders and what arrives, until Ctrl-C; a line for each result.

    What a second run finds painted is left as it is, so that a watch can be stopped and begun.

    Args:
        requests: one for each style.

    Returns:
        The exit status: 0, or 1 if something could not be painted.

    Raises:
        SakugaError: what is to be watched is no folder, or results cannot go where they should.
    """
    for name in folders:
        if kind_of(Path(name)) != "folder":
            raise OptionError(f"--watch is for folders, and {name} is none; name one")
    if not folders:
        raise OptionError("--watch needs a folder; name one")
    watches = [(request, Arrivals()) for request in requests]
    places = [
        place for request in requests for place in request.plan(folders, lambda _: False).folders
    ]
    quiet = requests[0].quiet
    if not quiet:
        into = ", ".join(f"{shown(place)}/" for place in places)
        tell(f"watching {', '.join(folders)} -> {into}; Ctrl-C ends it")
    outcomes: list[Outcome] = []
    unread: set[str] = set()
    status = 0

    def told(outcome: Outcome, bar: ProgressBar) -> None:
        outcomes.append(outcome)
        if requests[0].as_json:
            print(json.dumps(row_of(outcome)), flush=True)
        elif outcome.status == "painted" or requests[0].verbose:
            bar.say(f"{time.strftime('%H:%M:%S')} {line_of(outcome)}")
            for note in outcome.notes:
                bar.say(f"{outcome.job.source}: {note}")

    try:
        while True:
            for request, arrived in watches:
                made = request.plan(folders, arrived)
                errors = [error for error in made.errors if str(error) not in unread]
                unread = {str(error) for error in made.errors}
                status = max(status, tell_failures(run_jobs(made.jobs, request, told), errors))
            time.sleep(LOOK_EVERY_S)
    except KeyboardInterrupt:
        if not (quiet or requests[0].as_json):
            tell(summary(outcomes, places, failures=False).rstrip(":"))
    return status
