"""Sources are known by their content; damaged and hostile ones are refused, soon and in words."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import published
import pytest
import torch

from sakuga.convert.import_weights import import_weights
from sakuga.convert.verbs import Feeding
from sakuga.errors import OptionError, StyleError
from sakuga.models.readers.layers import Layers
from sakuga.models.readers.npy_folder import read_npy_folder
from sakuga.models.readers.source import read_layers
from sakuga.models.readers.tensorflow_bundle import read_bundle
from sakuga.models.readers.torch_file import read_torch_file
from sakuga.models.recognise import recognise

STATE = {
    "first/weights": torch.arange(24.0).reshape(2, 3, 4),
    "first/biases": torch.tensor([1.5]),
    "second/weights": torch.linspace(-1, 1, 2000).reshape(40, 50),
    **{f"block_{n}/conv/weights": torch.full((2, 2), float(n)) for n in range(40)},
}


def values(layers: Layers) -> dict[str, np.ndarray]:
    return {name: layer.read() for name, layer in layers.layers.items()}


def same(layers: Layers) -> bool:
    found = values(layers)
    return found.keys() == STATE.keys() and all(
        np.array_equal(found[name], value.numpy()) for name, value in STATE.items()
    )


def test_checkpoint_is_read_by_any_of_its_names(tmp_path: Path) -> None:
    index = published.write_checkpoint(tmp_path / "model-33999", STATE)
    for source in (tmp_path, index, tmp_path / "model-33999"):
        assert same(read_layers(source))
    assert same(read_layers(tmp_path / "model-33999.data-00000-of-00001"))


def test_two_checkpoints_in_a_folder_must_be_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        published.write_checkpoint(tmp_path / name, STATE)
    with pytest.raises(StyleError, match=r"several checkpoints \(a.index, b.index\)"):
        read_layers(tmp_path)


def test_missing_data_file_is_named(tmp_path: Path) -> None:
    index = published.write_checkpoint(tmp_path / "model", STATE)
    (tmp_path / "model.data-00000-of-00001").unlink()
    with pytest.raises(StyleError, match=r"model\.data-00000-of-00001: is missing"):
        read_bundle(index)


def test_each_flipped_byte_of_a_checkpoint_is_seen(tmp_path: Path) -> None:
    """Every byte is under some checksum: whole or refused, never silently changed."""
    index = published.write_checkpoint(tmp_path / "model", STATE)
    data = tmp_path / "model.data-00000-of-00001"
    for path, step in ((index, 7), (data, 61)):
        whole = path.read_bytes()
        for place in range(0, len(whole), step):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << place % 8
            path.write_bytes(damaged)
            with pytest.raises(StyleError):
                values(read_bundle(index))
        path.write_bytes(whole)
    assert same(read_bundle(index))


def test_old_and_new_torch_files_are_read(tmp_path: Path) -> None:
    for modern in (True, False):
        torch.save(STATE, tmp_path / "a", _use_new_zipfile_serialization=modern)
        assert same(read_layers(tmp_path / "a"))


class Evil:
    """Writes a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch sakuga-was-here",)


@pytest.mark.parametrize("modern", [True, False])
def test_code_in_a_torch_file_is_never_run(
    modern: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"a": Evil()}, "a.pth", _use_new_zipfile_serialization=modern)
    with pytest.raises(StyleError, match="cannot be read as a PyTorch file"):
        read_layers(Path("a.pth"))
    assert not Path("sakuga-was-here").exists()


def test_code_in_an_npy_file_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("conv01_1.weight.npy", np.array([Evil()], object), allow_pickle=True)
    with pytest.raises(StyleError, match="Python objects"):
        read_layers(tmp_path)
    assert not Path("sakuga-was-here").exists()


