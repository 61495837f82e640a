"""Training on several devices: two ranks do what one does, and one goes on where two stopped."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training import draw_pictures, tiny_config, train_here

from sakuga.cli import run as sakuga
from sakuga.errors import DeviceError, OptionError, TrainingError
from sakuga.train.checkpoint import load_checkpoint
from sakuga.train.config import TrainConfig, config_to_json
from sakuga.train.distributed import is_first_process, open_fabric
from sakuga.train.precision import choose_precision

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric")

STEPS = 20
# Sums of float32 in another order differ in the last bits, and Adam and the discriminators carry
# that on: by step 20 a term was seen to differ by 3.4e-4 of its size.
TOLERANCE = 2e-3

# Runs in every rank: trains, keeps the checkpoint of step 10, and says what its average became.
RANK = """
import copy, hashlib, json, os, pathlib, shutil, sys, types
from sakuga.train import loop, state
from sakuga.train.config import config_from

config = config_from(json.loads(pathlib.Path(sys.argv[1]).read_text()))
run, kept = pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
averages = []

def deepcopy(network):
    averages.append(copy.deepcopy(network))
    return averages[0]

state.copy = types.SimpleNamespace(deepcopy=deepcopy)

def keep(step, terms):
    if step == 10:
        kept.mkdir()
        shutil.copy(run / "checkpoint.pt", kept)

loop.train(config, run, accelerator="cpu", progress=keep)
digest = hashlib.sha256()
for name, value in averages[0].state_dict().items():
    digest.update(value.numpy().tobytes())
(kept / f"average-{os.environ['RANK']}").write_text(digest.hexdigest())
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    root = tmp_path_factory.mktemp("data")
    return tiny_config(
        draw_pictures(root / "photos", 5, seed=1),
        draw_pictures(root / "anime", 5, seed=2),
        batch=4,
        steps=STEPS,
        init_steps=4,
        sheet_every=100,
        guard_every=10,
        save_every=10,
    )


