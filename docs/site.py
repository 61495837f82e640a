"""Builds the documentation's site from docs/ and the pages at the root:  python docs/site.py

Links that leave docs/ are turned towards the copies of those pages, or to the repository. The API's
page is made from the docstrings, llms.txt from the menu in zensical.toml, the home's pictures by
the styles in the box. The page that paints in the browser is built into the folder try/, where the
home's demo looks for it. Needs zensical (pip install zensical) and Node.js.
"""

from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCE = PROJECT["urls"]["Source"]
STAGED = ROOT / CONFIG["docs_dir"]
SITE = ROOT / CONFIG["site_dir"]
WEB = ROOT / "web"
HOME = ROOT / "examples" / "landscape_picos.jpg"  # what the home's slider shows
HOME_SIZE = (1080, 608)  # pixels

# Pages outside docs/ -> their place in the site.
OUTSIDE = {
    "README.md": "overview.md",
    "MODEL_CARD.md": "model-card.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "conduct.md",
    "SECURITY.md": "security.md",
    "docs/gallery/README.md": "gallery/index.md",
}
_LINKS = re.compile(r"(\]\()(?!\w+:|#)([^)#\s]+)")


def pages() -> dict[str, str]:
    """Each page: its path in the repository -> its path in the site."""
    inside = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")]
    return {path: path.removeprefix("docs/") for path in sorted(inside)} | OUTSIDE


def stage() -> None:
    """Write the site's Markdown and pictures into STAGED, afresh."""
    shutil.rmtree(STAGED, ignore_errors=True)
    kept = shutil.ignore_patterns("*.md", "*.py", "*.jsonl", "__pycache__")
    shutil.copytree(ROOT / "docs", STAGED, ignore=kept)
    for source, place in pages().items():
        text = (ROOT / source).read_text(encoding="utf-8")
        target = STAGED / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(turned(text, source, place), encoding="utf-8")
    (STAGED / "api.md").write_text(api(), encoding="utf-8")
    (STAGED / "llms.txt").write_text(llms(), encoding="utf-8")


def turned(text: str, source: str, place: str) -> str:
    """A page's text with its relative links as they are in the site."""

    def turn(found: re.Match[str]) -> str:
        target = os.path.normpath((ROOT / source).parent / found[2])
        path = Path(target).relative_to(ROOT).as_posix()
        if path in pages():
            new = pages()[path]
        elif path.startswith("docs/") and not path.endswith(".jsonl"):
            new = path.removeprefix("docs/")
        else:
            return f"{found[1]}{SOURCE}/blob/main/{path}"
        return found[1] + Path(os.path.relpath(new, Path(place).parent)).as_posix()

    return _LINKS.sub(turn, text)


def api() -> str:
    """The public names of the package, as Markdown, from their signatures and docstrings."""
    import sakuga

    parts = ["# Python API", inspect.getdoc(sakuga.styles) or ""]
    for name in sorted(set(sakuga.__all__) - {"styles"}):
        parts += documented(f"sakuga.{name}", getattr(sakuga, name), "##")
    for name in ("installed", "find"):
        parts += documented(f"sakuga.styles.{name}", getattr(sakuga.styles, name), "##")
    return "\n\n".join(parts) + "\n"


def documented(name: str, thing: object, heading: str) -> Iterator[str]:
    """One name's heading, signature and docstring, and those of a class's call."""
    yield f"{heading} {name}"
    if callable(thing) and not (isinstance(thing, type) and issubclass(thing, Exception)):
        yield f"```python\n{name.rsplit('.', 1)[-1]}{inspect.signature(thing)}\n```"
    yield f"```text\n{inspect.getdoc(thing)}\n```"
    if isinstance(thing, type) and "__call__" in vars(thing):
        yield from documented(f"{name}.__call__", vars(thing)["__call__"], heading + "#")


def llms() -> str:
    """What language models read first: what this is, and where each page's Markdown lies."""
    lines = [f"# {CONFIG['site_name']}", "", f"> {CONFIG['site_description']}", ""]
    for title, page in menu(CONFIG["nav"]):
        if page.endswith(".md"):
            lines.append(f"- [{title}]({CONFIG['site_url']}{page})")
    return "\n".join(lines) + "\n"


def menu(entries: list[dict[str, object]]) -> Iterator[tuple[str, str]]:
    """Titles and pages of the menu, groups opened."""
    for entry in entries:
        for title, page in entry.items():
            if isinstance(page, list):
                yield from menu(page)
            else:
                yield title, str(page)


def paint_home(folder: Path) -> None:
    """Write the home's photo, and what each style in the box makes of it."""
    from PIL import Image, ImageOps

    import sakuga

    folder.mkdir()
    with Image.open(HOME) as image:
        photo = ImageOps.fit(image.convert("RGB"), HOME_SIZE)
    shown = {"photo": photo}
    for style in sakuga.styles.installed():
        if style.origin == "shipped":
            shown[style.spec.name] = sakuga.paint(photo, style=style)
    for name, picture in shown.items():
        picture.save(folder / f"{name}.jpg", quality=85, optimize=True)


def build() -> int:
    """Build the site into SITE; the status is 0 if nothing was warned of."""
    npm = shutil.which("npm")
    if npm is None or find_spec("zensical") is None:
        print(
            "docs/site.py: needs npm (Node.js) and zensical (pip install zensical)", file=sys.stderr
        )
        return 1
    stage()
    paint_home(STAGED / "home")
    zensical = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    done = subprocess.run(zensical, cwd=ROOT)
    if done.returncode:
        return done.returncode
    for path in [*STAGED.rglob("*.md"), STAGED / "llms.txt"]:  # for language models, as they are
        shutil.copyfile(path, SITE / path.relative_to(STAGED))
    if not (WEB / "node_modules").is_dir():
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=WEB, check=True)
    page = [npm, "run", "build", "--silent", "--", "--out", str(SITE / "try")]
    return subprocess.run(page, cwd=WEB).returncode


if __name__ == "__main__":
    raise SystemExit(build())
