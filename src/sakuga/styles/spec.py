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
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sakuga.errors import OutputError, StyleError
from sakuga.files import write_bytes
from sakuga.styles.metadata import NotOnnxError, read_metadata

if TYPE_CHECKING:
    import onnx

SPEC_KEY = "sakuga.style"
SPEC_FORMAT = 1
DEFAULT_STYLE = "novel"
GRAPH_INPUT = "photo"
GRAPH_OUTPUT = "anime"
SHIPPED_FOLDER = Path(__file__).parent / "weights"
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
        if self.size_multiple < 1:
            raise ValueError(f"size_multiple is {self.size_multiple}, must be 1 or more")
        if self.minimum_side < 1:
            raise ValueError(f"minimum_side is {self.minimum_side}, must be 1 or more")
        if self.receptive_radius is not None and self.receptive_radius < 0:
            raise ValueError(f"receptive_radius is {self.receptive_radius}, must be 0 or more")
        if tuple(self.value_range) != (-1.0, 1.0):
            raise ValueError(f"value_range is {self.value_range}, must be (-1, 1)")

    @property
    def tileable(self) -> bool:
        """True if a large picture may be painted in tiles."""
        return self.receptive_radius is not None


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
    except OSError as error:
        raise StyleError(f"{path}: cannot be read ({error.strerror})") from error
    except NotOnnxError as error:
        raise StyleError(
            f"{path}: is not an ONNX file ({error}); a style is what `sakuga export` writes"
        ) from error
    if text is None:
        raise StyleError(
            f"{path}: is an ONNX file without the metadata {SPEC_KEY!r} that says how to run it; "
            "make a style of it with `sakuga export` or `sakuga import-weights`"
        )
    try:
        return spec_from_json(text)
    except ValueError as error:
        raise StyleError(f"{path}: its metadata {SPEC_KEY!r} is not valid: {error}") from error


def write_spec(model: onnx.ModelProto, spec: StyleSpec) -> None:
    """Put the spec into an ONNX model in memory, in place of one that may be there."""
    for index in reversed(range(len(model.metadata_props))):
        if model.metadata_props[index].key == SPEC_KEY:
            del model.metadata_props[index]
    entry = model.metadata_props.add()
    entry.key, entry.value = SPEC_KEY, spec_to_json(spec)


def user_folder() -> Path:
    """Where styles added by the user are kept; the environment variable SAKUGA_STYLES moves it."""
    if chosen := os.environ.get("SAKUGA_STYLES"):
        return Path(chosen)
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "sakuga" / "styles"


def installed() -> list[Style]:
    """All styles that a name finds: those in the box, then those added, each by name."""
    return list(_installed())


def find(name: str | Path) -> Style:
    """Find a style by its name, or by the path of its file.

    Raises:
        StyleError: unknown (the message lists the styles and suggests the nearest), or not a style.
    """
    path = Path(name)
    if isinstance(name, Path) or path.suffix == ".onnx" or len(path.parts) > 1:
        return Style(read_spec(path), path, "file")
    names = []
    for style in _installed():
        if style.spec.name == name:
            return style
        names.append(style.spec.name)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    have = f"there are {', '.join(names)}" if names else "none is installed"
    raise StyleError(f"style {name!r} is unknown: {hint}{have}; or give the path of a style file")


def add(path: Path) -> Style:
    """Copy a style file into the user's folder, where its name finds it.

    Raises:
        StyleError: it is not a style, or a style of that name is there.
        OutputError: the folder cannot be written.
    """
    spec = read_spec(path)
    if any(style.spec.name == spec.name for style in installed()):
        raise StyleError(
            f"{path}: a style named {spec.name} is there already; "
            f"take it away first with  sakuga styles remove {spec.name}"
        )
    target = user_folder() / f"{spec.name}.onnx"
    write_bytes(target, path.read_bytes())
    return Style(spec, target, "added")


def remove(name: str) -> Path:
    """Delete an added style and return the path it had; styles in the box stay.

    Raises:
        StyleError: unknown, or in the box.
        OutputError: the file cannot be deleted.
    """
    style = find(name)
    if style.origin != "added":
        raise StyleError(
            f"style {name} cannot be removed: only styles added with `sakuga styles add` can"
        )
    try:
        style.path.unlink()
    except OSError as error:
        raise OutputError(f"{style.path}: cannot be deleted ({error.strerror})") from error
    return style.path


def _installed() -> Iterator[Style]:
    """One after the other: a damaged file among those added does not hide one in the box."""
    for path in sorted(SHIPPED_FOLDER.glob("*.onnx")):
        yield Style(read_spec(path), path, "shipped")
    for path in sorted(user_folder().glob("*.onnx")):
        yield Style(read_spec(path), path, "added")


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
