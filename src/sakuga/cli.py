"""The command line: a list of verbs, each loaded from where its work is when it is asked for."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App, CycloptsError, Group, Parameter

from sakuga import console
from sakuga.errors import SakugaError, one_line

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
app.command("sakuga.inputs.verbs:paint", name="paint", group=PAINTING)
app.command("sakuga.inputs.verbs:compare", name="compare", group=PAINTING)
app.command("sakuga.styles.verbs:styles_app", name="styles", group=PAINTING)
app.command("sakuga.batch.verbs:batch", name="batch", group=PAINTING)
app.command("sakuga.web.verbs:serve", name="serve", group=PAINTING)
app.command("sakuga.doctor:doctor", name="doctor", group=PAINTING)
app.command("sakuga.data.verbs:prepare_app", name="prepare", group=TRAINING)
app.command("sakuga.web.verbs:design", name="design", group=TRAINING)
app.command("sakuga.train.verbs:train", name="train", group=TRAINING)
app.command("sakuga.tune.verbs:tune", name="tune", group=TRAINING)
app.command("sakuga.evaluate.verbs:evaluate", name="evaluate", group=TRAINING)
app.command("sakuga.convert.verbs:export", name="export", group=TRAINING)
app.command("sakuga.convert.verbs:blend", name="blend", group=TRAINING)
app.command("sakuga.convert.verbs:import_weights", name="import-weights", group=TRAINING)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0: done. 1: done, but some inputs of a batch failed. 2: a mistake of the user, told in one line
    on stderr. 130: Ctrl-C. 141: whoever read the output went away.
    """
    try:
        if (sys.argv[1:] if arguments is None else [*arguments]) in ([], ["--help"], ["-h"]):
            for name in app:
                _ = app[name]  # the list shows each verb's first sentence
        status = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except (SakugaError, CycloptsError) as error:
        console.tell(f"sakuga: {one_line(error)}")
        return 2
    except KeyboardInterrupt:
        console.tell("sakuga: stopped")
        return 130
    except (console.ReaderGoneError, BrokenPipeError):
        return console.reader_gone()
    except OSError as error:
        if error.filename is None:
            raise
        # Somebody's file: a name that is too long, rights that are missing, a disk that is gone.
        reason = f"{error.filename}: {error.strerror}; check the path, and the rights there"
        console.tell(f"sakuga: {reason}")
        return 2
    return int(status or 0)


def _stop(number: int, _: object) -> NoReturn:
    raise SystemExit(128 + number)


def main() -> NoReturn:
    """The program `sakuga`. SIGTERM unwinds like an exception, so that temporary files go."""
    console.prepare()
    signal.signal(signal.SIGTERM, _stop)
    if not sys.warnoptions:  # what Pillow mends by itself, such as damaged metadata
        warnings.filterwarnings("ignore", module=r"PIL\.")
    sys.exit(run())
