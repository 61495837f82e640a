"""Photos of MS-COCO: from its instances JSON to the jobs worth downloading.

The JSON of the training split is 450 MB and would take several GB as Python objects, so only which
picture shows which category is kept of it.
"""

from __future__ import annotations

import mmap
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from sakuga.data.download import copy_local, download, fill
from sakuga.data.fetch import Download, Fetcher, FetchError
from sakuga.data.outcome import Outcome
from sakuga.data.picture_set import (
    OnPictures,
    PictureSet,
    choices_of,
    claim_folder,
    no_progress,
)
from sakuga.data.wanted import Limits, rank
from sakuga.data.wanted import WantedPhotos as Wanted
from sakuga.errors import DataError, MissingExtraError, OptionError, suggestion
from sakuga.files import replacing

try:
    import msgspec
except ImportError:
    raise MissingExtraError("sakuga prepare coco", "data", "msgspec") from None

BASE_URL = "http://images.cocodataset.org"
ARCHIVE = "annotations/annotations_trainval2017.zip"  # 241 MB, below BASE_URL
ARCHIVE_BYTES = 1_000_000_000  # at most
ARCHIVE_S = 3600.0  # at most


def prepare(
    out: Path,
    wanted: Wanted,
    *,
    annotations: Path | None = None,
    images: Path | None = None,
    base_url: str = BASE_URL,
    limits: Limits | None = None,
    progress: OnPictures = no_progress,
) -> Outcome:
    """Make a set of COCO's photos.

    Args:
        out: a new folder, or one that holds this same set, perhaps with a smaller limit.
        wanted, annotations, images, base_url, limits: as `sakuga prepare coco` takes them.

    Raises:
        DataError: the annotations cannot be had or are of another kind, or no photo is wanted.
        OptionError: an unknown category, or options that contradict each other.
        OutputError: OUT holds another set or cannot be written.
    """
    limits = limits or Limits()
    if images is not None and not images.is_dir():
        raise DataError(f"{images}: no such folder; --images takes the split's folder of photos")
    if annotations is not None and not annotations.is_file():
        raise DataError(f"{annotations}: no such file; --annotations takes an instances JSON")
    made_by = {"verb": "prepare coco", **choices_of(wanted)}
    if annotations is None:
        claim_folder(out, made_by)
        annotations = fetch_annotations(wanted, out / ".annotations", base_url, limits)
    photos, job_of = _in_order(annotations, wanted, base_url)
    limit = len(photos) if wanted.limit is None else min(wanted.limit, len(photos))
    with PictureSet(out, made_by) as pictures:

        def fetch(jobs: Sequence[Download]) -> None:
            if images is None:
                download(jobs, pictures, limits, progress)
            else:
                copy_local(jobs, images, pictures, progress)

        fill(limit, lambda count: [job_of(photo) for photo in photos[:count]], fetch, pictures)
        return Outcome.of(pictures, limit=limit, wanted=limit)


def fetch_annotations(wanted: Wanted, folder: Path, base_url: str, limits: Limits) -> Path:
    """Download the annotations and give the instances JSON of the split, kept in `folder`.

    Raises:
        DataError: the archive cannot be had, or does not hold that file.
    """
    target = folder / f"instances_{wanted.split}.json"
    if target.exists():
        return target
    fetcher = Fetcher(replace(limits, max_bytes=ARCHIVE_BYTES, picture_s=ARCHIVE_S))
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / ".annotations.zip.tmp"
    try:
        for attempt in range(1, limits.attempts + 1):
            try:
                fetcher.fetch(f"{base_url}/{ARCHIVE}", archive)
                break
            except FetchError as error:
                if attempt == limits.attempts or not error.try_again:
                    raise DataError(
                        f"{base_url}/{ARCHIVE} cannot be downloaded ({error}): try again later, or "
                        "name a local instances JSON with --annotations"
                    ) from error
        with (
            zipfile.ZipFile(archive) as packed,
            packed.open(f"annotations/{target.name}") as source,
            replacing(target) as temporary,
            temporary.open("wb") as sink,
        ):
            shutil.copyfileobj(source, sink)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(
            f"{base_url}/{ARCHIVE} is not COCO's archive of annotations ({error}): name a local "
            "instances JSON with --annotations"
        ) from error
    finally:
        archive.unlink(missing_ok=True)
    return target


