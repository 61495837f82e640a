"""Training by the clock: plans in closed form, and trainings that keep to them."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import torch
from training import draw_pictures, tiny_config, train_here

from sakuga.cli import run as sakuga
from sakuga.errors import OptionError
from sakuga.styles import find
from sakuga.train import batches, command, loop, pace
from sakuga.train.checkpoint import load_checkpoint
from sakuga.train.clock import OVERHEAD, describe_plan, keep_to_the_clock, plan_steps
from sakuga.train.config import TrainConfig

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric"),
    pytest.mark.usefixtures("traced_once"),
]

HOUR = 3600.0


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    root = tmp_path_factory.mktemp("data")
    photos = draw_pictures(root / "photos", 5, seed=1)
    anime = draw_pictures(root / "anime", 5, seed=2)
    return tiny_config(photos, anime, surface_weight=0.0, picture_weight=0.0, colour_weight=0.0)


def test_a_plan_fills_the_time() -> None:
    plan = plan_steps(TrainConfig(steps=1000, init_steps=0), HOUR, 1.0, 0.25)
    assert plan.steps == int(HOUR * (1 - OVERHEAD) / 0.25)
    assert plan.init_steps == 0
    # The initialisation keeps its share, and its steps are cheaper.
    plan = plan_steps(TrainConfig(steps=1000, init_steps=200), HOUR, 0.5, 2.0)
    seconds = plan.init_steps * 0.5 + (plan.steps - plan.init_steps) * 2.0
    assert seconds == pytest.approx(HOUR * (1 - OVERHEAD), rel=0.01)
    assert plan.init_steps / plan.steps == pytest.approx(0.2, abs=0.001)


def test_a_plan_of_minutes_has_its_own_rhythm() -> None:
    base = TrainConfig(steps=20_000, init_steps=0, ema_decay=0.9999, warmup_steps=100)
    short = plan_steps(base, 120.0, 1.0, 1.0)
    assert short.warmup_steps == 2  # of 116 steps
    assert 1 / (1 - short.ema_decay) == pytest.approx(11.6)  # steps the average looks back
    assert short.sheet_every == 60 and short.save_every == 45 and short.log_every == 5
    long = plan_steps(base, 24 * HOUR, 0.1, 0.1)
    assert long.sheet_every == 3000 and long.save_every == 450
    assert (long.ema_decay, long.warmup_steps) == (base.ema_decay, base.warmup_steps)


def test_a_resumed_plan_goes_on_from_the_steps_done() -> None:
    base = TrainConfig(steps=1000, init_steps=200)
    late = plan_steps(base, 100.0, 0.5, 1.0, first_step=800)
    assert (late.steps, late.init_steps) == (800 + 97, 200)
    early = plan_steps(base, 100.0, 0.5, 1.0, first_step=100)  # a hundred of 0.5 s are left
    assert (early.steps, early.init_steps) == (100 + 100 + 47, 200)


def test_no_time_is_an_error_that_says_what_a_step_takes() -> None:
    with pytest.raises(OptionError, match=r"a step takes 40 s here, so 1 fit into 1 minutes: give"):
        plan_steps(TrainConfig(init_steps=0), 60.0, 40.0, 40.0)
    with pytest.raises(OptionError, match="so 0 fit into 0 minutes"):  # gone by in measuring
        plan_steps(TrainConfig(init_steps=0), -4.0, 1.0, 1.0)


def test_a_slower_machine_takes_fewer_steps() -> None:
    base = TrainConfig(steps=1000, init_steps=0)
    assert keep_to_the_clock(base, 500, 500.0, 1.02) is base  # near enough
    assert keep_to_the_clock(base, 500, 500.0, 2.0).steps == 750
    assert keep_to_the_clock(base, 500, 500.0, 0.5).steps == 1500
    assert keep_to_the_clock(base, 500, -3.0, 1.0).steps == 500  # the time is over


def test_a_plan_is_told_in_words() -> None:
    base = TrainConfig(steps=1000, init_steps=200, generator_lr=4e-4, final_lr=0.05)
    told = "\n".join(describe_plan(base, Path("runs/mine"), 0, 60.0))
    assert re.search(r"1,000 steps of about 0\.058 s, done at about \d\d:\d\d", told)
    assert "200 steps of initialisation, then 800" in told
    assert "learning rate: 0.0004, falling to 2e-05" in told
    assert "runs/mine/sheets" in told


def test_a_training_of_seconds_ends_in_time(config: TrainConfig, tmp_path: Path) -> None:
    """The clock that steps are measured by runs a second a step here, whatever the machine."""
    plans: list[TrainConfig] = []
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch, seconds=3.0)
        checkpoint = train_here(
            config, tmp_path / "run", minutes=2.0,
            planned=lambda plan, step, left_s: plans.append(plan), tell=told.append,
        )  # fmt: skip
    made, state = load_checkpoint(checkpoint)
    assert plans[-1].steps == made.steps == state["step"]
    assert abs(plans[0].steps - made.steps) <= 1  # the plan leaves more time over than the clock
    assert clock.now <= 120
    assert clock.now > 100
    sheets = [line.removeprefix("sheet: ") for line in told if line.startswith("sheet: ")]
    assert sheets and all(Path(sheet).exists() for sheet in sheets)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["steps"] == made.steps


class Clock:
    """Time that goes by only when a step is taken."""

    def __init__(self, patch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds
        draw = loop.draw_batch

        def slow_draw(*arguments: object) -> object:
            self.now += self.seconds
            return draw(*arguments)  # type: ignore[arg-type]

        patch.setattr(loop, "draw_batch", slow_draw)
        patch.setattr(batches, "TRIAL_CROPS", 1)
        patch.setattr(loop.time, "monotonic", lambda: self.now)


def test_a_machine_that_becomes_slow_still_ends_in_time(
    config: TrainConfig, tmp_path: Path
) -> None:
    plans: list[TrainConfig] = []
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock(patch, seconds=3.0)

        def slow_down(step: int, terms: dict[str, float]) -> None:
            clock.seconds = 6.0

        train_here(
            config, tmp_path / "run", minutes=3.0,
            planned=lambda plan, step, left_s: plans.append(plan), progress=slow_down,
        )  # fmt: skip
    assert len(plans) > 1 and plans[-1].steps < plans[0].steps
    assert clock.now < 180 * 1.05
    assert load_checkpoint(tmp_path / "run")[1]["step"] == plans[-1].steps


def test_the_saved_config_describes_the_training(config: TrainConfig, tmp_path: Path) -> None:
    """What the clock decided is in the config: the same comes out of it, to the last bit."""
    with pytest.MonkeyPatch.context() as patch:
        Clock(patch, seconds=4.0)
        train_here(config, tmp_path / "clock", minutes=1.5)
        made, by_clock = load_checkpoint(tmp_path / "clock")
        train_here(made, tmp_path / "plain")
        plain = load_checkpoint(tmp_path / "plain")[1]
        for part in ("generator", "ema"):
            for name, value in plain[part].items():
                assert torch.equal(by_clock[part][name], value), (part, name)
        # More minutes later are more steps, from those that are done.
        train_here(made, tmp_path / "clock", resume=True, minutes=1.5)
    longer, state = load_checkpoint(tmp_path / "clock")
    assert state["step"] == longer.steps > made.steps
    assert longer.init_steps == made.init_steps


def test_measuring_leaves_weights_and_moments_alone(config: TrainConfig, tmp_path: Path) -> None:
    """With a plan that equals the config, the same training comes out, to the last bit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "MEASURED_S", 0.0)
        patch.setattr(pace, "plan_steps", lambda config, *rest: config)
        patch.setattr(pace, "keep_to_the_clock", lambda config, *rest: config)
        for name, minutes in (("clock", 1.0), ("plain", None)):
            run = tmp_path / name
            train_here(dataclasses.replace(config, steps=2), run,
                  minutes=minutes)  # fmt: skip
            train_here(config, run, resume=True, minutes=minutes)
    clock, plain = (load_checkpoint(tmp_path / name)[1] for name in ("clock", "plain"))
    for part in ("generator", "ema"):
        for name, value in plain[part].items():
            assert torch.equal(clock[part][name], value), (part, name)
    moments = [state["discriminator_adam"]["texture"]["state"][0] for state in (clock, plain)]
    assert moments[0]["step"] == moments[1]["step"] == 3
    assert torch.equal(moments[0]["exp_avg"], moments[1]["exp_avg"])


