"""One picture from the web, into memory."""

from __future__ import annotations

import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException

from sakuga.errors import InputError

MAX_BYTES = 200_000_000
_TIMEOUT_S = 20.0  # without an answer, or between two pieces of it
_PIECE_BYTES = 1 << 16


def is_url(source: str) -> bool:
    """True for http:// and https:// addresses."""
    return source.lower().startswith(("http://", "https://"))


def file_name(url: str) -> str:
    """The last part of an address's path, without its query: "a/b%201.jpg?x=1" is "b 1.jpg".

    Never holds a separator; "picture" if the path ends in none.
    """
    path = urllib.parse.unquote(urllib.parse.urlsplit(url).path)
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1].lstrip(".") or "picture"


def fetch(url: str, *, max_bytes: int = MAX_BYTES, timeout_s: float = _TIMEOUT_S) -> bytes:
    """Download what is at an address.

    Raises:
        InputError: no answer, an error status, or more than `max_bytes`.
    """
    headers = {"User-Agent": "sakuga", "Accept": "image/*, */*"}
    request = urllib.request.Request(url, headers=headers)
    content = bytearray()
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:
            while piece := response.read(_PIECE_BYTES):
                content += piece
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
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(
            f"{url}: cannot be downloaded ({reason}); check the address and the network"
        ) from error
    return bytes(content)
