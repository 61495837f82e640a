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


# name: (module:function, first sentence of its help, so that the list loads none of them)
VERBS = {
    PAINTING: {
        "paint": ("inputs.verbs:paint", "Paint pictures, folders and videos."),
        "compare": (
            "inputs.verbs:compare",
            "Draw a sheet of photos, each beside itself in several styles, or a strip of each.",
        ),
        "styles": ("styles.verbs:styles_app", "List, show, add and remove styles."),
        "batch": (
            "batch.verbs:batch",
            "Paint millions of pictures, on all cores, or on the machines of a Ray cluster.",
        ),
        "doctor": (
            "doctor:doctor",
            "Print versions, providers, devices and styles, and test that painting works.",
        ),
        "serve": (
            "web.verbs:serve",
            "Paint in a browser: a page on this machine, and an HTTP API.",
        ),
    },
    TRAINING: {
        "prepare": ("data.verbs:prepare_app", "Photos and drawings into training data."),
        "design": (
            "web.verbs:design",
            "Design a style in the browser: the painter's settings as sliders, on photos of your "
            "own.",
        ),
        "train": ("convert.verbs:train", "Train a style from photos and drawings."),
        "export": (
            "convert.verbs:export",
            "Make a style file of a training, or turn a style into another form.",
        ),
        "blend": (
            "convert.verbs:blend",
            "Make a style between two of one architecture, by the mean of their weights.",
        ),
        "import-weights": (
            "convert.verbs:import_weights",
            "Make a style file of other people's weights, which stay theirs.",
        ),
        "evaluate": (
            "evaluate.verbs:evaluate",
            "Measure styles against photos and drawings: a report with table, plots and pictures.",
        ),
        "tune": (
            "tune.verbs:tune",
            "Search for good settings of a training by many short ones; the same command goes on "
            "later.",
        ),
    },
}


def _app(*, listed: bool) -> App:
    """The program; one that is `listed` says a sentence of each verb and can show no more of it."""
    made = App(
        name="sakuga",
        help="Photos and videos into anime pictures.",
        version=_version,
        default_parameter=Parameter(negative=()),
        suppress_keyboard_interrupt=False,
    )
    for group, verbs in VERBS.items():
        for name, (place, sentence) in verbs.items():
            sentence_shown = sentence if listed else None
            made.command(f"sakuga.{place}", name=name, group=group, help=sentence_shown)
    return made


app = _app(listed=False)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0: done. 1: done, but some inputs of a batch failed. 2: a mistake of the user, told in one line
    on stderr. 130: Ctrl-C. 141: whoever read the output went away.
    """
    try:
        given = sys.argv[1:] if arguments is None else [*arguments]
        program = _app(listed=True) if given in ([], ["--help"], ["-h"]) else app
        status = program(
            given, exit_on_error=False, print_error=False, result_action="return_value"
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
