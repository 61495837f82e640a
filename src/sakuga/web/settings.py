"""What was asked of the server, and its limits."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from sakuga.cel.design import Drawn
from sakuga.errors import OptionError
from sakuga.styles.session import Device

SHORTEST_TOKEN = 16  # characters
_TOKEN = re.compile(rf"[\x21-\x7e]{{{SHORTEST_TOKEN},}}")  # what a header carries unharmed


@dataclass(frozen=True)
class Settings:
    """One server's settings.

    Raises:
        OptionError: an address other machines reach, without a token; or a token that is too short.
    """

    host: str = "127.0.0.1"  # address to listen at
    port: int = 8000  # 0: any free one
    token: str | None = None  # what clients must show; None: everyone on this machine is let in
    allowed_hosts: tuple[str, ...] = ()  # names in Host headers besides the obvious ones
    device: Device = "auto"
    threads: int | None = None  # of one painting; None: one a core
    first_page: str = ""  # the address shown first, below that of the server
    photos: tuple[Path, ...] = ()  # shown on the page Design
    drawn: Drawn | None = None  # what it begins with; otherwise with a preset
    waiting_pictures: int = 32  # being uploaded, waiting, painted or answered; more are put off
    waiting_videos: int = 4  # uploaded, waiting or painted; more are put off
    kept_videos: int = 8  # finished jobs that keep their result; the oldest goes first
    keep_s: float = 3600.0  # how long a finished job keeps its result
    picture_bytes: int = 64_000_000
    picture_pixels: int = 100_000_000  # of all frames
    video_bytes: int = 1_000_000_000
    video_pixels: int = 4096 * 2304  # of a frame
    patience_s: float = 10.0  # for headers, and for a body that does not come
    slowest_bytes_per_s: float = 8_000.0  # of a body, on average after `patience_s`
    shutdown_s: float = 3.0  # how long requests and jobs may take to end after SIGTERM

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise OptionError(f"--port {self.port} is not a port; give a number from 0 to 65535")
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise OptionError(
                f"the token cannot be used: give {SHORTEST_TOKEN} characters or more, letters, "
                "digits and signs, without spaces"
            )
        if self.token is None and not is_loopback(self.host):
            raise OptionError(
                f"--host {self.host} lets other machines in: choose a password for them with "
                f"--token, {SHORTEST_TOKEN} characters or more"
            )


def is_loopback(host: str) -> bool:
    """True for addresses and names that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
