"""Drawings of Safebooru: from the Kaggle data set's one big CSV to the jobs worth downloading.

The data set is `alamson/safebooru`: one file, `all_data.csv`, of about 2.7 million rows. Its
columns are found by name. It is read in pieces, so memory does not grow with it.
"""

from __future__ import annotations

import csv
import dataclasses
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sakuga.data.download import download, fill
from sakuga.data.fetch import Download
from sakuga.data.outcome import Outcome
from sakuga.data.picture_set import OnPictures, PictureSet, choices_of, no_progress
from sakuga.data.wanted import Limits, rank
from sakuga.data.wanted import WantedDrawings as Wanted
from sakuga.errors import DataError, MissingExtraError

KAGGLE_SET = "alamson/safebooru"
KAGGLE_FILE = "all_data.csv"
COLUMNS = ("id", "rating", "score", "sample_url", "sample_width", "sample_height", "tags")
PIECE_BYTES = 1 << 20  # of lines parsed together


@dataclass
class Tally:
    """What was seen on the way through the CSV."""

    rows: int = 0
    broken_rows: int = 0  # wrong number of columns, open quote, letters in place of a number
    first_broken: str = ""  # where, for the message
    matches: int = 0  # rows that are wanted, before the limit


def prepare(
    out: Path,
    wanted: Wanted,
    *,
    csv_file: Path | None = None,
    limits: Limits | None = None,
    progress: OnPictures = no_progress,
) -> Outcome:
    """Make a set of Safebooru's drawings.

    Args:
        out: a new folder, or one that holds this same set, perhaps with a smaller limit.
        wanted, csv_file, limits: as `sakuga prepare safebooru` takes them.

    Raises:
        DataError: the CSV cannot be had or is of another kind, or no drawing is wanted.
        MissingExtraError: no CSV is named and kagglehub is not installed.
        OutputError: OUT holds another set or cannot be written.
    """
    csv_file = find_csv(csv_file)
    next(read_rows(csv_file, Tally()))  # refuses another kind of file before OUT is made
    tally = Tally()
    ranked: list[Download] = []

    def first(count: int) -> list[Download]:
        nonlocal tally, ranked
        if count > len(ranked) and (not ranked or len(ranked) < tally.matches):
            tally = Tally()
            spare = count // 20 + 20  # so that some lost ones do not cost another reading
            ranked = list(select(csv_file, dataclasses.replace(wanted, limit=count + spare), tally))
        return ranked[:count]

    with PictureSet(out, {"verb": "prepare safebooru", **choices_of(wanted)}) as pictures:
        if wanted.limit is None:
            download(select(csv_file, wanted, tally), pictures, limits, progress)
            asked = None
        else:
            fill(
                wanted.limit,
                first,
                lambda jobs: download(jobs, pictures, limits, progress),
                pictures,
            )
            asked = min(wanted.limit, tally.matches)
        notes: dict[str, object] = {"rows": tally.rows, "matching_rows": tally.matches}
        if tally.broken_rows:
            notes |= {"broken_rows": tally.broken_rows, "first_broken_row": tally.first_broken}
        return Outcome.of(pictures, limit=asked, **notes)


def find_csv(csv_file: Path | None) -> Path:
    """Give the CSV's path: the one named, or Kaggle's copy, downloaded by kagglehub if need be.

    Raises:
        DataError: there is no such file, or Kaggle does not give it.
        MissingExtraError: no file is named and kagglehub is not installed.
    """
    if csv_file is not None:
        if not csv_file.is_file():
            raise DataError(f"{csv_file}: no such file; --csv takes the data set's {KAGGLE_FILE}")
        return csv_file
    try:
        import kagglehub  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise MissingExtraError(
            "sakuga prepare safebooru without --csv", "kaggle", "kagglehub"
        ) from None
    try:
        return Path(kagglehub.dataset_download(KAGGLE_SET, path=KAGGLE_FILE))
    except Exception as error:  # kagglehub raises many kinds: network, rights, terms not accepted
        raise DataError(
            f"Kaggle does not give {KAGGLE_SET} ({error}): log in as kagglehub's manual says, or "
            f"download {KAGGLE_FILE} in the browser and name it with --csv"
        ) from error


def select(csv_file: Path, wanted: Wanted, tally: Tally | None = None) -> Iterator[Download]:
    """Give the drawings to download.

    The sample is the `limit` rows with the smallest keyed hash of their id: it is spread over the
    whole file, the same for the same seed, and a larger limit contains the smaller one's drawings.

    Raises:
        DataError: no CSV of this kind, not UTF-8, empty, or nothing in it is wanted.
    """
    tally = tally if tally is not None else Tally()
    rows = _matches(csv_file, wanted, tally)
    if wanted.limit is None:
        yield from (row.job() for row in rows)
    else:
        ranked = ((rank(row.number, wanted.seed), row) for row in rows)
        best = heapq.nsmallest(wanted.limit, ranked)
        yield from (row.job() for _, row in best)
    if not tally.matches:
        raise DataError(
            f"{csv_file}: none of its {tally.rows:,} rows is wanted; ask for fewer --tags, or "
            "check their spelling (Safebooru joins words by '_')"
        )


