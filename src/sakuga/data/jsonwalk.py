"""A JSON file too large to load, walked one element at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

PIECE_CHARACTERS = 1 << 20
DELIMITERS = tuple(" \t\r\n,:]}")  # one of these follows every value


def walk_json(file: IO[str]) -> Iterator[tuple[str, Any]]:
    """Give the elements of a JSON object one by one, as (key, value).

    A value that is a list is given element by element under the list's key. Only one element is in
    memory at a time.

    Raises:
        json.JSONDecodeError: the text is no JSON object, or ends too early.
    """
    text = _Text(file)
    text.expect("{")
    while text.next_is_not("}"):
        key = text.value()
        text.expect(":")
        if text.peek() != "[":
            yield key, text.value()
        else:
            text.expect("[")
            while text.next_is_not("]"):
                yield key, text.value()
                if text.peek() == ",":
                    text.expect(",")
            text.expect("]")
        if text.peek() == ",":
            text.expect(",")


class _Text:
    """A text of any length, read in pieces and taken apart from the front."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._decode = json.JSONDecoder().raw_decode

    def _more(self) -> bool:
        # As much again as there is, so that a huge value costs a few attempts and not thousands.
        piece = self._file.read(max(PIECE_CHARACTERS, len(self._text) - self._at))
        self._text = self._text[self._at :] + piece
        self._at = 0
        return bool(piece)

    def peek(self) -> str:
        """Give the next character that is no white space, without taking it."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in " \t\r\n":
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                raise json.JSONDecodeError("it ends too early", "", 0)

    def next_is_not(self, end: str) -> bool:
        """Say whether something other than the closing bracket comes next."""
        return self.peek() != end

    def expect(self, character: str) -> None:
        """Take one character."""
        if self.peek() != character:
            raise json.JSONDecodeError(f"{character!r} was expected, not {self.peek()!r}", "", 0)
        self._at += 1

    def value(self) -> Any:
        """Take one whole value."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            # A number may go on in the next piece, as -1.5 | e-07 or -1.5e | -07.
            if self._text[end : end + 1] not in DELIMITERS and self._more():
                continue
            self._at = end
            return value
