"""A style is ONE onnx file; all that is needed to run it is written inside.

The file's metadata holds one key, `sakuga.style`, whose value is the JSON of a `StyleSpec`. The
graph takes `photo`, float32 (B, 3, H, W) RGB in [-1, 1], and gives `anime` of the same shape and
range. H and W are multiples of `size_multiple` and at least `minimum_side`; padding to that is the
caller's work.

Styles are found by name in two folders: the one in the package, and the user's own (`user_folder`).
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sakuga.errors import OutputError, StyleError, of_later, reason_of
from sakuga.files import write_bytes
from sakuga.styles.metadata import read_metadata
from sakuga.styles.protobuf import MalformedError

if TYPE_CHECKING:
    import onnx

SPEC_KEY = "sakuga.style"
SPEC_FORMAT = 1
CHECKPOINT = "checkpoint.pt"  # in a training's folder
DEFAULT_STYLE = "novel"
GRAPH_INPUT = "photo"
GRAPH_OUTPUT = "anime"
_MOST_PIXELS = 16_384  # to which any picture is padded
SHIPPED_FOLDER = Path(__file__).parent / "weights"
_log = logging.getLogger("sakuga")
NAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class StyleSpec:
    """What must be known of a style to run it and to give credit for it."""

    name: str  # what `--style` takes: lower-case letters, digits, '-', '_'
    version: str  # of the weights: a change alters people's pictures
    description: str  # one sentence for a list of styles
    size_multiple: int  # pixels: H and W given to the graph must be multiples of this
    minimum_side: int  # pixels: H and W given to the graph must be at least this
    receptive_radius: int | None  # pixels a result looks in each direction; None: not tileable
    licence: str  # SPDX identifier of the weights
    attribution: tuple[str, ...]  # one credit a line
    training: dict[str, str | int | float]  # a summary: data, steps, hardware, seconds
    value_range: tuple[float, float] = (-1.0, 1.0)  # of the graph's input and output

    def __post_init__(self) -> None:
        """Raise ValueError, naming the field, for a spec that makes no sense."""
        if not NAME_PATTERN.fullmatch(self.name):
            raise ValueError(
                f"name {self.name!r} must be lower-case letters, digits, '-' and '_', at most 64"
            )
        for name in ("size_multiple", "minimum_side"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, must be 1 or more")
            if getattr(self, name) > _MOST_PIXELS:
                raise ValueError(f"{name} is {getattr(self, name)}, must be at most {_MOST_PIXELS}")
        if self.receptive_radius is not None and self.receptive_radius < 0:
            raise ValueError(f"receptive_radius is {self.receptive_radius}, must be 0 or more")
        if tuple(self.value_range) != (-1.0, 1.0):
            raise ValueError(f"value_range is {self.value_range}, must be (-1, 1)")

    @property
    def tileable(self) -> bool:
        """True if a large picture may be painted in tiles."""
        return self.receptive_radius is not None


def credits_of(specs: Sequence[StyleSpec]) -> dict[str, Any]:
    """The licence and the attribution of what is made of several styles."""
    licences = [spec.licence or "LicenseRef-unknown" for spec in specs]
    lines = [line for spec in specs for line in spec.attribution]
    return {
        "licence": " AND ".join(dict.fromkeys(licences)),
        "attribution": tuple(dict.fromkeys(lines)),
    }


@dataclass(frozen=True)
class Style:
    """A style file that has been found and read."""

    spec: StyleSpec
    path: Path
    origin: Literal["shipped", "added", "file"]


def spec_to_json(spec: StyleSpec) -> str:
    """Write a spec as the JSON that goes into a style file."""
    return json.dumps({"format": SPEC_FORMAT, **asdict(spec)}, ensure_ascii=False)


def spec_from_json(text: str) -> StyleSpec:
    """Read the JSON of a style file; the inverse of `spec_to_json`.

    Raises:
        ValueError: naming the field that is missing, unknown, of a wrong type or out of range.
    """
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError("the spec is not a JSON object")
    found_format = values.pop("format", None)
    if found_format != SPEC_FORMAT:
        raise ValueError(
            f"the spec has format {found_format}, this Sakuga reads format {SPEC_FORMAT}"
            f"{of_later(found_format, SPEC_FORMAT)}"
        )
    names = [field.name for field in fields(StyleSpec)]
    missing = [name for name in names if name not in values]
    if missing:
        raise ValueError(f"the spec lacks {', '.join(missing)}")
    unknown = sorted(values.keys() - set(names))
    if unknown:
        raise ValueError(f"the spec has fields unknown here: {', '.join(unknown)}")
    for name, check, wanted in _TYPES:
        if not check(values[name]):
            raise ValueError(f"{name} is {values[name]!r}, must be {wanted}")
    values["attribution"] = tuple(values["attribution"])
    values["value_range"] = tuple(values["value_range"])
    return StyleSpec(**values)


def read_spec(path: Path) -> StyleSpec:
    """Read the spec inside a style file, without loading the graph.

    Raises:
        StyleError: no such file, not ONNX, without a spec (made by another program), or a bad spec.
    """
    try:
        text = read_metadata(path).get(SPEC_KEY)
    except FileNotFoundError as error:
        raise StyleError(f"{path}: there is no such style file; check the spelling") from error
    except IsADirectoryError as error:
        raise StyleError(
            f"{path}: is a folder, not a style file; of a training's,  sakuga export {path} "
            "MINE.onnx  makes one"
        ) from error
    except OSError as error:
        raise StyleError(f"{path}: cannot be read ({error.strerror})") from error
    except MalformedError as error:
        raise StyleError(
            f"{path}: is not an ONNX file ({error}); a style is what `sakuga export` writes"
        ) from error
    except ValueError as error:  # a NUL, or letters that no file's name can have here
        raise StyleError(f"{str(path)!r}: cannot be a file name ({error}); check it") from error
    if text is None:
        raise StyleError(
            f"{path}: is an ONNX file without the metadata {SPEC_KEY!r} that says how to run it; "
            "make a style of it with `sakuga export` or `sakuga import-weights`"
        )
    try:
        return spec_from_json(text)
    except (ValueError, RecursionError) as error:
        raise StyleError(f"{path}: its metadata {SPEC_KEY!r} is not valid: {error}") from error


def write_spec(model: onnx.ModelProto, spec: StyleSpec) -> None:
    """Put the spec into an ONNX model in memory, in place of one that may be there."""
    for index in reversed(range(len(model.metadata_props))):
        if model.metadata_props[index].key == SPEC_KEY:
            del model.metadata_props[index]
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, spec_to_json(spec)


def user_folder() -> Path:
    """Where styles added by the user are kept; the environment variable SAKUGA_STYLES moves it.

    Raises:
        StyleError: this user has no home folder, as in many containers.
    """
    if chosen := os.environ.get("SAKUGA_STYLES"):
        return Path(chosen)
    try:
        if sys.platform == "win32":
            data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            data = Path.home() / "Library" / "Application Support"
        else:
            data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    except RuntimeError as error:  # neither HOME nor an entry in the list of users
        raise StyleError(
            "this user has no home folder to keep added styles in; "
            "name one by the environment variable SAKUGA_STYLES"
        ) from error
    return data / "sakuga" / "styles"


def installed() -> list[Style]:
    """All styles that a name finds: those in the box, then those added, each by name.

    Files that cannot be read are left out, and the log says so; `survey` gives the reasons.
    """
    styles, errors = survey()
    for error in errors:
        _log.warning("%s", error)
    return styles


def survey() -> tuple[list[Style], list[StyleError]]:
    """All styles that a name finds, and why others cannot be used."""
    errors: list[StyleError] = []
    return list(_installed(errors)), errors


def find(name: str | Path) -> Style:
    """Find a style by its name, by the path of its file, or in a training's folder.

    Raises:
        StyleError: unknown (the message lists the styles and suggests the nearest), or not a style.
    """
    path = _as_path(name)
    if is_run(path):
        made, current = made_in(path)
        if made is None or not current:
            raise StyleError(
                f"{path}: its style is {'older than its training' if made else 'not made yet'}; "
                f"make it with  sakuga export {path} MINE.onnx"
            )
        return Style(read_spec(made), made, "file")
    if isinstance(name, Path) or path.suffix == ".onnx" or len(path.parts) > 1:
        return Style(read_spec(path), path, "file")
    names = []
    errors: list[StyleError] = []
    for style in _installed(errors):
        if style.spec.name == name:
            return style
        names.append(style.spec.name)
    near = difflib.get_close_matches(name.lower(), names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    have = f"there are {', '.join(names)}" if names else "none is installed"
    damaged = "".join(f"; {error}" for error in errors)
    raise StyleError(
        f"style {name!r} is unknown: {hint}{have}; or give the path of a style file{damaged}"
    )


def add(path: str | Path) -> Style:
    """Copy a style file into the user's folder, where its name finds it.

    Raises:
        StyleError: it is not a style, or a style of that name is there.
        OutputError: the folder cannot be written.
    """
    path = _as_path(path)
    spec = read_spec(path)
    styles, _ = survey()
    if any(style.spec.name == spec.name for style in styles):
        raise StyleError(
            f"{path}: a style named {spec.name} is there already; "
            f"take it away first with  sakuga styles remove {spec.name}"
        )
    target = user_folder() / f"{spec.name}.onnx"
    write_bytes(target, path.read_bytes())
    return Style(spec, target, "added")


def remove(name: str) -> Path:
    """Delete an added style and return the path it had; styles in the box stay.

    Args:
        name: of the style; of one that is damaged, the name of its file, with or without .onnx.

    Raises:
        StyleError: unknown, or in the box.
        OutputError: the file cannot be deleted.
    """
    _as_path(name)
    styles, _ = survey()
    added = _added_files([])
    sound = {style.path for style in styles}
    names = {style.spec.name: style.path for style in reversed(styles)}
    for file in added:
        if file not in sound:
            names.setdefault(file.name, file)
            names.setdefault(file.stem, file)
    if name not in names:
        find(name)  # raises, unless it is the path of a file
    path = names.get(name)
    if path is None or path not in added:
        raise StyleError(
            f"style {name} cannot be removed: only styles added with `sakuga styles add` can"
        )
    try:
        path.unlink()
    except OSError as error:
        raise OutputError(f"{path}: cannot be deleted ({error.strerror})") from error
    return path


def _as_path(style: str | Path) -> Path:
    if not isinstance(style, str | Path):
        raise StyleError(f"style is {style!r}; it must be a style's name or the path of its file")
    if not str(style):
        raise StyleError("an empty name was given; name a style, or give the path of its file")
    return Path(style)


def is_run(path: str | Path) -> bool:
    """Whether it is a training's folder."""
    try:
        return (Path(path) / CHECKPOINT).is_file()
    except (OSError, ValueError):
        return False