def test_the_last_checkpoints_and_the_best_are_kept(config: TrainConfig, tmp_path: Path) -> None:
    often = dataclasses.replace(config, steps=6, sheet_every=1, chroma_limit=90.0, texture_limit=9)
    distances = iter([5.0, 3.0, 4.0, 3.5, 3.2, 9.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "trial_distance", lambda *_: next(distances))
        train_here(often, tmp_path / "run", keep=2)
    kept = tmp_path / "run" / "checkpoints"
    assert sorted(path.name for path in kept.iterdir()) == ["0000005.pt", "0000006.pt", "best.pt"]
    assert load_checkpoint(kept / "best.pt")[1]["step"] == 2
    longer = dataclasses.replace(often, steps=7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "trial_distance", lambda *_: 3.1)  # not better than before the stop
        train_here(longer, tmp_path / "run", resume=True, keep=2)
    assert load_checkpoint(kept / "best.pt")[1]["step"] == 2
    assert sakuga(["export", str(kept / "0000007.pt"), str(tmp_path / "seven.onnx")]) == 0
    train_here(often, tmp_path / "none", keep=0)
    assert not (tmp_path / "none" / "checkpoints").exists()


def test_the_best_is_nearest_to_what_should_be_painted(config: TrainConfig, tmp_path: Path) -> None:
    """A generator that got worse since is kept beside the best, not in its place."""
    ever_wilder = dataclasses.replace(
        config, steps=4, sheet_every=1, generator_lr=0.05, warmup_steps=0, guard_every=99,
        texture_limit=1e9, chroma_limit=1e9, ema_decay=0.0, init_steps=4, clip_norm=0.0,
    )  # fmt: skip
    train_here(ever_wilder, tmp_path / "run")
    kept = tmp_path / "run" / "checkpoints"
    seen = []
    measured = loop.trial_distance

    def note(*arguments: object) -> float:
        seen.append(measured(*arguments))  # type: ignore[arg-type]
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "trial_distance", note)
        train_here(ever_wilder, tmp_path / "again")
    assert len(set(seen)) == 4
    assert load_checkpoint(kept / "best.pt")[1]["step"] == 1 + seen.index(min(seen))


