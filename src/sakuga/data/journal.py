"""A file of JSON lines that is only ever appended to, so that a killed run loses nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sakuga.errors import DataError
from sakuga.files import replacing


class Journal:
    """Lines of JSON, only ever appended; the last with a key counts; a torn last line does not.

    Raises:
        DataError: a line that is no JSON object, other than a torn last one.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.key = key
        self.lines: dict[str, dict[str, Any]] = {}
        self._superseded = False
        if path.exists():
            lines, whole = read_lines(path, key)
            self.lines = {line[key]: line for line in lines}
            self._superseded = len(self.lines) < len(lines)
            if whole < path.stat().st_size:
                os.truncate(path, whole)
        self._file = path.open("a", encoding="utf-8")

    def append(self, line: dict[str, Any]) -> None:
        """Add a line; it is with the operating system when this returns."""
        self._superseded |= line[self.key] in self.lines
        self.lines[line[self.key]] = line
        self._file.write(as_line(line))
        self._file.flush()

    def drop(self, keys: Iterable[str]) -> None:
        """Forget lines; the file follows when it is closed."""
        for key in keys:
            self._superseded |= self.lines.pop(key, None) is not None

    def close(self) -> None:
        """Close the file, rewritten without superseded lines if there are any."""
        self._file.close()
        if self._superseded:
            write_lines(self.path, self.lines.values())


def as_line(values: dict[str, Any]) -> str:
    """A line of JSON that can be written: names of files need not be text."""
    line = json.dumps(values, ensure_ascii=False)
    try:
        line.encode()
    except UnicodeEncodeError:
        line = json.dumps(values)
    return line + "\n"


def read_lines(path: Path, key: str) -> tuple[list[dict[str, Any]], int]:
    """Read a JSONL file: its lines, and how many bytes they take without a torn last one.

    Raises:
        DataError: a line that is no JSON object with that key, other than a torn last one.
    """
    text = path.read_bytes()
    whole = text.rfind(b"\n") + 1  # what follows was being written by a run that was killed
    lines = []
    for number, raw in enumerate(text[:whole].split(b"\n")[:-1], 1):
        try:
            line = json.loads(raw)
            line[key]
        except (ValueError, KeyError, TypeError):
            raise DataError(
                f"{path}, line {number} is not a line of such a file "
                f"({raw[:60].decode(errors='replace')!r}): restore the file, "
                "or delete the folder and prepare it again"
            ) from None
        lines.append(line)
    return lines, whole


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write a JSONL file in one go: whole, or not at all."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(map(as_line, lines))
