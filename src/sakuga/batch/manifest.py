"""What became of every picture: Parquet files in OUT/manifest, a row a picture.

Only the driver writes here, a new part every few seconds; a run that is killed loses the rows of
these seconds, and their pictures are painted again. Parts are merged when there are many.
"""

from __future__ import annotations

import io
import time
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from sakuga.batch.storage import Place
from sakuga.errors import InputError, OutputError

FLUSH_S = 2.0
FLUSH_ROWS = 50_000
MERGED_ROWS = 500_000  # of a part that is merged no further
_SUFFIX = ".parquet"

SCHEMA = pa.schema(
    [
        ("key", pa.uint64()),  # of the source
        ("source", pa.string()),  # path below IN, entry of the list, or SHARD/MEMBER
        ("status", pa.string()),  # "painted", "failed" or "left out", being a result itself
        ("error", pa.string()),  # why it was not painted, in one line
        ("result", pa.string()),  # below OUT; in shards SHARD/MEMBER, in Parquet the file
        ("sha256", pa.string()),  # of the source's file
        ("result_sha256", pa.string()),  # of the result's file
        ("width", pa.int32()),  # pixels, of the result
        ("height", pa.int32()),
        ("style", pa.string()),
        ("style_version", pa.string()),
        ("seconds", pa.float32()),  # that painting took
        ("machine", pa.string()),  # that painted it
        ("finished", pa.timestamp("ms", "UTC")),
        ("shard", pa.uint64()),  # key of the shard it came from; null otherwise
        ("shard_pictures", pa.int32()),  # how many rows that shard gives in all
    ]
)


@dataclass(frozen=True)
class Done:
    """Which pictures need no painting any more."""

    keys: NDArray[np.uint64]  # sorted; 8 bytes a picture is all that is kept in memory
    whole_shards: NDArray[np.uint64]  # sorted keys of the shards that are done
    part_shards: dict[int, list[int]]  # of other shards that were begun: keys of what is done

    def pending(self, window: pa.Table, *, shards: bool) -> pa.Table:
        """The tasks of a window that are still to be done, with the column `done`.

        That holds, of a shard that was begun, the keys of its pictures that are done already.
        """
        done = self.whole_shards if shards else self.keys
        keys = window["key"].to_numpy()
        rest = window.filter(pa.array(~_is_in(keys, done)))
        begun = [self.part_shards.get(key, []) for key in rest["key"].to_pylist()]
        return rest.append_column("done", pa.array(begun, pa.list_(pa.uint64())))


