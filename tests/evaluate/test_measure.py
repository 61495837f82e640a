"""The whole of `sakuga evaluate`: pictures in, a table, a page and JSON out."""

import json
import math
import re
import subprocess
import sys

import av
import numpy as np
import pytest
from networks import save_grid_network
from PIL import Image

pytest.importorskip("torch")

from sakuga import cli
from sakuga.errors import DataError
from sakuga.evaluate import report
from sakuga.evaluate.features import load_feature_network
from sakuga.evaluate.measure import measure
from sakuga.evaluate.metrics import Distance
from sakuga.evaluate.statistics import drawn_statistics, lightness_of, similarity
from sakuga.evaluate.systems import list_pictures, results_system, style_system


def picture(seed, height=60, width=80, *, drawn=False):
    """Coloured blobs; drawn ones are larger, and paler."""
    softness = 3 if drawn else 1
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (height // (4 * softness), width // (4 * softness), 3))
    image = Image.fromarray(small.astype(np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(image)
    return np.asarray(155 + pixels * 0.39, np.uint8) if drawn else pixels


def fill(folder, count, first_seed, **shape):
    folder.mkdir()
    for number in range(count):
        Image.fromarray(picture(first_seed + number, **shape)).save(folder / f"p{number:02}.png")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SAKUGA_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path):
    return fill(tmp_path / "photos", 6, 0)


@pytest.fixture
def drawings(tmp_path):
    return fill(tmp_path / "drawings", 8, 100, drawn=True)


@pytest.fixture
def network(tmp_path):
    return save_grid_network(tmp_path / "grid.onnx")


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mp4"
    base = picture(9, 80, 120)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for step in range(6):
            frame = np.ascontiguousarray(base[8:72, 2 * step : 96 + 2 * step])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


def run(*arguments):
    return cli.run(["evaluate", *map(str, arguments)])


def measured(systems, photos, drawings, network, **options):
    return measure(
        systems,
        list_pictures(photos, "photos"),
        list_pictures(drawings, "drawings"),
        load_feature_network(network),
        **options,
    )


def test_untouched_photos_as_results_equal_the_baseline(photos, drawings, network):
    items = list_pictures(photos, "photos")
    evaluation = measured([results_system(photos, items)], photos, drawings, network)
    copies, baseline, floor = evaluation.rows
    assert copies.kid == baseline.kid and copies.fid == baseline.fid
    assert copies.kid_gain == Distance(0, 0, 0) and baseline.kid_gain is None
    assert copies.medians == pytest.approx(
        {
            "chroma_shift": 0,
            "saturation": 1,
            "texture": 1,
            "edges": 1,
            "edge_agreement": 1,
            "content": 1,
            **baseline.medians,
        }
    )
    own = [drawn_statistics(lightness_of(item.read())) for item in items]
    assert list(baseline.pictures) == own
    assert baseline.medians["soft_shading"] == np.median([one["soft_shading"] for one in own])
    assert floor.kid.low <= 0 <= floor.kid.high < baseline.kid.value


def test_drawings_as_results_reach_the_floor(tmp_path, photos, drawings, network):
    results = tmp_path / "perfect"
    results.mkdir()
    for number in range(6):
        Image.fromarray(picture(200 + number, drawn=True)).save(results / f"p{number:02}.webp")
    items = list_pictures(photos, "photos")
    row, baseline, _ = measured([results_system(results, items)], photos, drawings, network).rows
    assert row.kid.low <= 0 <= row.kid.high
    assert row.kid.value < baseline.kid.value / 5
    assert row.medians["content"] < 0.9


def test_a_style_is_measured_with_noise_and_flicker(tiny_style, photos, drawings, network, clip):
    system = style_system(tiny_style, device="cpu")
    row = measured([system], photos, drawings, network, video=clip).rows[0]
    assert len(row.pictures) == 6
    assert all(0 < numbers["noise_gain"] < 3 for numbers in row.pictures)
    assert row.clip_warp_error > 0
    assert row.numbers["flicker"] == pytest.approx(row.warp_error / row.clip_warp_error)
    again = measured([system], photos, drawings, network, video=clip).rows[0]
    assert again == row


def test_a_copying_style_flickers_like_the_clip(photos, drawings, network, clip):
    from sakuga.evaluate.systems import System

    copy = System("copy", "", lambda item, photo: photo, lambda frame: frame)
    row = measured([copy], photos, drawings, network, video=clip).rows[0]
    assert row.numbers["flicker"] == 1
    assert row.medians["noise_gain"] == pytest.approx(1)


def test_systems_are_compared_two_by_two_by_their_lightness(tmp_path, photos, drawings, network):
    items = list_pictures(photos, "photos")
    darker, other = tmp_path / "darker", tmp_path / "other"
    for folder in (darker, other):
        folder.mkdir()
    for number, item in enumerate(items):
        Image.fromarray(item.read() // 4 * 3).save(darker / f"{item.name}.png")
        Image.fromarray(picture(200 + number)).save(other / f"{item.name}.png")
    systems = [results_system(folder, items) for folder in (photos, darker, other)]
    evaluation = measured(systems, photos, drawings, network)
    assert [(one.first, one.second) for one in evaluation.similarity] == [
        ("photos", "darker"),
        ("photos", "other"),
        ("darker", "other"),
    ]
    tint, another, _ = evaluation.similarity
    assert 0.98 < tint.median < 1 and abs(another.median) < 0.5
    for number, item in enumerate(items):
        expected = similarity(
            lightness_of(item.read()), lightness_of(list_pictures(other, "o")[number].read())
        )
        assert another.pictures[number] == pytest.approx(expected, abs=2e-3)
    assert another.median == np.median(another.pictures)
    assert measured(systems[:1], photos, drawings, network).similarity == ()


def test_results_a_little_cut_are_fitted_and_bent_ones_refused(tmp_path, photos, drawings, network):
    items = list_pictures(photos, "photos")
    results = tmp_path / "other"
    results.mkdir()
    for item in items:
        Image.fromarray(item.read()).resize((160, 119)).save(results / f"{item.name}.png")
    row = measured([results_system(results, items)], photos, drawings, network).rows[0]
    assert row.medians["edge_agreement"] > 0.8
    Image.new("RGB", (60, 80)).save(results / "p03.png")
    with pytest.raises(DataError, match=r"p03\.png: is 60 x 80 pixels, another format"):
        measured([results_system(results, items)], photos, drawings, network)


def test_the_command_writes_a_page_that_needs_nothing_else(
    tmp_path, tiny_style, photos, drawings, network, clip, capsys
):
    out = tmp_path / "deep" / "report.html"
    status = run(
        "--style", tiny_style, "--results", photos, "--photos", photos, "--anime", drawings,
        "--network", network, "--video", clip, "--out", out,
    )  # fmt: skip
    assert status == 0
    told = capsys.readouterr().out
    assert "KID below the photos' by " in told
    assert re.search(r"^tiny 1 and photos: similarity -?0\.\d{3}$", told, re.M)
    assert "tiny 1: KID (grid)" in told and "photos: KID (grid)" in told and str(out) in told
    page = out.read_text()
    assert not re.search(r"https?://|<script|<link|url\(", page)
    assert page.count("<svg") == 1 + 11
    for name in (
        "KID (grid)",
        "FID (grid)",
        "flicker",
        "noise gain",
        "edge agreement",
        "soft shading",
        "concentration",
        "ink",
        "How alike they are",
        "below the photos",
    ):
        assert name in page
    # Ten statistics and content of the style, nine and content of the results: three pairs each.
    assert page.count("data:image/webp;base64,") == (11 + 10) * 3 * 2
    # The photos' own values stand in the table, unjudged, and in the plots of these four.
    own = re.search(r"<tr class=baseline>.*?</tr>", page, re.S).group()
    assert own.count("&ndash;") == 8 and "class=good" not in own and "class=bad" not in own
    assert len(re.findall(r'class="name">photos<', page)) == 2 + 11 + 4
    document = json.loads(out.with_suffix(".json").read_text())
    assert [row["kind"] for row in document["rows"]] == ["system", "system", "baseline", "floor"]
    assert set(document["rows"][0]["KID (grid)"]) == {"value", "low", "high"}
    assert set(document["rows"][0]["KID gain (grid)"]) == {"value", "low", "high"}
    for row in document["rows"][:3]:
        assert row["pictures"][2]["photo"] == "p02"
        assert {"soft_shading", "concentration", "flat", "ink"} <= set(row["pictures"][2])
    assert [(one["first"], one["second"]) for one in document["similarity"]] == [
        ("tiny 1", "photos")
    ]
    assert document["network_sha256"] and document["total_drawings"] == 8


def test_json_goes_to_stdout_and_undefined_numbers_are_null(tmp_path, drawings, network, capsys):
    grey = tmp_path / "grey"
    grey.mkdir()
    for number in range(3):
        Image.fromarray(picture(number)).convert("L").save(grey / f"{number}.png")
    status = run(
        "--results", grey, "--photos", grey, "--anime", drawings, "--network", network,
        "--json", "--out", tmp_path / "r.html", "--view", "tiles",
    )  # fmt: skip
    assert status == 0
    document = json.loads(capsys.readouterr().out)
    assert document["rows"][0]["medians"]["saturation"] is None
    assert "KID (grid, tiles)" in document["rows"][0]


def test_limit_takes_the_same_sample_each_time(tmp_path, photos, drawings, network, capsys):
    names = []
    for attempt in range(2):
        run(
            "--results", photos, "--photos", photos, "--anime", drawings, "--network", network,
            "--json", "--limit", 3, "--out", tmp_path / f"{attempt}.html",
        )  # fmt: skip
        names.append(json.loads(capsys.readouterr().out)["photos"])
    assert len(names[0]) == 3 and names[0] == names[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--photos": "one"}, "needs at least 2 photos, but there is only 1"),
        ({"--anime": "one"}, "needs at least 4 drawings, but there is only 1"),
        ({"--photos": "empty"}, "no photos found"),
        ({"--results": "empty"}, "no results found"),
        ({"--results": "one"}, "5 of 6 photos have no result of the same name"),
        ({"--results": None}, "Nothing to evaluate"),
        ({"--out": "report.pdf"}, "ending in .html"),
        ({"--limit": 1}, "at least 2 photos"),
        ({"--max-side": 4}, "at least 32"),
        ({"--style": "no-such-style"}, "unknown"),
        ({"--network": "photos/p00.png"}, "is not a kind"),
        ({"--held-out": "both"}, "held out"),
        ({"--video": "photos/p00.png", "--style": "STYLE"}, "p00.png"),
    ],
)
def test_mistakes_are_told_in_one_line(
    tmp_path, tiny_style, photos, drawings, network, change, message, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "one", 1, 0)
    options = {
        "--results": "photos", "--photos": "photos", "--anime": "drawings",
        "--network": "grid.onnx", "--out": "r.html", **change,
    }  # fmt: skip
    options = {key: tiny_style if v == "STYLE" else v for key, v in options.items()}
    arguments = [part for option in options.items() if option[1] is not None for part in option]
    assert run(*arguments) == 2
    told = capsys.readouterr().err
    assert message in told and told.count("\n") == 1
    assert not (tmp_path / "r.html").exists()


def test_best_median_and_worst_leave_undefined_pictures_out():
    values = [3.0, math.nan, 1.0, 2.0]
    chosen = report.chosen_pictures(values, report.COLUMNS["texture"].cost)
    assert chosen == {"best": 2, "median": 3, "worst": 0}
    assert report.chosen_pictures(values, report.COLUMNS["edges"].cost)["best"] == 0
    assert report.chosen_pictures([0.5, 1.1, 1.9], report.COLUMNS["saturation"].cost) == {
        "best": 1, "median": 2, "worst": 0,
    }  # fmt: skip
    assert report.chosen_pictures([math.nan], report.COLUMNS["edges"].cost) == {}


def test_bars_hold_at_their_edges():
    assert report.meets_bar("texture", 0.60) and not report.meets_bar("texture", 0.61)
    assert report.meets_bar("edges", 5.0) and not report.meets_bar("edges", 0.94)
    assert report.meets_bar("saturation", 0.95) and not report.meets_bar("saturation", 1.31)
    assert report.meets_bar("soft_shading", 0.18) and not report.meets_bar("soft_shading", 0.19)
    assert report.meets_bar("concentration", 0.6) and not report.meets_bar("concentration", 0.59)
    assert [report.meets_bar("ink", value) for value in (0.02, 0.03, 0.07, 0.08)] == [
        False, True, True, False,
    ]  # fmt: skip
    assert report.meets_bar("flat", 0.1) is None
    assert report.meets_bar("content", 0.1) is None
    assert report.meets_bar("texture", math.nan) is None


def test_the_help_needs_no_torch():
    code = (
        "import sys; sys.modules['torch'] = sys.modules['cv2'] = None\n"
        "from sakuga import cli; sys.exit(cli.run(['evaluate', '--help']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--held-out" in done.stdout


@pytest.mark.parametrize("missing", ["--photos", "--anime", "--network"])
def test_what_is_missing_is_told_before_torch_is_loaded(missing, photos, drawings, tmp_path):
    given = {"--photos": photos, "--anime": drawings, "--network": photos, "--style": "novel"}
    given |= {missing: tmp_path / "nowhere"}
    words = [str(word) for pair in given.items() for word in pair]
    code = (
        "import sys; from sakuga import cli; "
        f"print(cli.run({['evaluate', *words]!r}), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False"]
    assert "nowhere" in done.stderr


def test_without_the_extra_the_command_says_what_to_install(photos, drawings, monkeypatch, capsys):
    from sakuga import extras

    real = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "cv2" else real(name))
    assert run("--style", "x", "--photos", photos, "--anime", drawings) == 2
    assert "pip install 'sakuga[eval]'" in capsys.readouterr().err
