"""Which pictures to download, and how hard to ask for them; each field is an option of a verb."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from sakuga.errors import OptionError

Words = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]
RATINGS = ("s", "q", "e")  # safe, questionable, explicit
_FIXED = Parameter(parse=False)


@dataclass(frozen=True)
class WantedPhotos:
    """Which photos of COCO to take.

    Parameters
    ----------
    split
        Which part of COCO.
    categories
        Take photos that show one of these, for example: person "traffic light".
    balanced
        As many photos of each category.
    limit
        How many photos; a random sample.
    seed
        Of the sample.
    """

    split: Literal["train2017", "val2017"] = "val2017"
    categories: Words = ()  # none: any photo will do
    balanced: bool = False
    limit: int | None = None  # None: all
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse options that contradict each other."""
        check_limit(self.limit)
        if self.balanced and not self.categories:
            raise OptionError("--balanced needs --categories to balance")


@dataclass(frozen=True)
class WantedDrawings:
    """Which drawings of Safebooru to take. Words may stand in one text, apart by blanks.

    Parameters
    ----------
    tags
        Take drawings with all of these tags.
    without
        Leave drawings with any of these out: text monochrome comic.
    ratings
        s (safe), q (questionable), e (explicit).
    min_score
        Lowest score.
    min_side
        Shortest side, pixels.
    file_types
        File types, by the name.
    limit
        How many drawings; a random sample.
    seed
        Of the sample.
    """

    tags: Words = ()
    without: Words = ()
    ratings: Annotated[Words, Parameter(name="--rating")] = ("s",)
    min_score: int | None = None
    min_side: int = 256  # of the sample that Safebooru shows
    file_types: Annotated[Words, Parameter(name="--type")] = ("jpg", "jpeg")
    limit: int | None = None  # None: all, as the file has them
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no drawing could fulfil."""
        for name in ("tags", "without", "ratings", "file_types"):
            words = tuple(word for text in getattr(self, name) for word in text.split())
            object.__setattr__(self, name, words)
        check_limit(self.limit)
        if set(self.ratings) - set(RATINGS) or not self.ratings:
            raise OptionError(
                f"--rating {' '.join(self.ratings)}: choose from {' '.join(RATINGS)} "
                "(safe, questionable, explicit)"
            )
        if both := set(self.tags) & set(self.without):
            raise OptionError(f"--tags and --without both name {' '.join(sorted(both))}")


@dataclass(frozen=True)
class Limits:
    """How far to trust servers and how hard to ask them.

    Parameters
    ----------
    workers
        Downloads at a time.
    per_host
        Downloads at a time from one server.
    allow_private
        Also from addresses in this machine's own network.
    """

    workers: int = 16
    per_host: int = 8
    attempts: Annotated[int, _FIXED] = 4  # for one picture
    connect_s: Annotated[float, _FIXED] = 10.0
    silence_s: Annotated[float, _FIXED] = 20.0  # without a single byte
    picture_s: Annotated[float, _FIXED] = 120.0  # first byte sent to last received, with redirects
    longest_wait_s: Annotated[float, _FIXED] = 300.0  # who asks for a longer pause is left alone
    first_backoff_s: Annotated[float, _FIXED] = 1.0  # doubles with every attempt
    max_bytes: Annotated[int, _FIXED] = 50_000_000
    max_pixels: Annotated[int, _FIXED] = 100_000_000
    max_redirects: Annotated[int, _FIXED] = 5
    allow_private: bool = False

    def __post_init__(self) -> None:
        """Refuse limits under which nothing would ever arrive."""
        for name in ("workers", "per_host"):
            if getattr(self, name) < 1:
                option = name.replace("_", "-")
                raise OptionError(f"--{option} {getattr(self, name)}: must be at least 1")


def rank(name: object, seed: int) -> bytes:
    """The place of a picture in a random order: of a larger sample the smaller one is a part."""
    key = seed.to_bytes(8, "big", signed=True)
    return hashlib.blake2b(str(name).encode(), digest_size=8, key=key).digest()


def check_limit(limit: int | None) -> None:
    """Refuse to make nothing. Raises OptionError."""
    if limit is not None and limit < 1:
        raise OptionError(f"--limit {limit}: must be at least 1")
