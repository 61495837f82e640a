"""Downloads from a server that misbehaves in every way we could think of."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import misbehaving_server as ms
import pytest
from misbehaving_server import Server, picture_bytes, serving

from sakuga.data.download import Schedule, copy_local, download
from sakuga.data.fetch import Download, Fetched, Fetcher, Limits, is_public
from sakuga.data.picture_set import Entry, PictureSet
from sakuga.errors import DataError, OutputError

MADE_BY = {"verb": "test"}
# As in real life, but without the waiting.
FAST = Limits(
    workers=8,
    first_backoff_s=0.01,
    silence_s=0.5,
    picture_s=1.0,
    max_bytes=3_000_000,
    max_pixels=1_000_000,
    allow_private=True,
)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as it:
        yield it


def fetch_all(server: Server, folder: Path, paths: list[str], limits: Limits = FAST) -> PictureSet:
    jobs = [Download(server.url + path, Path(path).stem) for path in paths]
    with PictureSet(folder, MADE_BY) as pictures:
        download(jobs, pictures, limits)
    assert_consistent(folder)
    return pictures


def assert_consistent(folder: Path) -> None:
    """Every line has its file and every file its line, to the byte; nothing else lies about."""
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    files = {path.name for path in folder.iterdir()}
    assert files - {"manifest.jsonl", "rejected.jsonl", "set.json"} == {x["file"] for x in lines}
    assert len({line["file"] for line in lines}) == len(lines)
    for line in lines:
        content = (folder / line["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == line["sha256"]
        assert len(content) == line["bytes"]


GOOD = picture_bytes(0)

LOSSES = {
    "dropped": (ms.drop, "connection lost"),
    "gone": (ms.fail(404), "status 404"),
    "forbidden": (ms.fail(403), "status 403"),
    "broken": (ms.fail(500), "status 500"),
    "throttled": (ms.fail(429, Retry_After="0"), "status 429"),
    "half": (ms.truncate(GOOD), "truncated"),
    "half-unannounced": (ms.truncate(GOOD, announced=False), "damaged"),
    "html": (ms.give(b"<!doctype html><p>Not here", Content_Type="image/jpeg"), "not a picture"),
    "empty": (ms.give(b""), "not a picture"),
    "endless": (ms.never_end, "too large"),
    "dripping": (ms.drip, "too slow"),
    "dripping-header": (ms.drip_header, "too slow"),
    "silent": (ms.give(GOOD, after_s=2.0), "no answer in time"),
    "gigabyte": (ms.announce(1 << 30), "too large"),
    "bomb": (ms.give(picture_bytes(1, side=1200, file_format="PNG")), "too many pixels"),
    "loop": (ms.redirect("/loop.jpg"), "redirect loop"),
    "file-scheme": (ms.redirect("file:///etc/passwd"), "not http or https"),
    "bad-redirect": (ms.redirect("http://[oops/"), "not a URL"),
    "psd": (ms.give(b"8BPS" + bytes(60)), None),
}


def test_everything_to_be_had_is_had_and_every_loss_is_listed(
    server: Server, tmp_path: Path
) -> None:
    for name, (behaviour, _) in LOSSES.items():
        server.routes[f"/{name}.jpg"] = behaviour
    had = {
        "plain": ms.give(picture_bytes(1)),
        "slow": ms.give(picture_bytes(2), after_s=0.3),
        "second-time": ms.first(ms.fail(500), 1, ms.give(picture_bytes(3))),
        "after-a-drop": ms.first(ms.drop, 2, ms.give(picture_bytes(4))),
        "after-429": ms.first(ms.fail(429, Retry_After="0"), 1, ms.give(picture_bytes(5))),
        "whole-at-last": ms.first(ms.truncate(GOOD), 1, ms.give(picture_bytes(6))),
        "moved": ms.redirect("/plain.jpg"),
        "really-png": ms.give(picture_bytes(7, file_format="PNG")),
    }
    for name, behaviour in had.items():
        server.routes[f"/{name}.jpg"] = behaviour

    pictures = fetch_all(server, tmp_path / "set", [*server.routes])

    names = {Path(file).stem for file in pictures.entries}
    assert names == set(had)
    assert "really-png.png" in pictures.entries
    reasons = {Path(url).stem: loss.reason for url, loss in pictures.rejects.items()}
    assert set(reasons) == set(LOSSES)
    for name, (_, reason) in LOSSES.items():
        assert reason in (None, reasons[name]), name
    assert server.asked["/gone.jpg"] == 1  # a 404 stays a 404
    assert server.asked["/broken.jpg"] == FAST.attempts
    assert all(agent.startswith("sakuga/") for agent in server.agents)


def test_a_second_run_asks_for_nothing(server: Server, tmp_path: Path) -> None:
    server.otherwise = ms.give(GOOD)
    paths = [f"/{i}.jpg" for i in range(20)]
    fetch_all(server, tmp_path / "set", paths)
    before = server.asked.copy()
    manifest = (tmp_path / "set" / "manifest.jsonl").read_bytes()
    fetch_all(server, tmp_path / "set", paths)
    assert server.asked == before
    assert (tmp_path / "set" / "manifest.jsonl").read_bytes() == manifest


def test_a_loss_is_tried_again_by_the_next_run_and_leaves_the_list(
    server: Server, tmp_path: Path
) -> None:
    server.routes["/a.jpg"] = ms.fail(404)
    assert len(fetch_all(server, tmp_path / "set", ["/a.jpg"]).rejects) == 1
    server.routes["/a.jpg"] = ms.give(GOOD)
    assert fetch_all(server, tmp_path / "set", ["/a.jpg"]).rejects == {}
    assert (tmp_path / "set" / "rejected.jsonl").read_text() == ""


def test_a_picture_that_was_deleted_is_fetched_again(server: Server, tmp_path: Path) -> None:
    server.otherwise = ms.give(GOOD)
    fetch_all(server, tmp_path / "set", ["/a.jpg", "/b.jpg"])
    (tmp_path / "set" / "a.jpg").unlink()
    fetch_all(server, tmp_path / "set", ["/a.jpg", "/b.jpg"])
    assert server.asked == {"/a.jpg": 2, "/b.jpg": 1}


@pytest.mark.parametrize("header", ["1", lambda: formatdate(time.time() + 2, usegmt=True)])
def test_retry_after_stops_all_requests_to_that_host(
    server: Server, tmp_path: Path, header: object
) -> None:
    times: list[float] = []
    lock = threading.Lock()

    def behave(handler: ms.Handler, count: int) -> None:
        with lock:
            times.append(time.monotonic())
            number = len(times)
        if number == 1:
            value = header() if callable(header) else header
            handler.answer(429, b"", Retry_After=str(value))
        else:
            handler.answer(200, GOOD)

    server.otherwise = behave
    limits = Limits(workers=4, per_host=1, first_backoff_s=0.01, allow_private=True)
    pictures = fetch_all(server, tmp_path / "set", [f"/{i}.jpg" for i in range(6)], limits)
    assert len(pictures.entries) == 6
    assert times[1] - times[0] >= 0.9


def test_a_host_that_asks_for_an_hour_is_left_alone(server: Server, tmp_path: Path) -> None:
    server.otherwise = ms.fail(429, Retry_After="3600")
    limits = Limits(workers=1, attempts=1, allow_private=True)
    pictures = fetch_all(server, tmp_path / "set", [f"/{i}.jpg" for i in range(9)], limits)
    assert sum(server.asked.values()) == 1
    assert len(pictures.rejects) == 9


def test_no_more_requests_at_a_time_than_allowed(server: Server, tmp_path: Path) -> None:
    server.otherwise = ms.give(GOOD, after_s=0.03)
    limits = Limits(workers=12, per_host=3, allow_private=True)
    fetch_all(server, tmp_path / "set", [f"/{i}.jpg" for i in range(30)], limits)
    assert 2 <= server.most_active <= 3


def test_a_paused_host_holds_up_no_other(server: Server, tmp_path: Path) -> None:
    with serving() as other:
        server.otherwise = ms.first(ms.fail(429, Retry_After="1"), 1, ms.give(GOOD))
        other.otherwise = ms.give(GOOD)
        finished: dict[str, float] = {}
        jobs = [Download(f"{server.url}/a{i}", f"a{i}") for i in range(4)]
        jobs += [Download(f"{other.url}/b{i}", f"b{i}") for i in range(20)]
        began = time.monotonic()
        with PictureSet(tmp_path / "set", MADE_BY) as pictures:
            keep = pictures.keep

            def noting(part: Path, entry: Entry) -> None:
                finished[entry.file] = time.monotonic() - began
                keep(part, entry)

            pictures.keep = noting  # type: ignore[method-assign]
            download(jobs, pictures, Limits(workers=2, per_host=2, allow_private=True))
        assert max(t for file, t in finished.items() if file[0] == "b") < 0.9
        assert min(t for file, t in finished.items() if file[0] == "a") >= 0.9


def test_private_addresses_are_refused_also_behind_names_and_redirects(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.otherwise = ms.give(GOOD)
    by_name = server.url.replace("127.0.0.1", "localhost")
    jobs = [
        Download(f"{server.url}/a", "a"),
        Download(f"{by_name}/b", "b"),
        Download("ftp://x/y", "c"),
    ]
    with PictureSet(tmp_path / "set", MADE_BY) as pictures:
        download(jobs, pictures, Limits(attempts=1))
    reasons = [pictures.rejects[job.url].reason for job in jobs]
    assert reasons == ["private address", "private address", "not http or https"]
    assert not server.asked

    # A public first hop (made so here) that redirects to a private address.
    with serving() as inner:
        inner.otherwise = ms.give(GOOD)
        server.routes["/out"] = ms.redirect(f"{inner.url}/secret")
        ports = iter([True, False])
        monkeypatch.setattr("sakuga.data.fetch.is_public", lambda address: next(ports))
        with PictureSet(tmp_path / "set2", MADE_BY) as pictures:
            download([Download(f"{server.url}/out", "a")], pictures, Limits(attempts=1))
        assert pictures.rejects[f"{server.url}/out"].reason == "private address"
        assert server.asked["/out"] == 1
        assert not inner.asked


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("::ffff:8.8.8.8", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::a00:1", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_full_disk_is_said_and_nothing_is_lost(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.otherwise = ms.give(GOOD)
    paths = [f"/{i}.jpg" for i in range(12)]
    fetch = Fetcher.fetch
    calls = itertools.count()

    def filling(self: Fetcher, url: str, target: Path) -> Fetched:
        if next(calls) >= 5:
            target.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        return fetch(self, url, target)

    with monkeypatch.context() as patch:
        patch.setattr(Fetcher, "fetch", filling)
        with pytest.raises(OutputError, match="disk is full after 5 pictures"):
            fetch_all(server, tmp_path / "set", paths)
    assert_consistent(tmp_path / "set")
    assert len(fetch_all(server, tmp_path / "set", paths).entries) == 12
    assert max(server.asked.values()) == 1


def test_killed_and_run_again_500_pictures_none_twice(server: Server, tmp_path: Path) -> None:
    server.otherwise = lambda handler, times: handler.answer(
        200, picture_bytes(int(handler.path[1:-4]), side=32)
    )
    script = f"""