def test_sizes_are_checked_before_memory_is_taken(tmp_path: Path) -> None:
    """Headers that tell of terabytes: refused, though 1 TB could be asked of no machine."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 262144), }"
    header = header.ljust(117) + b"\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64)
    (tmp_path / "conv01_1.weight.npy").write_bytes(content)
    with pytest.raises(StyleError, match=r"not a whole \.npy file"):
        read_npy_folder(tmp_path)
    torch.save({"a": torch.zeros(1234)}, tmp_path / "old", _use_new_zipfile_serialization=False)
    content = (tmp_path / "old").read_bytes()
    assert content.count(b"M\xd2\x04") == 2  # pickle's 1234: the storage and the shape
    huge = content.replace(b"M\xd2\x04", b"\x8a\x06" + (10**12).to_bytes(6, "little"))
    (tmp_path / "old").write_bytes(huge)
    with pytest.raises(StyleError, match="1000000000000 values, more than the file has bytes"):
        read_torch_file(tmp_path / "old")


def test_compressed_zip_is_refused(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(100_000)}, tmp_path / "a.pth")
    with (
        zipfile.ZipFile(tmp_path / "a.pth") as whole,
        zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in whole.namelist():
            bomb.writestr(entry, whole.read(entry))
    with pytest.raises(StyleError, match="compressed"):
        read_torch_file(tmp_path / "bomb")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": 1}, "holds int under 'a'"),
        ({"a": torch.zeros(3, dtype=torch.int64)}, "real numbers"),
        ([torch.zeros(3)], "holds a list"),
        ({}, "holds a dict"),
    ],
)
def test_other_torch_files_are_refused(content: object, message: str, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(StyleError, match=message):
        read_torch_file(tmp_path / "a.pth")


def test_foreign_sources_are_told_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(StyleError, match="is not there; check the spelling"):
        read_layers(tmp_path / "none.pth")
    with pytest.raises(StyleError, match=r"neither \.npy files nor a checkpoint"):
        read_layers(tmp_path)
    (tmp_path / "a.pth").write_bytes(b"no weights at all")
    with pytest.raises(StyleError, match="known are CartoonGAN"):
        read_layers(tmp_path / "a.pth")
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "b.pth")
    with pytest.raises(StyleError, match=r"its layers \(fc.weight, ...\) are of no network"):
        recognise(read_layers(tmp_path / "b.pth"))
    with pytest.raises(OptionError, match="leave them out"):
        import_weights(tmp_path / "b.pth", tmp_path / "new.onnx", Feeding((0, 1)))


# --- a thousand damaged files ---------------------------------------------------------------------

FILES_EACH = 200


def damage(whole: bytes, dice: random.Random) -> bytes:
    """Cut off, overwritten, with a piece missing or a piece doubled."""
    place = dice.randrange(len(whole))
    length = dice.choice((1, 1, 2, 8, 100))
    match dice.randrange(5):
        case 0:
            return whole[:place]
        case 1:
            return whole[:place] + whole[place + length :]
        case 2:
            return whole[:place] + whole[place : place + length] + whole[place:]
        case 3:
            return whole[:place] + dice.randbytes(length) + whole[place + length :]
        case _:
            flipped = bytearray(whole)
            flipped[place] ^= 1 << dice.randrange(8)
            return bytes(flipped)


def sources(folder: Path) -> Iterator[tuple[str, Path, Path]]:
    """Kind, the file to damage, and what is then read."""
    torch.save(STATE, folder / "new", _use_new_zipfile_serialization=True)
    yield "torch", folder / "new", folder / "new"
    torch.save(STATE, folder / "old", _use_new_zipfile_serialization=False)
    yield "old torch", folder / "old", folder / "old"
    (folder / "npy").mkdir()
    np.save(folder / "npy" / "a.npy", np.ones((3, 4), np.float32))
    yield "npy", folder / "npy" / "a.npy", folder / "npy"
    index = published.write_checkpoint(folder / "model", STATE)
    yield "index", index, index
    yield "data", folder / "model.data-00000-of-00001", index


def test_a_thousand_damaged_files_are_refused_or_unchanged(tmp_path: Path) -> None:
    """Formats with checksums: an error each time. The others: an error, or the right shapes.

    Old PyTorch files and .npy have no checksum, so a changed value cannot be seen; no other
    exception but StyleError comes, and none takes long.
    """
    dice = random.Random(8)
    refused = 0
    for kind, damaged, source in sources(tmp_path):
        whole = damaged.read_bytes()
        for _ in range(FILES_EACH):
            content = damage(whole, dice)
            damaged.write_bytes(content)
            start_s = time.perf_counter()
            try:
                layers = read_layers(source)
                found = values(layers)
            except StyleError as error:
                refused += 1
                assert str(error)
            else:
                assert kind in ("old torch", "npy") or content == whole or same(layers), kind
                assert all(found[name].shape == layers.layers[name].shape for name in found)
            assert time.perf_counter() - start_s < 20
        damaged.write_bytes(whole)
        read_layers(source)
    assert refused > 4 * FILES_EACH


def test_damaged_onnx_files_are_refused_or_paint(tiny_style: Path, tmp_path: Path) -> None:
    """onnx and onnxruntime must raise, not crash; what comes out is a style that keeps its size."""
    import onnx

    model = onnx.load(tiny_style)
    del model.metadata_props[:]
    whole, dice = model.SerializeToString(), random.Random(4)
    out = tmp_path / "new.onnx"
    refused = 0
    for _ in range(FILES_EACH):
        (tmp_path / "a").write_bytes(damage(whole, dice))
        try:
            import_weights(tmp_path / "a", out, Feeding((-1, 1), "nchw", 8, 16), overwrite=True)
        except (StyleError, OptionError):
            refused += 1
    assert refused > FILES_EACH / 3


def test_pickle_bombs_are_not_walked_forever(tmp_path: Path) -> None:
    """Nested lists that double: small in the file, endless when run, and refused by torch."""
    stream = io.BytesIO()
    pickle.dump(0x1950A86A20F9469CFC6C, stream, 2)
    pickle.dump(1001, stream, 2)
    pickle.dump({"little_endian": True, "protocol_version": 1001, "type_sizes": {}}, stream, 2)
    stream.write(b"\x80\x02]q\x00" + b"(h\x00h\x00e" * 30 + b".")
    pickle.dump([], stream, 2)
    (tmp_path / "a.pth").write_bytes(stream.getvalue())
    with pytest.raises(StyleError):
        read_torch_file(tmp_path / "a.pth")