class _Row(NamedTuple):
    number: str
    url: str
    rating: str
    score: int
    tags: str

    def job(self) -> Download:
        facts = {"rating": self.rating, "score": self.score, "tags": self.tags.strip()}
        return Download(absolute_url(self.url), self.number, facts)


def _matches(csv_file: Path, wanted: Wanted, tally: Tally) -> Iterator[_Row]:
    """Give the rows that are wanted, in the file's order."""
    rows = read_rows(csv_file, tally)
    header = next(rows)
    rating, score, url, width, height, tags, number = (
        header.index(name)
        for name in ("rating", "score", "sample_url", "sample_width", "sample_height", "tags", "id")
    )
    ratings = frozenset(wanted.ratings)
    # Tags are matched between blanks: much faster than splitting 2.7 million lists of tags.
    must = [f" {tag} " for tag in wanted.tags]
    must_not = [f" {tag} " for tag in wanted.without]
    suffixes = tuple("." + kind for kind in wanted.file_types)
    for row in rows:
        if row[rating] not in ratings:
            continue
        if must or must_not:
            padded = f" {row[tags]} "
            if any(tag not in padded for tag in must) or any(tag in padded for tag in must_not):
                continue
        if not row[url].lower().endswith(suffixes):
            continue
        try:
            shorter = min(int(row[width]), int(row[height]))
            points = int(row[score] or 0)
            int(row[number])  # it becomes a file's name
        except ValueError:
            _note_broken(tally, f"id {row[number]!r} has letters where a number belongs")
            continue
        if shorter < wanted.min_side:
            continue
        if wanted.min_score is not None and points < wanted.min_score:
            continue
        tally.matches += 1
        yield _Row(row[number], row[url], row[rating], points, row[tags])


def absolute_url(url: str) -> str:
    """Give a protocol-relative URL (//host/path) a protocol; others stay as they are."""
    return "https:" + url if url.startswith("//") else url


def read_rows(csv_file: Path, tally: Tally) -> Iterator[list[str]]:
    """Give the header and then every whole row, a line each; a broken row costs only itself.

    Each line is parsed on its own, because a quote that is opened and not closed would swallow the
    lines after it. (No value of this data set has a line break in it.)

    Raises:
        DataError: empty, not UTF-8, or without the columns needed.
    """
    with csv_file.open("rb") as file:
        header = _header(csv_file, file.readline())
        columns = len(header)
        yield header
        while lines := file.readlines(PIECE_BYTES):
            for line in lines:
                try:
                    row = split_line(line.decode("utf-8"), columns)
                except UnicodeDecodeError as error:
                    where = f"row {tally.rows + tally.broken_rows + 1:,}, {error.reason}"
                    raise _not_utf8(csv_file, where) from None
                if len(row) == columns:
                    tally.rows += 1
                    yield row
                elif line.strip():
                    _note_broken(tally, line.strip()[:60].decode(errors="replace"))


def split_line(line: str, columns: int) -> list[str]:
    """Split a line of CSV into its values; an empty list if it is not CSV.

    Where all values are quoted, or none is, and none holds a quote, splitting at the commas is
    exact and five times as fast as the csv module.
    """
    line = line.rstrip("\r\n")
    quotes = line.count('"')
    if not quotes:
        return line.split(",")
    if quotes == 2 * columns and line[0] == line[-1] == '"':
        row = line[1:-1].split('","')
        if len(row) == columns:
            return row
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        return []


def _note_broken(tally: Tally, where: str) -> None:
    tally.broken_rows += 1
    tally.first_broken = tally.first_broken or where


def _header(csv_file: Path, line: bytes) -> list[str]:
    if not line.strip():
        raise DataError(f"{csv_file} is empty; download {KAGGLE_FILE} of {KAGGLE_SET} again")
    try:
        header = next(csv.reader([line.decode("utf-8-sig")]))
    except UnicodeDecodeError as error:
        raise _not_utf8(csv_file, error.reason) from None
    except csv.Error as error:
        raise DataError(f"{csv_file}: its first line is not a CSV header ({error})") from None
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise DataError(
            f"{csv_file} has no column {', '.join(missing)}; the columns found are "
            f"{', '.join(header)[:300]}: give the {KAGGLE_FILE} of {KAGGLE_SET}"
        )
    return header


def _not_utf8(csv_file: Path, found: str) -> DataError:
    return DataError(
        f"{csv_file} is not UTF-8 text ({found}): save it as UTF-8, or download it again"
    )
