"""What tests share: small styles made on the spot, a server, a browser."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Tests run beside each other, each on one core: threads that wait for each other's spin. For what
# tests start, too; said before numpy, torch and OpenCV are loaded, which read it then.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}

import numpy as np
import onnx
import pytest
from browsing import browser, page
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper
from serving import Running, running

from sakuga.styles import StyleSpec, write_spec

# How long an example takes depends on what else the machine does, and says nothing of the code.
settings.register_profile("sakuga", deadline=None)
settings.load_profile("sakuga")

# A shell starts what runs in its background deaf to Ctrl-C, and children inherit that: the tests of
# Ctrl-C must not.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Files of tests that take long, the longest first: trainings, a browser, clusters and servers under
# ill treatment, and whole installations. They get the marker `slow`, so that a day's work can leave
# them out, and workers begin with them, so that none is left alone with one at the end.
SLOW = (
    "train/test_loop.py",
    "web/test_page_sharing.py",
    "train/test_distributed.py",
    "batch/test_run.py",
    "web/test_page.py",
    "web/test_static.py",
    "train/test_clock.py",
    "train/test_credits.py",
    "tune/test_tune.py",
    "train/test_starting.py",
    "web/test_hostile.py",
    "data/test_docs_data.py",
    "web/test_server.py",
    "web/test_schema.py",
    "web/test_design_page.py",
    "train/test_pairs.py",
    "convert/test_published_networks.py",
    "train/test_small_sets.py",
    "convert/test_export_page.py",
    "painting/test_memory.py",
    "evaluate/test_measure.py",
    "test_package.py",
    "test_readme.py",
    "test_site.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of slow files; let workers begin with them."""
    here = Path(__file__).parent
    ranks = {name: rank for rank, name in enumerate(SLOW)}

    def rank(item: pytest.Item) -> int:
        return ranks.get(item.path.relative_to(here).as_posix(), len(SLOW))

    for item in items:
        if rank(item) < len(SLOW):
            item.add_marker("slow")
    if hasattr(config, "workerinput"):
        items.sort(key=rank)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `-n` alone a worker gets whole files, so that what their tests share is made once."""
    if config.option.dist != "load":  # asked for by --dist
        return None
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False  # not by their number of tests, but as they are sorted
    return LoadFileScheduling(config, log)


def make_spec(name: str, receptive_radius: int | None) -> StyleSpec:
    """The spec of a style for tests; its graph works on cells of 8 x 8 pixels."""
    return StyleSpec(
        name=name,
        version="1",
        description="A small style for tests.",
        size_multiple=8,
        minimum_side=16,
        receptive_radius=receptive_radius,
        licence="CC0-1.0",
        attribution=("Nobody",),
        training={"steps": 0},
    )


def make_style(path: Path, name: str, *, tileable: bool = True) -> Path:
    """Write a style whose picture depends on the place in the grid of 8 x 8 cells.

    It sharpens by a 3x3 convolution, and adds 3x3-filtered means of cells of 8 x 8 pixels, enlarged
    by nearest neighbours: a result looks at its cell and those around it, 15 pixels at most. The
    filters differ from channel to channel and are not symmetric. Without `tileable` the mean of the
    whole picture is taken away.
    """
    generator = np.random.default_rng(7)
    fine = generator.normal(0, 0.15, (3, 3, 3, 3)).astype(np.float32)
    fine[[0, 1, 2], [0, 1, 2], 1, 1] += 0.6
    coarse = generator.normal(0, 0.1, (3, 3, 3, 3)).astype(np.float32)
    weights = [
        numpy_helper.from_array(fine, "fine"),
        numpy_helper.from_array(coarse, "coarse"),
        numpy_helper.from_array(np.array([1, 1, 8, 8], np.float32), "scales"),
        numpy_helper.from_array(np.array([2, 3], np.int64), "axes"),
    ]
    nodes = [
        helper.make_node("Conv", ["photo", "fine"], ["sharp"], pads=[1, 1, 1, 1]),
        helper.make_node("AveragePool", ["photo"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Conv", ["cells", "coarse"], ["filtered"], pads=[1, 1, 1, 1]),
        helper.make_node(
            "Resize",
            ["filtered", "", "scales"],
            ["large"],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        helper.make_node("Add", ["sharp", "large"], ["sum"]),
    ]
    if tileable:
        nodes.append(helper.make_node("Tanh", ["sum"], ["anime"]))
    else:
        nodes.append(helper.make_node("ReduceMean", ["sum", "axes"], ["mean"], keepdims=1))
        nodes.append(helper.make_node("Sub", ["sum", "mean"], ["centred"]))
        nodes.append(helper.make_node("Tanh", ["centred"], ["anime"]))
    shape = ["batch", 3, "height", "width"]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("photo", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("anime", TensorProto.FLOAT, shape)],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    write_spec(model, make_spec(name, 15 if tileable else None))
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def tiny_style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small valid style file named `tiny`: local, receptive radius 15, size multiple 8."""
    return make_style(tmp_path_factory.mktemp("style") / "tiny.onnx", "tiny")


@pytest.fixture(scope="session")
def whole_style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small valid style file named `whole` that must see the whole picture: not tileable."""
    return make_style(tmp_path_factory.mktemp("style") / "whole.onnx", "whole", tileable=False)


@pytest.fixture(scope="session")
def styles(tiny_style: Path, whole_style: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `tiny` and `whole`."""
    folder = tmp_path_factory.mktemp("styles")
    for path in (tiny_style, whole_style):
        shutil.copy(path, folder)
    return folder


@pytest.fixture
def no_user_styles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of the user's own styles."""
    folder = tmp_path / "user-styles"
    monkeypatch.setenv("SAKUGA_STYLES", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_user_styles: Path) -> Path:
    """An empty current folder."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


@pytest.fixture
def two_styles(styles: Path, no_user_styles: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of user's styles with `tiny` and `whole`; in this process there are no others."""
    shutil.copytree(styles, no_user_styles)
    monkeypatch.setattr("sakuga.styles.spec.SHIPPED_FOLDER", no_user_styles / "none")
    return no_user_styles


@pytest.fixture(scope="module")
def traced_once() -> Iterator[None]:
    """For exports that are not what is tested: their graphs come from `training.trace_once`."""
    from training import trace_once

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sakuga.convert.onnx_export.trace", trace_once)
        yield


@pytest.fixture(scope="session")
def served(styles: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with the styles `tiny` and `whole`."""
    with running(tmp_path_factory.mktemp("server"), styles, "--port", "0") as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A browser; whoever opens a page in it has a context of their own."""
    with browser() as launched:
        yield launched


@pytest.fixture
def shown(chromium: Any, served: Running) -> Iterator[Any]:
    """The page with nothing on it yet."""
    with page(chromium, served.address) as opened:
        yield opened
