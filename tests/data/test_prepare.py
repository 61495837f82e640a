"""`sakuga prepare ...` as a person or a program meets it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import misbehaving_server as ms
import pytest
from clips import make_clip
from misbehaving_server import Server, picture_bytes, serving
from test_coco import make_annotations
from test_frames import HEIGHT, WIDTH, scene
from test_safebooru import HEADER, row

from sakuga.cli import run


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as it:
        for n in range(60):
            it.routes[f"/val2017/{n:012}.jpg"] = ms.give(picture_bytes(n, side=300))
            it.routes[f"/samples/{n}.jpg"] = ms.give(picture_bytes(100 + n, side=300))
        yield it


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    path = tmp_path / "instances_val2017.json"
    path.write_text(json.dumps(make_annotations()))
    return path


@pytest.fixture
def csv_file(tmp_path: Path, server: Server) -> Path:
    path = tmp_path / "all_data.csv"
    lines = [
        row(n, "scenery sky" if n % 2 else "text", url=f"{server.url}/samples/{n}.jpg")
        for n in range(1, 21)
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def prepare(*arguments: object) -> int:
    return run(["prepare", *map(str, arguments)])


def test_coco(
    server: Server, annotations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["coco", tmp_path / "photos", "--annotations", annotations, "--base-url", server.url]
    command += ["--categories", "person", "cat", "--limit", 8, "--allow-private"]
    assert prepare(*command) == 0
    assert "8 pictures, 8 of them new" in capsys.readouterr().out
    assert prepare(*command, "--json") == 0
    assert json.loads(capsys.readouterr().out)["new"] == 0
    assert prepare(*command, "--balanced") == 2  # another set
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "holds another set" in error


def test_safebooru(
    server: Server, csv_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.routes["/samples/3.jpg"] = ms.fail(404)
    command = ["safebooru", tmp_path / "drawings", "--csv", csv_file, "--allow-private"]
    command += ["--tags", "scenery sky", "--without", "text comic"]
    assert prepare(*command) == 1  # one was lost
    out = capsys.readouterr().out
    assert "9 pictures" in out and "1 not there: status 404" in out and "/samples/3.jpg" in out
    assert prepare(*command, "--json") == 1
    assert json.loads(capsys.readouterr().out)["rejected"] == {"status 404": 1}


def test_one_loss_among_many_is_told_and_no_failure(
    server: Server, annotations: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.routes["/val2017/000000000003.jpg"] = ms.fail(404)
    command = ["coco", tmp_path / "photos", "--annotations", annotations, "--base-url", server.url]
    assert prepare(*command, "--allow-private") == 0
    out = capsys.readouterr().out
    assert "59 pictures" in out and "1 not there: status 404" in out
    for n in range(4, 10):
        server.routes[f"/val2017/{n:012}.jpg"] = ms.fail(404)
    command[1] = tmp_path / "fewer"
    assert prepare(*command, "--allow-private") == 1  # seven of sixty


@pytest.mark.parametrize("verb", ["coco", "safebooru"])
def test_a_limit_is_reached_with_others_in_the_place_of_lost_ones(
    server: Server, annotations: Path, csv_file: Path, tmp_path: Path, verb: str
) -> None:
    out = tmp_path / "out"
    if verb == "coco":
        command = ["coco", out, "--annotations", annotations, "--base-url", server.url]
        lost = [f"/val2017/{n:012}.jpg" for n in range(0, 60, 2)]
    else:
        command = ["safebooru", out, "--csv", csv_file]
        lost = [f"/samples/{n}.jpg" for n in range(1, 21, 2)]
    for path in lost:
        server.routes[path] = ms.fail(404)
    assert prepare(*command, "--limit", 8, "--allow-private") == 0
    assert len(list(out.glob("*.jpg"))) == 8
    asked = dict(server.asked)
    assert prepare(*command, "--limit", 8, "--allow-private") == 0
    again = {path for path, times in server.asked.items() if times > asked.get(path, 0)}
    assert again <= set(lost)  # what is there is not asked for again
    assert prepare(*command, "--limit", 35 if verb == "coco" else 12, "--allow-private") == 1
    assert len(list(out.glob("*.jpg"))) == (30 if verb == "coco" else 10)  # all there are


def test_a_network_that_gives_nothing_is_not_asked_for_everything(
    server: Server, annotations: Path, tmp_path: Path
) -> None:
    for n in range(60):
        server.routes[f"/val2017/{n:012}.jpg"] = ms.fail(404)
    command = ["coco", tmp_path / "out", "--annotations", annotations, "--base-url", server.url]
    assert prepare(*command, "--limit", 15, "--allow-private") == 1
    assert sum(server.asked.values()) == 30  # fifteen, and fifteen in their place


def test_offline_is_told_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*arguments: object, **options: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    monkeypatch.setattr("sakuga.data.fetch.Limits.first_backoff_s", 0.0, raising=False)
    assert prepare("coco", tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "unknown host: Temporary failure in name resolution" in told
    assert "Connection" not in told and " at 0x" not in told and "--annotations" in told


def test_frames_clean_smooth_shards_show(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pictures = [scene(n) for n in range(3) for _ in range(25)]
    make_clip(tmp_path / "film.mp4", frames=75, width=WIDTH, height=HEIGHT, pictures=pictures)
    assert prepare("frames", "film.mp4", "found", "--limit", 3) == 0
    assert "3 pictures" in capsys.readouterr().out
    (tmp_path / "found" / "broken.jpg").write_text("text")
    assert (
        prepare("clean", "found", "drawings", "--workers", 1, "--min-side", 160) == 0
    )  # a reject is no failure
    assert "1 not there: not a picture" in capsys.readouterr().out
    assert prepare("smooth", "drawings", "smoothed", "--workers", 1, "--json") == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 3
    assert prepare("shards", "drawings", "packed") == 0
    assert "shards: 1" in capsys.readouterr().out
    assert prepare("show", "packed", "--json") == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 3
    assert (tmp_path / "packed-sheet.png").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["coco", "out", "--annotations", "none.json"], "none.json: no such file"),
        (["coco", "out", "--limit", "0"], "--limit 0"),
        (["coco", "out", "--workers", "0"], "--workers 0: must be at least 1"),
        (["coco", "out", "--split", "test2017"], "test2017"),
        (["safebooru", "out", "--csv", "none.csv"], "none.csv: no such file"),
        (["safebooru", "out", "--csv", "empty.csv"], "empty.csv is empty"),
        (["safebooru", "out", "--rating", "x"], "choose from s q e"),
        (["frames", "film.mp4"], "then the folder"),
        (["clean", "nowhere", "out"], "nowhere: no such folder"),
        (["smooth", ".", "out"], "lies in"),
        (["smooth", ".", "out", "--workers", "0"], "--workers 0: must be at least 1"),
        (["clean", ".", "out", "--workers", "-1"], "--workers -1: must be at least 1"),
        (["cel", ".", "out", "--workers", "-2"], "--workers -2: must be at least 1"),
        (["cel", ".", "out", "--limit", "-3"], "--limit -3: must be at least 1"),
        (["shards", "nowhere", "out"], "nowhere: no such folder"),
        (["show", "nowhere"], "nowhere: no such folder"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.csv").touch()
    assert prepare(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert said in captured.err
    assert [path.name for path in tmp_path.iterdir()] == ["empty.csv"]


def test_every_verb_has_help_with_an_example_that_fits_a_screen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for verb in ("coco", "safebooru", "frames", "clean", "smooth", "shards", "show"):
        assert prepare(verb, "--help") == 0
        text = capsys.readouterr().out
        assert f"sakuga prepare {verb}" in text.split("Example:")[1]
        assert text.count("\n") <= 45


def test_the_verbs_load_nothing_heavy() -> None:
    script = (
        "import sys, sakuga.data.verbs\n"
        "heavy = {'torch', 'cv2', 'numpy', 'urllib3', 'PIL', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_without_the_extra_the_remedy_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sakuga.extras

    monkeypatch.setattr(sakuga.extras, "find_spec", lambda name: None)
    for verb in ("coco", "safebooru"):
        assert prepare(verb, tmp_path / "out") == 2
        assert "pip install 'sakuga[data]'" in capsys.readouterr().err
