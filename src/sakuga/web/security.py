"""Which requests are answered at all, before a route sees them; and the headers of every answer.

A page on the internet must not be able to use a server on its visitor's machine. Three things stop
it: a name that the page's owner points at 127.0.0.1 is a foreign Host (DNS rebinding); requests
that a foreign page sends carry its Origin, or Sec-Fetch-Site; and without CORS headers it could not
read an answer.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sakuga.web.errors import Problem, answer
from sakuga.web.metrics import Metrics
from sakuga.web.settings import Settings, is_loopback

COOKIE = "sakuga"
_SAFE = ("GET", "HEAD", "OPTIONS")
LOGIN_PATH = "/api/session"
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


class Guards:
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._settings = settings
        self._metrics = metrics
        self._names = {"localhost", settings.host.lower(), *map(str.lower, settings.allowed_hosts)}
        if not is_loopback(settings.host):
            self._names.add(socket.gethostname().lower())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # lifespan; there are no websockets
            await self._app(scope, receive, send)
            return
        status = 500

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            refusal = self.refuse(scope["method"], scope["path"], Headers(scope=scope))
            if refusal is not None:
                await answer(refusal)(scope, receive, send_guarded)
            else:
                await self._app(scope, receive, send_guarded)
        finally:
            # The route's own path, "/api/jobs/{id}", so that clients cannot invent labels.
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.requests.labels(method, route, status).inc()

    def refuse(self, method: str, path: str, headers: Headers) -> Problem | None:
        """Why this request is refused, or None."""
        if "content-length" in headers and "transfer-encoding" in headers:
            # A proxy in front may see another end of this request than we do (RFC 9112, 6.1).
            return Problem(
                400, "send Content-Length or Transfer-Encoding", headers={"Connection": "close"}
            )
        host = headers.get("host", "")
        if not self._is_own_host(host):
            return Problem(
                421,
                f"this server does not answer to the name {host[:60]!r}; start it with "
                "--allow-host NAME to let it",
            )
        if _is_foreign(method, path, host, headers):
            return Problem(403, "requests from pages of other sites are refused")
        token = self._settings.token
        if token is not None and _needs_token(path) and not _shows_token(headers, token):
            return Problem(
                401,
                "this server wants its token: send the header  Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return None

    def _is_own_host(self, host: str) -> bool:
        """True for our own names, and for addresses that are ours for sure.

        No name leads here by accident when a Host is a plain address, so all addresses are taken by
        a server that listens to other machines; one that does not takes only loopback.
        """
        name, _, port = host.lower().rpartition(":")
        if not (name and port.isdigit()) or host.endswith("]"):
            name = host.lower()
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return False
        return address.is_loopback or not is_loopback(self._settings.host)


_METHODS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "OPTIONS")


def _is_foreign(method: str, path: str, host: str, headers: Mapping[str, str]) -> bool:
    """True for what a page of another site, or of another port of this machine, sends."""
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != host.lower():
        return True
    if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
        return False
    # Following a link to the page is fine; anything else another site sends is not.
    follows_link = headers.get("sec-fetch-mode") == "navigate" and method in _SAFE
    return not (follows_link and not path.startswith("/api/"))


def _needs_token(path: str) -> bool:
    """True for the metrics and all of the API but the login; the page itself holds no secret."""
    return path == "/metrics" or (path.startswith("/api/") and path != LOGIN_PATH)


def _shows_token(headers: Headers, token: str) -> bool:
    if (shown := bears_token(headers, token)) is not None:
        return shown
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and _same_secret(cookie.value, session_of(token))


def bears_token(headers: Headers, token: str) -> bool | None:
    """Whether the header Authorization holds this token; None without such a header."""
    scheme, _, shown = headers.get("authorization", "").partition(" ")
    return _same_secret(shown.strip(), token) if scheme.lower() == "bearer" else None


def _same_secret(shown: str, right: str) -> bool:
    """Compare in constant time, whatever characters were shown."""
    return hmac.compare_digest(shown.encode("utf-8", "surrogatepass"), right.encode())


def session_of(token: str) -> str:
    """What the cookie holds: proof of the token, from which the token cannot be had."""
    return hmac.new(token.encode(), b"sakuga session", hashlib.sha256).hexdigest()
