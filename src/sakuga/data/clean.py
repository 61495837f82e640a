"""A folder of whatever was found, sorted: what is fit to train on, and what is not and why.

Every picture is decoded and measured, in several processes. Then the decision is made over all of
them together, because a picture is a near-duplicate of another one. The folder is not changed.
"""

from __future__ import annotations

import dataclasses
import shutil
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sakuga.data.check import MAX_PIXELS, Still, UnusableError, read_still
from sakuga.data.image_stats import (
    Doubles,
    colour_spread,
    hash_distance,
    missing_rows,
    perceptual_hash,
)
from sakuga.data.outcome import Outcome
from sakuga.data.picture_set import (
    Entry,
    Journal,
    OnPictures,
    PictureSet,
    Reject,
    no_progress,
    read_facts,
    stamp_of,
)
from sakuga.data.processes import check_workers, map_processes
from sakuga.files import sha256_of
from sakuga.images.picture import Picture
from sakuga.images.sources import files_of
from sakuga.images.write import encode_picture

MEASURED_FILE = "measured.jsonl"
MAX_ASPECT = 5.0  # longer side to shorter side
MIN_FIRST_SPREAD = 6.0  # grey levels: below it the picture is of one colour
MIN_SECOND_SPREAD = 2.0  # grey levels: below it all colours lie on a line: gray, sepia, two inks
MAX_TRANSPARENT = 0.02  # share of pixels that may be see-through
MAX_MISSING = 0.05  # share of rows that a broken JPEG may lack
SAME_HASH_BITS = 6  # of 64: resized, recompressed and brightened copies differ by less


@dataclass(frozen=True)
class Measured:
    """What is known of one file of the folder."""

    file: str  # relative to the folder
    stamp: list[int]  # `stamp_of` the file
    sha256: str
    reason: str = ""  # why it is not fit, by itself; empty: it is
    detail: str = ""
    hash: str = ""  # perceptual, 16 hexadecimal digits
    width: int = 0  # upright
    height: int = 0
    suffix: str = ""  # by its format
    turned: bool = False  # whether EXIF says that it is stored lying or mirrored


def clean_folder(
    folder: Path,
    out: Path,
    *,
    min_side: int = 256,
    workers: int | None = None,
    progress: OnPictures = no_progress,
) -> Outcome:
    """Copy what is fit to train on; list the rest with reasons in OUT/rejected.jsonl.

    Files are copied byte for byte, except that pictures stored lying or mirrored are turned
    upright. Of near-duplicates the one that is in OUT already stays, else the largest. A second run
    measures and copies only what is new or changed, and removes from OUT what is gone from the
    folder or no longer fit. What the folder's own manifest says of a
    picture (licence, tags ...) goes along.

    Args:
        out: outside of `folder`.
        folder, min_side, workers: as `sakuga prepare clean` takes them.

    Raises:
        DataError: no such folder, or no picture file in it.
        OptionError: OUT lies in the folder.
        OutputError: OUT holds another set or cannot be written.
    """
    check_workers(workers)
    names = files_of(folder, out)
    made_by = {"verb": "prepare clean", "folder": str(folder), "min_side": min_side}
    with PictureSet(out, made_by) as pictures:
        with closing(Journal(out / MEASURED_FILE, "file")) as journal:
            measured = _measure_all(folder, names, min_side, journal, workers, progress)
        fit, rejects = sort_out(measured, {e.source for e in pictures.entries.values()})
        pictures.set_rejects(rejects)
        # What is gone or no longer fit at the source goes first: its name may be wanted again.
        sources = {item.file for item in fit}
        pictures.remove([f for f, entry in pictures.entries.items() if entry.source not in sources])
        facts = read_facts(folder)
        kept = {_keep(folder, item, facts.get(item.file, {}), pictures) for item in fit}
        pictures.remove(set(pictures.entries) - kept)  # under the name of another kind of file
        return Outcome.of(pictures)