def made_in(run: Path) -> tuple[Path | None, bool]:
    """The newest style file in a training's folder, and that the training has not gone on since."""
    made = max(run.glob("*.onnx"), key=lambda path: path.stat().st_mtime_ns, default=None)
    saved = (run / CHECKPOINT).stat().st_mtime_ns
    return made, made is not None and made.stat().st_mtime_ns >= saved


def _installed(errors: list[StyleError]) -> Iterator[Style]:
    """One after the other; why files cannot be used is added to `errors`."""
    for path in sorted(SHIPPED_FOLDER.glob("*.onnx")):
        try:
            yield Style(read_spec(path), path, "shipped")
        except StyleError as error:
            errors.append(StyleError(f"{error}; install Sakuga again"))
    for path in _added_files(errors):
        try:
            yield Style(read_spec(path), path, "added")
        except StyleError as error:
            remedy = f"take it away with  sakuga styles remove {path.stem}"
            errors.append(StyleError(f"{error}; {remedy}"))


def _added_files(errors: list[StyleError]) -> list[Path]:
    """The files in the user's folder, if there is one; why it cannot be read goes to `errors`."""
    try:
        folder = user_folder()
    except StyleError:
        return []  # nowhere to have added any
    try:
        return sorted(folder / name for name in os.listdir(folder) if name.endswith(".onnx"))  # noqa: PTH208 - a folder that is missing is told from one that may not be read
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:
        errors.append(
            StyleError(
                f"{folder}: the styles added cannot be listed ({reason_of(error)}); "
                "name another folder by the environment variable SAKUGA_STYLES"
            )
        )
        return []


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# Field, what its JSON value must be, and that in words.
_TYPES = (
    ("name", _is_text, "text"),
    ("version", _is_text, "text"),
    ("description", _is_text, "text"),
    ("size_multiple", _is_whole, "a whole number"),
    ("minimum_side", _is_whole, "a whole number"),
    ("receptive_radius", lambda value: value is None or _is_whole(value), "a whole number or null"),
    ("licence", _is_text, "text"),
    (
        "attribution",
        lambda value: isinstance(value, list) and all(map(_is_text, value)),
        "a list of texts",
    ),
    (
        "training",
        lambda value: (
            isinstance(value, dict)
            and all(_is_text(item) or _is_number(item) for item in value.values())
        ),
        "an object of texts and numbers",
    ),
    (
        "value_range",
        lambda value: isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)),
        "a list of two numbers",
    ),
)
