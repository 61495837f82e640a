"""A batch on a real Ray cluster: killed and run again, joined, refused, out of space.

SAKUGA_CHAOS_PICTURES=2000 makes the test that kills as large as you like.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sakuga.batch import cluster as cluster_module
from sakuga.batch import source
from sakuga.batch.cluster import check_address, joined
from sakuga.batch.run import Options, run_batch
from sakuga.console import explain_wait
from sakuga.errors import ClusterError, InputError, OptionError, OutputError
from sakuga.painting.stylizer import Stylizer

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's are not ours to mend

CHAOS_PICTURES = int(os.environ.get("SAKUGA_CHAOS_PICTURES", "150"))
WAIT_S = 240


def draw_pictures(folder: Path, count: int, *, side: int, corrupt: int = 0) -> Path:
    dice = np.random.default_rng(0)
    base = dice.integers(0, 256, (side, side, 3), dtype=np.uint8)
    for index in range(count):
        path = folder / str(index % 7) / f"{index:05}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.roll(base, index, axis=1)[: side - index % 5]
        Image.fromarray(pixels).save(path, compress_level=0)
        if corrupt and index % (count // corrupt) == 3:
            path.write_bytes(path.read_bytes()[: side * side])
    return folder


def results(out: Path) -> list[Path]:
    return [path for path in (out / "pictures").rglob("*.png") if not path.name.startswith(".")]


def manifest(out: Path) -> list[dict[str, Any]]:
    if not (out / "manifest").is_dir():
        return []
    rows: list[dict[str, Any]] = pq.read_table(out / "manifest").to_pylist()
    return rows


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert process.poll() is None, "the batch ended before it could be killed"
        assert time.monotonic() < end_s, "nothing happens"
        time.sleep(0.05)


def start(folder: Path, style: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sakuga", "batch", "in", "out", "--style", str(style)]
    with (folder / "driver.log").open("ab") as log:
        return subprocess.Popen(
            [*command, "--workers", "2", "--json"], cwd=folder, stdout=log, stderr=log
        )


def test_killed_and_run_again_every_picture_is_there_once(tmp_path: Path, tiny_style: Path) -> None:
    corrupt = max(1, CHAOS_PICTURES // 100)
    draw_pictures(tmp_path / "in", CHAOS_PICTURES, side=256, corrupt=corrupt)
    out = tmp_path / "out"
    driver = start(tmp_path, tiny_style)
    wait_for(lambda: len(results(out)) > CHAOS_PICTURES / 3, driver)
    painters = [
        process
        for process in psutil.Process(driver.pid).children(recursive=True)
        if "Painter" in process.name() or "Painter" in " ".join(process.cmdline())
    ]
    assert len(painters) == 2
    painters[0].kill()
    wait_for(lambda: len(results(out)) > CHAOS_PICTURES * 2 / 3 and bool(manifest(out)), driver)
    children = psutil.Process(driver.pid).children(recursive=True)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    psutil.wait_procs(children, timeout=30)
    recorded = manifest(out)
    kept = {
        row["result"]: (out / row["result"]).stat().st_mtime_ns for row in recorded if row["result"]
    }
    assert kept and len(recorded) < CHAOS_PICTURES
    status = start(tmp_path, tiny_style).wait(WAIT_S)
    log = (tmp_path / "driver.log").read_text()
    assert status == 1, log
    summary = json.loads(next(line for line in log.splitlines() if line.startswith("{")))
    assert summary["before"] == len(recorded)
    assert summary["before"] + summary["painted"] + summary["failed"] == CHAOS_PICTURES
    for result, mtime_ns in kept.items():  # what was recorded was not painted again
        assert (out / result).stat().st_mtime_ns == mtime_ns
    rows = manifest(out)
    names = {str(path.relative_to(tmp_path / "in")) for path in (tmp_path / "in").rglob("*.png")}
    assert sorted(row["source"] for row in rows) == sorted(names)
    failed = [row for row in rows if row["status"] == "failed"]
    assert len(failed) == corrupt and all("damaged" in row["error"] for row in failed)
    assert len(results(out)) == CHAOS_PICTURES - corrupt
    stylizer = Stylizer(tiny_style, device="cpu", threads=1)
    for row in rows[:: CHAOS_PICTURES // 20]:
        if row["status"] == "painted":
            content = (out / row["result"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == row["result_sha256"]
            photo = np.asarray(Image.open(tmp_path / "in" / row["source"]))
            anime = np.asarray(Image.open(out / row["result"]))
            np.testing.assert_array_equal(anime, stylizer(photo))
    assert not [path for path in out.rglob("*") if path.name.endswith(".tmp.png")][5:]


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """A cluster of this process, which `run_batch` then uses."""
    with joined(None, 2, "cpu"):
        yield


def test_windows_of_pictures_into_shards_and_again(
    cluster: None, tmp_path: Path, tiny_style: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "WINDOW", 13)
    folder = draw_pictures(tmp_path / "in", 20, side=16, corrupt=2)
    out = tmp_path / "out"

    def run(**options: Any) -> Any:
        chosen = Options(workers=2, pictures_per_shard=6, quiet=True, **options)
        style = str(tiny_style)
        return run_batch(str(folder), str(out), style=style, output="shards", options=chosen)

    first = run()
    assert (first.painted, first.failed, first.before) == (18, 2, 0)
    rows = manifest(out)
    names = {row["result"].split("/")[1] for row in rows if row["result"]}
    members = set()
    for name in names:
        with tarfile.open(out / "shards" / name) as archive:
            members |= {f"shards/{name}/{member}" for member in archive.getnames()}
    assert {row["result"] for row in rows if row["result"]} == {
        member for member in members if member.endswith(".png")
    }
    assert len(members) == 36 and 3 <= len(names) < 10
    (out / "shards/shard-0123456789abcdef.tar").write_bytes(b"of a run that was killed")
    good = next(row["source"] for row in rows if row["status"] == "painted")
    bad = next(row["source"] for row in rows if row["status"] == "failed")
    (folder / bad).write_bytes((folder / good).read_bytes())
    again = run()
    assert (again.painted, again.failed, again.before) == (0, 0, 20)
    assert len(again.failures) == 2
    retried = run(retry=True)
    assert (retried.painted, retried.failed, retried.before) == (1, 1, 18)
    assert not (out / "shards/shard-0123456789abcdef.tar").exists()
    assert len(manifest(out)) == 20


def test_a_disk_that_fills_up_ends_the_run_in_one_sentence(
    cluster: None, tmp_path: Path, tiny_style: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("may not mount a small disk here")
    try:
        folder = draw_pictures(tmp_path / "in", 20, side=128)
        options = Options(workers=1, quiet=True)
        with pytest.raises(OutputError, match=r"cannot be written \(No space left on device\)"):
            run_batch(str(folder), str(small / "out"), style=str(tiny_style), options=options)
        assert len(manifest(small / "out")) == 0 or len(results(small / "out")) > 0
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_more_painters_than_the_cluster_has_are_refused(
    cluster: None, tmp_path: Path, tiny_style: Path
) -> None:
    folder = draw_pictures(tmp_path / "in", 1, side=16)
    with pytest.raises(OptionError, match=r"--workers 500: the cluster has \d+ cores"):
        run_batch(
            str(folder), str(tmp_path / "out"), style=str(tiny_style), options=Options(workers=500)
        )


@pytest.mark.parametrize(
    ("said", "message"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "is no Ray cluster"), (b"", r"\(timed out\)")],
)
def test_what_answers_and_is_no_cluster_is_told(
    monkeypatch: pytest.MonkeyPatch, said: bytes, message: str
) -> None:
    monkeypatch.setattr(cluster_module, "_CONNECT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def answer() -> None:
            link, _ = listening.accept()
            with link:
                link.sendall(said)
                while link.recv(100):  # until the other hangs up
                    pass

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ClusterError, match=message):
            check_address(f"127.0.0.1:{port}")
        thread.join(10)
    assert not thread.is_alive()


def test_a_cluster_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(cluster_module, "_start", fail)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(ClusterError, match=r"on this machine cannot be used \(The current node"):
        joined(None, 1, "cpu").__enter__()


@pytest.mark.parametrize("quiet", [False, True])
def test_a_long_wait_for_ray_is_explained(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], quiet: bool
) -> None:
    def starved(*_: object) -> None:
        time.sleep(0.5)
        raise RuntimeError("no core was free")

    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)  # whatever other tests left running
    monkeypatch.setattr("sakuga.console.WAIT_S", 0.1)
    monkeypatch.setattr(cluster_module, "_start", starved)
    with pytest.raises(ClusterError), joined(None, 1, "cpu", quiet=quiet):
        pass
    told = "still waiting for the Ray cluster to start on this machine"
    assert (told in capfd.readouterr().err) is not quiet


def test_a_short_wait_is_not(capfd: pytest.CaptureFixture[str]) -> None:
    with explain_wait("nothing"):
        pass
    assert capfd.readouterr().err == ""


def test_a_cluster_is_known_by_its_answer(cluster: None) -> None:
    import ray

    check_address(ray.get_runtime_context().gcs_address)


def test_what_cannot_work_is_told_before_anything_starts(tmp_path: Path, tiny_style: Path) -> None:
    folder, out = str(draw_pictures(tmp_path / "in", 1, side=16)), str(tmp_path / "out")

    def run(source: str = folder, out: str = out, **options: Any) -> None:
        run_batch(source, out, style=str(tiny_style), options=Options(**options))

    started_s = time.monotonic()
    with pytest.raises(ClusterError, match=r"no Ray cluster answers at 127\.0\.0\.1:9 \("):
        run(address="127.0.0.1:9")
    with pytest.raises(OptionError, match="does not run through Ray Client"):
        run(address="ray://127.0.0.1:10001")
    with pytest.raises(OptionError, match="neither auto nor HOST:PORT"):
        run(address="somewhere")
    with pytest.raises(OptionError, match="workers is 0"):
        run(workers=0)
    with pytest.raises(OptionError, match="lie in each other"):
        run(out=f"{folder}/out")
    with pytest.raises(OptionError, match="lie in each other"):
        run(out=str(tmp_path))
    with pytest.raises(InputError, match="nonsense://"):
        run(source="nonsense://bucket")
    assert not Path(out).exists()
    assert time.monotonic() - started_s < 20
