"""What the workers do with pictures before they are written: read, paint, encode.

Each stage takes and gives tables, and knows no cluster. A row goes through all stages, also one
that has failed: a picture that cannot be read, painted or encoded carries its error to the
manifest. Only a place that cannot be written ends the run.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import posixpath
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

import sakuga
from sakuga.batch.source import Source, key_of, read_shard
from sakuga.batch.storage import Place
from sakuga.errors import SakugaError, one_line
from sakuga.images.formats import WRITABLE, format_like, format_of, need_format
from sakuga.images.marks import Mark, read_mark
from sakuga.images.read import read_picture
from sakuga.images.urls import fetch, is_url
from sakuga.images.write import encode_picture
from sakuga.painting.options import PaintOptions
from sakuga.painting.pictures import paint_picture
from sakuga.painting.stylizer import Stylizer
from sakuga.styles.session import Device

TABLE_BYTES = 8_000_000  # of pictures that a stage gives at once
TABLE_ROWS = 64
FETCHES = 8  # files that one task waits for at a time

OWN_RESULT = "is itself a result of Sakuga, and left out"  # in the place of an error

Row = dict[str, Any]

_ABOUT = [
    ("key", pa.uint64()),
    ("source", pa.string()),
    ("sha256", pa.string()),  # of the source's file
    ("error", pa.string()),
    ("seconds", pa.float32()),
    ("machine", pa.string()),
    ("shard", pa.uint64()),
    ("shard_pictures", pa.int32()),
]
# Of a whole picture with its frames, which Ray moves as bytes: sizes differ from row to row.
PICTURES = pa.schema([*_ABOUT, ("picture", pa.large_binary())])
ENCODED = pa.schema(
    [
        *_ABOUT,
        ("content", pa.large_binary()),  # the result's file
        ("name", pa.string()),  # where it goes in a tree
        ("result_sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("style", pa.string()),
        ("style_version", pa.string()),
        ("finished", pa.timestamp("ms", "UTC")),
    ]
)
_LONGEST = 200  # bytes of a file's name; filesystems take 255, and temporary names are longer


def read(tasks: pa.Table, source: Source, max_side: int | None) -> Iterator[pa.Table]:
    """Read and decode the pictures of tasks; gives tables of schema PICTURES."""
    rows = tasks.to_pylist()
    files: Iterator[Row]
    if source.kind == "shards":
        files = chain.from_iterable(read_shard(source, task) for task in rows)
    else:
        files = _read_ahead(source, rows)
    return _tables((_decoded(row, max_side) for row in files), PICTURES)


class Painter:
    """A style on one device; paints table after table.

    Args:
        style: the place of the style file.
        options: how to paint.
        device: as for `Stylizer`; on the CPU one thread, as there are as many painters as cores.
        version: of the sakuga that started the run; another one on this machine is refused.
    """

    def __init__(self, style: Place, options: PaintOptions, device: Device, version: str) -> None:
        if sakuga.__version__ != version:
            raise RuntimeError(f"this machine has sakuga {sakuga.__version__}, not {version}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "style.onnx"
            path.write_bytes(style.read())
            self._stylizer = Stylizer(path, device=device, threads=1)
        self._options = options

    def __call__(self, pictures: pa.Table) -> Iterator[pa.Table]:
        """Paint tables of schema PICTURES."""
        return _tables((self._painted(row) for row in rows_of(pictures)), PICTURES)

    def _painted(self, row: Row) -> Row:
        if row["error"] is not None:
            return row
        picture = pickle.loads(row["picture"])
        start_s = time.perf_counter()
        painted = _attempt(lambda: paint_picture(picture, self._stylizer, self._options))
        row |= {"seconds": time.perf_counter() - start_s, "machine": platform.node()}
        return _with(row, "picture", painted, pickle.dumps)


def encode(
    pictures: pa.Table,
    file_format: str | None,
    style: str,
    version: str,
    mark: Mark | None = None,
) -> Iterator[pa.Table]:
    """Encode painted pictures, schema PICTURES, into files in memory, schema ENCODED.

    Args:
        mark: what each file says of itself, but for its source.
    """

    def encoded(row: Row) -> Row:
        content = row.pop("picture")
        row |= {"style": style, "style_version": version, "finished": datetime.now(UTC)}
        if row["error"] is not None:
            return row
        picture = pickle.loads(content)
        row["width"], row["height"] = picture.frames[0].size
        row["name"] = result_name(
            row["source"],
            row["key"],
            file_format,
            picture.file_format,
            respelled=key_of(row["source"]) != row["key"],
        )

        def file() -> bytes:
            buffer = BytesIO()
            own = mark and replace(
                mark, source=posixpath.basename(row["source"]), digest=row["sha256"][:16]
            )
            written_as = need_format(Path(row["name"]))
            encode_picture(picture, buffer, written_as, name=row["source"], mark=own)
            return buffer.getvalue()

        row = _with(row, "content", _attempt(file), bytes)
        if row["error"] is None:
            row["result_sha256"] = hashlib.sha256(row["content"]).hexdigest()
        return row

    return _tables((encoded(row) for row in rows_of(pictures)), ENCODED)


def _read_ahead(source: Source, tasks: list[Row]) -> Iterator[Row]:
    """The files of tasks, in order, of which a few are fetched at a time: storage answers late."""

    def load(task: Row) -> Row:
        address = os.fsdecode(task["address"])
        row = {"key": task["key"], "source": task["source"], "error": None}
        content = _attempt(
            lambda: fetch(address) if is_url(address) else source.open(task["address"]).read()
        )
        return _with(row, "content", content, bytes)

    waiting: deque[Any] = deque()
    with ThreadPoolExecutor(FETCHES) as threads:
        for task in tasks:
            waiting.append(threads.submit(load, task))
            if len(waiting) >= FETCHES:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _decoded(row: Row, max_side: int | None) -> Row:
    content = row.pop("content", None)
    if row["error"] is not None:
        return row
    row["sha256"] = hashlib.sha256(content).hexdigest()
    if read_mark(content) is not None:
        row["error"] = OWN_RESULT
        return row
    picture = _attempt(lambda: read_picture(content, name=row["source"], max_side=max_side))
    return _with(row, "picture", picture, pickle.dumps)


def _attempt(work: Callable[[], Any]) -> Any:
    """The result, or the exception: one picture among millions must not end the run."""
    try:
        return work()
    except Exception as error:  # any kind: other than a SakugaError it is recorded with its type
        return error


def _with(row: Row, name: str, value: Any, pack: Callable[[Any], bytes]) -> Row:
    """Put a value into the row, or its error if it is one."""
    if isinstance(value, Exception):
        row["error"] = _one_line(value)
    else:
        row[name] = pack(value)
    return row


def _one_line(error: Exception) -> str:
    text = one_line(error)
    return text if isinstance(error, SakugaError) else f"{type(error).__name__}: {text}"


def rows_of(table: pa.Table) -> Iterator[Row]:
    """Row after row as dicts, so that one picture at a time is copied out of the table."""
    for batch in table.to_batches(max_chunksize=1):
        yield from batch.to_pylist()


def _tables(rows: Iterable[Row], schema: pa.Schema) -> Iterator[pa.Table]:
    """Gather rows into tables of a bounded size; at least one, which may be empty."""
    waiting: list[Row] = []
    size = 0
    given = False
    for row in rows:
        waiting.append(row)
        size += sum(len(value) for value in row.values() if isinstance(value, bytes))
        if size >= TABLE_BYTES or len(waiting) >= TABLE_ROWS:
            yield pa.Table.from_pylist(waiting, schema)
            waiting, size, given = [], 0, True
    if waiting or not given:
        yield pa.Table.from_pylist(waiting, schema)


def result_name(
    source: str,
    key: int,
    file_format: str | None,
    read_as: str | None,
    *,
    respelled: bool = False,
) -> str:
    """The path of a result below the folder of results, '/' between parts.

    A source's own name is kept; a suffix that says another format gets the right one appended, so
    that a.heic and a.png never meet. What has to be left out (a query, "..") is replaced by the
    key, for the same reason.

    Args:
        source: a path, relative or absolute, or an address.
        key: of the source.
        file_format: of the result; None: what the source's suffix says, else one near `read_as`.
        read_as: Pillow's name of the format the source was read from.
        respelled: the source's own name is no text, so that another may be spelled like it.
    """
    path, has_query, _ = source.partition("?") if "://" in source else (source, "", "")
    parts = path.partition("://")[2] if "://" in path else path
    kept = [part for part in parts.replace("\\", "/").split("/") if part not in ("", ".")]
    clean = [part for part in kept if part != ".."] or ["picture"]
    *folders, name = clean
    stem, suffix = posixpath.splitext(name)
    if respelled or has_query or clean != kept or len(name.encode()) > _LONGEST:
        short = stem.encode()[:_LONGEST].decode(errors="ignore")
        name = f"{short}-{key:016x}{suffix[:10]}"
    own = format_of(Path(name))
    wanted = file_format or own or format_like(read_as)
    if own != wanted:
        name += WRITABLE[wanted][1]
    return "/".join([*folders, name])
