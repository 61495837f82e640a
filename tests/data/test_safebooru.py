"""Drawings chosen from a Safebooru-shaped CSV, whole and broken, and fetched."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import misbehaving_server as ms
import pytest
from misbehaving_server import Server, picture_bytes, serving

from sakuga.data import safebooru
from sakuga.data.fetch import Limits
from sakuga.data.safebooru import Tally, Wanted, prepare, select, split_line
from sakuga.errors import DataError, MissingExtraError, OptionError

HEADER = (
    '"id","created_at","rating","score","sample_url","sample_width","sample_height",'
    '"preview_url","tags"'
)


def row(number: int, tags: str = "scenery sky", **values: object) -> str:
    """Make a line with Safebooru's columns and quoting."""
    cells = {
        "rating": "s",
        "score": 5,
        "url": f"//host.example/samples/{number}/sample_{number:08x}.jpg",
        "width": 850,
        "height": 1200,
    } | values
    line = [
        number,
        "1264713600",
        cells["rating"],
        cells["score"],
        cells["url"],
        cells["width"],
        cells["height"],
        f"//host.example/thumbnails/{number}.jpg",
        f" {tags} ",
    ]
    return ",".join('"' + str(cell).replace('"', '""') + '"' for cell in line)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return path


def names(csv_file: Path, **wanted: object) -> list[int]:
    jobs = select(csv_file, Wanted(**wanted))  # type: ignore[arg-type]
    return [int(job.name) for job in jobs]


@pytest.fixture
def csv_file(tmp_path: Path) -> Path:
    return write(
        tmp_path / "all_data.csv",
        [
            row(1),
            row(2, "scenery text"),
            row(3, "sky"),
            row(4, "scenery_sky skyline"),  # neither the tag scenery nor the tag sky
            row(5, rating="q"),
            row(6, score=-3),
            row(7, score=""),
            row(8, width=200),
            row(9, url="//host.example/9.png"),
            row(10, url="https://host.example/10.JPG"),
            row(11, 'scenery sky "quoted",_comma'),
        ],
    )


def test_tags_rating_score_size_and_type(csv_file: Path) -> None:
    assert names(csv_file) == [1, 2, 3, 4, 6, 7, 10, 11]  # safe, large enough, .jpg
    assert names(csv_file, tags=("scenery", "sky")) == [1, 6, 7, 10, 11]
    assert names(csv_file, tags=("scenery",), without=("text", "comic")) == [1, 6, 7, 10, 11]
    assert names(csv_file, ratings=("q",)) == [5]
    assert names(csv_file, min_score=1) == [1, 2, 3, 4, 10, 11]
    assert 8 in names(csv_file, min_side=100)
    assert names(csv_file, file_types=("png",)) == [9]


def test_protocol_relative_addresses_get_a_protocol(csv_file: Path) -> None:
    urls = {job.name: job.url for job in select(csv_file, Wanted())}
    assert urls["1"] == "https://host.example/samples/1/sample_00000001.jpg"
    assert urls["10"] == "https://host.example/10.JPG"


def test_the_sample_is_seeded_grows_with_the_limit_and_is_not_the_first(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row(n) for n in range(2000)])
    hundred = names(path, limit=100)
    assert hundred == names(path, limit=100)
    assert hundred == names(path, limit=200)[:100]
    assert set(hundred) != set(names(path, limit=100, seed=1))
    assert 700 < sum(hundred) / 100 < 1300  # from all over the file


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "tags,sample_height,sample_width,extra,sample_url,score,rating,id\n"
        "scenery,600,800,x,//h.example/a.jpg,3,s,77\n"
    )
    (job,) = select(path, Wanted())
    assert (job.name, job.url, job.facts["score"]) == ("77", "https://h.example/a.jpg", 3)


def test_broken_rows_cost_only_themselves(tmp_path: Path) -> None:
    lines = [row(n) for n in range(3000)]
    lines[100] = '"100","open quote that is never closed'
    lines[1500] = row(1500)[:60]
    lines[1501] = "just words"
    lines[2000] = row(2000, width="wide")
    lines[2500] = ""
    path = write(tmp_path / "a.csv", lines)
    tally = Tally()
    found = {int(job.name) for job in select(path, Wanted(), tally)}
    assert found == set(range(3000)) - {100, 1500, 1501, 2000, 2500}
    assert tally.broken_rows == 4  # an empty line is none
    assert "open quote" in tally.first_broken


@pytest.mark.parametrize(
    "line",
    [
        '"a","b","c"',
        "a,b,c",
        '"a",b,"c"',
        '"a","b ""x"" y","c"',
        '"a","b,c","d"',
        '"a","","c"',
        '"",,""',
    ],
)
def test_lines_are_split_as_the_csv_module_does(line: str) -> None:
    expected = next(csv.reader([line]))
    assert split_line(line + "\r\n", len(expected)) == expected


