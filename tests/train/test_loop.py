"""The loop: exact resume, alternation, guards, what is left in the run's folder."""

import json
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training import NO_VGG, draw_pictures, tiny_config, train_here, write_vgg

from sakuga.convert.onnx_export import export_checkpoint
from sakuga.errors import TrainingError
from sakuga.train import losses
from sakuga.train.checkpoint import load_checkpoint
from sakuga.train.collapse import check_health, measure_health
from sakuga.train.log import RunLog
from sakuga.train.loop import plan
from sakuga.train.state import learning_rate_factor

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric")


@pytest.fixture(scope="module")
def whole_config(tmp_path_factory):
    """Every term that there is."""
    root = tmp_path_factory.mktemp("data")
    photos = draw_pictures(root / "photos", 5, seed=1)
    anime = draw_pictures(root / "anime", 5, seed=2)
    return tiny_config(photos, anime, write_vgg(root / "vgg.safetensors"))


@pytest.fixture(scope="module")
def config(whole_config):
    """Without what takes longest: VGG, and the discriminator of whole pictures."""
    return replace(whole_config, vgg="", picture_weight=0.0, **NO_VGG)


@pytest.fixture(scope="module")
def run(whole_config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train_here(whole_config, folder)
    return folder


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def on_cells(first):
    """The first weights as they were until 2026: on cells of 2x2 pixels."""
    cells = first.unflatten(3, (3, 2)).unflatten(2, (3, 2))  # (C, 3, i, a, j, b)
    return cells.permute(0, 1, 3, 5, 2, 4).reshape(-1, 12, 3, 3)


def test_a_checkpoint_of_an_earlier_version_goes_on_as_it_would_have(config, tmp_path):
    train_here(replace(config, steps=2), tmp_path / "run")
    saved = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "config.json").write_bytes(
        (tmp_path / "run" / "config.json").read_bytes()
    )
    for weights in (saved["generator"], saved["ema"]):
        weights["stem.0.weight"] = on_cells(weights["stem.0.weight"])
    moments = saved["generator_adam"]["state"][0]
    moments.update({name: on_cells(moments[name]) for name in ("exp_avg", "exp_avg_sq")})
    torch.save(saved, tmp_path / "earlier" / "checkpoint.pt")

    photo = torch.rand(1, 12, 8, 8)
    pixels = torch.nn.functional.pixel_shuffle(photo, 2)
    (_, then), (_, now) = (load_checkpoint(tmp_path / name) for name in ("earlier", "run"))
    before = torch.nn.functional.conv2d(photo, then["ema"]["stem.0.weight"], padding=1)
    after = torch.nn.functional.conv2d(pixels, now["ema"]["stem.0.weight"], stride=2, padding=2)
    assert torch.allclose(before, after, atol=1e-5)

    ends = []
    for name in ("run", "earlier"):
        train_here(replace(config, steps=4), tmp_path / name, resume=True)
        ends.append(load_checkpoint(tmp_path / name)[1])
    assert same(ends[0]["ema"], ends[1]["ema"])


def test_two_and_two_steps_equal_four(whole_config, run, tmp_path):
    def stop(step, terms):
        if step == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_here(whole_config, tmp_path / "parts", progress=stop)
    assert load_checkpoint(tmp_path / "parts")[1]["step"] == 2
    train_here(whole_config, tmp_path / "parts", resume=True)
    whole, parts = load_checkpoint(run)[1], load_checkpoint(tmp_path / "parts")[1]
    for part in ("step", "generator", "ema", "discriminators", "generator_adam"):
        assert same(whole[part], parts[part]), part
    assert same(whole["discriminator_adam"], parts["discriminator_adam"])
    other = replace(whole_config, seed=1)
    train_here(other, tmp_path / "other")
    assert not same(whole["generator"], load_checkpoint(tmp_path / "other")[1]["generator"])


def test_twenty_steps_repeat_to_the_last_bit(whole_config, tmp_path):
    rare = {"log_every": 10, "guard_every": 200, "sheet_every": 200, "save_every": 200}
    long = replace(whole_config, vgg="", steps=20, **NO_VGG, **rare)
    for name in ("once", "again"):
        train_here(long, tmp_path / name)
    once, again = (load_checkpoint(tmp_path / name)[1] for name in ("once", "again"))
    for part in ("generator", "ema", "discriminators"):
        assert same(once[part], again[part]), part


