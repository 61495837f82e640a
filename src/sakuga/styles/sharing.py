"""Styles from elsewhere: checked against a SHA-256 before anything of them is used.

A style is data, never code: its graph is made of onnxruntime's own operators. What comes from the
network is added only if its SHA-256 is the stated one. An index lists many styles with the SHA-256
of each, so that the one sum of the index vouches for all of them:

    {"format": 1, "styles": [{"name": ..., "version": ..., "description": ..., "licence": ...,
                              "file": "novel.onnx", "sha256": ...}]}

`file` is an address or a path, relative to the index.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sakuga.errors import OptionError, OutputError, StyleError, of_later
from sakuga.files import reading, sha256_of, write_bytes
from sakuga.images.urls import fetch, is_url
from sakuga.paths import never_replace
from sakuga.styles.session import open_session
from sakuga.styles.spec import GRAPH_INPUT, GRAPH_OUTPUT, Style, add, find, read_spec

INDEX_FORMAT = 1
MAX_STYLE_BYTES = 200_000_000
MAX_INDEX_BYTES = 10_000_000
_SHA256 = re.compile(r"[0-9a-f]{64}")


def add_style(source: str, sha256: str | None = None) -> Style:
    """Add a style from a file or an address to those that a name finds.

    Args:
        source: a path, a training's folder, or an address (http, https).
        sha256: of the file, hexadecimal; needed for an address.

    Raises:
        OptionError: an address without a SHA-256, or one that is not 64 hexadecimal digits.
        InputError: nothing is there, or it cannot be read.
        StyleError: another sum, no style, it does not paint, or its name is taken.
        OutputError: the folder of styles cannot be written.
    """
    if sha256 is None and is_url(source):
        raise OptionError(
            f"{source}: a style from the network needs --sha256, the sum its author states"
        )
    if not is_url(source) and Path(source).is_dir():
        source = str(find(source).path)  # of a training
    content = _checked(source, _read(source, MAX_STYLE_BYTES), sha256)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "style.onnx"
        path.write_bytes(content)
        try:
            _check_it_paints(path)
            return add(path)
        except StyleError as error:
            raise StyleError(str(error).replace(str(path), source)) from error


def _check_it_paints(path: Path) -> None:
    """Run the graph once on the smallest picture that it takes."""
    spec = read_spec(path)
    side = -(-spec.minimum_side // spec.size_multiple) * spec.size_multiple
    session, _ = open_session(path, "cpu", threads=1)
    session.run([GRAPH_OUTPUT], {GRAPH_INPUT: np.zeros((1, 3, side, side), np.float32)})


def add_from_index(name: str, index: str, sha256: str | None = None) -> Style:
    """Add the style of that name from an index.

    Args:
        index: a path, or an address.
        sha256: of the index; needed for an address.

    Raises:
        SakugaError: as for `add_style`, or the index is damaged or lacks the name.
    """
    if sha256 is None and is_url(index):
        raise OptionError(
            f"{index}: an index from the network needs --sha256, the sum its author states"
        )
    entries = read_index(_checked(index, _read(index, MAX_INDEX_BYTES), sha256), index)
    if name not in entries:
        raise StyleError(f"{index}: lists no style {name!r}; it has {', '.join(sorted(entries))}")
    entry = entries[name]
    return add_style(_beside(index, entry["file"]), entry["sha256"])


def read_index(content: bytes, source: str) -> dict[str, dict[str, str]]:
    """Read the entries of an index, by name.

    Raises:
        StyleError: it is not an index, or an entry lacks its file or its sum.
    """
    try:
        index = json.loads(content)
    except ValueError as error:
        raise StyleError(f"{source}: is not an index of styles ({error})") from error
    found = index.get("format") if isinstance(index, dict) else None
    if found != INDEX_FORMAT:
        raise StyleError(
            f"{source}: is not an index of styles of format {INDEX_FORMAT}"
            f"{of_later(found, INDEX_FORMAT)}"
        )
    listed = index.get("styles")
    entries: dict[str, dict[str, str]] = {}
    for entry in listed if isinstance(listed, list) else []:
        if not _is_entry(entry):
            raise StyleError(f"{source}: an entry lacks its name, file or sha256: {entry!r:.80}")
        entries[entry["name"]] = entry
    if not entries:
        raise StyleError(f"{source}: lists no styles")
    return entries


def write_index(files: Sequence[Path], out: Path) -> str:
    """Write an index of style files, which are to lie beside it.

    Returns:
        The SHA-256 of the index, to be stated where people find it.

    Raises:
        OptionError: no files.
        StyleError: a file is not a style, or two have one name.
        OutputError: a file lies elsewhere, or `out` is one of them or cannot be written.
    """
    if not files:
        raise OptionError("name the style files to list")
    never_replace(out, *files)
    entries = {}
    for path in files:
        spec = read_spec(path)
        if path.resolve().parent != out.resolve().parent:
            raise OutputError(f"{path}: must lie beside the index, in {out.parent}")
        if spec.name in entries:
            raise StyleError(f"{path}: a second style named {spec.name}; leave one out")
        entries[spec.name] = {
            "name": spec.name,
            "version": spec.version,
            "description": spec.description,
            "licence": spec.licence,
            "file": path.name,
            "sha256": sha256_of(path),
        }
    index = {"format": INDEX_FORMAT, "styles": [entries[name] for name in sorted(entries)]}
    content = (json.dumps(index, indent=2, ensure_ascii=False) + "\n").encode()
    write_bytes(out, content)
    return hashlib.sha256(content).hexdigest()


def _is_entry(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    return all(isinstance(entry.get(key), str) for key in ("name", "file", "sha256"))


def _read(source: str, max_bytes: int) -> bytes:
    if is_url(source):
        return fetch(source, max_bytes=max_bytes)
    path = Path(source)
    with reading(path):
        if path.stat().st_size > max_bytes:
            raise StyleError(f"{path}: is larger than {max_bytes / 1e6:g} MB")
        return path.read_bytes()


def _checked(source: str, content: bytes, sha256: str | None) -> bytes:
    """The content itself, if its sum is the stated one."""
    if sha256 is None:
        return content
    if not _SHA256.fullmatch(sha256.lower()):
        raise OptionError(f"sha256 {sha256!r} is not 64 hexadecimal digits")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.lower():
        raise StyleError(
            f"{source}: its SHA-256 is {found}, not {sha256.lower()}; it is damaged or another file"
        )
    return content


def _beside(index: str, file: str) -> str:
    """Where a file of an index lies."""
    if is_url(file):
        return file
    if is_url(index):
        try:
            return urllib.parse.urljoin(index, file)
        except ValueError as error:
            raise StyleError(f"{index}: lists {file!r}, not an address ({error})") from error
    return str(Path(index).parent / file)
