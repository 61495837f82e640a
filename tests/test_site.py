"""The documentation's site: every page is in the menu, and no link is broken."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

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
    for page in site.STAGED.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if target.startswith(site.CONFIG["repo_url"] + "/blob/main/"):
                path = target.removeprefix(site.CONFIG["repo_url"] + "/blob/main/")
                assert (ROOT / path).exists(), f"{page}: {target}"
            elif "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"
            count += 1
    assert count > 80


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


@pytest.mark.skipif(shutil.which("zensical") is None, reason="needs zensical")
def test_the_site_builds_without_a_warning() -> None:
    done = subprocess.run(
        [sys.executable, "docs/site.py"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    assert (ROOT / "build" / "html" / "index.html").exists()
