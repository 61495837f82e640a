"""Weights of known networks from the network, kept for the next time."""

from __future__ import annotations

from pathlib import Path

from sakuga.errors import DataError, MissingExtraError, reason_of


def download(
    what: str, url: str, sha256: str | None, *, verb: str, extra: str, remedy: str
) -> Path:
    """The file at an address, from the cache if it was had before.

    Args:
        what: it is, for errors.
        sha256: that it must have; None: the caller checks it.
        verb, extra: that need it, see `MissingExtraError`.
        remedy: what to do without a connection.

    Raises:
        DataError: no connection, or another file.
        MissingExtraError: pooch is not installed.
    """
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError(verb, extra, "pooch") from error
    known = None if sha256 is None else f"sha256:{sha256}"
    try:
        return Path(pooch.retrieve(url, known, path=pooch.os_cache("sakuga")))
    except (OSError, ValueError) as error:  # of requests, all OSErrors; another checksum
        raise DataError(
            f"{what} cannot be downloaded from {url} ({reason_of(error)}): {remedy}"
        ) from error
