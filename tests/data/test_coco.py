"""Photos chosen from COCO-shaped annotations, and fetched from a COCO-shaped server."""

from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import misbehaving_server as ms
import pytest
from misbehaving_server import Server, picture_bytes, serving

from sakuga.data.coco import Wanted, prepare, select
from sakuga.data.fetch import Limits
from sakuga.errors import DataError, OptionError, OutputError

CATEGORIES = {1: "person", 2: "bicycle", 3: "car", 17: "cat", 18: "dog"}
LOCAL = Limits(workers=4, first_backoff_s=0.01, allow_private=True)


def make_annotations(photos: int = 60) -> dict[str, Any]:
    """Make annotations with COCO's own keys; of every six photos three show persons, one a cat."""
    shows = [[1], [1, 1, 18], [1, 2], [17], [], [18]]
    return {
        "info": {"description": "COCO 2017 Dataset", "year": 2017},
        "licenses": [{"url": "http://cc.example/by/2.0/", "id": 4, "name": "Attribution License"}],
        "images": [
            {
                "license": 4,
                "file_name": f"{n:012}.jpg",
                "coco_url": f"http://images.example/val2017/{n:012}.jpg",
                "height": 480,
                "width": 640,
                "flickr_url": f"http://flickr.example/{n}_z.jpg",
                "id": n,
            }
            for n in range(photos)
        ],
        "annotations": [
            {"segmentation": [[1.5, 2.25, 3e2]], "image_id": n, "category_id": c, "id": 10 * n + i}
            for n in range(photos)
            for i, c in enumerate(shows[n % 6])
        ],
        "categories": [{"supercategory": "x", "id": i, "name": c} for i, c in CATEGORIES.items()],
    }


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    path = tmp_path / "instances_val2017.json"
    path.write_text(json.dumps(make_annotations()))
    return path


@pytest.fixture
def server() -> Iterator[Server]:
    """A server with 60 photos and the archive of annotations where COCO has them."""
    with serving() as it:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("annotations/captions_val2017.json", "{}")
            archive.writestr("annotations/instances_val2017.json", json.dumps(make_annotations()))
        it.routes["/annotations/annotations_trainval2017.zip"] = ms.give(packed.getvalue())
        for n in range(60):
            it.routes[f"/val2017/{n:012}.jpg"] = ms.give(picture_bytes(n))
        yield it


def numbers(jobs: list[Any]) -> list[int]:
    return [int(job.name) for job in jobs]


def test_only_photos_of_the_categories_are_taken(annotations: Path) -> None:
    jobs = select(annotations, Wanted(categories=("cat", "dog")))
    assert {n % 6 for n in numbers(jobs)} == {1, 3, 5}
    assert len(jobs) == 30
    assert len(select(annotations, Wanted())) == 60
    assert jobs[0].facts["licence"] == "Attribution License (http://cc.example/by/2.0/)"
    assert jobs[0].facts["flickr_url"] == f"http://flickr.example/{int(jobs[0].name)}_z.jpg"
    assert jobs[0].url == f"http://images.cocodataset.org/val2017/{jobs[0].name}.jpg"


def test_the_sample_is_seeded_grows_with_the_limit_and_is_not_the_first(annotations: Path) -> None:
    ten = numbers(select(annotations, Wanted(limit=10)))
    assert ten == numbers(select(annotations, Wanted(limit=10)))
    assert ten == numbers(select(annotations, Wanted(limit=20)))[:10]
    assert set(ten) != set(numbers(select(annotations, Wanted(limit=10, seed=1))))
    assert max(ten) > 30


def test_balanced_categories_fill_up_evenly(annotations: Path) -> None:
    wanted = Wanted(categories=("person", "cat", "bicycle"), balanced=True, limit=18)
    jobs = select(annotations, wanted)
    assert len(set(numbers(jobs))) == 18
    shown = Counter(c for job in jobs for c in job.facts["categories"])
    # Every bicycle comes with a person, so six of each need only twelve photos; then cats go on.
    assert shown["bicycle"] >= 6 and shown["cat"] >= 6 and shown["person"] <= 10
    unbalanced = select(annotations, Wanted(categories=wanted.categories, limit=18))
    assert Counter(c for job in unbalanced for c in job.facts["categories"])["person"] > 10


