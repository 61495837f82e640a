"""What one command asks for, in one piece that is handed on whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sakuga.inputs.plan import Plan, plan
from sakuga.painting.options import PaintOptions
from sakuga.painting.stylizer import Stylizer
from sakuga.video.options import VideoOptions


@dataclass(frozen=True)
class Request:
    """How all inputs of a command are to be painted, where to, and what is told of it."""

    stylizer: Stylizer
    painting: PaintOptions = field(default_factory=PaintOptions)
    video: VideoOptions = field(default_factory=VideoOptions)  # for what moves
    out: Path | None = None  # see `plan`
    file_format: str | None = None  # of the results; None: that of the source
    overwrite: bool = False  # paint again what is there
    quiet: bool = False  # tell of failures only
    verbose: bool = False  # tell of each result as it is done
    as_json: bool = False  # print what was done as JSON

    def plan(self, inputs: Sequence[str], wanted: Callable[[Path], bool] | None = None) -> Plan:
        """The jobs that the inputs make; see `sakuga.inputs.plan`."""
        style = self.stylizer.spec.name
        return plan(inputs, style, out=self.out, file_format=self.file_format, wanted=wanted)
