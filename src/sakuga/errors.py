"""Every error a user can cause, as one tree.

A message is one sentence or two: what was wrong, what was found, what to do. The command line
prints it on one line and exits with status 2; a library user catches `SakugaError` or one of the
classes below it.
"""

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

# Python objects in the texts of errors, with the colon or comma after them.
_OBJECTS = re.compile(r"(<[^<>]+ at 0x[0-9a-f]+>|HTTPS?Connection(Pool)?\([^()]*\))[:,]? ?")


class SakugaError(Exception):
    """Anything a user can cause and can mend."""


def one_line(error: object) -> str:
    """The message of an error, or a text, without line breaks, as the command line prints it."""
    return " ".join(str(error).split())


def suggestion(word: object, known: Iterable[str]) -> str:
    """What to write instead of an unknown word: "; did you mean NAME?", or all if they are few."""
    names = list(known)
    if near := difflib.get_close_matches(str(word), names, n=1):
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(names)}" if len(names) <= 30 else ""


def of_later(found: object, known: int) -> str:
    """What to do about a file's format that only a later Sakuga knows: the end of a sentence."""
    if not isinstance(found, int) or found <= known:
        return ""
    return "; a later Sakuga made it: upgrade this one, pip install --upgrade sakuga"


def reason_of(error: BaseException) -> str:
    """What lies at the bottom of a chain of errors, in words a user understands.

    Libraries for the network wrap what the operating system said several times, each with objects
    of Python and repeated addresses in its text.
    """
    chain = [error]
    for one in chain:  # grows meanwhile
        if text := getattr(one, "strerror", None):  # also of FFmpeg's errors, not all OSErrors
            return str(text)
        context = None if one.__suppress_context__ else one.__context__
        parts = (getattr(one, "reason", None), one.__cause__, context, *one.args)
        chain += [p for p in parts if isinstance(p, BaseException) and p not in chain]
    return _OBJECTS.sub("", one_line(chain[-1]))


# What a call from Python says instead of an option of the command line.
_ARGUMENTS = {
    **{name: name for name in ("out", "style", "stroke", "tile", "seconds", "fps", "codec", "crf")},
    **{"from": "start", "to": "stop", "max-side": "max_side", "aspect": "aspect"},
    **{name: f"{name}=True" for name in ("overwrite", "resume", "fast", "wipe", "preview")},
    "side-by-side": "side_by_side=True",
}
_OPTION = re.compile(rf"--({'|'.join(_ARGUMENTS)})(?![\w-])")


def as_arguments(text: str) -> str:
    """The text with the options of the command line as arguments of Python."""
    return _OPTION.sub(lambda found: _ARGUMENTS[found[1]], text)


@contextmanager
def told_in_python() -> Iterator[None]:
    """Let errors speak of arguments and not of options; a decorator for what Python calls."""
    try:
        yield
    except SakugaError as error:
        error.args = tuple(as_arguments(one) if isinstance(one, str) else one for one in error.args)
        raise


class InputError(SakugaError):
    """A picture, video or folder that cannot be read or makes no sense."""


class NotAPictureError(InputError):
    """A file that holds something else than a picture."""


class UnreadSamplesError(InputError):
    """A picture whose samples are stored in a way that is not read, or of no stated range."""


class NotAPhotoError(InputError, TypeError, ValueError):
    """An argument that is no photo, or an array of another type or shape."""


class TooLargeError(InputError):
    """A picture of more pixels than the limit."""


class OutputError(SakugaError):
    """A place that cannot be written, or must not be."""


class StyleError(SakugaError):
    """A style that is unknown, foreign or damaged."""


class OptionError(SakugaError):
    """A value outside its range, or two options that contradict each other."""


class DeviceError(SakugaError):
    """A device or execution provider this machine lacks."""


class ClusterError(SakugaError):
    """A cluster that cannot be reached, or whose machines lack something."""


class MissingExtraError(SakugaError):
    """A verb whose optional packages are not installed.

    Args:
        verb: what was asked for, as the user wrote it ("sakuga train").
        extra: the name of the extra that brings the packages ("train").
        package: the package that could not be imported.
    """

    def __init__(self, verb: str, extra: str, package: str) -> None:
        super().__init__(
            f"{verb} needs the package {package}, which is not installed: "
            f"run  pip install 'sakuga[{extra}]'"
        )
        self.extra = extra


class DataError(SakugaError):
    """Training or evaluation data that cannot be used."""


class TrainingError(SakugaError):
    """A training that broke one of its guards, or a checkpoint that does not fit."""
