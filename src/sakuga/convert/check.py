"""Paint a small picture with a graph, to see whether it keeps the contract of a style."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator

import numpy as np
import onnxruntime as ort

from sakuga.errors import one_line
from sakuga.styles import GRAPH_INPUT, GRAPH_OUTPUT


def paints_size(content: bytes, multiple: int, minimum: int) -> str | None:
    """Run a graph on noise whose sides are odd multiples, and look at what comes back.

    Args:
        content: a serialised model, `photo` to `anime`.
        multiple: pixels; the sides are multiples of this and of nothing larger.
        minimum: pixels; the sides are at least this.

    Returns:
        None if it gives a finite picture of the same size, else what went wrong, in words.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1  # the picture is small
    least = -(-max(minimum, 16) // multiple)
    rows = least + 1 - least % 2  # odd: then no larger power of two divides the side
    shape = (1, 3, rows * multiple, (rows + 2) * multiple)
    photo = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        (anime,) = session.run([GRAPH_OUTPUT], {GRAPH_INPUT: photo})
    except Exception as error:  # onnxruntime's own exceptions share no base class but this
        return one_line(error)[:200]
    if anime.shape != shape:
        return f"of {shape} it makes {anime.shape}"
    if not np.isfinite(anime).all():
        return "its values are not finite"
    return None


@contextlib.contextmanager
def kept_quiet() -> Iterator[None]:
    """Keep back what tools for graphs say of themselves, in logs and on standard output."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
