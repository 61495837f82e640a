"""Pictures through a Stylizer: of any kind, one at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from sakuga.errors import NotAPhotoError, OptionError
from sakuga.images.colour import Pixels
from sakuga.images.formats import format_like
from sakuga.images.marks import Mark, Option
from sakuga.images.picture import Frame, Picture, fit_within, shrink
from sakuga.images.read import picture_of, read_picture
from sakuga.images.urls import fetch, is_url
from sakuga.images.write import encode_picture, to_image
from sakuga.painting.mixture import open_stylizer
from sakuga.painting.options import PaintOptions, Stroke
from sakuga.painting.stylizer import Stylizer, check_photo
from sakuga.styles import DEFAULT_STYLE, Style
from sakuga.styles.session import Device


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


@overload
def paint(
    photo: Pixels,
    style: AnyStyle = ...,
    *,
    strength: float = ...,
    keep_colour: bool = ...,
    max_side: int | None = ...,
    stroke: Stroke = ...,
    device: Device = ...,
    threads: int | None = ...,
) -> Pixels: ...
@overload
def paint(
    photo: bytes | bytearray | memoryview,
    style: AnyStyle = ...,
    *,
    strength: float = ...,
    keep_colour: bool = ...,
    max_side: int | None = ...,
    stroke: Stroke = ...,
    device: Device = ...,
    threads: int | None = ...,
) -> bytes: ...
@overload
def paint(
    photo: str | Path | Image.Image,
    style: AnyStyle = ...,
    *,
    strength: float = ...,
    keep_colour: bool = ...,
    max_side: int | None = ...,
    stroke: Stroke = ...,
    device: Device = ...,
    threads: int | None = ...,
) -> Image.Image: ...
def paint(
    photo: Pixels | bytes | bytearray | memoryview | str | Path | Image.Image,
    style: AnyStyle = DEFAULT_STYLE,
    *,
    strength: float = 1.0,
    keep_colour: bool = False,
    max_side: int | None = None,
    stroke: Stroke = "auto",
    device: Device = "auto",
    threads: int | None = None,
) -> Pixels | bytes | Image.Image:
    """Paint one picture and give back the same kind of thing.

    Args:
        photo: a path, an address (http, https) or a Pillow image (gives a Pillow image, of mode
            RGBA if the photo has alpha), the bytes of a picture file (gives bytes, in the same
            format if that is PNG, JPEG, WebP or GIF, else one near it), or uint8 (H, W, 3) sRGB
            (gives the same). Files and images are turned upright by their EXIF orientation. Of an
            animation, bytes keep every frame, a path gives the first, an image its current one.
        style: a name, the path of a style file, or a `Stylizer`, which saves loading it every time.
        strength: 0 is the photo, 1 the style.
        keep_colour: keep the photo's colours; lines and lightness are the style's.
        max_side: pixels; a larger photo is shrunk first.
        stroke: "auto", "fine", "bold" or the longer side in pixels to paint at: how heavy strokes
            are. Large photos are painted small and brought to full size again.
        device, threads: as for `Stylizer`; not with a `Stylizer`, which has its own.

    Raises:
        SakugaError: one of its branches, for a photo, style or option that cannot be used.
    """
    if not isinstance(style, Stylizer):
        stylizer = open_stylizer(style, device=device, threads=threads)
    elif device == "auto" and threads is None:
        stylizer = style
    else:
        raise OptionError("a Stylizer has its device and threads already; leave them out")
    options = PaintOptions(strength, keep_colour, max_side, stroke)
    if isinstance(photo, np.ndarray):
        check_photo(photo)
        return paint_picture(Picture((Frame(photo),)), stylizer, options).frames[0].colour
    if isinstance(photo, bytes | bytearray | memoryview):
        picture = read_picture(bytes(photo), max_side=options.max_side)
        painted = paint_picture(picture, stylizer, options)
        buffer = io.BytesIO()
        file_format = format_like(painted.file_format)
        encode_picture(painted, buffer, file_format, mark=mark_of(stylizer, options))
        return buffer.getvalue()
    if isinstance(photo, str) and is_url(photo):
        picture = read_picture(fetch(photo), name=photo, max_side=options.max_side)
    elif isinstance(photo, str | Path):
        picture = read_picture(photo, max_side=options.max_side)
    elif isinstance(photo, Image.Image):
        picture = picture_of(photo)
    else:
        raise NotAPhotoError(
            f"photo is {photo!r:.80}; give a path, an address, the bytes of a file (of an open "
            "one, file.read()), a Pillow image or a numpy array of uint8"
        )
    first = paint_picture(replace(picture, frames=picture.frames[:1]), stylizer, options).frames[0]
    return to_image(first, transparent=first.alpha is not None)


def paint_picture(
    picture: Picture,
    stylizer: Stylizer,
    options: PaintOptions,
    progress: Callable[[float], None] | None = None,
) -> Picture:
    """Paint every frame, shrunk first if the options say so; alpha, times and EXIF data stay."""
    count = len(picture.frames)

    def painted() -> Iterator[Frame]:
        for index, frame in enumerate(picture.frames):

            def advance(share: float, index: int = index) -> None:
                if progress is not None:
                    progress((index + share) / count)

            height, width = frame.colour.shape[:2]
            small = shrink(frame, fit_within((width, height), options.max_side))
            anime = stylizer(
                small.colour,
                strength=options.strength,
                keep_colour=options.keep_colour,
                stroke=options.stroke,
                progress=advance,
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
