"""The server as a process: it starts or says why not, ends quickly, and waits for nobody."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import clips
import httpx2 as httpx
import pytest
from serving import Running, command, picture, running

from sakuga.errors import OptionError
from sakuga.web.server import scratch_folder
from sakuga.web.settings import Settings

HEADERS = b"Host: 127.0.0.1\r\nConnection: close\r\n"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, tiny_style: Path) -> Iterator[Running]:
    """A server that waits for a second only."""
    settings = {"patience_s": 1.0, "slowest_bytes_per_s": 50_000, "picture_bytes": 400_000}
    with running(tmp_path_factory.mktemp("server"), tiny_style.parent, settings=settings) as server:
        yield server


def test_it_says_where_it_is_and_ends_with_sigterm(tmp_path: Path, two_styles: Path) -> None:
    with running(tmp_path, two_styles, "--port", "0") as server:
        assert server.address.startswith("http://127.0.0.1:")
        (scratch,) = server.temporary.iterdir()
        assert scratch.stat().st_mode & 0o777 == 0o700
        video = clips.make_clip(tmp_path / "clip.mp4", frames=2000)
        job = httpx.post(f"{server.address}api/videos", content=video.read_bytes()).json()
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if httpx.get(f"{server.address}api/jobs/{job['id']}").json()["state"] == "painting":
                break
        with httpx.stream("GET", f"{server.address}api/jobs/{job['id']}/events") as events:
            assert events.status_code == 200
            began = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(10) == 143
        assert time.monotonic() - began < 5
        assert list(server.temporary.iterdir()) == []
        assert (tmp_path / "server.log").read_text() == ""


def test_ctrl_c_ends_it_too(tmp_path: Path, two_styles: Path) -> None:
    with running(tmp_path, two_styles, "--port", "0") as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 130
        assert list(server.temporary.iterdir()) == []
        assert (tmp_path / "server.log").read_text().strip() == "sakuga: stopped"


def test_what_a_killed_server_left_is_removed_by_the_next(tmp_path: Path, two_styles: Path) -> None:
    with running(tmp_path, two_styles, "--port", "0") as killed:
        (old,) = killed.temporary.iterdir()
        (old / "picture-1").write_bytes(b"x")
        killed.process.kill()
        killed.process.wait(10)
    with running(tmp_path, two_styles, "--port", "0") as first:
        assert not old.exists()
        with running(tmp_path, two_styles, "--port", "0"):
            assert len(list(first.temporary.iterdir())) == 2  # a living server's stays


def test_scratch_is_gone_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(RuntimeError), scratch_folder() as folder:
        (folder / "upload").write_bytes(b"x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def refused(tmp_path: Path, styles: Path | None, *arguments: str) -> str:
    """What `sakuga serve` says on stderr when it does not start."""
    environment = os.environ | {"SAKUGA_STYLES": str(styles or tmp_path / "none")}
    done = subprocess.run(
        command(*arguments), env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("sakuga: ") and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_port_in_use_is_one_line(tmp_path: Path, two_styles: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refused(tmp_path, two_styles, "--port", str(taken.getsockname()[1]))
    assert "something else listens there already; choose another with --port" in said


def test_an_address_of_another_machine_is_one_line(tmp_path: Path, two_styles: Path) -> None:
    said = refused(tmp_path, two_styles, "--host", "192.0.2.1", "--token", "x" * 16)
    assert "does not have that address" in said


@pytest.mark.parametrize(
    ("host", "token", "says"),
    [
        ("0.0.0.0", None, "choose a password"),
        ("192.168.1.7", None, "choose a password"),
        ("example.org", None, "choose a password"),
        ("127.0.0.1", "short", "16 characters or more"),
        ("127.0.0.1", "with spaces in the middle", "without spaces"),
    ],
)
def test_a_token_is_wanted_for_other_machines(host: str, token: str | None, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        Settings(host=host, token=token)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.7", "::1", "localhost"])
def test_no_token_is_wanted_for_this_machine(host: str) -> None:
    assert Settings(host=host).token is None


def test_a_connection_without_a_request_is_closed(impatient: Running) -> None:
    began = time.monotonic()
    assert impatient.send(b"") == b""
    assert impatient.send(b"GET /api/styles HTTP/1.1\r\nHost: 127.0") == b""
    assert time.monotonic() - began < 10


def test_dripping_headers_do_not_keep_a_connection(impatient: Running) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=20) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        until = time.monotonic() + 10
        closed = False
        while not closed and time.monotonic() < until:
            try:
                connection.sendall(b"X-A: b\r\n")
                time.sleep(0.1)
            except OSError:
                closed = True
        assert closed


def test_a_second_request_may_not_drip_either(impatient: Running) -> None:
    first = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    began = time.monotonic()
    answer = impatient.send(first, then=b"GET /healthz HT", after_s=0.2)
    assert answer.count(b"HTTP/1.1 200") == 1
    assert time.monotonic() - began < 10


def test_a_body_that_stalls_is_answered_408(impatient: Running) -> None:
    head = b"POST /api/paint HTTP/1.1\r\n" + HEADERS + b"Content-Length: 100000\r\n\r\n"
    answer = impatient.send(head + b"\x89PNG\r\n\x1a\n")
    assert answer.startswith(b"HTTP/1.1 408"), answer
    assert b"stalled after 8 bytes" in answer
    assert impatient.left_behind() == []


def test_a_body_that_drips_is_answered_408(impatient: Running) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=20) as connection:
        connection.sendall(
            b"POST /api/paint HTTP/1.1\r\n" + HEADERS + b"Content-Length: 100000\r\n\r\n"
        )
        connection.settimeout(0.1)
        answer = b""
        until = time.monotonic() + 10
        while not answer and time.monotonic() < until:
            try:
                connection.sendall(b"x")
                answer = connection.recv(1000)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408")


def test_a_refusal_is_heard_by_one_who_still_sends(impatient: Running) -> None:
    for path, status in (("paint?style=no", 404), ("paint", 413), ("videos?x=1", 422)):
        answer = httpx.post(f"{impatient.address}api/{path}", content=bytes(5_000_000))
        assert answer.status_code == status


def test_who_goes_away_is_not_painted_for(impatient: Running) -> None:
    photo = picture(200, 150)
    head = f"POST /api/paint HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(photo)}\r\n\r\n"
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", impatient.port)) as connection:
            connection.sendall(head.encode() + photo)
    wait_until_idle(impatient)


def test_a_request_that_goes_wrong_midway_leaves_no_traceback(
    tmp_path: Path, tiny_style: Path
) -> None:
    with running(tmp_path, tiny_style.parent, settings={}) as server:
        for host in (b"localhost", b"evil.example"):
            head = b"POST /api/paint HTTP/1.1\r\nHost: " + host
            for _ in range(20):
                answer = server.send(head + b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
                assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 421"))
                server.send(  # the same, after the request has been answered
                    head + b"\r\nContent-Type: multipart/form-data; boundary=b\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n5\r\nwrong\r\n",
                    then=b"zz\r\n",
                    after_s=0.03,
                )
        head = b"HEAD / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
        refused = server.send(head)
        assert refused == b"" or refused.startswith(b"HTTP/1.1")
        content = server.send(b"not HTTP\r\n\r\n").partition(b"\r\n\r\n")[2]
        assert json.loads(content) == {"error": "this is not valid HTTP/1.1"}
        assert len(content) == 39
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(10)
    assert (tmp_path / "server.log").read_text() == ""


def test_a_half_sent_form_leaves_nothing(impatient: Running) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port)) as connection:
        connection.sendall(
            b"POST /api/paint HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="/tmp/evil"\r\n\r\nab'
        )
        time.sleep(0.2)
    wait_until_idle(impatient)
    assert httpx.get(f"{impatient.address}healthz").json() == {"status": "ok"}


def wait_until_idle(server: Running) -> None:
    """Until nobody holds a place any more; then nothing may be left in the server's folder."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if "sakuga_pictures_waiting 0" in httpx.get(f"{server.address}metrics").text:
            break
        time.sleep(0.05)
    assert server.left_behind() == []
