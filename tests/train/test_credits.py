"""Whose a trained style is: its user's, and of what it started from no more than is owed."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import published
import pytest
import torch
from training import draw_pictures, tiny_config, train_here

from sakuga.cli import run as sakuga
from sakuga.convert.onnx_export import export_checkpoint
from sakuga.convert.runs import style_of
from sakuga.images.read import read_picture
from sakuga.styles import find
from sakuga.train.checkpoint import starting_credits
from sakuga.train.config import TrainConfig

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric"),
    pytest.mark.usefixtures("traced_once"),
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    root = tmp_path_factory.mktemp("data")
    photos = draw_pictures(root / "photos", 5, seed=1)
    anime = draw_pictures(root / "anime", 5, seed=2)
    return tiny_config(photos, anime, steps=2)


@pytest.fixture(scope="module")
def mine(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that says whose it is."""
    said = {"name": "ink", "licence": "CC0-1.0", "description": "Ink.", "attribution": ("Ann",)}
    run = tmp_path_factory.mktemp("runs") / "ink"
    train_here(dataclasses.replace(config, **said), run)
    return run


@pytest.fixture(scope="module")
def exported(mine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("styles") / "ink.onnx"
    export_checkpoint(mine, file)
    return file


def test_a_style_says_what_its_user_said_and_nothing_else(
    config: TrainConfig, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = find(exported).spec
    assert (spec.name, spec.description, spec.licence) == ("ink", "Ink.", "CC0-1.0")
    assert spec.attribution == ("Ann",)
    train_here(config, tmp_path / "run")
    spec = export_checkpoint(tmp_path / "run", tmp_path / "mine.onnx")
    assert (spec.name, spec.description, spec.licence, spec.attribution) == ("mine", "", "", ())
    capsys.readouterr()
    assert sakuga(["styles", "show", str(tmp_path / "mine.onnx")]) == 0
    assert "licence           -\n" in capsys.readouterr().out


def test_a_style_says_what_it_started_from(config: TrainConfig, mine: Path, tmp_path: Path) -> None:
    """Also after it was resumed, and in what starts from it in turn."""
    told: list[str] = []
    ours = dataclasses.replace(config, name="wash", attribution=("Bob",))
    run = tmp_path / "wash"
    train_here(ours, run, start_from=mine, tell=told.append)
    started = "Started from ink 1.0.0 (CC0-1.0): Ann"
    assert f"the style will say: {started}" in told
    longer = dataclasses.replace(ours, steps=3)
    train_here(longer, run, resume=True)
    for source in (run, run / "checkpoints" / "best.pt"):
        spec = export_checkpoint(source, tmp_path / "wash.onnx")
        assert spec.attribution == ("Bob", started)
    in_turn = ("Started from wash 1.0.0 (no licence stated): Bob", started)
    assert starting_credits(run) == starting_credits(tmp_path / "wash.onnx") == in_turn


def test_what_began_anew_from_itself_says_so_once(
    config: TrainConfig, mine: Path, tmp_path: Path
) -> None:
    ours = dataclasses.replace(config, steps=1, name="ink", licence="CC0-1.0", attribution=("Ann",))
    train_here(ours, tmp_path / "again", start_from=mine)
    assert starting_credits(tmp_path / "again") == ("Started from ink 1.0.0 (CC0-1.0): Ann",)


def test_our_styles_and_published_weights_are_named(tmp_path: Path) -> None:
    novel = find("novel").spec
    first, *_ = starting_credits("novel")
    assert first.startswith(f"Started from novel {novel.version} ({novel.licence})")
    assert all(line in first for line in novel.attribution)
    torch.save(published.cartoongan_state(2), tmp_path / "Hayao.pth")
    assert (
        "Hayao.pth (CartoonGAN: Chen, Lai, Liu 2018)" in starting_credits(tmp_path / "Hayao.pth")[0]
    )


def test_a_run_paints_without_an_export(mine: Path, exported: Path, tmp_path: Path) -> None:
    (photo,) = draw_pictures(tmp_path / "photos", 1, seed=3).iterdir()
    words = ["paint", str(photo), "--quiet", "--threads", "1", "--overwrite"]
    assert sakuga([*words, "--style", str(mine), "--out", str(tmp_path / "a.png")]) == 0
    assert sakuga([*words, "--style", str(exported), "--out", str(tmp_path / "b.png")]) == 0
    one, two = (read_picture(tmp_path / name).frames[0].colour for name in ("a.png", "b.png"))
    assert (one == two).all()
    # What was made is used again, until the training goes on.
    made = mine / "ink.onnx"
    before = made.stat().st_mtime_ns
    assert style_of(str(mine)) == str(made) and made.stat().st_mtime_ns == before
    os.utime(made, ns=(0, 0))
    assert style_of(str(mine)) == str(made) and made.stat().st_mtime_ns > before
    longer = ["train", "--resume", str(mine), "--set", "steps=3", "description=Wet.", "--quiet"]
    assert sakuga([*longer, "--accelerator", "cpu"]) == 0
    assert find(Path(style_of(str(mine)))).spec.description == "Wet."
    assert style_of("novel") == "novel" and style_of(str(tmp_path)) == str(tmp_path)