from pathlib import Path
from sakuga.data.download import download
from sakuga.data.fetch import Download, Limits
from sakuga.data.picture_set import PictureSet
jobs = [Download(f"{server.url}/{{i}}.jpg", f"{{i:06}}") for i in range(500)]
with PictureSet(Path({str(tmp_path / "set")!r}), {MADE_BY}) as pictures:
    download(jobs, pictures, Limits(workers=8, allow_private=True))
"""
    kills = 0
    for had in (100, 300):
        process = subprocess.Popen([sys.executable, "-c", script])
        while sum(server.asked.values()) < had and process.poll() is None:
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
    assert kills == 2
    # What a kill in the middle of a line leaves behind.
    with (tmp_path / "set" / "manifest.jsonl").open("ab") as file:
        file.write(b'{"file": "000499.j')
    subprocess.run([sys.executable, "-c", script], check=True)

    assert_consistent(tmp_path / "set")
    assert len(list((tmp_path / "set").glob("*.jpg"))) == 500
    assert len(server.asked) == 500
    assert sum(server.asked.values()) <= 500 + kills * 8  # those in flight
    asked_before = server.asked.copy()
    subprocess.run([sys.executable, "-c", script], check=True)
    assert server.asked == asked_before


def test_ctrl_c_ends_soon_and_leaves_no_part(server: Server, tmp_path: Path) -> None:
    server.otherwise = ms.drip
    limits = Limits(workers=4, allow_private=True)  # two minutes for a picture

    def interrupt(done: int, total: int | None) -> None:
        if server.active == 4:
            raise KeyboardInterrupt

    began = time.monotonic()
    jobs = [Download(f"{server.url}/{i}", str(i)) for i in range(20)]
    with (
        pytest.raises(KeyboardInterrupt),
        PictureSet(tmp_path / "set", MADE_BY) as pictures,
    ):
        download(jobs, pictures, limits, interrupt)
    assert time.monotonic() - began < 3
    assert_consistent(tmp_path / "set")


def test_jobs_that_break_half_way_stop_the_run_with_their_own_error(
    server: Server, tmp_path: Path
) -> None:
    server.otherwise = ms.give(GOOD)

    def jobs() -> Iterator[Download]:
        yield Download(f"{server.url}/a.jpg", "a")
        raise DataError("line 2 is broken")

    with (
        pytest.raises(DataError, match="line 2"),
        PictureSet(tmp_path / "set", MADE_BY) as pictures,
    ):
        download(jobs(), pictures, FAST)


def test_a_local_copy_is_checked_as_well(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(GOOD)
    (tmp_path / "images" / "b.jpg").write_bytes(b"<html>")
    jobs = [Download(f"http://host.example/{name}.jpg", name) for name in "abc"]
    with PictureSet(tmp_path / "set", MADE_BY) as pictures:
        copy_local(jobs, tmp_path / "images", pictures)
    assert list(pictures.entries) == ["a.jpg"]
    reasons = [pictures.rejects[f"http://host.example/{name}.jpg"].reason for name in "bc"]
    assert reasons == ["not a picture", "no such file"]
    assert_consistent(tmp_path / "set")


def test_schedule_lets_a_second_host_by_when_the_first_is_busy() -> None:
    jobs = [
        Download("http://one/1", "1"),
        Download("http://one/2", "2"),
        Download("http://two/3", "3"),
    ]
    schedule = Schedule(iter(jobs), per_host=1)
    first, second = schedule.take(), schedule.take()
    assert first is not None and second is not None
    assert [first.job.name, second.job.name] == ["1", "3"]
    assert schedule.take() is None  # both hosts are at their limit
    schedule.done(first)
    third = schedule.take()
    assert third is not None and third.job.name == "2"
    schedule.done(second)
    assert not schedule.is_over
    schedule.done(third)
    assert schedule.take() is None and schedule.is_over
    assert schedule.total == 3
