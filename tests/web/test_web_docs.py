"""The curl examples of the documentation, run as they are printed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import clips
import pytest
from PIL import Image
from serving import picture, running

DOCS = Path(__file__).parents[2] / "docs" / "web.md"


def test_the_curl_examples_work(tmp_path: Path, two_styles: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    text = DOCS.read_text(encoding="utf-8")
    examples = re.findall(r"^```curl\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(examples) == 6
    (tmp_path / "photo.jpg").write_bytes(picture(64, 48, "JPEG"))
    clips.make_clip(tmp_path / "clip.mp4", frames=5)
    with running(tmp_path, two_styles, "--port", "0") as server:
        script = "\n".join(examples).replace("http://127.0.0.1:8000/", server.address)
        done = subprocess.run(
            ["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    for name, kind in (("anime.jpg", "JPEG"), ("anime.png", "PNG")):
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size) == (kind, (64, 48))
    assert len(clips.look(tmp_path / "anime.mp4").pictures) == 5
    assert '"styles":[{"name":' in done.stdout and '{"status":"ok"}' in done.stdout


def test_the_pictures_of_the_documentation_are_there_and_small() -> None:
    names = re.findall(r"!\[.*?\]\((.*?)\)", DOCS.read_text(encoding="utf-8"))
    assert names
    for name in names:
        assert (DOCS.parent / name).stat().st_size < 200_000