def select(annotations: Path, wanted: Wanted, base_url: str = BASE_URL) -> list[Download]:
    """Give the photos to download.

    The order, and with it the sample, is that of a keyed hash of the photo's id: the same for the
    same seed, and a larger limit contains the smaller one's photos.

    Raises:
        DataError: not an instances JSON, or it has no such photos.
        OptionError: an unknown category.
    """
    photos, job_of = _in_order(annotations, wanted, base_url)
    return [job_of(photo) for photo in photos[: wanted.limit]]


def _in_order(
    annotations: Path, wanted: Wanted, base_url: str
) -> tuple[list[int], Callable[[int], Download]]:
    """All photos that are wanted, in the order in which they are taken, and what makes the jobs."""
    catalogue = read_catalogue(annotations)
    categories = {category.id: category.name for category in catalogue.categories}
    asked = set(wanted.categories)
    if unknown := asked - set(categories.values()):
        names = sorted(categories.values())
        hint = suggestion(min(unknown), names) or f"; there are {', '.join(names)}"
        raise OptionError(f"--categories: COCO has no {min(unknown)!r}{hint}")

    licences = {one.id: f"{one.name} ({one.url})" for one in catalogue.licenses}
    photo_of = {photo.id: photo for photo in catalogue.images}
    shown: dict[int, dict[str, None]] = {}  # photo -> the categories on it, in the JSON's order
    for thing in catalogue.annotations:
        if thing.category_id in categories:
            shown.setdefault(thing.image_id, {})[categories[thing.category_id]] = None
    names_of = {photo: list(names) for photo, names in shown.items()}
    photos = sorted(
        (p for p in photo_of if not asked or not asked.isdisjoint(names_of.get(p, ()))),
        key=lambda p: rank(p, wanted.seed),
    )
    if not photos:
        raise DataError(f"{annotations} has no photo of {' or '.join(wanted.categories)}")
    if wanted.balanced:
        photos = list(_in_turns(photos, names_of, wanted.categories))

    def job_of(number: int) -> Download:
        photo = photo_of[number]
        return Download(
            url=f"{base_url}/{wanted.split}/{photo.file_name}",
            name=Path(photo.file_name).stem,
            facts={
                "flickr_url": photo.flickr_url,
                "licence": licences.get(photo.license, ""),
                "categories": names_of.get(number, []),
            },
        )

    return photos, job_of


def _in_turns(
    photos: list[int], names_of: dict[int, list[str]], categories: tuple[str, ...]
) -> Iterator[int]:
    """Give each photo once, so that the categories fill up evenly: the emptiest is served next."""
    waiting = {c: iter([p for p in photos if c in names_of.get(p, ())]) for c in categories}
    count = dict.fromkeys(categories, 0)
    given: set[int] = set()
    while waiting:
        category = min(waiting, key=lambda c: count[c])
        photo = next((p for p in waiting[category] if p not in given), None)
        if photo is None:
            del waiting[category]
            continue
        given.add(photo)
        for name in names_of[photo]:
            if name in count:
                count[name] += 1
        yield photo


class Photo(msgspec.Struct, gc=False):
    """What an instances JSON says of one photo."""

    id: int
    file_name: str
    license: int = -1  # its id
    flickr_url: str = ""


class _Category(msgspec.Struct):
    id: int
    name: str


class _Licence(msgspec.Struct):
    id: int
    name: str
    url: str


class _Thing(msgspec.Struct, gc=False):
    image_id: int
    category_id: int


class Catalogue(msgspec.Struct):
    """What an instances JSON says of its photos; whatever else it says is passed over."""

    images: Annotated[list[Photo], msgspec.Meta(min_length=1)]
    categories: Annotated[list[_Category], msgspec.Meta(min_length=1)]
    licenses: list[_Licence] = []
    annotations: list[_Thing] = []  # what is on the photos


def read_catalogue(annotations: Path) -> Catalogue:
    """Read an instances JSON, of which only what is needed gets into memory.

    Raises:
        DataError: no such file, no JSON, or a JSON of another kind.
    """
    try:
        with (
            annotations.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text,
        ):
            return msgspec.json.decode(text, type=Catalogue)
    except OSError as error:
        raise DataError(f"{annotations} cannot be read ({error.strerror})") from error
    except msgspec.ValidationError as error:
        raise DataError(
            f"{annotations} is JSON of another kind ({error}): give instances_train2017.json or "
            "instances_val2017.json"
        ) from error
    except ValueError as error:  # an empty file, too
        raise DataError(f"{annotations} is not whole JSON ({error}): download it again") from error
