"""The command line: a list of verbs, each loaded from where its work is when it is asked for."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from cyclopts import App, CycloptsError, Group, Parameter

from sakuga import console
from sakuga.errors import OptionError, SakugaError, one_line

if TYPE_CHECKING:
    from cyclopts.field_info import FieldInfo
    from cyclopts.help import HelpPanel
    from rich.console import Console, ConsoleOptions

PAINTING = Group.create_ordered("Painting")
TRAINING = Group.create_ordered("Training a style")
PROGRAM = Group.create_ordered("Options")


def _version() -> str:
    from importlib.metadata import version

    return version("sakuga")


# name: (module:function, first sentence of its help, so that the list loads none of them)
VERBS = {
    PAINTING: {
        "paint": ("inputs.verbs:paint", "Paint pictures, folders and videos."),
        "compare": ("inputs.verbs:compare", "Draw photos beside what several styles make of them."),
        "styles": ("styles.verbs:styles_app", "List, show, add and remove styles."),
        "batch": ("batch.verbs:batch", "Paint millions of pictures, on all cores or a cluster."),
        "doctor": ("doctor:doctor", "Print versions and devices, and test that painting works."),
        "serve": ("web.verbs:serve", "Paint in a browser: a page, and an HTTP API."),
    },
    TRAINING: {
        "prepare": ("data.verbs:prepare_app", "Photos and drawings into training data."),
        "design": ("web.verbs:design", "Design a style in the browser, by sliders."),
        "train": ("convert.verbs:train", "Train a style from photos and drawings."),
        "export": ("convert.verbs:export", "Make a style of a training, or give one another form."),
        "blend": ("convert.verbs:blend", "Make a style between two of one architecture."),
        "import-weights": (
            "convert.verbs:import_weights",
            "Make a style of other people's weights.",
        ),
        "evaluate": ("evaluate.verbs:evaluate", "Measure styles against photos and drawings."),
        "tune": ("tune.verbs:tune", "Search for good settings by many short trainings."),
    },
}


# What a verb takes, where it can do without; cyclopts would say [ARGS...].
TAKEN = {"paint": "INPUTS...", "compare": "PHOTOS...", "design": "[PHOTOS...]", "train": "[CONFIG]"}
Shell = Literal["bash", "zsh", "fish", "powershell"]
_EMPTY = re.compile("|--[a-z-]+=")  # as a path it would be the current folder
_UNFIT = re.compile(r'unable to convert (".*") into (\S.*)\.$')
SHORT = {"quiet": "-q", "verbose": "-v"}


class _Help:
    """Help that says what to write, not of which type of Python it becomes."""

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        from attrs import evolve
        from cyclopts.help.formatters import DefaultFormatter

        entries = []
        for entry in panel.entries:
            name = entry.positive_names[0].lstrip("-").upper() if entry.positive_names else ""
            said = name if "|" in (entry.metavar or "") else entry.metavar or ""
            for kind, word in {"INT": "N", "FLOAT": "N", "STR": name, "CHOICE": name}.items():
                said = re.sub(rf"\b{kind}\b", word, said)
            default = None if entry.default == "False" else entry.default
            entries.append(evolve(entry, metavar=said or None, default=default))
        DefaultFormatter()(console, options, panel.copy(entries=entries))

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        from cyclopts.help.formatters import DefaultFormatter

        DefaultFormatter().render_usage(console, options, usage)


def install_completion(*, shell: Shell | None = None) -> None:
    """Let the shell complete verbs, options and styles by Tab.

    Parameters
    ----------
    shell
        Otherwise the one that this is typed in.
    """
    from cyclopts.completion.detect import ShellDetectionError

    try:
        script = app.install_completion(shell=shell)
    except ShellDetectionError as error:
        raise OptionError("the shell cannot be told; name it, as  --shell bash") from error
    print(f"{script}: written; a new shell completes by Tab")


def _short(option: FieldInfo, _: frozenset[str]) -> str | None:
    """The letter that stands for an option in every verb that has it."""
    return SHORT.get(option.names[0])


def _app(*, listed: bool) -> App:
    """The program; with `listed`, one that only lists the verbs, with a sentence for each."""
    made = App(
        name="sakuga",
        help="Photos and videos into anime pictures.  `sakuga photo.jpg` paints a photo.",
        version=_version,
        version_flags=("--version", "-V"),
        default_parameter=Parameter(negative=(), short_alias=_short),
        help_formatter=_Help(),
        suppress_keyboard_interrupt=False,
    )
    for group, verbs in VERBS.items():
        for place_in_list, (name, (place, sentence)) in enumerate(verbs.items()):
            made.command(
                f"sakuga.{place}",
                name=name,
                group=group,
                sort_key=place_in_list,
                help=sentence if listed else None,
                **({"usage": f"sakuga {name} [OPTIONS] {TAKEN[name]}"} if name in TAKEN else {}),
            )
    made.command(install_completion, name="--install-completion", group=PROGRAM)
    made["--help"].group = made["--version"].group = PROGRAM
    made["--help"].help = "Show this; of a verb: sakuga help VERB."
    made["--version"].help = "Show the version."
    return made


app = _app(listed=False)


def as_meant(given: Sequence[str]) -> list[str]:
    """What was typed, with `paint` where no verb is, and with other programs' words put right."""
    first, *rest = given or ["--help"]
    if first == "help":
        return [*rest, "--help"]
    if first == "version":
        return ["--version", *rest]
    if first in app or first == "__complete":  # as the shell's completion calls it
        return [first, *rest]
    from sakuga.inputs.several import is_input

    is_paintable = first.startswith("-") or is_input(first) or Path(first).suffix
    return ["paint", first, *rest] if is_paintable else [first, *rest]


def _unfit(found: re.Match[str]) -> str:
    """What cyclopts says of a value in Python's types, in words."""
    kinds = {"int": "a whole number", "float": "a number", "bool": "true or false"}
    wanted = [
        kinds.get(kind, kind.removeprefix("Literal[").rstrip("]")) for kind in found[2].split("|")
    ]
    return f"{found[1]} is not {', or '.join(wanted)}"


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    0: done. 1: done, but some inputs of a batch failed. 2: a mistake of the user, told in one line
    on stderr. 130: Ctrl-C. 141: whoever read the output went away.
    """
    try:
        typed = sys.argv[1:] if arguments is None else arguments
        if any(map(_EMPTY.fullmatch, typed)) and typed[0] != "__complete":
            raise OptionError(
                "an empty name was given, as by a variable that is not set; give one, or leave out "
                "the option"
            )
        given = as_meant(typed)
        program = _app(listed=True) if given in (["--help"], ["-h"]) else app
        status = program(
            given, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except (SakugaError, CycloptsError) as error:
        console.tell(f"sakuga: {_UNFIT.sub(_unfit, one_line(error))}")
        return 2
    except KeyboardInterrupt:
        console.tell("sakuga: stopped")
        return 130
    except (console.ReaderGoneError, BrokenPipeError):
        return console.reader_gone()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):  # of a copy it names the source, if any
            reason = f"a file cannot be written ({error.strerror}); make room, and run it again"
        elif error.filename is None:
            raise
        else:
            # Somebody's file: too long a name, rights that are missing, a disk that is gone.
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
    status = run()
    if "ray" in sys.modules:  # at times its threads abort an interpreter that ends, all being done
        sys.stdout.flush()
        os._exit(status)
    sys.exit(status)
