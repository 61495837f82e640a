"""Listing pictures: folders and tars alike, and what is refused."""

import hashlib
import io
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sakuga.data.split import split_of
from sakuga.errors import DataError, InputError
from sakuga.evaluate.systems import list_pictures, match_results


def png(colour=(10, 20, 30), size=(6, 4), mode="RGB"):
    content = io.BytesIO()
    Image.new(mode, size, colour).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    (folder / "street").mkdir(parents=True)
    (folder / "b.png").write_bytes(png())
    (folder / "street" / "a.v2.PNG").write_bytes(png((200, 0, 0)))
    (folder / "notes.txt").write_text("not a picture")
    return folder


def packed(folder, path, mode="w"):
    with tarfile.open(path, mode) as archive:
        archive.add(folder, arcname=".")
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text(folder):
    (folder / "b.png").rename(folder / os.fsdecode(b"caf\xe9.png"))
    names = [item.name for item in list_pictures(folder, "photos")]
    assert names == [os.fsdecode(b"caf\xe9"), "street/a.v2"]


def test_what_may_not_be_read_is_told(folder, monkeypatch):
    with pytest.raises(DataError, match="no such folder or tar file"):
        list_pictures(folder / ("x" * 300), "photos")

    def refuse(*_):
        raise PermissionError(13, "Permission denied", "b.png")

    with monkeypatch.context() as refusing:
        refusing.setattr(Path, "read_bytes", refuse)
        with pytest.raises(DataError, match=r"b\.png: cannot be read \(Permission denied\)"):
            list_pictures(folder, "photos")
    scandir = os.scandir

    def shut(path):
        return refuse() if str(path).endswith("street") else scandir(path)

    monkeypatch.setattr(os, "scandir", shut)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        list_pictures(folder, "photos")


def test_a_folder_and_its_tar_give_the_same_pictures(folder, tmp_path):
    loose = list_pictures(folder, "photos")
    packed_items = list_pictures(packed(folder, tmp_path / "photos.tar"), "photos")
    assert [item.name for item in loose] == ["b", "street/a.v2"]
    assert [item.name for item in packed_items] == ["b", "street/a.v2"]
    for one, other in zip(loose, packed_items, strict=True):
        assert one.sha256 == other.sha256 == hashlib.sha256(one.content()).hexdigest()
        assert np.array_equal(one.read(), other.read())
    assert loose[1].read().shape == (4, 6, 3)
    assert loose[1].read()[0, 0].tolist() == [200, 0, 0]


def test_a_folder_of_tars_gives_their_pictures(folder, tmp_path):
    shards = tmp_path / "shards"
    shards.mkdir()
    packed(folder, shards / "one.tar")
    packed(folder, shards / "two.tar")
    (shards / "c.png").write_bytes(png())
    (shards / ".hidden.png").write_bytes(png())
    names = [item.name for item in list_pictures(shards, "photos")]
    assert names == ["c", "one/b", "one/street/a.v2", "two/b", "two/street/a.v2"]


def test_training_and_evaluation_see_the_same_files(folder, tmp_path):
    from sakuga.images.sources import open_sources

    for source in (folder, packed(folder, tmp_path / "photos.tar")):
        training = {
            hashlib.sha256(content).hexdigest()
            for container in open_sources([source])
            for _, content in container.read(range(len(container)))
        }
        assert {item.sha256 for item in list_pictures(source, "photos")} == training


def test_transparency_is_put_over_white(tmp_path):
    (tmp_path / "a.png").write_bytes(png((100, 0, 200, 51), mode="RGBA"))  # 51 / 255 = 0.2
    (tmp_path / "b.png").write_bytes(png((100, 0, 200, 0), mode="RGBA"))
    half, nothing = list_pictures(tmp_path, "drawings")
    assert half.read()[0, 0].tolist() == [224, 204, 244]
    assert nothing.read()[0, 0].tolist() == [255, 255, 255]


def test_held_out_keeps_the_split_of_the_training_data(tmp_path):
    for number in range(120):
        (tmp_path / f"{number}.png").write_bytes(png((number, 0, 0)))
    every = list_pictures(tmp_path, "photos")
    kept = list_pictures(tmp_path, "photos", held_out=True)
    assert [item.name for item in kept] == [
        item.name for item in every if split_of(item.sha256) == "held-out"
    ]
    assert 0 < len(kept) < 25


def test_nothing_held_out_is_an_error(tmp_path):
    number = 0
    while True:
        content = png((number, 0, 0))
        if split_of(hashlib.sha256(content).hexdigest()) == "train":
            break
        number += 1
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="none of the 1 photos is held out"):
        list_pictures(tmp_path, "photos", held_out=True)


def test_sources_that_cannot_be_used_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder or tar file of photos"):
        list_pictures(tmp_path / "none", "photos")
    with pytest.raises(DataError, match="no drawings found"):
        list_pictures(tmp_path, "drawings")
    (tmp_path / "text.tar").write_text("not a tar")
    with pytest.raises(DataError, match="not a plain tar"):
        list_pictures(tmp_path / "text.tar", "photos")


def test_a_compressed_tar_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match="unpack a compressed one"):
        list_pictures(packed(folder, tmp_path / "photos.tar.gz", "w:gz"), "photos")


def test_two_pictures_of_one_name_are_refused(folder):
    (folder / "b.jpg").write_bytes(png())
    with pytest.raises(DataError, match="same name but for the suffix"):
        list_pictures(folder, "photos")


def test_a_broken_picture_is_named_when_it_is_read(folder):
    (folder / "broken.png").write_bytes(png()[:40])
    broken = next(item for item in list_pictures(folder, "photos") if item.name == "broken")
    with pytest.raises(InputError, match=r"broken\.png"):
        broken.read()


def test_results_are_matched_by_name_whatever_their_suffix(folder, tmp_path):
    results = tmp_path / "results"
    (results / "street").mkdir(parents=True)
    Image.new("RGB", (6, 4)).save(results / "street" / "a.v2.jpg")
    Image.new("RGB", (6, 4)).save(results / "b.webp")
    Image.new("RGB", (6, 4)).save(results / "extra.png")
    photos = list_pictures(folder, "photos")
    matched = match_results(photos, list_pictures(results, "results"), results)
    assert [item.name for item in matched] == [item.name for item in photos]
    (results / "b.webp").unlink()
    with pytest.raises(DataError, match=r"1 of 2 photos have no result of the same name \(b\)"):
        match_results(photos, list_pictures(results, "results"), results)
