"""A folder of pictures that knows where each came from, and survives being killed.

A set is a folder with the pictures and three small files:

    set.json         which command and choices made the set: another command may not write into it
    manifest.jsonl   one line for each picture kept (`Entry`)
    rejected.jsonl   one line for each picture that was not had or not wanted (`Reject`)

A picture is written under `.parts/`, renamed into place, and only then gets its line. So a line
always has its picture; a picture without a line was in flight when the run was killed, and is made
again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from sakuga.data.split import split_of
from sakuga.errors import DataError, OutputError
from sakuga.files import alone_in, replacing, write_bytes
from sakuga.paths import is_same_file

SET_FILE = "set.json"
MANIFEST_FILE = "manifest.jsonl"
REJECTED_FILE = "rejected.jsonl"
PARTS_FOLDER = ".parts"

# Called now and then with (pictures done, pictures in all or None if not known yet).
OnPictures = Callable[[int, int | None], None]


def no_progress(done: int, total: int | None) -> None:
    """Report nothing."""


class _Line:
    """What a picture and a reject share: their own values and their facts, in one line of JSON."""

    facts: dict[str, Any]

    def line(self) -> dict[str, Any]:
        """Give the line of the set's list."""
        own = {name: value for name, value in vars(self).items() if name != "facts"}
        return {**own, **self.facts}

    @classmethod
    def from_line(cls, line: dict[str, Any]) -> Self:
        """Read a line of the list back; a KeyError or TypeError says that it is none."""
        facts = dict(line)
        names = [one.name for one in fields(cls) if one.name != "facts"]  # type: ignore[arg-type]
        own = {name: facts.pop(name) for name in names}
        facts.pop("split", None)
        return cls(**own, facts=facts)  # type: ignore[call-arg]


@dataclass(frozen=True)
class Entry(_Line):
    """One picture of a set."""

    file: str  # relative to the set's folder, '/' between parts
    source: str  # the URL or path it came from
    sha256: str  # of the file in the set
    bytes: int  # of the file in the set
    width: int  # pixels, upright
    height: int  # pixels, upright
    facts: dict[str, Any] = field(default_factory=dict)  # licence, tags, time in the film ...

    @classmethod
    def of(
        cls, part: Path, file: str, source: str, size: tuple[int, int], facts: dict[str, Any]
    ) -> Entry:
        """The entry of a finished picture of (width, height) that is to be `file` in the set."""
        content = part.read_bytes()
        return cls(file, source, hashlib.sha256(content).hexdigest(), len(content), *size, facts)

    def line(self) -> dict[str, Any]:
        """Give the line of the manifest; the split is written for readers, never read back."""
        return {**super().line(), "split": split_of(self.sha256)}


@dataclass(frozen=True)
class Reject(_Line):
    """One picture that did not get into a set."""

    source: str  # the URL or path
    reason: str  # a few words, the same for all losses of a kind: they are counted by it
    detail: str  # what exactly was found
    facts: dict[str, Any] = field(default_factory=dict)


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
                "or prepare the set anew, in another folder"
            ) from None
        lines.append(line)
    return lines, whole


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    """Write a JSONL file in one go: whole, or not at all."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(map(as_line, lines))


def choices_of(wanted: Any) -> dict[str, Any]:
    """The options that decide what is in a set, as JSON; not the limit, since a set may grow."""
    listed = {name: list(v) if isinstance(v, tuple) else v for name, v in vars(wanted).items()}
    del listed["limit"]
    return listed


def claim_folder(folder: Path, made_by: dict[str, Any]) -> None:
    """Make a folder the place of one set, or check that it is that set's already.

    Raises:
        OutputError: the folder holds something else, or cannot be written.
    """
    path = folder / SET_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if path.exists():
            found = json.loads(path.read_text(encoding="utf-8"))
            if not _is_same(found, made_by):
                ours, theirs = _in_words(made_by, found), _in_words(found, made_by)
                raise OutputError(
                    f"{folder} holds another set ({theirs}), not {ours}: choose another folder, "
                    "or delete that one"
                )
            return
        if any(folder.iterdir()):
            raise OutputError(
                f"{folder} holds other files and no {SET_FILE}: choose an empty folder"
            )
        write_bytes(path, (json.dumps(made_by, indent=2) + "\n").encode())
    except ValueError:
        raise OutputError(
            f"{path} is damaged, so what the folder holds is not known: choose another folder"
        ) from None
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written ({error.strerror}): choose another folder"
        ) from None


def read_facts(folder: Path) -> dict[str, dict[str, Any]]:
    """Read what a folder's manifest, if it has one, says of each file: the facts of its `Entry`.

    Where the file came from is among them, as `origin`.
    """
    if not (folder / MANIFEST_FILE).exists():
        return {}
    try:
        lines, _ = read_lines(folder / MANIFEST_FILE, "file")
        entries = [Entry.from_line(line) for line in lines]
    except (KeyError, TypeError, DataError) as error:
        raise DataError(
            f"{folder / MANIFEST_FILE}: is no manifest that sakuga prepare wrote ({error}); "
            "give the file another name"
        ) from error
    return {e.file: {"origin": e.source, **e.facts} for e in entries}


def stamp_of(file: Path) -> list[int]:
    """Give a file's size and time of change: if they differ from a noted stamp, it has changed."""
    stat = file.stat()
    return [stat.st_size, stat.st_mtime_ns]


