"""One URL to one file, trusting neither the URL nor the server.

The URLs come from files made by strangers. So: only http and https; no address inside this machine
or its network, looked at where the connection is really made, on every redirect too; a limit on
redirects, on bytes and on seconds. Whether what arrives is a picture is for `check` to say.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import socket
import threading
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from sakuga.data.wanted import Limits
from sakuga.errors import MissingExtraError, reason_of

try:
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
except ImportError:
    raise MissingExtraError("sakuga prepare", "data", "urllib3") from None

USER_AGENT = f"sakuga/{version('sakuga')} (prepare; downloads pictures to train a drawing style)"
CHUNK_BYTES = 1 << 16
WAIT_WITHOUT_HINT_S = 1.0  # the pause after a first 429 or 503 that names none
_REDIRECTS = (301, 302, 303, 307, 308)
_WORTH_ANOTHER_TRY = (408, 425, 429, 500, 502, 503, 504)
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Download:
    """A picture to fetch."""

    url: str
    name: str  # of the file in the set, without its suffix
    facts: dict[str, Any] = field(default_factory=dict)  # for the manifest


@dataclass(frozen=True)
class Fetched:
    """What arrived."""

    sha256: str
    bytes: int


class FetchError(Exception):
    """A URL that gave nothing.

    Args:
        reason: a few words, the same for all losses of a kind.
        detail: what exactly was found.
        try_again: whether another attempt may help.
        wait_s: how long the server asked to be left alone, all of it; None if it did not.
    """

    def __init__(
        self, reason: str, detail: str, *, try_again: bool = False, wait_s: float | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.try_again = try_again
        self.wait_s = wait_s


class _RefusedAddressError(Exception):
    """A name that leads to an address inside this machine or its network."""


def is_public(address: str) -> bool:
    """Say whether an IP address belongs to the internet at large, looking through IPv6 wrappers."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


class _Guard:
    """Mixed into urllib3's connections: refuses private addresses, can be cut off from outside."""

    allow_private = False
    in_flight: dict[int, Any] = {}  # noqa: RUF012 - replaced by each Fetcher: thread -> connection

    def _new_conn(self) -> socket.socket:
        connected: socket.socket = super()._new_conn()  # type: ignore[misc]
        address = connected.getpeername()[0]
        if not self.allow_private and not is_public(address):
            connected.close()
            raise _RefusedAddressError(address)
        return connected

    def getresponse(self) -> Any:
        self.in_flight[threading.get_ident()] = self
        return super().getresponse()  # type: ignore[misc]


