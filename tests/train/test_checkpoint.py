"""Checkpoints that a training cannot go on from: each is told in a sentence."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sakuga.errors import OutputError, TrainingError
from sakuga.train.checkpoint import (
    build_generator,
    keep_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from sakuga.train.command import Request, run_training
from sakuga.train.config import TrainConfig, config_to_json
from sakuga.train.state import TrainState

CONFIG = TrainConfig(width=8, blocks=1, discriminator_width=8)


def saved(run: Path, *lacking: str, **other: object) -> Path:
    """A run's folder, with a checkpoint that lacks some of its values or has others."""
    weights = build_generator(CONFIG).state_dict()
    state = {"config": config_to_json(CONFIG), "step": 3, "elapsed_s": 0.0, "discriminators": {}}
    whole = {**state, "ema": weights, "generator": weights, **other}
    run.mkdir()
    save_checkpoint(run, {name: value for name, value in whole.items() if name not in lacking})
    return run


def test_a_checkpoint_of_another_version_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"another version .*unknown setting 'new'"):
        load_checkpoint(saved(tmp_path / "later", config=json.dumps({"new": 1})))
    with pytest.raises(TrainingError, match=r"or damaged .it lacks config, ema"):
        load_checkpoint(saved(tmp_path / "lacking", "ema", "config"))
    cut = saved(tmp_path / "cut") / "checkpoint.pt"
    cut.write_bytes(cut.read_bytes()[:1000])
    with pytest.raises(TrainingError, match="a damaged one; a run keeps older ones"):
        load_checkpoint(cut)


def test_a_full_disk_is_told_and_keeps_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = saved(tmp_path / "run")

    def full(path: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        save_checkpoint(run, {"step": 4})
    with pytest.raises(OutputError, match="No space left"):
        keep_checkpoint(run, {"step": 4}, 1, best=True)
    assert load_checkpoint(run)[1]["step"] == 3


def test_what_a_training_cannot_go_on_with(tmp_path: Path) -> None:
    run = saved(tmp_path / "run")
    more = dataclasses.replace(CONFIG, texture_weight=0.1)
    with pytest.raises(TrainingError, match=r"no texture discriminator, .*--start-from"):
        TrainState(more).resume(run)
    with pytest.raises(TrainingError, match=r"no training, only a style, .*--start-from"):
        TrainState(CONFIG).resume(saved(tmp_path / "style", "generator", "discriminators"))
    state = TrainState(CONFIG)
    state.resume(run)
    assert state.step == 3


def test_a_training_that_is_done_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = dataclasses.replace(CONFIG, pairs=(str(tmp_path),), steps=1_000)
    run = saved(tmp_path / "run", config=config_to_json(config))
    steps: list[int] = []

    def train(*_: object, progress: Callable[[int, dict[str, float]], None], **__: object) -> Path:
        for step in steps:
            progress(step, {})
        return run / "checkpoint.pt"

    monkeypatch.setattr("sakuga.train.loop.train", train)
    run_training(Request(resume=run))
    assert "all 1,000 steps were done before; to go on" in capsys.readouterr().out
    steps.append(1_000)
    run_training(Request(resume=run))
    assert "were done before" not in capsys.readouterr().out
