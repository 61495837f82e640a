"""Encoded pictures into OUT: a tree of files, WebDataset shards, or Parquet files."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sakuga.batch.stages import OWN_RESULT, rows_of
from sakuga.batch.storage import Place
from sakuga.errors import OutputError, one_line
from sakuga.images.formats import WRITABLE, need_format
from sakuga.images.sources import add_member

_OWN_NAME = re.compile(r"shard-[0-9a-f]{16}\.tar|pictures-[0-9a-f]{16}\.parquet")
_KEPT = ("source", "sha256", "result_sha256", "width", "height", "style", "style_version")


def write_tree(encoded: pa.Table, out: Place) -> pa.Table:
    """Write each file of schema ENCODED below OUT/pictures; gives rows for the manifest.

    Raises:
        OutputError: the place cannot be written at all.
    """
    results: list[str | None] = []
    errors: list[str | None] = encoded["error"].to_pylist()
    for index, row in enumerate(rows_of(encoded)):
        results.append(None)
        if row["error"] is not None:
            continue
        result = f"pictures/{row['name']}"
        try:
            out.child(result).write(row["content"])
        except OutputError as error:
            if not _is_about_the_name(error):
                raise
            errors[index] = one_line(error)
        else:
            results[index] = result
    return _for_manifest(encoded, results, errors)


def write_shard(encoded: pa.Table, out: Place) -> pa.Table:
    """Write the files of a table of schema ENCODED as one shard OUT/shards/NAME.

    The name is a digest of what is in it: written again after a crash, it replaces itself.
    """
    shard = f"shards/shard-{_digest(encoded)}.tar"
    results: list[str | None] = []
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for row in encoded.to_pylist():
            if row["error"] is not None:
                results.append(None)
                continue
            stem, suffix = f"{row['key']:016x}", WRITABLE[need_format(Path(row["name"]))][1]
            about = json.dumps({name: row[name] for name in _KEPT}, ensure_ascii=False)
            add_member(archive, stem + suffix, row["content"])
            add_member(archive, stem + ".json", about.encode())
            results.append(f"{shard}/{stem}{suffix}")
    if any(results):
        out.child(shard).write(buffer.getvalue())
    return _for_manifest(encoded, results, encoded["error"].to_pylist())


def write_parquet(encoded: pa.Table, out: Place) -> pa.Table:
    """Write the files of a table of schema ENCODED as one Parquet file, in a column `picture`."""
    path = f"parquet/pictures-{_digest(encoded)}.parquet"
    painted = [error is None for error in encoded["error"].to_pylist()]
    if any(painted):
        rows = encoded.filter(pa.array(painted)).select([*_KEPT, "name", "content"])
        buffer = io.BytesIO()
        # The pictures are compressed already.
        pq.write_table(rows.rename_columns([*_KEPT, "name", "picture"]), buffer, compression="none")
        out.child(path).write(buffer.getvalue())
    results = [path if is_painted else None for is_painted in painted]
    return _for_manifest(encoded, results, encoded["error"].to_pylist())


def is_own_name(name: str) -> bool:
    """True if a file is named as `write_shard` and `write_parquet` name theirs."""
    return _OWN_NAME.fullmatch(name) is not None


def _for_manifest(
    encoded: pa.Table, results: list[str | None], errors: list[str | None]
) -> pa.Table:
    """Rows of the manifest's schema, of rows of schema ENCODED whose results lie there now."""
    status = [{None: "painted", OWN_RESULT: "left out"}.get(error, "failed") for error in errors]
    rows = encoded.drop_columns(["content", "name", "error"])
    for name, values in (("status", status), ("error", errors), ("result", results)):
        rows = rows.append_column(name, pa.array(values, pa.string()))
    return rows


def _is_about_the_name(error: OutputError) -> bool:
    """True if only this file cannot be written, since its name is too long or is a folder's."""
    cause = error.__cause__
    of_names = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.ENOTDIR, errno.EISDIR)
    return not isinstance(cause, OSError) or cause.errno in of_names


def _digest(encoded: pa.Table) -> str:
    keys = encoded["key"].to_numpy()
    return hashlib.blake2b(keys.tobytes(), digest_size=8).hexdigest()
