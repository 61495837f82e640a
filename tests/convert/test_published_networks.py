"""Each published layout, with random weights, against a forward pass written from its paper."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import published
import pytest
import torch
from published import State

from sakuga.convert.import_weights import import_weights
from sakuga.errors import StyleError
from sakuga.models.andersson import AnderssonGenerator
from sakuga.models.local import count_parameters
from sakuga.models.readers.source import read_layers
from sakuga.models.recognise import CARTOONGAN, PUBLISHED
from sakuga.models.whitebox import WhiteBoxGenerator
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import read_spec


def paint(style: Path, photo: np.ndarray) -> np.ndarray:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(style, options, providers=["CPUExecutionProvider"])
    (anime,) = session.run(["anime"], {"photo": photo})
    return anime


def write_cartoongan(folder: Path, state: State) -> Path:
    torch.save(state, folder / "weights.bin")
    return folder / "weights.bin"


def write_old_cartoongan(folder: Path, state: State) -> Path:
    torch.save(state, folder / "weights.bin", _use_new_zipfile_serialization=False)
    return folder / "weights.bin"


def write_folder(folder: Path, state: State) -> Path:
    return published.write_npy_folder(folder / "npy", state)


def write_whitebox(folder: Path, state: State) -> Path:
    slots = {f"{name}/Adam": value for name, value in list(state.items())[:2]}
    critic = {"discriminator/Conv/weights": torch.zeros(3, 3, 3, 32)}
    return published.write_checkpoint(folder / "model-1", {**state, **slots, **critic})


def write_light(folder: Path, state: State) -> Path:
    graph = [("_CHECKPOINTABLE_OBJECT_GRAPH", 7, b"names of objects")]
    published.write_checkpoint(folder / "light" / "generator", state, others=graph)
    return folder / "light"


CASES: dict[
    str, tuple[Callable[[], State], Callable[[Path, State], Path], published.Forward, int | None]
] = {
    "CartoonGAN": (
        published.cartoongan_state, write_cartoongan, published.cartoongan, None
    ),
    "AnimeGANv2": (published.animegan2_state, write_cartoongan, published.animegan2, None),
    "White-box": (
        published.whitebox_state,
        write_whitebox,
        published.whitebox,
        WhiteBoxGenerator.receptive_radius,
    ),
    "light": (published.light_state, write_light, published.light, None),
    "Andersson": (
        published.andersson_state,
        write_cartoongan,
        published.andersson,
        AnderssonGenerator.receptive_radius,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The style of a case, imported once."""
    folder = tmp_path_factory.mktemp("imported")

    @functools.cache
    def style(case: str) -> Path:
        make, write, _, _ = CASES[case]
        (folder / case).mkdir()
        spec = import_weights(write(folder / case, make()), folder / case / "new.onnx")
        assert read_spec(folder / case / "new.onnx") == spec
        return folder / case / "new.onnx"

    return style


@pytest.mark.parametrize("case", CASES)
def test_style_paints_what_its_paper_describes(case: str, imported: Callable[[str], Path]) -> None:
    make, _, forward, radius = CASES[case]
    state = make()
    assert read_spec(imported(case)).receptive_radius == radius
    for height, width in ((16, 20), (36, 24)):
        photo = published.random_photo(height, width)
        expected = forward(state, torch.from_numpy(photo)).numpy()
        assert 0.05 < expected.std() < 0.9  # neither flat nor saturated
        np.testing.assert_allclose(paint(imported(case), photo), expected, atol=2e-4)


def test_every_kind_of_cartoongan_file_holds_the_same(tmp_path: Path) -> None:
    state = published.cartoongan_state()
    kinds = (write_cartoongan, write_old_cartoongan, write_folder)
    wanted, *others = (CARTOONGAN.read(read_layers(write(tmp_path, state))) for write in kinds)
    for found in others:
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_number_of_values_is_the_published_one() -> None:
    counts = {
        network.name: sum(math.prod(shape) for _, shape in network.names().values())
        for network in PUBLISHED
    }
    assert counts["CartoonGAN"] == 11_129_667
    assert counts["CartoonGAN light"] == 878_433
    assert count_parameters(AnderssonGenerator()) == 11_124_547  # the paper says 11.12 M
    assert round(counts["AnimeGANv2"] / 1e6, 2) == 2.14
    assert round(counts["White-box Cartoonization"] / 1e6, 2) == 1.47