def test_without_an_average_the_last_weights_are_exported(config, run, tmp_path):
    train_here(replace(config, ema_decay=0.0), tmp_path / "last")
    last, averaged = load_checkpoint(tmp_path / "last")[1], load_checkpoint(run)[1]
    assert same(last["ema"], last["generator"])
    assert not same(averaged["ema"], averaged["generator"])


def test_every_term_is_logged_and_sheets_are_drawn(config, run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    initial = {"content", "structure_conv1_2", "structure_conv2_2", "flat", "colour", "variation"}
    assert initial | {"noise"} <= lines[0].keys()
    assert not any(name.startswith(("adversarial", "gram")) for name in lines[0])
    alternating = {f"{side}_{name}" for side in ("discriminator", "adversarial")
                   for name in ("texture", "surface", "picture")}  # fmt: skip
    assert alternating | {"gram_conv1_2", "gram_conv2_2"} <= lines[1].keys()
    assert json.loads((run / "config.json").read_text())["batch"] == config.batch
    with Image.open(run / "sheets" / "0000004.png") as sheet:
        assert sheet.width > 160
    board = EventAccumulator(str(run / "tensorboard")).Reload()
    assert [one.step for one in board.Scalars("loss")] == [1, 2, 3, 4]
    assert board.Scalars("loss")[3].value == pytest.approx(lines[3]["loss"])
    assert (board.Images("sheet")[-1].step, board.Images("sheet")[-1].height) == (4, sheet.height)


def test_a_full_disk_is_told_once(config, tmp_path):
    """By who writes, and not by a thread of TensorBoard's as well."""
    log = RunLog(config, tmp_path / "run", 0, torch.device("cpu"))
    most = log.draw_sheet(1, torch.nn.Identity()).stat().st_size * 3 // 2  # room for one sheet
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            log.draw_sheet(2, torch.nn.Identity())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        log.close()


def test_initialisation_does_not_touch_the_discriminators(config, tmp_path):
    torch.manual_seed(config.seed)
    still = replace(config, steps=2, init_steps=2)
    train_here(still, tmp_path / "still")
    moved = replace(config, steps=2, init_steps=1)
    train_here(moved, tmp_path / "moved")
    states = [load_checkpoint(tmp_path / name)[1] for name in ("still", "moved")]
    assert not states[0]["discriminator_adam"]["texture"]["state"]
    assert states[1]["discriminator_adam"]["texture"]["state"]


def test_a_brighter_cel_target_is_learned(config, tmp_path):
    # The grain of these pictures is no part of what is to be learned.
    brighter = {"gamma": 0.4, "accent": 1}
    unguarded = {"guard_every": 99, "save_every": 99}  # a brighter picture has more contrast
    longer = replace(config, steps=45, init_steps=45, generator_lr=4e-3, **brighter, **unguarded)
    train_here(longer, tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    flat = [line["flat"] for line in lines]
    assert sum(flat[-5:]) < 0.6 * sum(flat[:5])


def test_fine_tuning_starts_from_the_average(config, run, tmp_path):
    still = replace(config, steps=1, init_steps=1, generator_lr=0.0)
    train_here(still, tmp_path / "tuned", start_from=run)
    origin, tuned = load_checkpoint(run)[1], load_checkpoint(tmp_path / "tuned")[1]
    assert same(origin["ema"], tuned["generator"])
    wider = replace(config, width=16)
    with pytest.raises(TrainingError, match=r"stem\.0\.weight has shape"):
        train_here(wider, tmp_path / "wider", start_from=run)


def test_a_term_that_is_not_finite_stops_the_training_and_keeps_the_checkpoint(
    config, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    careful = replace(config, guard_every=1, save_every=1)
    sound = losses.pixel_distance
    calls = []

    def break_down(*arguments):
        calls.append(1)
        return sound(*arguments) * (1.0 if len(calls) <= 4 else float("nan"))

    monkeypatch.setattr(losses, "pixel_distance", break_down)  # twice a step: flat and noise
    with pytest.raises(TrainingError, match=r"step 3: the term flat is nan"):
        train_here(careful, run)
    assert load_checkpoint(run)[1]["step"] == 2


@pytest.mark.parametrize(
    ("painted", "message"),
    [
        (lambda photo: torch.zeros_like(photo) + 0.2, "one flat colour"),
        (lambda photo: photo + torch.tensor([0.5, -0.3, 0.0]).view(1, 3, 1, 1), "colours drift"),
        (lambda photo: photo * 0.1, "gradient is"),
        (
            lambda photo: (photo * 40).clamp(-1, 1) * photo.abs().clamp(min=0.999),
            "gradient|black or",
        ),
    ],
)
def test_guards_name_what_broke(painted, message):
    photo = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0)) - 0.5
    limits = {"chroma_limit": 15.0, "texture_limit": 1.2}
    with pytest.raises(TrainingError, match=message):
        check_health(measure_health(photo, painted(photo)), 7, **limits)
    check_health(measure_health(photo, photo), 7, **limits)


def test_ink_on_paper_is_sound_where_the_drawing_is_that():
    photo = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0)) - 0.5
    manga = torch.nn.functional.avg_pool2d(photo, 9, 1, 4).sign()
    limits = {"chroma_limit": 120.0, "texture_limit": 9.0}
    check_health(measure_health(photo, manga, manga), 7, **limits)
    with pytest.raises(TrainingError, match="black or white"):
        check_health(measure_health(photo, manga), 7, **limits)


