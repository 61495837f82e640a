"""What README.md and docs/ say is true: commands exist, links lead somewhere, snippets run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted(ROOT.glob("[!R]*.md")),
    *sorted(path for folder in ("docs", "integrations") for path in (ROOT / folder).rglob("*.md")),
]
README = PAGES[0].read_text(encoding="utf-8")
FENCES = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(*words, cwd):
    command = [sys.executable, "-m", "sakuga", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def sakuga_commands(page):
    """Each `sakuga VERB ...` of a page, from fences and from the first column of tables."""
    text = page.read_text(encoding="utf-8")
    lines = [line for fence in FENCES.findall(text) for line in fence.splitlines()]
    lines += re.findall(r"`(sakuga [^`]+)`", text)
    for line in lines:
        for part in re.split(r"&&|\|", line.split("  ")[0]):
            if re.match(r"\s*(\S*/)?sakuga [a-z]", part):
                yield part.split("#")[0].strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_names_a_verb_that_exists(page):
    from sakuga.cli import app, as_meant

    for command in sakuga_commands(page):
        verb = as_meant(command.split()[1:])[0]
        assert verb in app, command


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_first_command_paints_the_examples(tmp_path):
    first = FENCES.search(README).group(1)
    words = shlex.split(first.split("&&")[-1])[1:]
    assert words[:2] == ["paint", "examples/"]
    (tmp_path / "examples").mkdir()
    for name in ("portrait_astronaut.jpg", "food_coffee.jpg"):
        (tmp_path / "examples" / name).write_bytes((ROOT / "examples" / name).read_bytes())
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    painted = sorted((tmp_path / "painted").rglob("*.jpg"))
    assert len(painted) == 2
    with Image.open(painted[1]) as anime:
        assert anime.size == (512, 512)


def test_ci_runs_the_readmes_test_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    extract = re.search(r"command=\$\((.*)\)", script).group(1)
    command = subprocess.run(
        ["bash", "-c", extract], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    assert command.count("\n") == 0
    assert command == FENCES.findall(README)[1].strip()
    assert "pytest" in command and '".[dev]"' in command


def test_the_python_snippet_runs(tmp_path, monkeypatch):
    snippet = re.search(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL).group(1)
    monkeypatch.chdir(tmp_path)
    photo = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(photo).save("photo.jpg")
    names = {"photo": photo}
    exec(compile(snippet, "README.md", "exec"), names)
    assert names["anime"].shape == photo.shape
    with Image.open("anime.png") as anime:
        assert anime.size == (30, 40)
