"""One picture from the web, into memory."""

from __future__ import annotations

import re
import urllib.parse

from sakuga.errors import InputError

MAX_BYTES = 200_000_000
_TIMEOUT_S = 20.0  # without an answer, or between two pieces of it
_PIECE_BYTES = 1 << 16
_RESERVED = ":/?#[]@!$&'()*+,;=%~"  # RFC 3986, 2.2; what is quoted already stays so


def is_url(source: str) -> bool:
    """True for http:// and https:// addresses."""
    return source.lower().startswith(("http://", "https://"))


def file_name(url: str) -> str:
    """The last part of an address's path, without its query: "a/b%201.jpg?x=1" is "b 1.jpg".

    Never holds a separator; "picture" if the path ends in none.
    """
    # Not `urlsplit`: a malformed address is reported when it is fetched.
    _, path = _parts(url.partition("?")[0].partition("#")[0])
    path = urllib.parse.unquote(path).replace("\0", "")
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].lstrip(".") or "picture"


def _parts(url: str) -> tuple[str, str]:
    """Scheme and host of an address, and the rest."""
    host_end = re.compile("[/?#]|$").search(url, url.find("://") + 3)
    assert host_end is not None  # at the end at the latest
    return url[: host_end.start()], url[host_end.start() :]


def _quoted(url: str) -> str:
    """An address with blanks and letters beyond ASCII, as people copy it, as servers expect it."""
    host, rest = _parts(url)
    return host + urllib.parse.quote(rest, safe=_RESERVED)


def fetch(
    url: str,
    *,
    max_bytes: int = MAX_BYTES,
    timeout_s: float = _TIMEOUT_S,
    first: int | None = None,
) -> bytes:
    """Download what is at an address.

    Args:
        first: only so many bytes of it.

    Raises:
        InputError: a malformed address, no answer, an error status, or more than `max_bytes`.
    """
    import urllib.error  # here, because with them every start would take a tenth longer
    import urllib.request
    from http.client import HTTPException

    headers = {"User-Agent": "sakuga", "Accept": "image/*, */*"}
    content = bytearray()
    try:
        request = urllib.request.Request(_quoted(url), headers=headers)
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            while piece := response.read(_PIECE_BYTES):
                content += piece
                if first is not None and len(content) >= first:
                    return bytes(content[:first])
                if len(content) > max_bytes:
                    raise InputError(
                        f"{url}: has more than {max_bytes / 1e6:g} MB; download and shrink it first"
                    )
            if response.length:  # bytes that were announced and did not come
                raise InputError(f"{url}: the download was cut off; try again")
    except urllib.error.HTTPError as error:
        error.close()
        raise InputError(
            f"{url}: the server answered {error.code} {error.reason}; check the address"
        ) from error
    except (OSError, HTTPException, ValueError, OverflowError) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"{url}: cannot be downloaded ({reason}); check the address and the network"
        ) from error
    return bytes(content)