def test_pictures_are_judged_after_the_initialisation(config, tmp_path):
    strict = replace(config, guard_every=1, chroma_limit=0.0)
    with pytest.raises(TrainingError, match=rf"step {config.init_steps + 1}: colours drift"):
        train_here(strict, tmp_path / "run")


def test_a_set_larger_than_memory_is_streamed_and_resumes_exactly(config, tmp_path):
    streamed = replace(config, memory_gb=2e-4, save_every=1)
    schedule = replace(streamed, final_lr=1.0)  # so that a part has the rates of the whole
    train_here(schedule, tmp_path / "flat")
    train_here(replace(schedule, steps=2), tmp_path / "flat_parts")
    train_here(schedule, tmp_path / "flat_parts", resume=True)
    whole, parts = (load_checkpoint(tmp_path / n)[1] for n in ("flat", "flat_parts"))
    assert same(whole["generator"], parts["generator"])
    assert whole["photos"] == 5  # of the set, not of the pool


def test_learning_rate_warms_up_and_ends_low(config):
    schedule = replace(config, steps=100, warmup_steps=10, final_lr=0.1)
    rates = [learning_rate_factor(schedule, step) for step in range(100)]
    assert rates[0] < 0.11 and max(rates) > 0.95
    assert rates[-1] == pytest.approx(0.1)


def test_plan_counts_what_is_learned(config):
    found = plan(replace(config, generator="cartoongan", steps=10, batch=3))
    assert found["generator_parameters"] == 11_129_667
    assert found["crops"] == 30


def test_nothing_to_resume(config, tmp_path):
    with pytest.raises(TrainingError, match=r"holds no checkpoint\.pt"):
        train_here(config, tmp_path / "absent", resume=True)
    (tmp_path / "checkpoint.pt").write_text("no")
    with pytest.raises(TrainingError, match="not a checkpoint"):
        load_checkpoint(tmp_path)


def nan_from(call):
    """A pixel distance that breaks down at its `call`-th use, two of which are in each step."""
    sound, calls = losses.pixel_distance, []

    def break_down(*arguments):
        calls.append(1)
        return sound(*arguments) * (1.0 if len(calls) < call else float("nan"))

    return break_down


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_last_save_is_guarded_as_every_other(config, tmp_path, monkeypatch, interrupted):
    """Neither the end nor Ctrl-C puts a broken network in the place of a sound one."""
    run = tmp_path / "run"
    rare = replace(config, steps=3 if not interrupted else 9, guard_every=50, save_every=2)

    def stop(step, terms):
        if interrupted and step == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(losses, "pixel_distance", nan_from(5))
    with pytest.raises(TrainingError, match=r"step 3: .* is nan.*kept \(step 2\)"):
        train_here(rare, run, progress=stop)
    state = load_checkpoint(run)[1]
    assert state["step"] == 2
    assert all(torch.isfinite(value).all() for value in state["ema"].values())


