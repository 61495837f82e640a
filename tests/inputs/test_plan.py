"""What is asked to be painted, and where results go."""

from __future__ import annotations

from pathlib import Path

import pytest

from sakuga.errors import InputError, OptionError, OutputError
from sakuga.inputs.plan import plan


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with pictures, a clip and what is to be left out."""
    monkeypatch.chdir(tmp_path)
    for name in (
        *("cat.jpg", "dog.PNG", "scan.tif", "phone.heic", "clip.mp4", "old.avi", "notes.txt"),
        *("trip/a.jpg", "trip/b/c.webp", "trip/b/d.gif", "trip/notes.txt", "trip/._a.jpg"),
        *("trip/b/e.mov", "[odd].jpg"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def planned(*inputs: str, out: str | None = None, file_format: str | None = None) -> dict[str, str]:
    """Source -> target, as text with forward slashes."""
    made = plan(inputs, "novel", out=None if out is None else Path(out), file_format=file_format)
    jobs = made.jobs
    return {job.source: job.target.as_posix() if job.target else "-" for job in jobs}


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("cat.jpg", "cat-novel.jpg"),
        ("dog.PNG", "dog-novel.PNG"),
        ("scan.tif", "scan-novel.png"),
        ("phone.heic", "phone-novel.jpg"),
        ("trip/a.jpg", "trip/a-novel.jpg"),
        ("clip.mp4", "clip-novel.mp4"),
        ("old.avi", "old-novel.mp4"),
        ("[odd].jpg", "[odd]-novel.jpg"),
        ("https://example.org/pictures/a%20b.png?size=3", "a b-novel.png"),
        ("https://example.org/", "picture-novel.png"),
        ("https://example.org/..%2f..%2fetc", "etc-novel.png"),
        ("webcam:1", "webcam-novel.mp4"),
        ("-", "-"),
    ],
)
def test_beside_the_source(folder: Path, source: str, target: str) -> None:
    assert planned(source) == {source: target}


def test_a_named_format(folder: Path) -> None:
    assert planned("cat.jpg", file_format="webp") == {"cat.jpg": "cat-novel.webp"}
    (folder / "x.jpeg").touch()
    assert planned("x.jpeg", file_format="jpg") == {"x.jpeg": "x-novel.jpeg"}
    with pytest.raises(OptionError, match="'bmp' is not one of"):
        planned("cat.jpg", file_format="bmp")


def test_a_folder_keeps_its_tree(folder: Path) -> None:
    tree = {
        "trip/a.jpg": "trip-novel/a.jpg",
        "trip/b/c.webp": "trip-novel/b/c.webp",
        "trip/b/d.gif": "trip-novel/b/d.gif",
        "trip/b/e.mov": "trip-novel/b/e.mov",
    }
    assert planned("trip") == planned("trip/") == tree
    moved = {source: target.replace("trip-novel", "out/x") for source, target in tree.items()}
    assert planned("trip", out="out/x") == moved
    several = planned("trip", "cat.jpg", out="out")
    assert several["trip/a.jpg"] == "out/trip/a.jpg"
    assert several["cat.jpg"] == "out/cat.jpg"


def test_the_current_folder_has_a_name_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "trip")
    assert planned(".")["a.jpg"] == "trip-novel/a.jpg"
    assert planned(str(folder / "trip"))[str(folder / "trip" / "a.jpg")] == "trip-novel/a.jpg"
    above = planned("..")
    assert above["../trip/a.jpg"] == f"{folder.name}-novel/trip/a.jpg"


def test_results_of_a_folder_are_in_the_sight_of_the_current_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert planned("trip/b")["trip/b/c.webp"] == "trip/b-novel/c.webp"
    assert planned(str(folder / "trip"))[str(folder / "trip/a.jpg")] == str(
        folder / "trip-novel/a.jpg"
    )
    assert planned("trip/b/..")["trip/b/../a.jpg"] == "trip-novel/a.jpg"
    monkeypatch.chdir(folder / "empty")
    assert planned("../trip")["../trip/a.jpg"] == "trip-novel/a.jpg"
    assert planned(str(folder / "trip"))[str(folder / "trip/a.jpg")] == "trip-novel/a.jpg"


def test_results_inside_the_folder_are_no_sources(folder: Path) -> None:
    first = planned("trip", out="trip/painted")
    for target in first.values():
        path = folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (folder / "trip" / "painted" / "of a photo that is gone.jpg").touch()
    assert planned("trip", out="trip/painted") == first


def test_results_among_the_inputs_are_no_sources(folder: Path) -> None:
    (folder / "cat-novel.jpg").touch()
    assert planned("cat.jpg", "cat-novel.jpg") == {"cat.jpg": "cat-novel.jpg"}
    assert "cat-novel.jpg" not in planned("*.jpg")


def test_two_names_that_differ_in_the_suffix_only(folder: Path) -> None:
    (folder / "trip" / "a.heic").touch()
    targets = planned("trip")
    assert targets["trip/a.heic"] == "trip-novel/a.jpg"
    assert targets["trip/a.jpg"] == "trip-novel/a.jpg.jpg"
    (folder / "more").mkdir()
    (folder / "more" / "cat.jpg").touch()
    with pytest.raises(OptionError, match=r"would both become out/cat.jpg"):
        planned("cat.jpg", "more/cat.jpg", out="out")
    (folder / "cat.tif").touch()
    assert planned("cat.tif", "cat.jpg", file_format="png") == {
        "cat.tif": "cat-novel.png",
        "cat.jpg": "cat.jpg-novel.png",
    }
    assert planned("cat.tif", "cat.jpg", out="out", file_format="png") == {
        "cat.tif": "out/cat.png",
        "cat.jpg": "out/cat.jpg.png",
    }


def test_out_is_a_file_or_a_folder(folder: Path) -> None:
    assert planned("cat.jpg", out="x/y.png") == {"cat.jpg": "x/y.png"}
    assert planned("cat.jpg", out="x") == {"cat.jpg": "x/cat.jpg"}
    assert planned("cat.jpg", out=".") == {"cat.jpg": "cat-novel.jpg"}  # among the photos
    (folder / "dir.png").mkdir()
    assert planned("cat.jpg", out="dir.png") == {"cat.jpg": "dir.png/cat.jpg"}
    assert planned("cat.jpg", "dog.PNG", out="dir.png") == {
        "cat.jpg": "dir.png/cat.jpg",
        "dog.PNG": "dir.png/dog.PNG",
    }
    assert planned("clip.mp4", out="x.webm") == {"clip.mp4": "x.webm"}
    assert planned("-", out="x.png") == {"-": "x.png"}
    for source in ("cat.jpg", "-"):
        with pytest.raises(OptionError, match=r"x.bmp: the suffix .bmp is not one Sakuga writes"):
            planned(source, out="x.bmp")
        with pytest.raises(OptionError, match=r"--out x.jpg and --format png differ"):
            planned(source, out="x.jpg", file_format="png")
    assert planned("cat.jpg", out="-") == {"cat.jpg": "-"}


@pytest.mark.parametrize("out", ["x.png", "x.jpeg", "x.tif", "x.mp4"])
@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (["cat.jpg", "dog.PNG"], "there are 2 to paint"),
        (["*.jpg"], "there are 2 to paint"),
        (["trip"], "trip is a folder"),
        (["clip.mp4", "old.avi"], "there are 2 to paint"),
    ],
)
def test_several_results_do_not_go_into_one_file(
    folder: Path, inputs: list[str], out: str, found: str
) -> None:
    with pytest.raises(OptionError, match=f"--out {out} names one file, and {found}"):
        planned(*inputs, out=out)
    assert not (folder / out).exists()


def test_an_input_that_is_given_twice_is_painted_once(folder: Path) -> None:
    made = plan(["cat.jpg", "cat.jpg", "trip", "trip"], "novel")
    assert len(made.jobs) == 5


def test_what_is_hidden_is_left_out(folder: Path) -> None:
    (folder / "trip" / ".thumbnails").mkdir()
    (folder / "trip" / ".thumbnails" / "a.jpg").touch()
    assert len(planned("trip")) == 4


def test_patterns(folder: Path) -> None:
    assert set(planned("*.jp*g")) == {"[odd].jpg", "cat.jpg"}
    assert set(planned("**/*.webp")) == {"trip/b/c.webp"}
    assert set(planned(str(folder / "*.jpg"))) == {
        str(folder / "[odd].jpg"),
        str(folder / "cat.jpg"),
    }
    with pytest.raises(InputError, match=r"\*.bmp: nothing matches"):
        planned("*.bmp")


def test_inputs_that_are_not_there(folder: Path) -> None:
    with pytest.raises(InputError, match=r"none.jpg: there is no such file or folder"):
        planned("none.jpg", "cat.jpg")
    with pytest.raises(InputError, match="empty: this folder holds no pictures"):
        planned("empty")
    with pytest.raises(InputError, match="nothing to paint was given"):
        planned()
    with pytest.raises(OptionError, match="--stile is neither an option nor a file"):
        planned("--stile", "novel")


@pytest.mark.parametrize("out", ["cat.jpg", "./trip/../cat.jpg"])
def test_the_source_is_never_the_target(folder: Path, out: str) -> None:
    with pytest.raises(OutputError, match="is the picture to be painted"):
        planned("cat.jpg", out=out)


def test_a_link_to_the_source_is_the_source(folder: Path) -> None:
    (folder / "link.jpg").symlink_to(folder / "cat.jpg")
    with pytest.raises(OutputError, match="is the picture to be painted"):
        planned("cat.jpg", out="link.jpg")


def test_a_folder_is_not_painted_onto_itself(folder: Path) -> None:
    with pytest.raises(OutputError, match="is the picture to be painted"):
        planned("trip", out="trip")


@pytest.mark.parametrize("inputs", [("-", "cat.jpg"), ("-", "-")])
def test_streams_stand_alone(folder: Path, inputs: tuple[str, ...]) -> None:
    with pytest.raises(OptionError, match="cannot be mixed"):
        planned(*inputs)
    with pytest.raises(OptionError, match="cannot be mixed"):
        planned("trip", out="-")