class Fetcher:
    """Fetches URLs over kept-alive connections, from any number of threads."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._in_flight: dict[int, Any] = {}  # thread -> connection it reads from
        self._deadlines: dict[int, float] = {}  # thread -> time.monotonic()
        guard = {"allow_private": limits.allow_private, "in_flight": self._in_flight}
        self._pools = urllib3.PoolManager(
            num_pools=64,
            maxsize=limits.per_host,
            block=True,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )
        plain = type("_Plain", (_Guard, HTTPConnection), guard)
        secure = type("_Secure", (_Guard, HTTPSConnection), guard)
        self._pools.pool_classes_by_scheme = {
            "http": type("_HTTP", (urllib3.HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("_HTTPS", (urllib3.HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }

    def fetch(self, url: str, target: Path) -> Fetched:
        """Write what a URL gives to a file.

        Args:
            url: http or https.
            target: overwritten; may be left half written when this raises.

        Raises:
            FetchError: nothing whole arrived within the limits.
            OSError: the target cannot be written.
        """
        thread = threading.get_ident()
        self._deadlines[thread] = time.monotonic() + self.limits.picture_s
        try:
            return self._follow(url, target, self._deadlines[thread])
        except urllib3.exceptions.HTTPError as error:
            if time.monotonic() >= self._deadlines[thread]:
                raise _too_slow(self.limits) from error
            raise _as_fetch_error(error) from error
        except _RefusedAddressError as error:
            raise FetchError(
                "private address", f"leads to {error}; --allow-private permits it"
            ) from None
        finally:
            del self._deadlines[thread]
            self._in_flight.pop(thread, None)

    def cut_off(self, *, only_late: bool = False) -> None:
        """Break the connections of all fetches, or of those past their deadline.

        The latter is to be called every second or so: a server that sends one byte of a header at
        a time never runs into a timeout of the socket.
        """
        now = time.monotonic()
        for thread, deadline in list(self._deadlines.items()):
            sock = getattr(self._in_flight.get(thread), "sock", None)
            if sock is not None and (now > deadline or not only_late):
                with contextlib.suppress(OSError):  # closed meanwhile: that is all that was wanted
                    sock.shutdown(socket.SHUT_RDWR)

    def _follow(self, url: str, target: Path, deadline: float) -> Fetched:
        visited = {url}
        for _ in range(self.limits.max_redirects + 1):
            _refuse_scheme(url)
            answer = self._pools.request(
                "GET",
                url,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=self.limits.connect_s, read=self.limits.silence_s),
            )
            try:
                if answer.status == 200:
                    return self._receive(answer, target, deadline)
                if answer.status not in _REDIRECTS:
                    raise _status_error(answer)
                url = _join(url, answer.headers.get("Location", ""))
            finally:
                # A body read to its end has given its connection back; any other is closed unread.
                answer.close()
                answer.release_conn()
            if url in visited:
                raise FetchError("redirect loop", f"back to {url}")
            visited.add(url)
        raise FetchError("too many redirects", f"more than {self.limits.max_redirects}")

    def _receive(self, answer: urllib3.BaseHTTPResponse, target: Path, deadline: float) -> Fetched:
        announced = answer.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > self.limits.max_bytes:
            raise _too_large(self.limits, f"{int(announced):,} bytes announced")
        digest = hashlib.sha256()
        received = 0
        with target.open("wb") as file:
            while chunk := answer.read1(CHUNK_BYTES):
                received += len(chunk)
                if received > self.limits.max_bytes:
                    raise _too_large(self.limits, "and more was coming")
                if time.monotonic() > deadline:
                    raise _too_slow(self.limits)
                digest.update(chunk)
                file.write(chunk)
        if time.monotonic() > deadline:  # cut off; without a length that looks like a good end
            raise _too_slow(self.limits)
        return Fetched(digest.hexdigest(), received)


def _refuse_scheme(url: str) -> None:
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:
        raise FetchError("not a URL", f"{url} ({error})") from None
    if scheme not in ("http", "https"):
        raise FetchError("not http or https", url)


def _join(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchError("not a URL", f"redirected to {location} ({error})") from None


def _too_large(limits: Limits, found: str) -> FetchError:
    return FetchError("too large", f"over {limits.max_bytes:,} bytes ({found})")


def _too_slow(limits: Limits) -> FetchError:
    return FetchError("too slow", f"not whole after {limits.picture_s:g} s", try_again=True)


def _status_error(answer: urllib3.BaseHTTPResponse) -> FetchError:
    """Turn an answer that is no picture into the error that fits it."""
    wait_s = _retry_after(answer.headers.get("Retry-After"))
    if answer.status == 429 and wait_s is None:
        wait_s = WAIT_WITHOUT_HINT_S
    return FetchError(
        f"status {answer.status}",
        answer.reason or "no reason given",
        try_again=answer.status in _WORTH_ANOTHER_TRY,
        wait_s=wait_s if answer.status in (429, 503) else None,
    )


def _retry_after(value: str | None) -> float | None:
    """Read a Retry-After header, seconds or a date; None if there is none that makes sense."""
    try:
        return None if value is None else float(urllib3.Retry().parse_retry_after(value))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def _as_fetch_error(error: urllib3.exceptions.HTTPError) -> FetchError:
    """Say in the user's words what urllib3 ran into."""
    if any(isinstance(part, urllib3.exceptions.IncompleteRead) for part in (error, *error.args)):
        return FetchError("truncated", reason_of(error), try_again=True)
    kinds: list[tuple[type[Exception], str, bool]] = [
        (urllib3.exceptions.LocationParseError, "not a URL", False),
        (urllib3.exceptions.LocationValueError, "not a URL", False),
        (urllib3.exceptions.NameResolutionError, "unknown host", True),
        (urllib3.exceptions.SSLError, "no secure connection", False),
        (urllib3.exceptions.TimeoutError, "no answer in time", True),
        (urllib3.exceptions.NewConnectionError, "no connection", True),
    ]
    for kind, reason, try_again in kinds:
        if isinstance(error, kind):
            return FetchError(reason, reason_of(error), try_again=try_again)
    return FetchError("connection lost", reason_of(error), try_again=True)
