"""A folder of pictures into tar files (shards) that are read from end to end, in WebDataset's form.

A million small files are slow to list, copy and read; a few hundred tar files are not. Pictures are
spread over the shards at random, so each shard is a fair sample of the whole. Their files stay as
they are, byte for byte, and so does their split.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from sakuga.data.outcome import Outcome
from sakuga.data.picture_set import (
    Journal,
    OnPictures,
    as_line,
    claim_folder,
    no_progress,
    read_facts,
    stamp_of,
)
from sakuga.data.split import split_of
from sakuga.errors import OptionError
from sakuga.files import alone_in, replacing
from sakuga.images.sources import add_member, files_of

SHARDS_FILE = "shards.jsonl"
BLOCK_BYTES = 512  # of a tar file: a header, and the unit that a file's end is padded to


def write_shards(
    folder: Path, out: Path, shard_mb: float = 64.0, progress: OnPictures = no_progress
) -> Outcome:
    """Write the pictures of a folder to OUT/shard-000000.tar, OUT/shard-000001.tar and so on.

    Shards that are there from a run that was killed are kept, if the folder has not changed since.

    Args:
        folder: with pictures, and perhaps a manifest, whose facts then go along as `.json` members.
        out: another folder.
        shard_mb: about how large a shard may get, in millions of bytes.

    Raises:
        DataError: the folder is missing or holds no picture.
        OptionError: a shard size that holds nothing.
        OutputError: OUT holds something else or cannot be written.
    """
    if shard_mb <= 0:
        raise OptionError(f"--shard-mb {shard_mb:g}: must be more than 0")
    names = files_of(folder, out)
    claim_folder(out, {"verb": "prepare shards", "folder": str(folder), "shard_mb": shard_mb})
    facts = read_facts(folder)
    plan = list(_plan(folder, names, shard_mb * 1e6))
    new = pictures = 0
    with alone_in(out), closing(Journal(out / SHARDS_FILE, "file")) as journal:
        for number, members in enumerate(plan):
            file = f"shard-{number:06}.tar"
            identity = _identity(folder, members)
            done = journal.lines.get(file)
            if not (done and done["of"] == identity and (out / file).exists()):
                with replacing(out / file) as temporary:
                    _write_shard(folder, members, facts, temporary)
                size = (out / file).stat().st_size
                line = {"file": file, "pictures": len(members), "bytes": size, "of": identity}
                journal.append(line)
                new += len(members)
            pictures += len(members)
            progress(pictures, len(names))
        surplus = sorted(set(journal.lines) - {f"shard-{n:06}.tar" for n in range(len(plan))})
        for file in surplus:  # the folder has become smaller
            (out / file).unlink(missing_ok=True)
        journal.drop(surplus)
    total_bytes = sum(line["bytes"] for line in journal.lines.values())
    return Outcome(out, pictures, new, (), {"shards": len(plan), "megabytes": total_bytes // 10**6})


def _plan(folder: Path, names: list[str], most_bytes: float) -> Iterator[list[str]]:
    """Deal the pictures to shards, in the order of a hash of their names."""
    shard: list[str] = []
    filled = 0
    for name in sorted(names, key=lambda name: hashlib.sha256(os.fsencode(name)).digest()):
        size = (folder / name).stat().st_size
        size += 4 * BLOCK_BYTES  # headers and padding, of the picture and of its facts
        if shard and filled + size > most_bytes:
            yield shard
            shard, filled = [], 0
        shard.append(name)
        filled += size
    yield shard


def _identity(folder: Path, members: list[str]) -> str:
    """Say in a word what a shard is made of, without reading the pictures."""
    digest = hashlib.sha256()
    for name in members:
        digest.update(os.fsencode(f"{name}\0{stamp_of(folder / name)}\n"))
    return digest.hexdigest()[:16]


def _write_shard(
    folder: Path, members: list[str], facts: dict[str, dict[str, Any]], target: Path
) -> None:
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as archive:
        for number, name in enumerate(members):
            content = (folder / name).read_bytes()
            sha256 = hashlib.sha256(content).hexdigest()
            # WebDataset takes what lies before the first dot of the name for the sample's key.
            suffix = Path(name).suffix.lower()
            about = {
                "name": name,
                "sha256": sha256,
                "split": split_of(sha256),
                **facts.get(name, {}),
            }
            key = f"{number:06}-{sha256[:16]}"
            add_member(archive, key + suffix, content)
            add_member(archive, key + ".json", as_line(about).encode())
