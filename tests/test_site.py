"""The documentation's site: every page is in the menu, and no link is broken."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import pytest
from browsing import NODE_MODULES, PATIENCE_MS, faults_of, furthest, hosted, page
from filelock import FileLock
from serving import picture, pixels_of

import sakuga

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """docs/site.py, its pages staged in a folder of the test's."""
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / "docs" / "site.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.STAGED = tmp_path_factory.mktemp("site") / "pages"
    module.stage()
    return module


def test_the_menu_has_every_page(site: ModuleType) -> None:
    shown = [page for _, page in site.menu(site.CONFIG["nav"])]
    staged = [path.relative_to(site.STAGED).as_posix() for path in site.STAGED.rglob("*.md")]
    assert sorted(shown) == sorted(staged)


def test_every_link_of_the_site_leads_to_a_file_of_it(site: ModuleType) -> None:
    count = 0
    for path in site.STAGED.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
            if target.startswith(site.SOURCE + "/blob/main/"):
                inside = target.removeprefix(site.SOURCE + "/blob/main/")
                assert (ROOT / inside).exists(), f"{path}: {target}"
            elif "://" not in target:
                assert (path.parent / target).exists(), f"{path}: {target}"
            count += 1
    assert count > 80


def test_what_the_build_needs_is_told_before_anything_is_made(
    site: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(site, "stage", lambda: pytest.fail("began without it"))
    for place, name in ((site.shutil, "which"), (site, "find_spec")):
        with monkeypatch.context() as patch:
            patch.setattr(site.shutil, "which", lambda name: "npm")
            patch.setattr(place, name, lambda name: None)
            assert site.build() == 1
            assert "pip install zensical" in capsys.readouterr().err


def test_the_api_has_every_public_name(site: ModuleType) -> None:
    page = (site.STAGED / "api.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^## sakuga\.(\w+)$", page, re.MULTILINE)) == {*sakuga.__all__} - {
        "styles"
    }
    assert "### sakuga.Stylizer.__call__" in page and "keep_colour" in page


def test_language_models_are_told_of_every_page(site: ModuleType) -> None:
    told = (site.STAGED / "llms.txt").read_text(encoding="utf-8")
    assert told.startswith("# Sakuga\n\n> ")
    assert told.count("\n- [") == len(list(site.STAGED.rglob("*.md")))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the command of docs/site.py gives; of processes that test, one builds it."""
    if find_spec("zensical") is None or shutil.which("npm") is None:
        pytest.skip("the site cannot be built: pip install zensical, and install Node.js")
    if not (NODE_MODULES / "onnxruntime-web").exists():
        pytest.skip("the site's demo cannot be built: run  npm ci  in the folder web")
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID")  # None: this process is the only one
    told = tmp_path_factory.getbasetemp().parent / f"site-{run}"
    with FileLock(f"{told}.lock"):
        if not told.exists():
            command = [sys.executable, "docs/site.py"]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
            assert done.returncode == 0, done.stderr
            if run is not None:
                told.write_text(done.stdout + done.stderr, encoding="utf-8")
            assert "warning" not in (done.stdout + done.stderr).lower()
    return ROOT / "build" / "html"


class Links(HTMLParser):
    """Where a page leads, what it loads, and the names of its parts."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.names: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if name := given.get("id") or given.get("name"):
            self.names.add(name)
        for kind in ("href", "src", "data-page"):
            if (target := given.get(kind)) and given.get("rel") != "canonical":
                self.targets.append(target)


def test_no_link_of_the_built_site_is_broken(built: Path) -> None:
    pages = {path: Links(path) for path in built.rglob("*.html") if path.name != "404.html"}
    count = 0
    for path, links in pages.items():
        if path.is_relative_to(built / "try") or path.name == "report.html":
            continue  # the page has its own tests, the report its own parts
        for target in links.targets:
            address, _, part = unquote(target).partition("#")
            if re.match(r"\w+:", address):
                continue
            lead = (path.parent / address).resolve() if address else path
            assert lead.exists(), f"{path}: {target}"
            if part and lead in pages:
                assert part in pages[lead].names, f"{path}: {target}"
            count += 1
    assert count > 1000


def test_the_site_and_its_demo_ask_no_other_host(built: Path, chromium: Any) -> None:
    photo = picture(120, 90)
    with hosted(built) as address, page(chromium, f"{address}index.html", ready="main") as home:
        elsewhere: list[str] = []
        context = home.context
        context.on("request", lambda asked: elsewhere.append(asked.url))
        home.reload()
        assert home.locator(".wipe img").nth(1).evaluate("image => image.naturalWidth") == 1080
        slider = home.locator(".wipe input")
        slider.focus()
        home.keyboard.press("End")
        shown = home.locator(".wipe").evaluate("wipe => wipe.style.getPropertyValue('--photo')")
        assert shown == "100%"
        home.click(".demo button")
        demo = home.frame_locator(".demo iframe")
        demo.locator("body[data-ready]").wait_for()
        # A style that was not asked for yet is there only when all files are.
        kept = "caches.match('styles/manga.onnx').then(Boolean)"
        until_s = time.monotonic() + PATIENCE_MS / 1000
        while not demo.locator("body").evaluate(kept):
            assert time.monotonic() < until_s, "the demo does not keep its files"
            time.sleep(0.2)
        context.set_offline(True)
        demo.locator("#files").set_input_files(
            {"name": "holiday.png", "mimeType": "image/png", "buffer": photo}
        )
        demo.locator("#download:not([disabled])").wait_for()
        with home.expect_download() as saved:
            demo.locator("#download").click()
        painted = Path(saved.value.path()).read_bytes()
        assert furthest(painted, sakuga.paint(pixels_of(photo))) <= 2
        context.set_offline(False)
        ours = (address, "blob:", "data:")
        assert [url for url in elsewhere if not url.startswith(ours)] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_site(built: Path, chromium: Any, scheme: str) -> None:
    with hosted(built) as address:
        for name in ("index", "start", "painting", "api", "gallery/index"):
            look: dict[str, Any] = {"color_scheme": scheme}
            with page(chromium, f"{address}{name}.html", ready="main", **look) as shown:
                assert faults_of(shown) == [], name


def test_search_works_in_files_that_no_server_serves(built: Path, chromium: Any) -> None:
    with page(chromium, (built / "index.html").as_uri(), ready="main") as shown:
        shown.keyboard.press("Control+k")
        field = shown.locator("input:focus")
        field.wait_for()
        field.fill("interlaced")
        shown.locator("a", has_text="What is kept, and what is not").first.wait_for()