class Manifest:
    """The manifest in a folder; made when the first rows are written.

    Raises:
        OutputError: a part is damaged, or the folder cannot be written.
    """

    def __init__(self, folder: Place) -> None:
        self._folder = folder
        self._parts = [name for name in folder.names() if name.endswith(_SUFFIX)]
        self._waiting: list[pa.Table] = []
        self._flushed_s = time.monotonic()

    def load(self) -> Done:
        """Read which pictures are done."""
        table = self._columns("key", "shard", "shard_pictures")
        keys = np.unique(table["key"].to_numpy())
        inside = table.filter(pc.is_valid(table["shard"]))
        counts = inside.group_by("shard").aggregate(
            [("key", "count_distinct"), ("shard_pictures", "max")]
        )
        whole = pc.equal(
            counts["key_count_distinct"], pc.cast(counts["shard_pictures_max"], pa.int64())
        )
        whole_shards = np.sort(counts.filter(whole)["shard"].to_numpy())
        part_shards: dict[int, list[int]] = {}
        begun = inside.filter(pa.array(~_is_in(inside["shard"].to_numpy(), whole_shards)))
        for shard, key in zip(begun["shard"].to_pylist(), begun["key"].to_pylist(), strict=True):
            part_shards.setdefault(shard, []).append(key)
        return Done(keys, whole_shards, part_shards)

    def results(self) -> set[str]:
        """The files below OUT that hold results, without the members of shards."""
        results = pc.unique(self._columns("result")["result"].drop_null())
        return {"/".join(result.split("/")[:2]) for result in results.to_pylist()}

    def failures(self, most: int) -> list[tuple[str, str]]:
        """Up to `most` of the failures: source and error."""
        table = self._columns("source", "status", "error")
        failed = table.filter(pc.equal(table["status"], "failed")).slice(0, most)
        return list(zip(failed["source"].to_pylist(), failed["error"].to_pylist(), strict=True))

    def forget_failures(self) -> None:
        """Take failures out, so that they are tried again."""
        for name in list(self._parts):
            table = self._read(name)
            kept = table.filter(pc.not_equal(table["status"], "failed"))
            if len(kept) == len(table):
                continue
            if len(kept):
                self._write(name, kept)
            else:
                self._folder.child(name).delete()
                self._parts.remove(name)

    def add(self, rows: pa.Table) -> None:
        """Take rows; they are written within some seconds, if more come."""
        self._waiting.append(rows.select(SCHEMA.names).cast(SCHEMA))
        waited_s = time.monotonic() - self._flushed_s
        if waited_s > FLUSH_S or sum(map(len, self._waiting)) > FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write the rows that wait as a new part."""
        self._flushed_s = time.monotonic()
        if not self._waiting:
            return
        table = pa.concat_tables(self._waiting)
        self._waiting = []
        self._append(table)

    def merge(self) -> None:
        """Make few large parts of many small ones; a row that is there twice is kept once."""
        sizes = {name: self._rows(name) for name in self._parts}
        small = [name for name in self._parts if sizes[name] < MERGED_ROWS // 2]
        if len(small) < 2:
            return
        large = [name for name in self._parts if name not in small]
        keys = np.concatenate([self._read(n, ["key"])["key"].to_numpy() for n in large + small])
        first = np.zeros(len(keys), bool)
        first[np.unique(keys, return_index=True)[1]] = True
        start = sum(sizes[name] for name in large)
        waiting: list[pa.Table] = []
        for name in small:
            waiting.append(self._read(name).filter(pa.array(first[start : start + sizes[name]])))
            start += sizes[name]
            if sum(map(len, waiting)) >= MERGED_ROWS or name == small[-1]:
                self._append(pa.concat_tables(waiting))
                waiting = []
        # Killed here, the rows are there twice; the next merge mends that.
        for name in small:
            self._folder.child(name).delete()
            self._parts.remove(name)

    def _append(self, table: pa.Table) -> None:
        last = max((int(name[5 : -len(_SUFFIX)]) for name in self._parts), default=-1)
        name = f"part-{last + 1:06}{_SUFFIX}"
        self._write(name, table)
        self._parts.append(name)

    def _write(self, name: str, table: pa.Table) -> None:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        self._folder.child(name).write(buffer.getvalue())

    def _read(self, name: str, columns: list[str] | None = None) -> pa.Table:
        place = self._folder.child(name)
        try:
            with place.open() as file:
                return pq.read_table(file, columns=columns)
        except (pa.ArrowInvalid, InputError) as error:
            raise OutputError(
                f"{place.name}: this part of the manifest cannot be read ({error}); "
                "restore it, or start again with --overwrite"
            ) from error

    def _rows(self, name: str) -> int:
        with self._folder.child(name).open() as file:
            rows: int = pq.ParquetFile(file).metadata.num_rows
        return rows

    def _columns(self, *names: str) -> pa.Table:
        empty = pa.schema([SCHEMA.field(name) for name in names]).empty_table()
        return pa.concat_tables([empty, *(self._read(part, list(names)) for part in self._parts)])


def _is_in(values: NDArray[np.uint64], ordered: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which of the values are in a sorted array."""
    if not len(ordered):
        return np.zeros(len(values), bool)
    places = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[places] == values
    return found