class PictureSet:
    """An open set: ask it what it has, give it pictures. Its methods may be called from any thread.

    Args:
        folder: made if it does not exist; if it does, it must be empty or hold this same set.
        made_by: command and choices that decide what is in the set, as JSON values. A limit on the
            number of pictures is not among them, because a set may grow.

    Raises:
        OutputError: the folder holds something else, cannot be written, or another process is
            making the set.
        DataError: the manifest is damaged.
    """

    def __init__(self, folder: Path, made_by: dict[str, Any]) -> None:
        self.folder = folder
        self._alone = ExitStack()
        self._alone.enter_context(alone_in(folder))
        claim_folder(folder, made_by)
        self._parts = folder / PARTS_FOLDER
        shutil.rmtree(self._parts, ignore_errors=True)  # of a run that was killed
        self._parts.mkdir()
        self._lock = threading.Lock()
        self._manifest = Journal(folder / MANIFEST_FILE, "file")
        self._rejected = Journal(folder / REJECTED_FILE, "source")
        try:
            self.entries = {n: Entry.from_line(v) for n, v in self._manifest.lines.items()}
            self.rejects = {n: Reject.from_line(v) for n, v in self._rejected.lines.items()}
        except (KeyError, TypeError) as error:
            raise DataError(
                f"{folder / MANIFEST_FILE} has a line without {error}: restore the file, "
                "or prepare the set anew, in another folder"
            ) from None
        self.pictures_before = len(self.entries)
        self.removed = 0

    def has(self, file: str) -> bool:
        """Say whether a picture of this name is in the set, and on the disk as it should be."""
        entry = self.entries.get(file)
        if entry is None:
            return False
        try:
            return (self.folder / file).stat().st_size == entry.bytes
        except FileNotFoundError:
            return False

    def part(self, name: str) -> Path:
        """Give a place for a picture in the making, on the set's own disk."""
        return self._parts / name.replace("/", "%")

    def keep(self, part: Path, entry: Entry) -> None:
        """Move a finished picture into the set and write its line."""
        target = self.folder / entry.file
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            part.replace(target)
            self._manifest.append(entry.line())
            self.entries[entry.file] = entry
            self._forget(entry.source)

    def remove(self, files: Iterable[str]) -> None:
        """Take pictures out of the set; one that somebody has changed since stays as their file."""
        with self._lock:
            for file in list(files):
                if self.has(file):
                    (self.folder / file).unlink()
                del self.entries[file]
                self._manifest.drop([file])
                self.removed += 1

    def forget_reject(self, source: str) -> None:
        """Remove a source from the rejects, because it is looked at again."""
        with self._lock:
            self._forget(source)

    def _forget(self, source: str) -> None:
        self.rejects.pop(source, None)
        self._rejected.drop([source])

    def reject(self, reject: Reject) -> None:
        """Note a picture that is not in the set, and why."""
        with self._lock:
            self._rejected.append(reject.line())
            self.rejects[reject.source] = reject

    def set_rejects(self, rejects: Iterable[Reject]) -> None:
        """Let the list of rejects be this and no other."""
        new = {reject.source: reject for reject in rejects}
        with self._lock:
            self._rejected.drop(set(self.rejects) - set(new))
            for source, reject in new.items():
                if self.rejects.get(source) != reject:
                    self._rejected.append(reject.line())
            self.rejects = new

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._manifest.close()
        self._rejected.close()
        shutil.rmtree(self._parts, ignore_errors=True)
        self._alone.close()


def _is_same(found: Any, made_by: dict[str, Any]) -> bool:
    """Whether two sets are one; the folder of their pictures may be spelled in two ways."""
    folder = made_by.get("folder")
    spelled = found.get("folder") if isinstance(found, dict) else None
    if folder and isinstance(spelled, str) and is_same_file(Path(spelled), Path(folder)):
        found = {**found, "folder": folder}
    return bool(found == made_by)


def _in_words(made_by: Any, other: Any) -> str:
    """Say in what a set differs from another, in the words of the command line."""
    if not isinstance(made_by, dict):
        return "made by something else"
    choices = {**made_by, **made_by.get("settings", {})}
    others = {**other, **other.get("settings", {})} if isinstance(other, dict) else {}
    told = [
        f"{key}={' '.join(map(str, value)) if isinstance(value, list) else value}"
        for key, value in choices.items()
        if key not in ("verb", "settings") and value != others.get(key)
    ]
    return " ".join([str(made_by.get("verb", "made by something else")), *told])
