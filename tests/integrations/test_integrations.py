"""The node, the Space, the notebook and the pipe, called as their hosts call them."""

from __future__ import annotations

import importlib.util
import io
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest
import torch
import yaml
from PIL import ExifTags, Image

import sakuga

ROOT = Path(__file__).parents[2]
PHOTO = np.random.default_rng(3).integers(0, 256, (40, 56, 3), np.uint8)


def load(name: str, path: Path, patch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    patch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


# --- ComfyUI ---


COMFYUI = ROOT / "integrations" / "comfyui"


class Cancelled(Exception):
    """Stands for what ComfyUI's bar raises once Cancel was pressed."""


class Bar:
    """Stands for comfy.utils.ProgressBar: counts, and stops where it is told to."""

    shown: tuple[int, int]  # done, of all
    last: float = float("inf")

    def __init__(self, total: int) -> None:
        Bar.shown = (0, total)

    def update(self, more: int) -> None:
        done, total = Bar.shown
        Bar.shown = (done + more, total)
        if done + more >= Bar.last:
            raise Cancelled


def folder_of_node() -> str:
    """The name of the folder that the node is copied to."""
    said = (COMFYUI / "README.md").read_text(encoding="utf-8")
    (folder,) = set(re.findall(r"custom_nodes/([\w-]+)", said))
    return folder


@pytest.fixture(scope="module")
def node() -> Any:
    """The node, loaded under its folder's name, as older versions of ComfyUI do."""
    utils = ModuleType("comfy.utils")
    utils.ProgressBar = Bar  # type: ignore[attr-defined]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "comfy", ModuleType("comfy"))
        patch.setitem(sys.modules, "comfy.utils", utils)
        module = load(folder_of_node(), COMFYUI / "__init__.py", patch)
    assert module.NODE_CLASS_MAPPINGS.keys() == module.NODE_DISPLAY_NAME_MAPPINGS.keys()
    return module.NODE_CLASS_MAPPINGS["SakugaPaint"]


def call(node: Any, **given: object) -> torch.Tensor:
    """Call the node with its defaults, as ComfyUI does: by the names of its inputs."""
    wanted = node.INPUT_TYPES()["required"]
    values = {
        name: rest[0]["default"] if rest else kind[0]
        for name, (kind, *rest) in wanted.items()
        if name not in given
    }
    result = getattr(node(), node.FUNCTION)(**values, **given)
    assert len(result) == len(node.RETURN_TYPES)
    image: torch.Tensor = result[0]
    return image


def test_the_node_paints_as_the_package_does(node: Any) -> None:
    batch = torch.from_numpy(np.stack([PHOTO, PHOTO[::-1]])).float() / 255
    painted = call(node, image=batch)
    assert painted.dtype == torch.float32 and painted.shape == batch.shape
    for photo, anime in zip((PHOTO, np.ascontiguousarray(PHOTO[::-1])), painted, strict=True):
        expected = sakuga.Stylizer(sakuga.styles.DEFAULT_STYLE)(photo)
        assert np.array_equal((anime * 255).round().byte().numpy(), expected)


def test_the_node_keeps_alpha_and_takes_its_options(node: Any) -> None:
    photo = torch.from_numpy(PHOTO).float()[None] / 255
    alpha = torch.rand(1, 40, 56, 1)
    unchanged = call(node, image=torch.cat([photo, alpha], dim=-1), strength=0.0)
    assert torch.equal(unchanged[..., 3:], alpha)
    assert torch.allclose(unchanged[..., :3], photo, atol=1e-6)
    bold, fine = (call(node, image=photo, stroke=stroke) for stroke in (16, "fine"))
    assert not torch.equal(bold, fine)
    assert not torch.equal(call(node, image=photo, keep_colour=True), fine)


def test_the_node_counts_frames_and_can_be_cancelled(
    node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = torch.rand(3, 16, 24, 3)
    given = clip.clone()
    call(node, image=clip)
    assert Bar.shown == (3, 3)
    assert torch.equal(clip, given)  # ComfyUI gives the same tensor to other nodes
    monkeypatch.setattr(Bar, "last", 2)
    with pytest.raises(Cancelled):
        call(node, image=clip)
    assert Bar.shown == (2, 3)


def test_the_nodes_registry_finds_what_it_asks_for() -> None:
    facts = tomllib.loads((COMFYUI / "pyproject.toml").read_text(encoding="utf-8"))
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    project, comfy = facts["project"], facts["tool"]["comfy"]
    assert project["name"] == folder_of_node()  # the manager makes a folder of this name
    assert re.fullmatch(r"\d+\.\d+\.\d+", project["version"])
    assert project["requires-python"] == package["requires-python"]
    assert project["dependencies"] == (COMFYUI / "requirements.txt").read_text().split()
    assert project["urls"]["Repository"] == package["urls"]["Source"]
    assert project["urls"]["Repository"].split("/")[3] == comfy["PublisherId"]


def test_the_node_lists_every_style(node: Any) -> None:
    names, _ = node.INPUT_TYPES()["required"]["style"]
    assert names == [style.spec.name for style in sakuga.styles.installed()]


# --- Gradio ---


class Element:
    """Stands for any part of a page: remembers what it was made with."""

    def __init__(self, *given: object, **named: Any) -> None:
        self.given, self.named = given, named


class PageError(Exception):
    """Stands for gradio.Error, which the page shows."""


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    gradio = ModuleType("gradio")
    for name in ("Checkbox", "Dropdown", "Image", "Interface", "Radio", "Slider"):
        setattr(gradio, name, type(name, (Element,), {}))
    gradio.Error = PageError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gradio", gradio)
    return load("space_app", ROOT / "integrations" / "space" / "app.py", monkeypatch)


def test_the_space_paints_with_what_its_page_offers(space: ModuleType) -> None:
    inputs = space.app.named["inputs"]
    defaults = [element.named.get("value", False) for element in inputs[1:]]
    painted = space.app.named["fn"](PHOTO, *defaults)
    assert np.array_equal(painted, sakuga.Stylizer(sakuga.styles.DEFAULT_STYLE)(PHOTO))
    assert inputs[1].given[0] == [style.spec.name for style in sakuga.styles.installed()]


def test_the_space_says_what_is_wrong(space: ModuleType) -> None:
    with pytest.raises(PageError, match="Choose a photo first"):
        space.paint(None, "novel", 1.0, False, "auto")
    with pytest.raises(PageError, match=r"style .nothing. is unknown"):
        space.paint(PHOTO, "nothing", 1.0, False, "auto")


def test_the_space_has_the_header_that_its_host_reads(space: ModuleType) -> None:
    folder = ROOT / "integrations" / "space"
    header = (folder / "README.md").read_text(encoding="utf-8").split("---\n")[1]
    facts = yaml.safe_load(header)
    assert facts["sdk"] == "gradio" and (folder / facts["app_file"]).exists()
    assert len(facts["short_description"]) <= 60
    assert (folder / "requirements.txt").read_text().split() == ["sakuga"]


# --- The notebook ---


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cell by cell in one namespace; `%pip` is for the machine that opens it."""
    notebook = json.loads((ROOT / "examples" / "sakuga.ipynb").read_text(encoding="utf-8"))
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(not c.get("outputs") for c in notebook["cells"])
    monkeypatch.chdir(tmp_path)
    lying = np.zeros((40, 56, 3), np.uint8)
    lying[:, :28] = 255  # bright where the upright photo has its upper half
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    Image.fromarray(lying).save("photo.jpg", exif=turned)
    names: dict[str, Any] = {}
    for cell in cells:
        exec(compile(re.sub(r"^%pip .*$", "", cell, flags=re.MULTILINE), "cell", "exec"), names)
    with Image.open("anime.png") as anime:
        assert anime.size == (40, 56)
    assert names["small"][:140].min() > 200 and names["small"][-140:].max() < 50
    first, *others = names["looks"]
    assert all(look.shape == (320, 320, 3) for look in names["looks"])
    assert not any(np.array_equal(first, look) for look in others)


# --- ONNX Runtime alone ---


@pytest.mark.parametrize("size", [(56, 40), (53, 43)])
def test_the_guides_lines_paint_without_the_package(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = (ROOT / "docs" / "runtimes.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert "sakuga" not in lines
    monkeypatch.chdir(tmp_path)
    shutil.copy(sakuga.styles.find("novel").path, "novel.onnx")
    Image.fromarray(PHOTO).resize(size).save("photo.jpg")
    exec(lines, {})
    with Image.open("photo.jpg") as photo, Image.open("anime.png") as anime:
        assert anime.size == size
        expected = sakuga.Stylizer("novel")(np.asarray(photo), stroke="fine")
        assert np.abs(np.asarray(anime).astype(int) - expected).max() <= 1


# --- ffmpeg ---


def test_uncompressed_frames_go_in_by_a_pipe_and_matroska_comes_out(
    tmp_path: Path, tiny_style: Path
) -> None:
    frames = [np.roll(PHOTO, 3 * step, axis=1) for step in range(4)]
    with av.open(tmp_path / "in.y4m", "w", format="yuv4mpegpipe") as file:
        stream = file.add_stream("wrapped_avframe", rate=25, width=56, height=40)
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            shown = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p")
            file.mux(stream.encode(shown))
        file.mux(stream.encode(None))
    command = ["paint", "-", "--format", "mkv", "--style", str(tiny_style), "--quiet"]
    run = subprocess.run(
        [sys.executable, "-m", "sakuga", *command],
        input=(tmp_path / "in.y4m").read_bytes(),
        capture_output=True,
        check=True,
    )
    with av.open(io.BytesIO(run.stdout)) as painted:
        assert "matroska" in painted.format.name
        times = [(frame.time, frame.width, frame.height) for frame in painted.decode(video=0)]
    assert times == [(step / 25, 56, 40) for step in range(4)]
