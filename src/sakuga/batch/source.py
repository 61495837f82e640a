"""What is to be painted: a folder, a list of paths and addresses, or WebDataset shards.

Nothing is ever listed as a whole: `windows` gives tables of at most WINDOW pictures, or shards.
A picture is known by its *source*: its path below the folder, its entry in the list as written
there, or SHARD/MEMBER. Its *key* is a 64-bit hash of that.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from sakuga.batch.storage import Place, open_place
from sakuga.errors import InputError, one_line
from sakuga.images.sources import is_picture_name
from sakuga.paths import spelled

WINDOW = 500_000  # pictures that are listed before the first is painted: about 100 MB of names
SHARD_WINDOW = 1_000
LIST_SUFFIXES = (".jsonl", ".ndjson", ".csv", ".parquet")
SHARD_SUFFIXES = (".tar", ".tar.gz", ".tgz")
COLUMNS = ("path", "file", "url", "source")  # of a list, the first that is there names the picture
TASK = pa.schema([("key", pa.uint64()), ("source", pa.string()), ("address", pa.binary())])


@dataclass(frozen=True)
class Source:
    """An input that has been looked at, not read."""

    kind: Literal["folder", "list", "shards"]
    root: Place  # the folder, list or shard itself

    def windows(self) -> Iterator[pa.Table]:
        """Tables of schema TASK; of shards a row is a whole shard.

        Raises:
            InputError: it cannot be read, or there is nothing in it.
        """
        entries = {"folder": self._pictures, "list": self._listed, "shards": self._shards}
        rows = entries[self.kind]()
        size = SHARD_WINDOW if self.kind == "shards" else WINDOW
        empty = True
        while window := list(islice(rows, size)):
            empty = False
            names, addresses = zip(*window, strict=True)
            keys = [key_of(name) for name in names]
            paths = [os.fsencode(address) for address in addresses]
            yield pa.table([keys, [spelled(name) for name in names], paths], TASK)
        if empty:
            raise InputError(f"{self.root.name}: holds no pictures; check the path")

    def open(self, path: bytes) -> Place:
        """The place of an address that `windows` gave."""
        address = os.fsdecode(path)
        if "://" in address:
            return open_place(address)
        if self.root.is_local:
            return Place(self.root.filesystem, address, address)
        scheme = self.root.name.partition("://")[0]
        return Place(self.root.filesystem, address, f"{scheme}://{address}")

    def _pictures(self) -> Iterator[tuple[str, str]]:
        unreadable: list[str] = []
        for name in self.root.walk(unreadable=unreadable):
            if is_picture_name(name):
                yield name, f"{self.root.path}/{name}"
        for name in unreadable:  # reading it fails, and is reported like that of a picture
            yield name, f"{self.root.path}/{name}"

    def _shards(self) -> Iterator[tuple[str, str]]:
        if self.root.path.endswith(SHARD_SUFFIXES):
            yield posixpath.basename(self.root.path), self.root.path
            return
        for name in self.root.walk():
            if name.endswith(SHARD_SUFFIXES):
                yield name, f"{self.root.path}/{name}"

    def _listed(self) -> Iterator[tuple[str, str]]:
        folder = posixpath.dirname(self.root.path)
        for entry in _LIST_READERS[posixpath.splitext(self.root.path)[1]](self.root):
            relative = "://" not in entry and not posixpath.isabs(entry)
            yield entry, posixpath.join(folder, entry) if relative else entry


def find_source(text: str) -> Source:
    """Look what kind of input a path or URL is.

    A file is a list (JSONL, CSV, Parquet) or a shard by its suffix. A folder is one of shards if a
    tar file lies directly in it, else one of pictures.

    Raises:
        InputError: nothing there, or a file of another kind.
    """
    root = open_place(text)
    kind = root.kind()
    if kind == "folder":
        shards = any(name.endswith(SHARD_SUFFIXES) for name in root.names())
        return Source("shards" if shards else "folder", root)
    if kind == "nothing":
        raise InputError(f"{root.name}: there is no such file or folder; check the spelling")
    if root.path.endswith(SHARD_SUFFIXES):
        return Source("shards", root)
    if root.path.endswith(LIST_SUFFIXES):
        return Source("list", root)
    raise InputError(
        f"{root.name}: is neither a folder, nor a list ({', '.join(LIST_SUFFIXES)}), nor a shard "
        "(.tar); a single picture is painted with  sakuga paint"
    )


def key_of(source: str) -> int:
    """A 64-bit number for a source; two of 100 million share one with a chance of 0.03 %."""
    return int.from_bytes(hashlib.blake2b(os.fsencode(source), digest_size=8).digest(), "big")


def _read_jsonl(place: Place) -> Iterator[str]:
    with place.open() as file:
        for number, line in enumerate(io.BufferedReader(file), 1):
            if not line.strip():
                continue
            where = f"{place.name}, line {number}"
            try:
                value = json.loads(line)
            except ValueError as error:
                raise InputError(f"{where}: is not JSON ({error})") from error
            yield value if isinstance(value, str) else _entry(value, where)


def _read_csv(place: Place) -> Iterator[str]:
    with place.open() as file:
        text = io.TextIOWrapper(io.BufferedReader(file), "utf-8-sig", newline="")
        number = 1
        try:
            for number, row in enumerate(csv.DictReader(text), 2):
                yield _entry(row, f"{place.name}, line {number}")
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{place.name}, after line {number}: is no CSV ({error})") from error


def _read_parquet(place: Place) -> Iterator[str]:
    with place.open() as file:
        try:
            table = pq.ParquetFile(file)
        except pa.ArrowInvalid as error:
            raise InputError(f"{place.name}: is not a Parquet file ({error})") from error
        names = table.schema_arrow.names
        column = next((name for name in COLUMNS if name in names), None)
        if column is None:
            raise InputError(_no_column(place.name, names))
        for batch in table.iter_batches(columns=[column]):
            for value in batch.column(0).to_pylist():
                yield _entry({column: value}, place.name)


def _entry(row: Any, where: str) -> str:
    if not isinstance(row, dict):
        raise InputError(f"{where}: is neither a text nor an object")
    column = next((name for name in COLUMNS if name in row), None)
    if column is None:
        raise InputError(_no_column(where, list(row)))
    value = row[column]
    if not isinstance(value, str) or not value:
        raise InputError(f"{where}: {column} is {value!r}, not a path or an address")
    return value


def _no_column(where: str, names: list[str]) -> str:
    have = ", ".join(map(str, names)) or "nothing"
    return f"{where}: has {have}, but none of {', '.join(COLUMNS)}; name the column so"


_LIST_READERS = {
    ".jsonl": _read_jsonl,
    ".ndjson": _read_jsonl,
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}


def read_shard(source: Source, task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The picture files of a shard that are not done: key, source, content or error, shard.

    Each also says how many rows the shard gives in all. A shard that cannot be read, or ends too
    soon, gives one more row with the error, under its own name.
    """
    name, done = task["source"], set(task["done"])
    try:
        place = source.open(task["address"])
        # Looking at the headers first is cheap on a disk, but a request each on an object store.
        file = place.open() if place.is_local else io.BytesIO(place.read())
        try:
            archive = tarfile.open(fileobj=file, mode="r:*")  # noqa: SIM115
        except BaseException:
            file.close()
            raise
    except (InputError, tarfile.TarError, OSError, EOFError) as error:
        yield _broken(task, 1, f"{name}: is no readable tar file ({_text(error)})")
        return
    with file, archive:
        members: list[tarfile.TarInfo] = []
        broken: Exception | None = None
        try:
            for member in archive:
                if member.isfile() and is_picture_name(member.name):
                    members.append(member)
        except (tarfile.TarError, OSError, EOFError) as error:
            broken = error
        rows = len(members) + (broken is not None or not members)
        for member in members:
            key = key_of(f"{name}/{member.name}")
            if key in done:
                continue
            member_name = spelled(f"{name}/{member.name}")
            row: dict[str, Any] = {"key": key, "source": member_name, "error": None}
            row |= {"shard": task["key"], "shard_pictures": rows}
            try:
                content = archive.extractfile(member)
                assert content is not None
                row["content"] = content.read()
                if len(row["content"]) < member.size:
                    raise tarfile.ReadError("the shard ends before the picture does")
            except (tarfile.TarError, OSError, EOFError) as error:
                row["error"] = f"{row['source']}: cannot be read ({_text(error)})"
            yield row
        if task["key"] not in done:
            if broken is not None:
                yield _broken(task, rows, f"{name}: ends before it should ({_text(broken)})")
            elif not members:
                yield _broken(task, rows, f"{name}: holds no pictures")


def _broken(task: dict[str, Any], rows: int, error: str) -> dict[str, Any]:
    row = {"key": task["key"], "source": task["source"], "error": error}
    return row | {"shard": task["key"], "shard_pictures": rows}


def _text(error: Exception) -> str:
    return one_line(error) or type(error).__name__
