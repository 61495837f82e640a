"""Which pictures are for training and which are held out: decided by content, once and for all.

The split depends on a file's own bytes only. Adding, removing, renaming or reordering other files
never moves a picture from one side to the other, so a score stays comparable as a set grows.
"""

from __future__ import annotations

from typing import Literal

Split = Literal["train", "held-out"]

HELD_OUT_SHARE = 0.05  # of all pictures, about

_PREFIX_DIGITS = 8  # hexadecimal digits of the hash that are looked at: 32 bits
_HELD_OUT_BELOW = round(HELD_OUT_SHARE * 16**_PREFIX_DIGITS)


def split_of(sha256: str) -> Split:
    """Say on which side the picture with this hash lies, for ever.

    Args:
        sha256: hexadecimal SHA-256 of the picture's file, 64 digits, either case.

    Returns:
        "held-out" for about 5 % of all hashes, "train" for the others.

    Raises:
        ValueError: the string is no SHA-256.
    """
    if len(sha256) != 64:
        raise ValueError(f"a SHA-256 has 64 hexadecimal digits, not {len(sha256)}: {sha256!r}")
    return "held-out" if int(sha256[:_PREFIX_DIGITS], 16) < _HELD_OUT_BELOW else "train"
