"""Which pictures are held out."""

from __future__ import annotations

import hashlib

import pytest

from sakuga.data.split import split_of


def test_about_one_in_twenty_is_held_out() -> None:
    hashes = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(20_000)]
    share = sum(split_of(value) == "held-out" for value in hashes) / len(hashes)
    assert share == pytest.approx(0.05, abs=0.005)


def test_the_split_never_changes() -> None:
    """The border, spelled out: another one would move pictures that scores were measured on."""
    assert split_of("0ccccccc" + "f" * 56) == "held-out"
    assert split_of("0ccccccd" + "0" * 56) == "train"
    assert split_of("0" * 64) == "held-out"
    assert split_of("F" * 64) == "train"


@pytest.mark.parametrize("text", ["", "abc", "0" * 63, "x" * 64])
def test_what_is_no_hash_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        split_of(text)