def write_toml(config: TrainConfig, path: Path) -> Path:
    values = dataclasses.asdict(config)
    path.write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items()))
    return path


def test_the_verb_tells_the_plan_and_ends_with_a_style(
    config: TrainConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "LINE_EVERY_S", 0.0)
    write_toml(dataclasses.replace(config, guard_every=99), tmp_path / "mine.toml")
    with pytest.MonkeyPatch.context() as patch:
        Clock(patch, seconds=3.0)
        words = ["train", "mine.toml", "--accelerator", "cpu", "--minutes", "1.5"]
        assert sakuga(words) == 0
    told = capsys.readouterr()
    assert "plan: " in told.err and "done at about" in told.err
    assert re.search(r"Training mine: \d+ of \d+, loss [\d.e-]+, [\d.e-]+ steps a second", told.err)
    assert "sheet: runs/mine/sheets/" in told.err
    assert "sakuga paint photo.jpg --style runs/mine/mine.onnx" in told.out
    assert find(Path("runs/mine/mine.onnx")).spec.training["steps"] > 10


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minutes", "0"], "--minutes 0: a number above 0"),
        (["--minutes", "5", "--dry-run"], "--dry-run takes none"),
        (["--keep", "-1"], "--keep -1: not negative"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text("")
    assert sakuga(["train", str(tmp_path / "mine.toml"), *words]) == 2
    assert message in capsys.readouterr().err
