"""`sakuga import-weights` on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_foreign_onnx import write_network

from sakuga.cli import run
from sakuga.styles import read_spec


def test_range_may_begin_below_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_network(tmp_path / "a.onnx")
    out = tmp_path / "new.onnx"
    arguments = ["import-weights", str(source), str(out), "--range", "-1", "1", "--bgr"]
    assert run([*arguments, "--name", "mine", "--credit", "Ann", "--credit", "Ben"]) == 0
    assert "sakuga paint photo.jpg --style" in capsys.readouterr().out
    spec = read_spec(out)
    assert (spec.name, spec.attribution) == ("mine", ("Ann", "Ben"))
    assert run(arguments) == 2
    assert "is there already" in capsys.readouterr().err


def test_unknown_source_is_one_line_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.pth").write_bytes(b"?")
    assert run(["import-weights", str(tmp_path / "a.pth"), str(tmp_path / "b.onnx")]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "known are CartoonGAN" in error
