"""Photos of MS-COCO: from its instances JSON to the jobs worth downloading.

The JSON of the training split is 450 MB and would take several GB as Python objects. It is walked
one element at a time instead, keeping only which picture shows which category.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sakuga.data.download import copy_local, download, fill
from sakuga.data.fetch import Fetcher, FetchError, Job, Limits
from sakuga.data.jsonwalk import walk_json
from sakuga.data.outcome import Outcome
from sakuga.data.picture_set import PictureSet, Progress, claim_folder, no_progress
from sakuga.errors import DataError, OptionError

Split = Literal["train2017", "val2017"]

BASE_URL = "http://images.cocodataset.org"
ARCHIVE = "annotations/annotations_trainval2017.zip"  # 241 MB, below BASE_URL
ARCHIVE_BYTES = 1_000_000_000  # at most
ARCHIVE_S = 3600.0  # at most


@dataclass(frozen=True)
class Wanted:
    """Which photos to take."""

    split: Split = "val2017"
    categories: tuple[str, ...] = ()  # a photo must show one of these; none: any photo will do
    balanced: bool = False  # as many photos of each category, as far as there are
    limit: int | None = None  # a random sample of this many; None: all
    seed: int = 0  # of the sample

    def __post_init__(self) -> None:
        """Refuse options that contradict each other."""
        if self.limit is not None and self.limit < 1:
            raise OptionError(f"--limit {self.limit}: must be at least 1")
        if self.balanced and not self.categories:
            raise OptionError("--balanced needs --categories to balance")


def prepare(
    out: Path,
    wanted: Wanted,
    *,
    annotations: Path | None = None,
    images: Path | None = None,
    base_url: str = BASE_URL,
    limits: Limits | None = None,
    progress: Progress = no_progress,
) -> Outcome:
    """Make a set of COCO's photos.

    Args:
        out: a new folder, or one that holds this same set, perhaps with a smaller limit.
        wanted: which photos.
        annotations: an instances JSON; None: it is downloaded.
        images: a folder with the split's photos; None: they are downloaded one by one.
        base_url: of COCO's own server, or of a mirror of it.
        limits: for downloads.

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
    made_by = {
        "verb": "prepare coco",
        "split": wanted.split,
        "categories": list(wanted.categories),
        "balanced": wanted.balanced,
        "seed": wanted.seed,
    }
    if annotations is None:
        claim_folder(out, made_by)
        annotations = fetch_annotations(wanted, out / ".annotations", base_url, limits)
    photos, job_of = _in_order(annotations, wanted, base_url)
    limit = len(photos) if wanted.limit is None else min(wanted.limit, len(photos))
    with PictureSet(out, made_by) as pictures:

        def fetch(jobs: Sequence[Job]) -> None:
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
    temporary = folder / f".{target.name}.tmp"
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
            temporary.open("wb") as sink,
        ):
            shutil.copyfileobj(source, sink)
        temporary.replace(target)
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(
            f"{base_url}/{ARCHIVE} is not COCO's archive of annotations ({error}): name a local "
            "instances JSON with --annotations"
        ) from error
    finally:
        archive.unlink(missing_ok=True)
        temporary.unlink(missing_ok=True)
    return target


def select(annotations: Path, wanted: Wanted, base_url: str = BASE_URL) -> list[Job]:
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
) -> tuple[list[int], Callable[[int], Job]]:
    """All photos that are wanted, in the order in which they are taken, and what makes the jobs."""
    catalogue = read_catalogue(annotations)
    unknown = [name for name in wanted.categories if name not in catalogue.categories.values()]
    if unknown:
        names = sorted(catalogue.categories.values())
        near = difflib.get_close_matches(unknown[0], names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
        raise OptionError(f"--categories: COCO has no {unknown[0]!r}; {hint}")

    names_of = {  # photo -> the categories it shows, each once, in the order of the JSON
        photo: list(
            dict.fromkeys(catalogue.categories[c] for c in shown if c in catalogue.categories)
        )
        for photo, shown in catalogue.shown.items()
    }
    key = wanted.seed.to_bytes(8, "big", signed=True)
    photos = sorted(
        (p for p in catalogue.photos if not wanted.categories or _shows(names_of, p, wanted)),
        key=lambda p: hashlib.blake2b(str(p).encode(), digest_size=8, key=key).digest(),
    )
    if not photos:
        raise DataError(f"{annotations} has no photo of {' or '.join(wanted.categories)}")
    if wanted.balanced:
        photos = list(_in_turns(photos, names_of, wanted.categories))

    def job_of(number: int) -> Job:
        photo = catalogue.photos[number]
        return Job(
            url=f"{base_url}/{wanted.split}/{photo.file}",
            name=Path(photo.file).stem,
            facts={
                "flickr_url": photo.flickr_url,
                "licence": catalogue.licences.get(photo.licence, ""),
                "categories": names_of.get(number, []),
            },
        )

    return photos, job_of


def _shows(names_of: dict[int, list[str]], photo: int, wanted: Wanted) -> bool:
    return not set(wanted.categories).isdisjoint(names_of.get(photo, ()))


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


@dataclass(frozen=True, slots=True)
class Photo:
    """What an instances JSON says of one photo."""

    file: str
    licence: int  # its id
    flickr_url: str


@dataclass(frozen=True)
class Catalogue:
    """What an instances JSON says of its photos."""

    photos: dict[int, Photo]  # by id
    categories: dict[int, str]  # id -> name
    licences: dict[int, str]  # id -> name and URL
    shown: dict[int, list[int]]  # photo -> categories of the things on it


def read_catalogue(annotations: Path) -> Catalogue:
    """Read an instances JSON in bounded memory.

    Raises:
        DataError: no such file, no JSON, or a JSON of another kind.
    """
    catalogue = Catalogue({}, {}, {}, {})
    found: list[str] = []
    try:
        with annotations.open(encoding="utf-8") as file:
            for key, item in walk_json(file):
                if not found or found[-1] != key:
                    found.append(key)
                if key == "images":
                    catalogue.photos[item["id"]] = Photo(
                        file=item["file_name"],
                        licence=item.get("license", -1),
                        flickr_url=item.get("flickr_url", ""),
                    )
                elif key == "categories":
                    catalogue.categories[item["id"]] = item["name"]
                elif key == "licenses":
                    catalogue.licences[item["id"]] = f"{item['name']} ({item['url']})"
                elif key == "annotations":
                    catalogue.shown.setdefault(item["image_id"], []).append(item["category_id"])
    except OSError as error:
        raise DataError(f"{annotations} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{annotations} is not UTF-8 text, so no JSON of COCO's") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{annotations} is not whole JSON ({error.msg}): download it again"
        ) from error
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{annotations} is JSON of another kind (its {found[-1]!r} lack {error}): give "
            "instances_train2017.json or instances_val2017.json"
        ) from error
    if not catalogue.photos or not catalogue.categories:
        raise DataError(
            f"{annotations} is JSON of another kind (it holds {', '.join(found) or 'nothing'}; "
            "'images' and 'categories' were expected): give instances_train2017.json or "
            "instances_val2017.json"
        )
    return catalogue
