"""The command line: one short handler a verb, each importing what it needs when it runs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from cyclopts import App, CycloptsError, Group, Parameter

from sakuga.errors import SakugaError

PAINTING = Group.create_ordered("Painting")
TRAINING = Group.create_ordered("Training a style")


def _version() -> str:
    from importlib.metadata import version

    return version("sakuga")


app = App(
    name="sakuga",
    help="Photos and videos into anime pictures.",
    version=_version,
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
)
styles_app = App(name="styles", help="List, show, add and remove styles.", group=PAINTING)
prepare_app = App(name="prepare", help="Photos and drawings into training data.", group=TRAINING)
app.command(styles_app)
app.command(prepare_app)


@app.command(group=PAINTING)
def doctor(*, json: bool = False) -> int:
    """Print versions, providers, devices and styles, and test that painting works."""
    from sakuga.doctor import report

    return report(as_json=json)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0: done. 1: done, but some inputs of a batch failed. 2: a mistake of the user, told in one line on
    stderr. 130: Ctrl-C. 141: whoever read the output went away.
    """
    try:
        status = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except (SakugaError, CycloptsError) as error:
        print("sakuga:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sakuga: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Python flushes stdout once more at exit; give it something that can be written.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return int(status or 0)


def _stop(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> NoReturn:
    """The program `sakuga`. SIGTERM unwinds like an exception, so that temporary files go."""
    signal.signal(signal.SIGTERM, _stop)
    sys.exit(run())
