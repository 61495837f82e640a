"""The options of painting as they are typed: with units, and what help calls their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter, Token

from sakuga.errors import OptionError
from sakuga.painting.options import PaintOptions, Stroke


def _share(_: object, tokens: Sequence[Token]) -> float:
    """0.8 or 80%."""
    text = tokens[0].value.strip()
    number = text.removesuffix("%")
    try:
        return float(number) / (1 if number == text else 100)
    except ValueError as error:
        raise OptionError(f"--strength {text}: no number; write 0.8 or 80%") from error


@dataclass(frozen=True)
class TypedOptions(PaintOptions):
    strength: Annotated[float, Parameter(converter=_share, metavar="0..1")] = 1.0
    max_side: Annotated[int | None, Parameter(metavar="PIXELS")] = None
    stroke: Annotated[Stroke, Parameter(metavar="STROKE")] = "auto"


TypedOptions.__doc__ = PaintOptions.__doc__  # where the help of each is written
