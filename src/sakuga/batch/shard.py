"""The pictures in a WebDataset shard, which is a tar file."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import Any

from sakuga.batch.source import Source, key_of
from sakuga.errors import InputError, one_line
from sakuga.images.sources import is_picture_name
from sakuga.paths import spelled


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