def test_from_the_network_with_annotations_from_the_network(server: Server, tmp_path: Path) -> None:
    server.routes["/val2017/000000000003.jpg"] = ms.fail(404)
    wanted = Wanted(categories=("cat",))
    outcome = prepare(tmp_path / "out", wanted, base_url=server.url, limits=LOCAL)
    assert (outcome.pictures, outcome.new, outcome.reasons()) == (9, 9, {"status 404": 1})
    line = json.loads((tmp_path / "out" / "manifest.jsonl").read_text().splitlines()[0])
    assert line["categories"] == ["cat"] and line["flickr_url"] and line["licence"]
    asked = server.asked.copy()
    again = prepare(tmp_path / "out", wanted, base_url=server.url, limits=LOCAL)
    assert (again.pictures, again.new) == (9, 0)
    server.asked.subtract(asked)
    assert +server.asked == {"/val2017/000000000003.jpg": 1}  # only the loss is tried again


def test_from_a_local_copy(annotations: Path, tmp_path: Path) -> None:
    (tmp_path / "val2017").mkdir()
    for n in range(0, 60, 2):
        (tmp_path / "val2017" / f"{n:012}.jpg").write_bytes(picture_bytes(n))
    outcome = prepare(
        tmp_path / "out",
        Wanted(categories=("bicycle", "cat")),
        annotations=annotations,
        images=tmp_path / "val2017",
    )
    assert outcome.pictures == 10  # the bicycles; every cat's number is odd
    assert outcome.reasons() == {"no such file": 10}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not whole JSON"),
        (b"[1, 2]", "another kind .*object"),
        (json.dumps(make_annotations()).encode()[:5000], "not whole JSON"),
        (b'{"info": {}, "annotations": []}', "another kind .*`images`"),
        (b'{"info": {}}', "another kind"),
        (b"{}", "another kind"),
        (b'{"images": [{"id": 1}], "categories": []}', "another kind .*file_name.*images"),
        (b'{"images": ["a.jpg"], "categories": []}', "another kind"),
        (b'{"images": "\xff"}', "another kind"),
        (b"\x89PNG\r\n", "not whole JSON"),
    ],
)
def test_annotations_of_another_kind(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        prepare(tmp_path / "out", Wanted(), annotations=path)
    assert not (tmp_path / "out").exists()


def test_mistakes_are_told_with_a_remedy(annotations: Path, server: Server, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="no 'persn'; did you mean person"):
        select(annotations, Wanted(categories=("persn",)))
    with pytest.raises(OptionError, match="there are bicycle, car, cat, dog, person"):
        select(annotations, Wanted(categories=("qqq",)))
    with pytest.raises(OptionError, match="--balanced needs"):
        Wanted(balanced=True)
    with pytest.raises(OptionError, match="--limit 0"):
        Wanted(limit=0)
    with pytest.raises(DataError, match="no such file"):
        prepare(tmp_path / "out", Wanted(), annotations=tmp_path / "nothing.json")
    with pytest.raises(DataError, match="no such folder"):
        prepare(tmp_path / "out", Wanted(), annotations=annotations, images=tmp_path / "none")
    server.routes["/annotations/annotations_trainval2017.zip"] = ms.fail(404)
    with pytest.raises(DataError, match=r"status 404.*--annotations"):
        prepare(tmp_path / "out", Wanted(), base_url=server.url, limits=LOCAL)
    server.routes["/annotations/annotations_trainval2017.zip"] = ms.give(b"<html>")
    with pytest.raises(DataError, match="not COCO's archive"):
        prepare(tmp_path / "out", Wanted(), base_url=server.url, limits=LOCAL)
    assert [p.name for p in (tmp_path / "out").rglob("*") if p.is_file()] == ["set.json"]


def test_another_choice_may_not_write_into_the_same_folder(
    annotations: Path, server: Server, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"annotations": annotations, "base_url": server.url, "limits": LOCAL}
    prepare(tmp_path / "out", Wanted(categories=("cat",), limit=2), **options)
    with pytest.raises(OutputError, match="categories=cat"):
        prepare(tmp_path / "out", Wanted(categories=("dog",), limit=2), **options)
    grown = prepare(tmp_path / "out", Wanted(categories=("cat",), limit=5), **options)
    assert (grown.pictures, grown.new) == (5, 3)
