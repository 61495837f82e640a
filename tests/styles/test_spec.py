"""A style file says all that is needed to run it; what does not is refused in words."""

from __future__ import annotations

import dataclasses
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import make_spec, make_style
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from sakuga import styles
from sakuga.cli import run
from sakuga.errors import StyleError
from sakuga.painting.stylizer import open_stylizer
from sakuga.styles import StyleSpec, read_spec, spec_from_json, spec_to_json, write_spec
from sakuga.styles.metadata import read_metadata
from sakuga.styles.protobuf import MalformedError
from sakuga.styles.sharing import add_style
from sakuga.styles.spec import CHECKPOINT

SPEC = make_spec("tiny", 15)

specs = st.builds(
    StyleSpec,
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True),
    version=st.text(max_size=9),
    description=st.text(max_size=50),
    size_multiple=st.integers(1, 64),
    minimum_side=st.integers(1, 512),
    receptive_radius=st.none() | st.integers(0, 500),
    licence=st.text(max_size=20),
    attribution=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    training=st.dictionaries(
        st.text(max_size=9),
        st.text(max_size=9) | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        max_size=3,
    ),
)


@given(specs)
def test_json_both_ways(spec: StyleSpec) -> None:
    assert spec_from_json(spec_to_json(spec)) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": None}, "lacks name"),
        ({"name": "Two Words"}, "name 'Two Words' must be lower-case"),
        ({"name": "../up"}, "must be lower-case"),
        ({"colour": "red"}, "fields unknown here: colour"),
        ({"format": 2}, "has format 2, this Sakuga reads format 1; a later .*upgrade"),
        ({"format": None}, "has format None, this Sakuga reads format 1$"),
        ({"size_multiple": "8"}, "size_multiple is '8', must be a whole number"),
        ({"size_multiple": 8.5}, "size_multiple is 8.5, must be a whole number"),
        ({"size_multiple": True}, "size_multiple is True"),
        ({"size_multiple": 0}, "size_multiple is 0, must be 1 or more"),
        ({"minimum_side": 0}, "minimum_side is 0"),
        ({"minimum_side": 10**9}, "minimum_side is 1000000000, must be at most"),
        ({"receptive_radius": -1}, "receptive_radius is -1"),
        ({"attribution": "me"}, "attribution is 'me', must be a list of texts"),
        ({"training": {"steps": [1]}}, "training is .* must be an object"),
        ({"value_range": [0, 1]}, r"value_range is \(0, 1\), must be \(-1, 1\)"),
        ({"value_range": [-1]}, "value_range is .* a list of two numbers"),
    ],
)
def test_a_bad_spec_is_named(change: dict[str, Any], message: str) -> None:
    values = json.loads(spec_to_json(SPEC)) | change
    values = {key: value for key, value in values.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        spec_from_json(json.dumps(values))


def test_a_radius_of_none_is_kept_apart_from_a_missing_one() -> None:
    values = json.loads(spec_to_json(dataclasses.replace(SPEC, receptive_radius=None)))
    assert not spec_from_json(json.dumps(values)).tileable
    del values["receptive_radius"]
    with pytest.raises(ValueError, match="lacks receptive_radius"):
        spec_from_json(json.dumps(values))


# --- Files ---


def plain_model() -> onnx.ModelProto:
    """A model as any other program may write it."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    weights = numpy_helper.from_array(np.zeros(3000, np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "plain",
        [value],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        [weights],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


@given(st.dictionaries(st.text(min_size=1, max_size=30), st.text(max_size=400), max_size=4))
def test_metadata_is_what_onnx_wrote(tmp_path_factory: Any, metadata: dict[str, str]) -> None:
    model = plain_model()
    helper.set_model_props(model, metadata)
    path = tmp_path_factory.mktemp("meta") / "m.onnx"
    onnx.save(model, path)
    assert read_metadata(path) == metadata


def test_a_spec_is_read_from_the_file_it_was_written_to(tiny_style: Path) -> None:
    assert read_spec(tiny_style) == SPEC


def test_writing_a_spec_replaces_the_old_one_only() -> None:
    model = plain_model()
    helper.set_model_props(model, {"maker": "someone"})
    write_spec(model, make_spec("old", 3))
    write_spec(model, SPEC)
    entries = [(entry.key, entry.value) for entry in model.metadata_props]
    assert entries == [("maker", "someone"), ("sakuga.style", spec_to_json(SPEC))]


@pytest.mark.parametrize(
    "content", [b"", b"hello, I am a text\n", b"\x89PNG\r\n\x1a\n" + bytes(50)]
)
def test_a_file_that_is_not_onnx(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "style.onnx"
    path.write_bytes(content)
    with pytest.raises(StyleError, match=r"style.onnx: is not an ONNX file"):
        read_spec(path)


@given(st.binary(max_size=300))
def test_any_bytes_are_metadata_or_not_onnx(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "m.onnx"
    path.write_bytes(content)
    with suppress(MalformedError):
        assert isinstance(read_metadata(path), dict)


def test_a_truncated_style(tiny_style: Path, tmp_path: Path) -> None:
    path = tmp_path / "half.onnx"
    path.write_bytes(tiny_style.read_bytes()[:700])
    with pytest.raises(StyleError, match="is not an ONNX file"):
        read_spec(path)


def test_a_foreign_onnx_file_is_told_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "foreign.onnx"
    onnx.save(plain_model(), path)
    with pytest.raises(StyleError, match=r"foreign.onnx: .*without the metadata 'sakuga.style'"):
        read_spec(path)
    model = plain_model()
    helper.set_model_props(model, {"sakuga.style": '{"format": 1, "name": "a"}'})
    onnx.save(model, path)
    with pytest.raises(StyleError, match="not valid: the spec lacks version"):
        read_spec(path)
    helper.set_model_props(model, {"sakuga.style": "{"})
    onnx.save(model, path)
    with pytest.raises(StyleError, match=r"'sakuga.style' is not valid"):
        read_spec(path)


# --- Finding ---


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_user_styles: Path) -> Path:
    """A box with the styles novel and storybook, instead of the real one."""
    folder = tmp_path / "box"
    folder.mkdir()
    for name in ("novel", "storybook"):
        make_style(folder / f"{name}.onnx", name)
    monkeypatch.setattr("sakuga.styles.spec.SHIPPED_FOLDER", folder)
    return folder


def test_find_by_name_and_by_path(box: Path, tiny_style: Path) -> None:
    assert styles.find("storybook").path == box / "storybook.onnx"
    assert styles.find("storybook").origin == "shipped"
    for path in (tiny_style, str(tiny_style)):
        assert styles.find(path).spec.name == "tiny"
        assert styles.find(path).origin == "file"


def test_the_name_is_the_one_inside_not_that_of_the_file(box: Path) -> None:
    (box / "novel.onnx").rename(box / "zzz.onnx")
    assert styles.find("novel").path == box / "zzz.onnx"


def test_find_in_a_trainings_folder(
    box: Path, tiny_style: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / CHECKPOINT).touch()
    with pytest.raises(
        StyleError, match=r"run: its style is not made yet; make it with  sakuga ex"
    ):
        styles.find(str(run))
    made = make_style(run / "ink.onnx", "ink")
    for source in (run, str(run)):
        assert (styles.find(source).spec.name, styles.find(source).path) == ("ink", made)
    assert open_stylizer(f"{run}:0.5+{tiny_style}:0.5").spec.name == "ink-50-tiny-50"
    monkeypatch.setenv("SAKUGA_STYLES", str(tmp_path / "added"))
    assert add_style(str(run)).spec.name == "ink" and styles.find("ink").origin == "added"
    os.utime(made, ns=(0, 0))
    with pytest.raises(StyleError, match="older than its training"):
        styles.find(run)


def test_an_unknown_name_lists_and_suggests(box: Path) -> None:
    expected = r"'nowel' is unknown: did you mean novel\? there are novel, storybook"
    with pytest.raises(StyleError, match=expected):
        styles.find("nowel")
    with pytest.raises(StyleError, match=r"'NOVEL' is unknown: did you mean novel\?"):
        styles.find("NOVEL")
    with pytest.raises(StyleError, match="'zzzzzz' is unknown: there are novel, storybook"):
        styles.find("zzzzzz")
    with pytest.raises(StyleError, match="no such style file"):
        styles.find("folder/none.onnx")
    with pytest.raises(StyleError, match=r"is a folder, not a style file.*sakuga export"):
        styles.find(box.parent / "." / box.name)


def test_add_and_remove(box: Path, tiny_style: Path, no_user_styles: Path) -> None:
    added = styles.add(tiny_style)
    assert added.path == no_user_styles / "tiny.onnx"
    assert [style.spec.name for style in styles.installed()] == ["novel", "storybook", "tiny"]
    assert styles.find("tiny").origin == "added"
    with pytest.raises(StyleError, match="a style named tiny is there already"):
        styles.add(tiny_style)
    assert styles.remove("tiny") == added.path
    assert list(no_user_styles.iterdir()) == []
    with pytest.raises(StyleError, match="'tiny' is unknown"):
        styles.remove("tiny")
    with pytest.raises(StyleError, match="only styles added"):
        styles.remove("novel")


def test_a_style_in_the_box_cannot_be_shadowed(box: Path, tmp_path: Path) -> None:
    with pytest.raises(StyleError, match="named novel is there already"):
        styles.add(make_style(tmp_path / "other.onnx", "novel"))


def test_what_is_no_style_is_not_added(tmp_path: Path, box: Path, no_user_styles: Path) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(StyleError):
        styles.add(tmp_path / "text.onnx")
    assert not no_user_styles.exists()


@pytest.fixture
def one_damaged(box: Path, no_user_styles: Path) -> Path:
    """Added styles: one damaged, one after it that is sound."""
    no_user_styles.mkdir()
    (no_user_styles / "bad.onnx").write_text("hello")
    make_style(no_user_styles / "later.onnx", "later")
    return no_user_styles


def test_a_damaged_added_style_hides_no_other(
    one_damaged: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert styles.find("novel").spec.name == "novel"
    assert styles.find("later").origin == "added"
    assert [style.spec.name for style in styles.installed()] == ["novel", "storybook", "later"]
    assert "bad.onnx: is not an ONNX file" in caplog.text
    assert "sakuga styles remove bad" in caplog.text
    found, (error,) = styles.survey()
    assert len(found) == 3 and "bad.onnx" in str(error)
    with pytest.raises(StyleError, match=r"'nowel' is unknown.*bad\.onnx: is not an ONNX file"):
        styles.find("nowel")


def test_a_damaged_added_style_can_be_taken_away_or_replaced(
    one_damaged: Path, tmp_path: Path
) -> None:
    for name in ("bad", "bad.onnx"):
        (one_damaged / "bad.onnx").write_text("hello")
        assert styles.remove(name) == one_damaged / "bad.onnx"
    (one_damaged / "bad.onnx").write_text("hello")
    styles.add(make_style(tmp_path / "mended.onnx", "bad"))
    assert styles.find("bad").origin == "added"
    assert styles.survey()[1] == []
    outside = make_style(tmp_path / "mine.onnx", "mine")
    for name in (str(outside), "../mine", "../mine.onnx"):
        with pytest.raises(StyleError):
            styles.remove(name)
    assert outside.exists()


def test_verbs_go_on_past_a_damaged_added_style(
    one_damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["styles"]) == 0
    assert "later" in capsys.readouterr().out
    assert run(["styles", "--json"]) == 0
    assert [style["name"] for style in json.loads(capsys.readouterr().out)][-1] == "later"
    assert run(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "bad.onnx: is not an ONNX file" in said and "later" in said
    assert run(["styles", "remove", "bad"]) == 0
    assert not (one_damaged / "bad.onnx").exists()


def test_a_damaged_style_in_the_box_hides_no_other(box: Path, no_user_styles: Path) -> None:
    (box / "aaa.onnx").write_text("hello")
    assert [style.spec.name for style in styles.installed()] == ["novel", "storybook"]


# --- Where there is no home ---


@pytest.fixture
def no_home(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with neither HOME nor an entry in the list of users, as in a container."""
    for name in ("SAKUGA_STYLES", "SAKUGA_CACHE", "XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 12_345_678)


def test_verbs_without_a_home(
    no_home: None, tiny_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RuntimeError):
        Path.home()
    assert run(["styles"]) == 0
    assert "storybook" in capsys.readouterr().out
    assert run(["doctor"]) == 0
    assert "SAKUGA_STYLES" in capsys.readouterr().out
    assert styles.find("storybook").origin == "shipped"
    with pytest.raises(StyleError, match=r"no home folder .* SAKUGA_STYLES"):
        styles.add(tiny_style)
    with pytest.raises(StyleError, match="'tiny' is unknown"):
        styles.remove("tiny")


def test_features_are_remembered_nowhere_without_a_home(no_home: None) -> None:
    from sakuga.evaluate.command import cache_folder

    assert cache_folder() is None


def test_a_home_that_may_not_be_read(
    box: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: object) -> list[str]:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("sakuga.styles.spec.os.listdir", refuse)
    monkeypatch.setenv("SAKUGA_STYLES", "/root/styles")
    assert [style.spec.name for style in styles.installed()] == ["novel", "storybook"]
    (error,) = styles.survey()[1]
    assert "/root/styles: the styles added cannot be listed (Permission denied)" in str(error)


def test_every_style_in_the_box_is_valid() -> None:
    for path in styles.SHIPPED_FOLDER.glob("*.onnx"):
        spec = read_spec(path)
        assert spec.licence and spec.attribution and spec.description
        assert path.stat().st_size < 5_000_000