@pytest.mark.parametrize("line", ['"a","b', '"a"x,"b","c"', '""","b","c"'])
def test_lines_that_are_none_are_not_made_into_some(line: str) -> None:
    assert len(split_line(line, 3)) != 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"id,rating,tags\n1,s,sky\n", "no column score, sample_url.*found are id, rating, tags"),
        ((HEADER + "\n").encode("utf-16"), "not UTF-8"),
        ((HEADER + "\n" + row(1, "caf\u00e9") + "\n").encode("latin-1"), "not UTF-8.*row 1"),
        (b"\x89PNG\r\n\x1a\n", "not UTF-8"),
        ((HEADER + "\n").encode(), "none of its 0 rows is wanted"),
        ((HEADER + "\n" + row(1) + "\n").encode(), "none of its 1 rows.*--tags"),
    ],
)
def test_csv_of_another_kind(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        prepare(tmp_path / "out", Wanted(tags=("nobody",)), csv_file=path)
    assert not list((tmp_path / "out").glob("*.jpg"))


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + "\n" + row(1) + "\n", encoding="utf-8-sig")
    assert names(path) == [1]


def test_bad_wishes_are_refused() -> None:
    with pytest.raises(OptionError, match="choose from s q e"):
        Wanted(ratings=("x",))
    with pytest.raises(OptionError, match="both name sky"):
        Wanted(tags=("sky",), without=("sky",))
    with pytest.raises(OptionError, match="--limit 0"):
        Wanted(limit=0)


def test_without_a_csv_kagglehub_is_asked(
    tmp_path: Path, csv_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(MissingExtraError, match=r"sakuga\[kaggle\]"):
        safebooru.find_csv(None)

    asked = []
    hub = types.ModuleType("kagglehub")

    def dataset_download(handle: str, path: str) -> str:
        asked.append((handle, path))
        return str(csv_file)

    hub.dataset_download = dataset_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kagglehub", hub)
    assert safebooru.find_csv(None) == csv_file
    assert asked == [("alamson/safebooru", "all_data.csv")]

    def refuse(handle: str, path: str) -> str:
        raise RuntimeError("401 Client Error")

    hub.dataset_download = refuse  # type: ignore[attr-defined]
    with pytest.raises(DataError, match=r"401 Client Error.*--csv"):
        safebooru.find_csv(None)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as it:
        yield it


def test_from_the_csv_to_a_set(server: Server, tmp_path: Path) -> None:
    lines = [row(n, url=f"{server.url}/sample_{n}.jpg") for n in range(1, 31)]
    lines[3] = '"broken'
    for n in range(1, 31):
        server.routes[f"/sample_{n}.jpg"] = ms.give(picture_bytes(n))
    server.routes["/sample_7.jpg"] = ms.give(b"<html>gone</html>", Content_Type="image/jpeg")
    path = write(tmp_path / "all_data.csv", lines)
    limits = Limits(workers=4, first_backoff_s=0.01, allow_private=True)
    outcome = prepare(tmp_path / "out", Wanted(), csv_file=path, limits=limits)
    assert (outcome.pictures, outcome.reasons()) == (28, {"not a picture": 1})
    assert outcome.notes["broken_rows"] == 1
    line = json.loads((tmp_path / "out" / "manifest.jsonl").read_text().splitlines()[0])
    assert (line["tags"], line["rating"]) == ("scenery sky", "s")
    asked = server.asked.copy()
    prepare(tmp_path / "out", Wanted(), csv_file=path, limits=limits)
    server.asked.subtract(asked)
    assert +server.asked == {"/sample_7.jpg": 1}


def test_private_addresses_in_a_csv_are_refused(server: Server, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", [row(1, url=f"{server.url}/a.jpg")])
    outcome = prepare(tmp_path / "out", Wanted(), csv_file=path)
    assert outcome.reasons() == {"private address": 1}
    assert not server.asked


def test_memory_does_not_grow_with_the_csv(tmp_path: Path) -> None:
    """Rows of 150 MB go by; a reader that kept them would show it."""
    path = tmp_path / "a.csv"
    with path.open("w") as file:
        file.write(HEADER + "\n")
        many = "".join(row(n, "scenery " + "tag_" * 100) + "\n" for n in range(1000))
        for _ in range(250):
            file.write(many)
    script = f"""
import resource
from pathlib import Path
from sakuga.data.safebooru import Wanted, select
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert len(list(select(Path({str(path)!r}), Wanted(limit=500)))) == 500
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 60  # MB
