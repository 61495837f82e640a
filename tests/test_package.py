"""What is published: two builds are one file, nothing large goes along, and links are whole."""

from __future__ import annotations

import email
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SOURCE = PROJECT["urls"]["Source"]
BUILT = ["pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "src"]


def build(kind: str, project: Path, out: Path) -> Path:
    """Build a wheel or an sdist as pip would, with the tools that are installed."""
    call = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(out)]
    done = subprocess.run(call, cwd=project, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (built,) = out.iterdir()
    return built


def copy(folder: Path) -> Path:
    """What a wheel is made of, as another machine might have it: other times, other rights."""
    for name in BUILT:
        source = ROOT / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=unwanted)
        else:
            folder.mkdir(exist_ok=True)
            shutil.copyfile(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("first")
    return build("wheel", copy(folder / "project"), folder / "out")


def test_two_builds_are_equal_to_the_byte(wheel: Path, tmp_path: Path) -> None:
    other = copy(tmp_path / "elsewhere")
    for path in other.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            os.utime(path, (1_700_000_000, 1_700_000_000))
    again = build("wheel", other, tmp_path / "out")
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_the_wheel_says_where_everything_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Version"] == PROJECT["version"]
    needed = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {re.split(r"[<>=]", line)[0] for line in needed} >= {"starlette", "uvicorn"}
    text = metadata.get_payload()
    assert isinstance(text, str)
    targets = re.findall(r"\]\(([^)]+)|(?:src|href)=\"([^\"]+)", text)
    assert len(targets) > 15
    assert [t for pair in targets for t in pair if t and not t.startswith(("https://", "#"))] == []
    assert f"{SOURCE}/blob/v{PROJECT['version']}/docs/painting.md" in text


def test_links_become_whole() -> None:
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = '![a](b/c.jpg) [d](e.md#f) [g](https://h.org) [i](#j) <img src="k.png"> <a href="l.md">'
    assert module.whole_links(text, "https://x.org/s", "v1") == (
        "![a](https://x.org/s/raw/v1/b/c.jpg) [d](https://x.org/s/blob/v1/e.md#f) "
        '[g](https://h.org) [i](#j) <img src="https://x.org/s/raw/v1/k.png"> '
        '<a href="https://x.org/s/blob/v1/l.md">'
    )


def test_the_sdist_is_small(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    built = build("sdist", ROOT, tmp_path)
    with tarfile.open(fileobj=io.BytesIO(built.read_bytes())) as archive:
        sizes = {
            member.name.split("/", 1)[1]: member.size
            for member in archive.getmembers()
            if member.isfile()
        }
    styles = sum(size for name, size in sizes.items() if name.endswith(".onnx"))
    large = sorted(sizes, key=sizes.__getitem__)[-8:]
    assert built.stat().st_size - styles < 1_200_000, large
    assert {"hatch_build.py", "README.md", "src/sakuga/recipes/novel.toml"} <= sizes.keys()
    assert not any(name.startswith((".venv", "web/node_modules")) for name in sizes)


def test_every_address_of_the_repository_is_the_same() -> None:
    files = [ROOT / name for name in ("pyproject.toml", "CITATION.cff", "zensical.toml")]
    files += (ROOT / ".github").rglob("*.yml")
    owner, name = SOURCE.removeprefix("https://github.com/").split("/")
    for file in files:
        text = file.read_text(encoding="utf-8")
        for found in re.findall(r"https://github\.com/([\w-]+)/([\w-]+)", text):
            assert found == (owner, name), file
        for found in re.findall(r"https://([\w-]+)\.github\.io/([\w-]+)", text):
            assert found == (owner, name), file


def test_pre_commit_checks_what_contributing_says() -> None:
    said = re.search(
        r"^(\.venv/bin/ruff .*)$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    assert said is not None
    commands = [part.strip().removeprefix(".venv/bin/") for part in said.group(1).split("&&")]
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert [hook["entry"] for hook in hooks] == commands
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in hooks)


def test_workflows_ask_for_no_more_than_they_need() -> None:
    """Each starts with reading alone; a job that needs more says so itself."""
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert workflow["permissions"] == {"contents": "read"}, path
        for job in workflow["jobs"].values():
            assert job["steps"] and job["runs-on"], path


def test_a_release_stores_no_password_and_attests() -> None:
    release = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    publish = release["jobs"]["publish"]
    assert publish["permissions"]["id-token"] == publish["permissions"]["attestations"] == "write"
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "secrets." not in text and "password:" not in text
    attested = [step["with"] for step in publish["steps"] if "/attest@" in step["uses"]]
    provenance, bill = attested
    assert "sbom-path" not in provenance and provenance["subject-path"] == bill["subject-path"]
    # The bill of materials is made of what was installed to try the wheel, and lies beside it, not
    # among what is published to the index.
    build = " ".join(step.get("run", "") for step in release["jobs"]["build"]["steps"])
    assert "environment alone/bin/python --pyproject pyproject.toml" in build
    assert f"-o {bill['sbom-path']}\n" in build and "dist/" not in bill["sbom-path"]
    # That option leaves out the serial number, by which `attest` knows a bill in CycloneDX's form.
    assert "--output-reproducible" not in build