def sort_out(measured: list[Measured], kept: set[str]) -> tuple[list[Measured], list[Reject]]:
    """Decide which pictures are fit, seen together.

    Args:
        measured: one for each file.
        kept: files that were kept before; they stay rather than their doubles.

    Returns:
        The fit ones, and the others with the reason; each in the order of names.
    """
    rejects = [Reject(m.file, m.reason, m.detail) for m in measured if m.reason]
    fit: dict[str, Measured] = {}
    by_content: dict[str, str] = {}
    doubles = Doubles(SAME_HASH_BITS)
    candidates = [m for m in measured if not m.reason]
    for m in sorted(candidates, key=lambda m: (m.file not in kept, -m.width * m.height, m.file)):
        near = doubles.find(int(m.hash, 16))
        if m.sha256 in by_content:
            rejects.append(Reject(m.file, "duplicate", f"of {by_content[m.sha256]}"))
        elif near is not None:
            bits = hash_distance(int(m.hash, 16), int(fit[near].hash, 16))
            rejects.append(Reject(m.file, "near-duplicate", f"of {near}, {bits} bits of 64 apart"))
        else:
            fit[m.file] = m
            by_content[m.sha256] = m.file
            doubles.add(int(m.hash, 16), m.file)
    return [fit[file] for file in sorted(fit)], sorted(rejects, key=lambda reject: reject.source)


def _measure_all(
    folder: Path,
    names: list[str],
    min_side: int,
    journal: Journal,
    workers: int | None,
    progress: OnPictures,
) -> list[Measured]:
    """Measure what the journal does not know yet, and note it there."""
    journal.drop(set(journal.lines) - set(names))
    new = []
    for name in names:
        known = journal.lines.get(name)
        if known is None or known["stamp"] != stamp_of(folder / name):
            new.append(name)
    done = len(names) - len(new)
    for _, item in map_processes(partial(measure, folder, min_side), new, workers):
        journal.append(dataclasses.asdict(item))
        done += 1
        progress(done, len(names))
    return [Measured(**journal.lines[name]) for name in names]


def measure(folder: Path, min_side: int, name: str) -> Measured:
    """Decode one file and see whether it is fit by itself."""
    path = folder / name
    about: dict[str, Any] = {"file": name, "stamp": stamp_of(path), "sha256": ""}
    try:
        about["sha256"] = sha256_of(path)
    except OSError as error:
        return Measured(**about, reason="cannot be read", detail=error.strerror or str(error))
    try:
        still = read_still(path, MAX_PIXELS)
        refuse_unfit(still, min_side)
    except UnusableError as error:
        return Measured(**about, reason=error.reason, detail=error.detail)
    return Measured(
        **about,
        hash=f"{perceptual_hash(still.colour):016x}",
        width=still.size[0],
        height=still.size[1],
        suffix=still.suffix,
        turned=still.turned,
    )


def refuse_unfit(still: Still, min_side: int) -> None:
    """Raise an UnusableError if a whole picture is nothing to learn from."""
    short, long = sorted(still.size)
    found = f"{still.size[0]} x {still.size[1]}"
    if short < min_side:
        raise UnusableError("too small", f"{found}, under {min_side}")
    if long > MAX_ASPECT * short:
        raise UnusableError("extreme aspect", found)
    if still.alpha is not None:
        transparent = float((still.alpha < 250).mean())
        if transparent > MAX_TRANSPARENT:
            raise UnusableError("transparent", f"{transparent:.0%} of its pixels")
    first, second = colour_spread(still.colour)
    if first < MIN_FIRST_SPREAD:
        raise UnusableError("one colour", f"spread of {first:.1f} grey levels")
    if second < MIN_SECOND_SPREAD:
        raise UnusableError("gray or one hue", f"colours within {second:.1f} levels of a line")
    missing = missing_rows(still.colour)
    if still.suffix == ".jpg" and missing > MAX_MISSING:
        raise UnusableError("damaged", f"the last {missing:.0%} of its rows were never written")


def _keep(folder: Path, item: Measured, facts: dict[str, Any], pictures: PictureSet) -> str:
    """Copy a fit picture into the set, upright, unless it is there; gives the file's name there."""
    path = Path(item.file)
    suffix = item.suffix if not item.turned or item.suffix == ".jpg" else ".png"
    file = item.file if path.suffix == suffix else path.with_suffix(suffix).as_posix()
    if file in pictures.entries and pictures.entries[file].source != item.file:
        file = item.file + suffix  # sky.jpeg beside sky.jpg
    known = pictures.entries.get(file)
    if known and known.facts["source_sha256"] == item.sha256 and pictures.has(file):
        return file
    part = pictures.part(file)
    if item.turned:
        still = read_still(folder / item.file)
        upright = Picture((still,))
        with part.open("wb") as sink:
            encode_picture(upright, sink, suffix[1:], name=item.file)
    else:
        shutil.copyfile(folder / item.file, part)
    about = {**facts, "hash": item.hash, "source_sha256": item.sha256}
    pictures.keep(part, Entry.of(part, file, item.file, (item.width, item.height), about))
    return file