@pytest.fixture(scope="module")
def one_rank(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("one") / "run"
    train_here(config, run)
    return run


@pytest.fixture(scope="module")
def two_ranks(config: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `run`, trained by two gloo ranks, and `kept`, its state after ten steps."""
    root = tmp_path_factory.mktemp("two")
    (root / "config.json").write_text(config_to_json(config))
    (root / "rank.py").write_text(RANK)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2", "rank.py", "config.json", "run", "kept"]
    done = subprocess.run(torchrun, cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return root


def log_of(run: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    for line in lines:
        del line["crops_per_s"]
    return lines


def compare(left: list[dict[str, float]], right: list[dict[str, float]]) -> float:
    """The largest relative difference of any term in any step."""
    assert [line.keys() for line in left] == [line.keys() for line in right]
    worst = 0.0
    for a, b in zip(left, right, strict=True):
        for name in a:
            worst = max(worst, abs(a[name] - b[name]) / max(abs(b[name]), 1e-3))
    return worst


def test_two_ranks_lose_what_one_loses(one_rank: Path, two_ranks: Path) -> None:
    one, two = log_of(one_rank), log_of(two_ranks / "run")
    assert [line["step"] for line in two] == list(range(1, STEPS + 1))
    assert compare(one, two) < TOLERANCE
    assert load_checkpoint(two_ranks / "run")[1]["hardware"].startswith("CPU, 2 x")


def test_a_wrong_seed_would_be_seen(config: TrainConfig, one_rank: Path, tmp_path: Path) -> None:
    other = replace(config, seed=1, steps=5)
    train_here(other, tmp_path / "run")
    assert compare(log_of(one_rank)[:5], log_of(tmp_path / "run")) > 10 * TOLERANCE


def test_the_average_is_the_same_on_both_ranks(two_ranks: Path) -> None:
    averages = [(two_ranks / "kept" / f"average-{rank}").read_text() for rank in (0, 1)]
    assert len(averages[0]) == 64 and averages[0] == averages[1]


def test_one_rank_goes_on_where_two_stopped(
    config: TrainConfig, two_ranks: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoint.pt").write_bytes((two_ranks / "kept" / "checkpoint.pt").read_bytes())
    assert load_checkpoint(run)[1]["step"] == 10
    train_here(config, run, resume=True)
    assert compare(log_of(run), log_of(two_ranks / "run")[10:]) < TOLERANCE
    ours, theirs = load_checkpoint(run)[1]["ema"], load_checkpoint(two_ranks / "run")[1]["ema"]
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=TOLERANCE, atol=1e-5)


def test_passes_add_up_to_a_batch(config: TrainConfig, tmp_path: Path) -> None:
    # Without the discriminators of spectral norm, which learn a little from each pass as well.
    short = replace(config, steps=6, init_steps=2, texture_weight=0.0, surface_weight=0.0)
    for passes in (1, 2):
        run = tmp_path / str(passes)
        train_here(replace(short, accumulate=passes), run)
    assert compare(log_of(tmp_path / "1"), log_of(tmp_path / "2")) < TOLERANCE


def write_recipe(config: TrainConfig, folder: Path) -> None:
    short = json.loads(config_to_json(replace(config, steps=1, init_steps=0)))
    toml = "\n".join(f"{key} = {json.dumps(value)}" for key, value in short.items())
    (folder / "tiny.toml").write_text(toml)


def test_the_command_starts_its_own_ranks(config: TrainConfig, tmp_path: Path) -> None:
    write_recipe(config, tmp_path)
    command = [sys.executable, "-m", "sakuga", "train", "tiny.toml", "--run", "run"]
    command += ["--devices", "2", "--accelerator", "cpu"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert load_checkpoint(tmp_path / "run")[1]["hardware"].startswith("CPU, 2 x")
    assert done.stdout.count("trained:") == 1


def test_the_command_runs_on_two_nodes_without_torchrun(
    config: TrainConfig, tmp_path: Path
) -> None:
    write_recipe(config, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    command = [sys.executable, "-m", "sakuga", "train", "tiny.toml", "--run", "run"]
    command += ["--devices", "1", "--nodes", "2", "--accelerator", "cpu"]
    nodes = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, **meeting, "NODE_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    answers = [node.communicate(timeout=300) for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], answers
    assert ["trained:" in told for told, _ in answers] == [True, False]
    assert load_checkpoint(tmp_path / "run")[1]["hardware"].startswith("CPU, 2 x")


def test_a_batch_that_cannot_be_shared_is_refused(config: TrainConfig, tmp_path: Path) -> None:
    uneven = replace(config, batch=4, accumulate=3)
    with pytest.raises(TrainingError, match="batch 4 cannot be shared evenly by 1 devices in 3"):
        train_here(uneven, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_machines_that_cannot_find_each_other_are_refused() -> None:
    with pytest.raises(OptionError, match="--nodes 2: the machines must find each other"):
        open_fabric(1, 2, "cpu", "32-true")


def test_torchrun_decides_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x",
        "LOCAL_WORLD_SIZE": "2",
        "WORLD_SIZE": "4",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(OptionError, match="torchrun started 2 processes"):
        open_fabric(4, 1, "cpu", "32-true")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has the device")
def test_a_missing_device_is_told() -> None:
    with pytest.raises(DeviceError, match="--accelerator cuda"):
        open_fabric(1, 1, "cuda", "32-true")


def test_only_the_first_process_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert is_first_process()
    monkeypatch.setenv("NODE_RANK", "1")
    assert not is_first_process()
    monkeypatch.setenv("RANK", "0")
    assert is_first_process()
    assert os.environ["RANK"] == "0"


@pytest.mark.parametrize(
    ("avx512", "amx", "chosen"),
    [(False, False, "32-true"), (True, False, "bf16-mixed"), (False, True, "bf16-mixed")],
)
def test_auto_is_bfloat16_only_where_the_processor_computes_it(
    monkeypatch: pytest.MonkeyPatch, avx512: bool, amx: bool, chosen: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    found, why = choose_precision("auto", "cpu")
    assert found == chosen
    assert ("only emulates" in why) == (chosen == "32-true")
    found, why = choose_precision("bf16-mixed", "cpu")
    assert found == "bf16-mixed" and "as the config says" in why


@pytest.mark.parametrize(("fast", "chosen"), [(False, "32-true"), (True, "bf16-mixed")])
def test_auto_asks_the_gpu_whether_it_only_emulates(
    monkeypatch: pytest.MonkeyPatch, fast: bool, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "GPU of a test")
    monkeypatch.setattr(
        torch.cuda,
        "is_bf16_supported",
        lambda including_emulation=True: fast or including_emulation,
    )
    found, why = choose_precision("auto", "auto")
    assert found == chosen and "GPU of a test" in why
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert choose_precision("auto", "cpu")[0] == "32-true"


def test_the_default_is_auto_and_the_command_says_what_it_is_here(
    config: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TrainConfig().precision == "auto"
    write_recipe(replace(config, precision="auto"), tmp_path)
    chosen, why = choose_precision("auto", "cpu")
    command = ["train", str(tmp_path / "tiny.toml"), "--accelerator", "cpu"]
    assert sakuga([*command, "--dry-run"]) == 0
    assert f"precision: {chosen} ({why})" in capsys.readouterr().out
    assert sakuga([*command, "--run", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().err.splitlines()[0] == f"precision: {chosen} ({why})"


STOPPED = """
import json, os, pathlib, signal, sys
from sakuga.train import loop
from sakuga.train.config import config_from

config = config_from(json.loads(pathlib.Path(sys.argv[1]).read_text()))
drawn = loop.draw_batch

def draw_batch(config, photos, anime, step, fabric):
    if step == 2 and fabric.global_rank == 1:
        signal.raise_signal(signal.SIGINT)
    return drawn(config, photos, anime, step, fabric)

loop.draw_batch = draw_batch
try:
    loop.train(config, pathlib.Path("run"), accelerator="cpu", devices=2)
except KeyboardInterrupt:
    pathlib.Path(f"stopped-{os.environ.get('LOCAL_RANK', 0)}").touch()
"""


def test_all_ranks_stop_at_the_step_at_which_one_was_asked_to(
    config: TrainConfig, tmp_path: Path
) -> None:
    """Else the others wait for it for ever."""
    (tmp_path / "config.json").write_text(config_to_json(config))
    (tmp_path / "rank.py").write_text(STOPPED)
    command = [sys.executable, "rank.py", "config.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "stopped-0").exists() and (tmp_path / "stopped-1").exists()
    assert load_checkpoint(tmp_path / "run")[1]["step"] == 3