def test_colours_are_turned_round_for_networks_of_bgr(tmp_path: Path) -> None:
    """A network that passes its input on must give red for red: the order is turned twice."""
    state = published.whitebox_state()
    for name, value in state.items():
        state[name] = torch.zeros_like(value)
    for name in ("Conv", "Conv_8", "Conv_9"):  # pass three channels on through the skip
        weight = state[f"generator/{name}/weights"]
        for channel in range(3):
            weight[weight.shape[0] // 2, weight.shape[1] // 2, channel, channel] = 1
    state["generator/Conv_9/biases"][0] = 0.5  # brightens blue, which comes first
    source = published.write_checkpoint(tmp_path / "model", state)
    import_weights(source, tmp_path / "new.onnx")
    photo = np.zeros((1, 3, 16, 16), np.float32) + np.array([0.1, 0.2, 0.4]).reshape(3, 1, 1)
    anime = paint(tmp_path / "new.onnx", photo.astype(np.float32))[0, :, 8, 8]
    np.testing.assert_allclose(anime, [0.1, 0.2, 0.9], atol=1e-5)


@pytest.mark.parametrize("case", ["White-box", "Andersson"])
def test_local_style_in_tiles_equals_the_whole(case: str, imported: Callable[[str], Path]) -> None:
    style = imported(case)
    photo = np.random.default_rng(5).integers(0, 256, (40, 250, 3), np.uint8)
    whole = Stylizer(style, tile="none", threads=1)(photo)
    tiles = Stylizer(style, tile=32, threads=1)(photo)
    assert whole.std() > 10
    assert np.abs(whole.astype(int) - tiles).max() <= 1


@pytest.mark.parametrize(
    ("case", "radius"),
    [
        ("White-box", WhiteBoxGenerator.receptive_radius),
        ("Andersson", AnderssonGenerator.receptive_radius),
    ],
)
def test_local_style_looks_no_further_than_its_radius_and_nearly_as_far(
    case: str, radius: int, imported: Callable[[str], Path]
) -> None:
    """One changed pixel, far from all borders, changes nothing beyond the radius."""
    style = imported(case)
    photo = np.zeros((1, 3, 208, 208), np.float32)
    before = paint(style, photo)
    reached = 0
    for place in range(102, 106):  # every place within a cell of 4
        changed = photo.copy()
        changed[..., place, place] = 1
        difference = np.abs(paint(style, changed) - before)
        rows = np.nonzero(difference.max((0, 1, 3)))[0]
        reached = max(reached, place - rows.min(), rows.max() - place)
    assert radius - 12 < reached <= radius


def test_a_style_that_sees_the_whole_picture_is_not_tiled(imported: Callable[[str], Path]) -> None:
    style = imported("AnimeGANv2")
    assert not read_spec(style).tileable
    photo = np.random.default_rng(5).integers(0, 256, (21, 35, 3), np.uint8)
    assert Stylizer(style, threads=1)(photo).shape == photo.shape


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (published.cartoongan_state, "in07_2.scale"),
        (published.animegan2_state, "block_c.3.layers.1.1.bias"),
        (published.andersson_state, "res.0.7.block.4.running_var"),
    ],
)
def test_layers_that_do_not_fit_are_named(
    make: Callable[[], State], name: str, tmp_path: Path
) -> None:
    state, source, out = make(), tmp_path / "a.pth", tmp_path / "new.onnx"
    whole = state[name]
    torch.save({**state, name: whole[:-1].clone()}, source)
    shape = tuple(whole.shape)
    with pytest.raises(StyleError, match=rf"{name} has the shape \({shape[0] - 1},"):
        import_weights(source, out)
    torch.save({key: value for key, value in state.items() if key != name}, source)
    with pytest.raises(StyleError, match=rf"lacks the layer {name} \({shape[0]},\)"):
        import_weights(source, out)
    torch.save({**state, "attention.weight": whole}, source)
    with pytest.raises(StyleError, match=r"has the layer attention\.weight .* lacks"):
        import_weights(source, out)
    torch.save({**state, name: whole * torch.nan}, source)
    with pytest.raises(StyleError, match=f"{name} holds values that are not finite"):
        import_weights(source, out)
    assert [path.name for path in tmp_path.iterdir()] == ["a.pth"]


def test_missing_layer_of_a_checkpoint_is_named(tmp_path: Path) -> None:
    state = published.light_state()
    name = "residual_blocks/layer_with_weights-5/model/layer_with_weights-2/depthwise_kernel"
    del state[f"{name}/.ATTRIBUTES/VARIABLE_VALUE"]
    source = published.write_checkpoint(tmp_path / "model", state)
    with pytest.raises(StyleError, match="lacks the layer residual_blocks/5/model/2/depthwise"):
        import_weights(source, tmp_path / "new.onnx")
