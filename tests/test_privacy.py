"""Painting leaves no traces of its libraries, and they call nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys, numpy as np, sakuga
sakuga.Stylizer(sys.argv[1])(np.zeros((32, 32, 3), np.uint8))
"""


def test_onnxruntime_does_not_report_its_use(tmp_path: Path, tiny_style: Path) -> None:
    # Its reports begin with an identifier in the home folder and a file in the temporary one.
    places = {name: tmp_path / name for name in ("HOME", "TMPDIR")}
    for place in places.values():
        place.mkdir()
    environment = os.environ | {name: str(place) for name, place in places.items()}
    environment.pop("ORT_DISABLE_TELEMETRY", None)  # this process may have imported sakuga
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tiny_style)], env=environment, check=True, timeout=60
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
