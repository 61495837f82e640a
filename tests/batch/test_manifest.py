"""The memory of a batch: what is done, what is not, and what an OUT belongs to."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sakuga.batch import manifest as manifest_module
from sakuga.batch.job import BatchJob, alone_in, claim
from sakuga.batch.manifest import SCHEMA, Manifest
from sakuga.batch.source import TASK, key_of
from sakuga.batch.storage import Place, open_place
from sakuga.errors import OptionError, OutputError
from sakuga.painting.options import PaintOptions


def row(source: str, **values: Any) -> dict[str, Any]:
    base = {"key": key_of(source), "source": source, "status": "painted"}
    return {**base, "result": f"pictures/{source}", "finished": datetime.now(UTC), **values}


def rows(*values: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(values), SCHEMA)


def window(*sources: str) -> pa.Table:
    return pa.table([[key_of(s) for s in sources], sources, sources], TASK)


@pytest.fixture
def folder(tmp_path: Path) -> Place:
    return open_place(str(tmp_path)).child("manifest")


def write(folder: Place, *parts: pa.Table) -> Manifest:
    manifest = Manifest(folder)
    for part in parts:
        manifest.add(part)
        manifest.flush()
    return manifest


def test_what_is_done_is_not_pending(folder: Place) -> None:
    write(folder, rows(row("a"), row("b", status="failed", error="bad")), rows(row("c")))
    done = Manifest(folder).load()
    assert len(done.keys) == 3
    rest = done.pending(window("d", "a", "e", "b", "c"), shards=False)
    assert rest["source"].to_pylist() == ["d", "e"]
    assert Manifest(folder.child("absent")).load().pending(window("a"), shards=False).num_rows == 1


def test_rows_wait_until_they_are_flushed(folder: Place) -> None:
    manifest = Manifest(folder)
    manifest.add(rows(row("a")))
    assert folder.names() == []
    manifest.flush()
    manifest.flush()
    assert folder.names() == ["part-000000.parquet"]


def test_a_shard_is_done_when_all_it_gives_is_done(folder: Place) -> None:
    whole, begun = key_of("whole.tar"), key_of("begun.tar")
    write(
        folder,
        rows(*(row(f"whole.tar/{i}", shard=whole, shard_pictures=2) for i in range(2))),
        rows(row("begun.tar/1", shard=begun, shard_pictures=3)),
    )
    done = Manifest(folder).load()
    rest = done.pending(window("whole.tar", "begun.tar", "new.tar"), shards=True)
    assert rest["source"].to_pylist() == ["begun.tar", "new.tar"]
    assert rest["done"].to_pylist() == [[key_of("begun.tar/1")], []]


def test_merging_keeps_each_row_once(folder: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_module, "MERGED_ROWS", 40)
    large = rows(*(row(f"large{i}") for i in range(30)))
    small = [rows(row(f"small{i}"), row("large3"), row("twice")) for i in range(10)]
    manifest = write(folder, large, *small)
    manifest.merge()
    table = pq.read_table(folder.path)
    wanted = {f"large{i}" for i in range(30)} | {f"small{i}" for i in range(10)} | {"twice"}
    assert sorted(table["source"].to_pylist()) == sorted(wanted)
    assert len(folder.names()) == 2
    manifest.add(rows(row("later")))
    manifest.flush()
    assert len(Manifest(folder).load().keys) == len(wanted) + 1


def test_failures_can_be_listed_and_forgotten(folder: Place) -> None:
    bad = [row(f"bad{i}", status="failed", error=f"no {i}", result=None) for i in range(3)]
    manifest = write(folder, rows(row("a"), bad[0]), rows(bad[1], bad[2]))
    assert manifest.failures(2) == [("bad0", "no 0"), ("bad1", "no 1")]
    manifest.forget_failures()
    assert Manifest(folder).load().keys.tolist() == [key_of("a")]
    assert folder.names() == ["part-000000.parquet"]


def test_results_name_files_and_not_their_members(folder: Place) -> None:
    manifest = write(folder, rows(row("a", result="shards/s.tar/1.png"), row("b", result=None)))
    assert manifest.results() == {"shards/s.tar"}


def test_a_damaged_part_is_told(folder: Place) -> None:
    write(folder, rows(row("a")))
    path = Path(folder.path) / "part-000000.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(OutputError, match=r"part-000000\.parquet: this part of the manifest"):
        Manifest(folder).load()


JOB = BatchJob(source="/in", style="tiny", style_version="1", style_sha256="0" * 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"style": "other"}, "holds pictures of the style tiny 1, not of other 1"),
        ({"style_version": "2"}, "holds pictures of the style tiny 1, not of tiny 2"),
        ({"style_sha256": "1" * 64}, "another style file named tiny 1"),
        ({"source": "/elsewhere"}, "was made with input /in, not /elsewhere"),
        ({"painting": PaintOptions(strength=0.5)}, r"was made with strength 1\.0, not 0\.5"),
        ({"painting": PaintOptions(max_side=64)}, "was made with max side None, not 64"),
        ({"output": "shards"}, "was made with output tree, not shards"),
    ],
)
def test_an_out_of_another_job_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    out = open_place(str(tmp_path / "out"))
    claim(out, JOB, b"style", overwrite=False)
    out.child("pictures/a.png").write(b"old")
    claim(out, JOB, b"style", overwrite=False)
    with pytest.raises(OutputError, match=message):
        claim(out, replace(JOB, **changes), b"new", overwrite=False)
    assert (tmp_path / "out/pictures/a.png").exists()
    claim(out, replace(JOB, **changes), b"new", overwrite=True)
    assert not (tmp_path / "out/pictures").exists()
    assert (tmp_path / "out/style.onnx").read_bytes() == b"new"
    claim(out, replace(JOB, **changes), b"new", overwrite=False)


def test_a_folder_of_other_things_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds thesis\.doc and no job\.json"):
        claim(open_place(str(tmp_path)), JOB, b"", overwrite=True)
    with pytest.raises(OutputError, match="is a file; name a folder"):
        claim(open_place(str(tmp_path / "thesis.doc")), JOB, b"", overwrite=True)
    assert (tmp_path / "thesis.doc").read_text() == "years of work"


def test_a_damaged_job_file_is_told(tmp_path: Path) -> None:
    for content in ("{", "[]", json.dumps({"format": 2}), json.dumps({"format": 1, "x": 2})):
        (tmp_path / "job.json").write_text(content)
        with pytest.raises(OutputError, match=r"job\.json: is no file of this program"):
            claim(open_place(str(tmp_path)), JOB, b"", overwrite=False)
    (tmp_path / "job.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(OutputError, match="of format 2 and not 1; a later Sakuga made it: upgrade"):
        claim(open_place(str(tmp_path)), JOB, b"", overwrite=False)


def test_choices_out_of_range_are_refused() -> None:
    with pytest.raises(OptionError, match="format 'gif2' is not one of"):
        replace(JOB, file_format="gif2")
    with pytest.raises(OptionError, match="strength"):
        replace(JOB, painting=PaintOptions(strength=2.0))


def test_a_second_run_is_kept_out_until_the_first_ends(tmp_path: Path) -> None:
    out = open_place(str(tmp_path / "deep/out"))
    with alone_in(out):
        with pytest.raises(OutputError, match="another run is at work there"), alone_in(out):
            pass
        with alone_in(open_place(str(tmp_path / "other"))):
            pass
    with alone_in(out):
        pass
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(OutputError, match="is a file"),
        alone_in(open_place(str(tmp_path / "file"))),
    ):
        pass
