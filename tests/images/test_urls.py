"""Pictures from the web: what arrives, what is refused. The server is in this process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sakuga.errors import InputError
from sakuga.images.urls import fetch, file_name, is_url


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
        elif self.path == "/file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif self.path == "/good":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * 5000)
        elif self.path == "/short":
            self.send_response(200)
            self.send_header("Content-Length", "9000")
            self.end_headers()
            self.wfile.write(b"x" * 100)
        elif self.path == "/slow":
            time.sleep(1)
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


def test_content_arrives_through_a_redirect(server: str) -> None:
    assert fetch(f"{server}/good") == fetch(f"{server}/moved") == b"x" * 5000


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/none", "the server answered 404"),
        ("/file", "the server answered 302"),
        ("/slow", "timed out"),
    ],
)
def test_what_does_not_arrive(server: str, path: str, message: str) -> None:
    with pytest.raises(InputError, match=f"{path}: .*{message}"):
        fetch(server + path, timeout_s=0.3)


def test_too_much_is_refused(server: str) -> None:
    assert len(fetch(f"{server}/good", max_bytes=5000)) == 5000
    with pytest.raises(InputError, match=r"has more than 0.004999 MB"):
        fetch(f"{server}/good", max_bytes=4999)


def test_a_cut_connection_is_refused(server: str) -> None:
    with pytest.raises(InputError, match=r"/short: .*cut off"):
        fetch(f"{server}/short")


def test_no_server_and_no_address() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(InputError, match="cannot be downloaded"):
        fetch(f"http://127.0.0.1:{port}/a.jpg")
    with pytest.raises(InputError, match="cannot be downloaded"):
        fetch("http://a b/c.jpg")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://h/a/b.jpg", "b.jpg"),
        ("http://h/a/b%20c.jpg?d=/e.png#f", "b c.jpg"),
        ("http://h", "picture"),
        ("http://h/..", "picture"),
        ("http://h/a%5c..%5c.ssh", "ssh"),
    ],
)
def test_file_names(url: str, name: str) -> None:
    assert is_url(url) and file_name(url) == name


MALFORMED = [
    "http://[::1",
    "http://[::1/a.png",
    "http://",
    "https:///a.png",
    "http://127.0.0.1:999999/a.png",
    "http://127.0.0.1:many/a.png",
    "http://a..b/c.png",
    "http://" + "a" * 70 + "/b.png",
    "http://a b/c.png",
    "http://a\0b/c.png",
    "http://\ud800/c.png",
    "http://127.0.0.1:1/\ud800.png",
    "HTTP://[",
]


@pytest.mark.parametrize("url", MALFORMED)
def test_a_malformed_address_is_an_input_error(url: str) -> None:
    assert is_url(url) and "/" not in file_name(url) and "\0" not in file_name(url)
    with pytest.raises(InputError, match="cannot be downloaded"):
        fetch(url, timeout_s=2)


@pytest.mark.parametrize("path", ["/日 本.png", "/a%20b.png?x=ü&y=1"])
def test_letters_beyond_ascii_are_quoted(path: str, server: str) -> None:
    with pytest.raises(InputError, match="answered 404"):
        fetch(server + path)
    assert file_name(server + path) in ("日 本.png", "a b.png")