def test_weights_are_guarded_too_where_only_the_gradient_breaks(config, tmp_path, monkeypatch):
    """The loss of a step may be finite and its gradient not."""
    calls = []

    class Spoiled(torch.autograd.Function):
        @staticmethod
        def forward(context, value):
            return value.clone()

        @staticmethod
        def backward(context, gradient):
            return gradient * (float("nan") if len(calls) > 4 else 1.0)

    sound = losses.pixel_distance

    def spoil(*arguments):
        calls.append(1)
        return Spoiled.apply(sound(*arguments))

    monkeypatch.setattr(losses, "pixel_distance", spoil)
    run = tmp_path / "run"
    with pytest.raises(TrainingError, match=r"step 3: .* of the generator is not finite"):
        train_here(replace(config, steps=3), run)
    assert load_checkpoint(run)[1]["step"] == 2


def test_a_checkpoint_is_called_kept_only_where_there_is_one(config, tmp_path, monkeypatch):
    monkeypatch.setattr(losses, "pixel_distance", nan_from(1))
    with pytest.raises(TrainingError, match="no checkpoint was saved yet"):
        train_here(replace(config, steps=1), tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_a_broken_checkpoint_is_neither_resumed_nor_exported(config, run, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    for part in ("generator", "ema"):
        next(iter(state[part].values())).fill_(float("nan"))
    torch.save(state, broken / "checkpoint.pt")
    with pytest.raises(TrainingError, match="is not finite"):
        train_here(config, broken, resume=True)
    with pytest.raises(TrainingError, match="is not finite"):
        export_checkpoint(broken, tmp_path / "broken.onnx")
    assert not (tmp_path / "broken.onnx").exists()


def test_ctrl_c_in_the_initialisation_saves_too(config, tmp_path):
    def stop(step, terms):
        signal.raise_signal(signal.SIGINT)

    alone = replace(config, init_steps=3, save_every=50, guard_every=50)
    with pytest.raises(KeyboardInterrupt):
        train_here(alone, tmp_path / "run", progress=stop)
    assert load_checkpoint(tmp_path / "run")[1]["step"] == 1


def test_the_log_has_each_step_once_after_a_crash(config, run, tmp_path):
    def crash(step, terms):
        if step == 3:
            raise OSError("the machine went down")

    parts = tmp_path / "parts"
    with pytest.raises(OSError, match="went down"):
        train_here(config, parts, progress=crash)
    with (parts / "log.jsonl").open("a") as log:
        log.write('{"step": 4, "fl')  # torn
    train_here(config, parts, resume=True)
    lines = [json.loads(line) for line in (parts / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]


def test_a_run_that_begins_anew_begins_its_log_anew(config, tmp_path):
    short = replace(config, steps=2)
    for _ in range(2):
        train_here(short, tmp_path / "run")
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]


def test_ctrl_c_is_answered_at_once_and_a_second_one_ends_at_once(config, tmp_path, capfd):
    steps = []

    def stop(step, terms):
        steps.append(step)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        steps.append("never")

    with pytest.raises(KeyboardInterrupt):
        train_here(config, tmp_path / "run", progress=stop)
    assert steps == [1]
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
    assert "Ctrl-C again ends at once" in capfd.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.set_wakeup_fd(-1) == -1


DEAF = """
import hashlib
from sakuga.console import noted_ctrl_c
from sakuga.train.loop import STOPPING

with noted_ctrl_c(STOPPING, insists=True):
    print("ready", flush=True)
    # One bytecode of many minutes, in which Python's own handlers are not heard.
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
print("heard too late")
"""


def test_ctrl_c_is_heard_inside_one_long_computation():
    command = [sys.executable, "-c", DEAF]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as deaf:
        assert deaf.stdout.readline() == "ready\n"
        time.sleep(1)  # until it is deep in it
        deaf.send_signal(signal.SIGINT)
        assert "Ctrl-C again ends at once" in deaf.stderr.readline()
        deaf.send_signal(signal.SIGINT)
        told, _ = deaf.communicate(timeout=60)
    assert deaf.returncode == 130
    assert told == ""
