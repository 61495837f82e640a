"""Requests made to break the server: no 500, no traceback, no file left, and it still answers.

The generator knows the API's description and mutates it: methods, paths, queries, headers, framing
and bodies. SAKUGA_HOSTILE_REQUESTS says how many are sent (10,000 for a thorough run).
"""

from __future__ import annotations

import os
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2 as httpx
import pytest
from serving import Running, bomb, picture, running_soundly

from sakuga.web.openapi import describe
from sakuga.web.parameters import PICTURE_NAMES, VIDEO_NAMES
from sakuga.web.settings import Settings

COUNT = int(os.environ.get("SAKUGA_HOSTILE_REQUESTS", "400"))
SEED = int(os.environ.get("SAKUGA_HOSTILE_SEED", "20"))
SETTINGS = {
    "patience_s": 0.4,
    "slowest_bytes_per_s": 100_000,
    "picture_bytes": 60_000,
    "picture_pixels": 40_000,
    "video_bytes": 60_000,
    "waiting_videos": 2,
}
PATHS = [*describe(Settings())["paths"], "/", "/api", "/openapi.json", "/main.js", "/style.css"]
METHODS = [*("GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS", "TRACE"), "G\x01T", "get"]
TRICKS = [
    *("..", "%2e%2e", "..%2f..%2f", "....//", "%00", "/etc/passwd", "file:///etc/passwd", "\\\\x"),
    *(
        "<script>alert(1)</script>",
        "' OR 1=1 --",
        "${jndi:ldap://x}",
        "\u202e",
        "%ff%fe",
        "\r\nX: y",
    ),
    *("A" * 5000, "-1", "NaN", "inf", "1e999", "0x10", "true", "null", "", " ", "tiny", "{}"),
]
KINDS = [
    *("image/png", "image/svg+xml", "text/html", "application/json", "multipart/form-data"),
    *("multipart/form-data; boundary=b", "multipart/form-data; boundary=", "multipart/mixed"),
    *("application/x-www-form-urlencoded", "", "\x00", "A" * 3000),
]
HOSTS = ["127.0.0.1", "localhost", "[::1]", "evil.example", "127.0.0.1.evil.example", "", "[", "@"]
ORIGINS = ["null", "http://evil.example", "http://127.0.0.1", "file://", "", "://", "http://[::"]
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_style: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("hostile")
    with running_soundly(folder, tiny_style.parent, SETTINGS) as running_server:
        yield running_server


def bodies(rng: random.Random) -> bytes:
    """A body: a picture, a broken one, a bomb, another kind of file, a form, or noise."""
    photo = picture(rng.randrange(1, 60), rng.randrange(1, 60), rng.choice(["PNG", "JPEG", "GIF"]))
    cut = photo[: rng.randrange(len(photo))]
    flipped = bytearray(photo)
    for _ in range(rng.randrange(1, 30)):
        flipped[rng.randrange(len(flipped))] = rng.randrange(256)
    name = rng.choice(TRICKS).replace("\r\n", "").encode()
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="'
        + name
        + b'"\r\n\r\n'
        + rng.choice([photo, cut, b""])
        + b"\r\n"
        + b'--b\r\nContent-Disposition: form-data; name="'
        + rng.choice([b"style", name])
        + b'"\r\n\r\n'
        + name
        + b"\r\n--b--\r\n"
    )
    return rng.choice(
        [
            *(photo, cut, bytes(flipped), form, form[: rng.randrange(len(form))]),
            *(bomb(), bomb(1, 2**31 - 1), bomb(0, 0), b"", rng.randbytes(rng.randrange(3000))),
            *(b"<svg onload='alert(1)'/>", b"<html><script>", b"%!PS-Adobe", b"GIF89a", b"BM"),
            *(b"RIFF\xff\xff\xff\xffWEBPVP8 ", b"II*\0\xff\xff\xff\xff", b"\0\0\0 ftypavif"),
            *(b"#EXTM3U\nfile:///etc/passwd", b"\0\0\0\x18ftypmp42" + rng.randbytes(900)),
            *(b"\x1a\x45\xdf\xa3" + rng.randbytes(500), b"RIFF\x10\0\0\0AVI " + rng.randbytes(300)),
            bytes(rng.randrange(50_000, 90_000)),
        ]
    )


def target(rng: random.Random) -> str:
    """A path and query, of the API or near it."""
    path = rng.choice(PATHS).replace("{id}", rng.choice([*TRICKS, "abc"]))
    if rng.random() < 0.2:
        path += "/" + rng.choice(TRICKS)
    names = [*VIDEO_NAMES, *PICTURE_NAMES, "x", "style[]", "__proto__"]
    values = [*TRICKS, "0.5", "png", "jpg", "svg", "2", "64"]
    pairs = [
        f"{rng.choice(names)}={rng.choice(values)}" for _ in range(rng.choice([0, 0, 1, 2, 9]))
    ]
    whole = path + ("?" + "&".join(pairs) if pairs else "")
    if rng.random() < 0.95:  # what a client library would let through
        whole = "".join(c if 33 <= ord(c) < 127 else f"%{ord(c) % 256:02x}" for c in whole)
    return whole


