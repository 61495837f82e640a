"""A page that paints in the browser: the built one, with styles of one's own put into it.

`npm run build` makes a page with styles; all that depends on them is their files, the list of them
and, in the service worker, the names of all files with a version made of their contents. These are
written here as the build writes them, so that a page needs building once, not once a style.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path

from sakuga.errors import OptionError, OutputError
from sakuga.files import make_folder_of, write_bytes
from sakuga.styles import StyleSpec, read_spec
from sakuga.styles.listing import list_for_page

_FILES = re.compile(r"^const FILES = (\[.*\]);$", re.MULTILINE)
_VERSION = re.compile(r'^const VERSION = "([0-9a-f]{16})";$', re.MULTILINE)
_BUILD = "build one with  npm ci && npm run build  in the folder web"


def export_page(style: Path, out: Path, page: Path | None) -> list[str]:
    """Put a style file into a page: a new one, or one that is there.

    Args:
        style: a style file.
        out: the page's folder, for any static host. If it is a page already, the style is added
            to it, in place of one of the same name.
        page: a built page; a new one is its copy, with this style alone.

    Returns:
        The names of the page's styles.

    Raises:
        OptionError: `page` is missing or no built page.
        OutputError: `out` holds other things or cannot be written.
    """
    if out.is_dir() and any(out.iterdir()):
        if not _is_page(out):
            raise OutputError(f"{out}: holds other things than a page; name a new folder")
        _put(style, out)
    else:
        if page is None:
            raise OptionError(f"{out}: a new page needs --page, a built page; {_BUILD}")
        if not _is_page(page):
            raise OptionError(f"{page}: holds no page that was built; {_BUILD}")
        if out.resolve().is_relative_to(page.resolve()):
            raise OptionError(f"{out}: lies in {page}, which is copied; name a folder outside")
        _make(style, out, page)
    return [spec.name for spec in _styles(out)]


def _make(style: Path, out: Path, page: Path) -> None:
    """Copy the page without its styles, wholly or not at all, and put this one in."""
    try:
        make_folder_of(out)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
            copy = Path(folder) / "page"
            shutil.copytree(page, copy, ignore=shutil.ignore_patterns("*.onnx"))
            _put(style, copy)
            copy.replace(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error.strerror or error})") from error


def _put(style: Path, page: Path) -> None:
    """Write the style's file, then the list that names it, then the worker that keeps both."""
    spec = read_spec(style)
    write_bytes(page / "styles" / f"{spec.name}.onnx", style.read_bytes())
    listed = json.dumps(list_for_page(_styles(page)), indent=1, ensure_ascii=False)
    write_bytes(page / "styles" / "index.json", listed.encode())
    worker = page / "sw.js"
    write_bytes(worker, _worker(worker.read_text(encoding="utf-8"), page).encode())


def _styles(page: Path) -> list[StyleSpec]:
    return [read_spec(path) for path in sorted((page / "styles").glob("*.onnx"))]


def _worker(text: str, page: Path) -> str:
    """The service worker's text with the files that are there, and their version."""
    (listed,) = _FILES.findall(text)
    kept = {name for name in json.loads(listed) if name != "./" and not name.endswith(".onnx")}
    kept.update(f"styles/{path.name}" for path in (page / "styles").glob("*.onnx"))
    digest = hashlib.sha256()
    for name in sorted(kept):
        digest.update(name.encode())
        digest.update((page / name).read_bytes())
    files = json.dumps(["./", *sorted(kept)], separators=(",", ":"))
    text = _FILES.sub(lambda _: f"const FILES = {files};", text)
    return _VERSION.sub(lambda _: f'const VERSION = "{digest.hexdigest()[:16]}";', text)


def _is_page(folder: Path) -> bool:
    """True for what the build gave: its worker knows the files and their version."""
    worker = folder / "sw.js"
    if not worker.is_file() or not (folder / "styles" / "index.json").is_file():
        return False
    text = worker.read_text(encoding="utf-8", errors="replace")
    return len(_FILES.findall(text)) == 1 and len(_VERSION.findall(text)) == 1
