"""Pictures through a Stylizer: of any kind, one at a time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TypedDict, Unpack, overload

import numpy as np
from PIL import Image

from sakuga.errors import InputError, NotAPhotoError, OptionError, OutputError, told_in_python
from sakuga.images.colour import Pixels
from sakuga.images.formats import format_like, need_format
from sakuga.images.marks import Mark, Option, identity_of
from sakuga.images.picture import Frame, Picture, fit_within, shrink
from sakuga.images.read import picture_of, read_picture
from sakuga.images.urls import fetch, is_url
from sakuga.images.write import check_holds, encode_picture, to_image, write_picture
from sakuga.painting.options import OnShare, PaintOptions, Stroke, part_of
from sakuga.painting.stylizer import Stylizer, check_photo, open_stylizer
from sakuga.paths import is_same_file, kind_of
from sakuga.styles import DEFAULT_STYLE, Style
from sakuga.styles.session import Device


def __getattr__(name: str) -> Any:
    """The name that `PaintOptions` had here works, and says so."""
    if name == "Look":
        successor = "sakuga.painting.options.PaintOptions"
        warnings.warn(f"Look is {successor} now", DeprecationWarning, stacklevel=2)
        return PaintOptions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def mark_of(
    stylizer: Stylizer,
    options: PaintOptions,
    *,
    source: str = "",
    digest: str = "",
    more: Mapping[str, Option] | None = None,
) -> Mark:
    """The mark of a result.

    Args:
        source, digest: of what is painted, see `Mark`.
        more: options beside the usual ones.
    """
    chosen = options.unusual() | dict(more or {})
    spec = stylizer.spec
    return Mark(source, digest, f"{spec.name} {spec.version}", stylizer.weights, chosen)


AnyStyle = str | Path | Style | Stylizer
# A path or address, the bytes of a file, an open file, an image, or uint8 (H, W, 3) in sRGB.
AnyPhoto = str | Path | bytes | bytearray | memoryview | IO[Any] | Image.Image | Pixels


class _Choices(TypedDict, total=False):
    strength: float
    keep_colour: bool
    max_side: int | None
    stroke: Stroke
    device: Device
    threads: int | None
    out: str | Path | None
    overwrite: bool


@overload
def paint(photo: Pixels, style: AnyStyle = ..., **choices: Unpack[_Choices]) -> Pixels: ...
@overload
def paint(
    photo: bytes | bytearray | memoryview, style: AnyStyle = ..., **choices: Unpack[_Choices]
) -> bytes: ...
@overload
def paint(
    photo: str | Path | IO[Any] | Image.Image, style: AnyStyle = ..., **choices: Unpack[_Choices]
) -> Image.Image: ...
@told_in_python()
def paint(
    photo: AnyPhoto,
    style: AnyStyle = DEFAULT_STYLE,
    *,
    strength: float = 1.0,
    keep_colour: bool = False,
    max_side: int | None = None,
    stroke: Stroke = "auto",
    device: Device = "auto",
    threads: int | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
) -> Pixels | bytes | Image.Image:
    """Paint one picture and give back the same kind of thing.

    Args:
        photo: a path, an address (http, https), an open file or a Pillow image (gives a Pillow
            image, of mode RGBA if the photo has alpha), the bytes of a picture file (gives bytes,
            in the same format if that is PNG, JPEG, WebP or GIF, else one near it), or uint8
            (H, W, 3) sRGB (gives the same). Files and images are turned upright by their EXIF
            orientation. Of an animation, bytes keep every frame, files give the first, an image
            its current one.
        style: a name, the path of a style file, or a `Stylizer`, which saves loading it every time.
        strength: 0 is the photo, 1 the style.
        keep_colour: keep the photo's colours; lines and lightness are the style's.
        max_side: pixels; a larger photo is shrunk first.
        stroke: "auto", "fine", "bold" or the longer side in pixels to paint at: how heavy strokes
            are. Large photos are painted small and brought to full size again.
        device, threads: as for `Stylizer`; not with a `Stylizer`, which has its own.
        out: a file to write as well, PNG, JPEG, WebP or GIF by its suffix, with the photo's EXIF
            data and all frames of an animation.
        overwrite: replace `out` if it is there; the photo itself is never replaced.

    Raises:
        SakugaError: one of its branches, for a photo, style, option or place that cannot be used.
    """
    if not isinstance(style, Stylizer):
        stylizer = open_stylizer(style, device=device, threads=threads)
    elif device == "auto" and threads is None:
        stylizer = style
    else:
        raise OptionError("a Stylizer has its device and threads already; leave them out")
    options = PaintOptions(strength, keep_colour, max_side, stroke)
    target = None if out is None else check_target(Path(out), photo, overwrite=overwrite)
    picture = open_photo(photo, options.max_side)
    in_bytes = isinstance(photo, bytes | bytearray | memoryview)
    if target is not None:
        check_holds(picture, need_format(target), str(target))
    elif not in_bytes:
        picture = replace(picture, frames=picture.frames[:1])
    painted = paint_picture(picture, stylizer, options)
    source = identity_of(str(photo)) if isinstance(photo, str | Path) else ("", "")
    mark = mark_of(stylizer, options, source=source[0], digest=source[1])
    if target is not None:
        write_picture(painted, target, mark=mark)
    if in_bytes:
        buffer = io.BytesIO()
        encode_picture(painted, buffer, format_like(painted.file_format), mark=mark)
        return buffer.getvalue()
    first = painted.frames[0]
    if isinstance(photo, np.ndarray):
        return first.colour
    return to_image(first, transparent=first.alpha is not None)


def open_photo(photo: AnyPhoto, max_side: int | None = None) -> Picture:
    """Read a photo of any kind that `paint` takes.

    Args:
        max_side: pixels; a larger file is shrunk as it is read.

    Raises:
        InputError, NotAPhotoError: it cannot be read, or is none.
    """
    if isinstance(photo, np.ndarray):
        check_photo(photo)
        return Picture((Frame(photo),))
    if isinstance(photo, Image.Image):
        return picture_of(photo)
    if isinstance(photo, bytes | bytearray | memoryview):
        return read_picture(bytes(photo), max_side=max_side)
    if isinstance(photo, str | Path):
        content = fetch(photo) if isinstance(photo, str) and is_url(photo) else photo
        return read_picture(content, name=str(photo), max_side=max_side)
    content = _content_of(photo)
    if not isinstance(content, bytes):
        raise NotAPhotoError(
            f"photo is {photo!r:.80}; give a path, an address, an open file, the bytes of one, a "
            "Pillow image or a numpy array of uint8"
        )
    return read_picture(content, max_side=max_side)


def _content_of(file: Any) -> Any:
    """What an open file holds, though it were opened as text; None: it is no open file.

    Raises:
        InputError: it is closed, or cannot be read.
    """
    if not callable(getattr(file, "read", None)):
        return None
    try:
        return getattr(file, "buffer", file).read()
    except (OSError, ValueError) as error:
        raise InputError(f"the open file cannot be read ({error}); open it again") from error


def check_target(target: Path, photo: AnyPhoto, *, overwrite: bool) -> Path:
    """See, before anything is painted, whether a picture may be written there.

    Raises:
        OptionError: its suffix is of no format that is written.
        OutputError: it is there already, or is the photo.
    """
    need_format(target)
    found = kind_of(target)
    if found == "file" and isinstance(photo, str | Path) and is_same_file(target, Path(photo)):
        raise OutputError(f"{target}: is the photo, which is never replaced; choose another")
    if found != "nothing" and not (overwrite and found == "file"):
        raise OutputError(f"{target}: is there already; choose another, or say overwrite=True")
    return target


def paint_picture(
    picture: Picture,
    stylizer: Stylizer,
    options: PaintOptions,
    progress: OnShare | None = None,
) -> Picture:
    """Paint every frame, shrunk first if the options say so; alpha, times and EXIF data stay."""
    count = len(picture.frames)

    def painted() -> Iterator[Frame]:
        for index, frame in enumerate(picture.frames):
            small = shrink(frame, fit_within(frame.size, options.max_side))
            anime = stylizer(
                small.colour,
                strength=options.strength,
                keep_colour=options.keep_colour,
                stroke=options.stroke,
                progress=part_of(progress, index / count, (index + 1) / count),
            )
            yield replace(small, colour=anime)

    return replace(picture, frames=tuple(painted()))


def beside(photo: Picture, painted: Picture) -> Picture:
    """Each photo at the left of what was painted from it, both of one size."""

    def joined(before: Frame, after: Frame) -> Frame:
        colour = np.concatenate([before.colour, after.colour], axis=1)
        alpha = None if after.alpha is None else np.concatenate([after.alpha, after.alpha], axis=1)
        return replace(after, colour=colour, alpha=alpha)

    frames = zip(photo.frames, painted.frames, strict=True)
    return replace(painted, frames=tuple(joined(before, after) for before, after in frames))
