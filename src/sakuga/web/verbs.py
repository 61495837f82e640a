"""`sakuga serve` and `sakuga design`: each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sakuga.extras import need


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: Annotated[str | None, Parameter(env_var="SAKUGA_TOKEN")] = None,
    allow_host: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (),
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    open: bool = False,
) -> None:
    """Paint in a browser: a page, and an HTTP API.

    Example:  sakuga serve --open

    Parameters
    ----------
    host
        Address to listen at; any but this machine's own needs a token.
    port
        Port to listen at.
    token
        Password that clients must show, 16 characters or more.
    allow_host
        Names under which a proxy makes the server known.
    device
        Where to compute.
    threads
        How many threads to compute a painting with; otherwise one a core.
    open
        Show the page in the browser.
    """
    from sakuga.web.server import serve as serve_until_stopped
    from sakuga.web.settings import Settings

    settings = Settings(host, port, token, allow_host, device, threads)
    serve_until_stopped(settings, open_page=open)


def design(
    *photos: Path,
    drawings: Path | None = None,
    port: int = 8000,
    open: Annotated[bool, Parameter(negative="--no-open")] = True,
) -> None:
    """Design a style in the browser, by sliders.

    Example:  sakuga design holiday/*.jpg

    Parameters
    ----------
    photos
        Pictures and folders; without any there is an example.
    drawings
        Folder or tar file of your own drawings: the sliders begin with what is measured on them.
    port
        Port to listen at; only this machine can reach it.
    open
        Show the page in the browser.
    """
    need("sakuga design", "data", "cv2")
    from sakuga.web.design import photos_in, start_like
    from sakuga.web.server import serve as serve_until_stopped
    from sakuga.web.settings import Settings

    own, drawn = photos_in(photos), None
    if drawings is not None:
        print(f"measuring {drawings}, and your first photos ...", flush=True)
        drawn = start_like(drawings, own)
        print(drawn.told, flush=True)
    settings = Settings(port=port, first_page="design", photos=own, drawn=drawn)
    serve_until_stopped(settings, open_page=open)