def request(rng: random.Random) -> bytes:
    """One request, as bytes; most are valid HTTP."""
    body = bodies(rng)
    method = rng.choice(METHODS) if rng.random() < 0.2 else "POST"
    where = target(rng) if rng.random() < 0.5 else rng.choice(["/api/paint", "/api/videos"])
    headers = ["Connection: close"]
    headers.append(f"Host: {'127.0.0.1' if rng.random() < 0.85 else rng.choice(HOSTS)}")
    if rng.random() < 0.1:
        headers.append(f"Origin: {rng.choice(ORIGINS)}")
    if rng.random() < 0.5:
        headers.append(f"Content-Type: {rng.choice(KINDS)}")
    if rng.random() < 0.1:
        headers.append(f"Range: bytes={rng.choice(['0-', '5-1', '-', 'x', '0-0,' * 500])}")
    if rng.random() < 0.1:
        headers.append(f"Cookie: sakuga={rng.choice(TRICKS)}; {rng.choice(TRICKS)}")
    if rng.random() < 0.05:
        headers += [f"X-{n}: {'y' * 100}" for n in range(rng.choice([10, 900]))]
    length = rng.choices(
        [str(len(body)), str(len(body) + 50), "-1", "99999999999", "1e3", None],
        [80, 4, 2, 4, 2, 8],
    )[0]
    if length is not None:
        headers.append(f"Content-Length: {length}")
    elif rng.random() < 0.7:
        headers.append("Transfer-Encoding: chunked")
        pieces = [body[at : at + 999] for at in range(0, len(body), 999)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        body += rng.choice([b"0\r\n\r\n", b"", b"zz\r\n"])
    head = f"{method} {where} HTTP/1.1\r\n" + "\r\n".join(headers) + "\r\n\r\n"
    return head.encode("utf-8", "replace") + body


def ask(server: Running, sent: bytes) -> bytes:
    """Send it, and read until the connection closes; a server may close while it is still sent."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        try:
            connection.sendall(sent)
            while piece := connection.recv(65_536):
                answer += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
    return answer


def test_generated_requests(server: Running) -> None:
    rng = random.Random(SEED)
    statuses: Counter[int] = Counter()
    for number in range(COUNT):
        sent = request(rng)
        # On a busy machine the server's short patience may end before it has read the request.
        answer = ask(server, sent) or ask(server, sent) or ask(server, sent)
        found = STATUS.match(answer)
        status = int(found[1]) if found else 0
        statuses[status] += 1
        assert status < 500, (number, sent[:600], answer[:600])
        # No answer at all only to what is not a request, or whose sender went on for too long.
        assert status or len(sent) > 5000 or b"99999999999" in sent, (number, sent[:600])
        assert b"Traceback" not in answer and b"site-packages" not in answer
        assert b"root:x:0:0" not in answer
        assert str(server.temporary).encode() not in answer
    print(dict(sorted(statuses.items())))
    assert {200, 404, 405, 413, 415, 421, 422} <= set(statuses)
    assert 429 not in statuses  # one at a time never meets a full queue
    remove_jobs_and_check(server)


def remove_jobs_and_check(server: Running) -> None:
    """After everything has ended, only what ended jobs keep may be there; and it still paints."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        text = httpx.get(f"{server.address}metrics").text
        if "sakuga_pictures_waiting 0" in text and "sakuga_videos_waiting 0" in text:
            break
        time.sleep(0.1)
    else:
        raise AssertionError(f"places are not given back: {text}")
    assert [path for path in server.left_behind() if not path.name.startswith("job-")] == []
    for job in server.temporary.glob("*/job-*"):
        assert list(job.iterdir()) == []  # every video sent was broken: nothing is kept of it
    answer = httpx.post(f"{server.address}api/paint", content=picture())
    assert answer.status_code == 200


SLOW: list[Callable[[int], Iterator[bytes]]] = [
    lambda _: iter([b"POST /api/pa"]),
    lambda _: iter([b"POST /api/paint HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nab"]),
    lambda n: (b"X-%d: y\r\n" % i if i else b"GET / HTTP/1.1\r\n" for i in range(n)),
]


@pytest.mark.parametrize("drip", SLOW)
def test_many_slow_clients_keep_nobody_waiting(
    server: Running, drip: Callable[[int], Iterator[bytes]]
) -> None:
    sockets = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(60)]
    try:
        for connection in sockets:
            for piece in drip(4):
                connection.sendall(piece)
        began = time.monotonic()
        assert httpx.get(f"{server.address}healthz", timeout=20).status_code == 200
        assert time.monotonic() - began < 15
        time.sleep(1.0)
        answer = httpx.post(f"{server.address}api/paint", content=picture(), timeout=30)
        assert answer.status_code == 200  # stalled uploads have given their places back
    finally:
        for connection in sockets:
            connection.close()


def test_pipelined_and_smuggled_requests_are_not_mixed_up(server: Running) -> None:
    both = (
        b"POST /api/paint HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    answer = ask(server, both)
    assert answer.startswith(b"HTTP/1.1 400") and b"sakuga_requests_total" not in answer
