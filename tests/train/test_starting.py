"""Fine-tuning: from a style or published weights exactly, and towards other drawings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import published
import pytest
import torch
from conftest import make_spec
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from training import NO_VGG, export_as, lively_generator, tiny_config, train_here

from sakuga.cli import run
from sakuga.convert.export import Precision, export
from sakuga.convert.interpolate import interpolate
from sakuga.convert.onnx_export import export_checkpoint
from sakuga.convert.quantize import quantise
from sakuga.errors import StyleError, TrainingError
from sakuga.evaluate.metrics import Features, kid
from sakuga.images.read import to_float, to_pixels
from sakuga.models.cartoongan import CartoonGenerator
from sakuga.models.local import LocalGenerator
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import add, find, write_spec
from sakuga.train.checkpoint import build_generator, load_weights, starting_weights
from sakuga.train.config import TrainConfig

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric"),
    pytest.mark.usefixtures("traced_once"),
]
CARTOONGAN = TrainConfig(generator="cartoongan")
EXAMPLES = Path(__file__).parents[2] / "examples"
NOVEL = TrainConfig(width=16, blocks=3, decides=True)  # as the style in the box
TINY = TrainConfig(width=8, blocks=1)  # as `lively_generator`


@pytest.fixture(scope="module")
def state() -> published.State:
    return published.cartoongan_state(2)


def test_published_weights_paint_the_same_in_our_generator(
    state: published.State, tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "a.pth")
    generator = CartoonGenerator().eval()
    for source in (tmp_path / "a.pth", published.write_npy_folder(tmp_path / "npy", state)):
        load_weights(generator, starting_weights(source, CARTOONGAN), source)
        photo = torch.from_numpy(published.random_photo(20, 24))
        with torch.no_grad():
            difference = generator(photo) - published.cartoongan(state, photo)
        assert difference.abs().max() < 5e-3  # the two differ in the norm's epsilon


def test_published_weights_need_the_generator_they_are_of(
    state: published.State, tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(TrainingError, match='set generator = "cartoongan"'):
        starting_weights(tmp_path / "a.pth", TrainConfig())
    torch.save(
        {key: value for key, value in state.items() if key != "in05_2.shift"}, tmp_path / "b"
    )
    with pytest.raises(StyleError, match=r"lacks the layer in05_2\.shift"):
        starting_weights(tmp_path / "b", CARTOONGAN)
    (tmp_path / "c").write_bytes(b"conv01_1.weight")
    with pytest.raises(TrainingError, match="not a checkpoint"):
        starting_weights(tmp_path / "c", CARTOONGAN)


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_a_style_file_is_a_beginning(precision: Precision, tmp_path: Path) -> None:
    generator = lively_generator()
    style = export_as(generator, "mine", tmp_path)
    file = tmp_path / f"{precision}.onnx"
    export(str(style), file, precision, None)
    fresh = LocalGenerator(8, 1)
    load_weights(fresh, starting_weights(file, TINY), file)
    for name, weights in generator.state_dict().items():
        wanted = weights.half().float() if weights.ndim > 1 else weights
        torch.testing.assert_close(fresh.state_dict()[name], wanted, rtol=0, atol=0)
    photo = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    with torch.no_grad():
        painted = to_pixels(fresh(torch.from_numpy(to_float(photo))).numpy())[0]
    difference = painted.astype(int) - Stylizer(file, device="cpu", threads=1)(photo)
    assert np.abs(difference).max() <= 1


def test_a_style_is_found_by_its_name(no_user_styles: Path, tmp_path: Path) -> None:
    novel = starting_weights("novel", NOVEL)
    assert novel.keys() == build_generator(NOVEL).state_dict().keys()
    add(export_as(lively_generator(), "mine", tmp_path))
    assert starting_weights("mine", TINY)["stem.0.bias"].shape == (8,)
    with pytest.raises(StyleError, match="did you mean mine"):
        starting_weights("mein", TINY)
    with pytest.raises(StyleError, match="there is no such style file"):
        starting_weights("mein.onnx", TINY)
    with pytest.raises(TrainingError, match=r"holds no checkpoint\.pt"):
        starting_weights("runs/mein", TINY)


def test_a_style_of_another_shape_is_refused(tiny_style: Path, tmp_path: Path) -> None:
    mine = export_as(lively_generator(), "mine", tmp_path)
    for generator, message in (
        (LocalGenerator(12, 1), r"stem\.0\.weight has shape \(8, 3, 6, 6\), .* \(12, 3, 6, 6\)"),
        (LocalGenerator(8, 2), r"lacks the layer eighth\.1\.first\.weight \(32, 32, 3, 3\)"),
        (LocalGenerator(8, 0), r"has the layer eighth\.0\.first\.bias \(32,\), which"),
    ):
        with pytest.raises(TrainingError, match=message):
            load_weights(generator, starting_weights(mine, TINY), mine)
    with pytest.raises(TrainingError, match=r"lacks the layer stem\.0\.weight"):
        load_weights(LocalGenerator(8, 1), starting_weights(tiny_style, TINY), tiny_style)
    photos = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    onnx.save(quantise(find(mine), list(photos)), tmp_path / "int8.onnx")
    with pytest.raises(StyleError, match="give the style it was made of"):
        starting_weights(tmp_path / "int8.onnx", TINY)


def test_an_imported_cartoongan_is_a_beginning(state: published.State, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "a.pth")
    imported = tmp_path / "a.onnx"
    assert run(["import-weights", str(tmp_path / "a.pth"), str(imported)]) == 0
    found = starting_weights(imported, CARTOONGAN)
    for name, weights in starting_weights(tmp_path / "a.pth", CARTOONGAN).items():
        torch.testing.assert_close(found[name], weights, rtol=0, atol=0)
    with pytest.raises(TrainingError, match='set generator = "cartoongan"'):
        starting_weights(imported, TINY)


def test_cartoongan_light_is_a_beginning_and_learns(tmp_path: Path) -> None:
    """From its authors' checkpoint to a style, to a training that starts from it, to a style."""
    state = published.light_state()
    published.write_checkpoint(tmp_path / "model", state)
    imported = tmp_path / "light.onnx"
    assert run(["import-weights", str(tmp_path / "model"), str(imported)]) == 0
    config = tiny_config(
        tmp_path / "pictures", tmp_path / "pictures", generator="cartoongan-light",
        steps=2, chroma_limit=1e9, texture_limit=1e9,
    )  # fmt: skip
    generator = build_generator(config).eval()
    load_weights(generator, starting_weights(imported, config), imported)
    photo = torch.from_numpy(published.random_photo(48, 64))
    with torch.no_grad():
        difference = generator(photo) - published.light(state, photo)
    assert difference.abs().max() < 5e-3

    (tmp_path / "pictures").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{number}.png")
    train_here(config, tmp_path / "run", start_from=str(imported))
    export_checkpoint(tmp_path / "run", tmp_path / "mine.onnx")
    painted = Stylizer(tmp_path / "mine.onnx", device="cpu")(pixels[0])
    assert painted.shape == pixels[0].shape and painted.std() > 0


def test_a_cartoongan_imported_by_an_earlier_version_is_a_beginning(
    state: published.State, tmp_path: Path
) -> None:
    """Its file names layers as the authors do, with colours turned round already."""
    torch.save(state, tmp_path / "a.pth")
    rgb = {name: value.numpy() for name, value in state.items()}
    rgb["conv01_1.weight"] = rgb["conv01_1.weight"][:, ::-1].copy()
    for name in ("deconv03_1.weight", "deconv03_1.bias"):
        rgb[name] = rgb[name][::-1].copy()
    shape = ["batch", 3, "height", "width"]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("photo", "anime")
    ]
    weights = [numpy_helper.from_array(values, name) for name, values in rgb.items()]
    node = helper.make_node("Tanh", ["photo"], ["anime"])
    model = helper.make_model(helper.make_graph([node], "a", ends[:1], ends[1:], weights))
    write_spec(model, make_spec("a", None))
    onnx.save(model, tmp_path / "a.onnx")
    found = starting_weights(tmp_path / "a.onnx", CARTOONGAN)
    wanted = starting_weights(tmp_path / "a.pth", CARTOONGAN)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def hatched_drawings(folder: Path, count: int) -> Path:
    """Drawings of a look of their own: strong flat colours, thick outlines, diagonal hatching."""
    dice = np.random.default_rng(6)
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[:96, :96]
    palette = np.array([(230, 40, 50), (250, 200, 40), (30, 90, 200), (240, 120, 170)])
    for index in range(count):
        drawing = np.tile(palette[dice.integers(4)], (96, 96, 1))
        for _ in range(5):
            top, left, side = dice.integers((0, 0, 24), (60, 60, 56))
            block = (slice(top, top + side), slice(left, left + side))
            drawing[block] = 20  # the outline, of which a border stays
            inner = (slice(top + 3, top + side - 3), slice(left + 3, left + side - 3))
            drawing[inner] = palette[dice.integers(4)]
            if dice.random() < 0.5:
                drawing[inner][((rows + columns) % 8 < 3)[inner]] = 20
        Image.fromarray(drawing.astype(np.uint8)).save(folder / f"{index:03}.png")
    return folder


def crops_of(folder: Path, count: int) -> torch.Tensor:
    """Crops of 64 pixels, of the pictures at 96 on the shorter side: (count, 3, 64, 64)."""
    dice = np.random.default_rng(0)
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".jpg", ".png"))
    crops = []
    for index in range(count):
        with Image.open(paths[index % len(paths)]) as picture:
            scale = 96 / min(picture.size)
            size = tuple(round(side * scale) for side in picture.size)
            small = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BOX))
        top, left = (dice.integers(extent - 63) for extent in small.shape[:2])
        crops.append(small[top : top + 64, left : left + 64])
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def features_of(pictures: torch.Tensor) -> Features:
    """Means and deviations of what a small network of random weights sees, (B, 192)."""
    dice = torch.Generator().manual_seed(3)
    columns, channels = [], 3
    for outputs in (32, 64):
        kernel = torch.randn(outputs, channels, 5, 5, generator=dice) * (2 / (25 * channels)) ** 0.5
        pictures = torch.nn.functional.conv2d(pictures, kernel, stride=2).relu()
        columns += [pictures.mean((2, 3)), pictures.std((2, 3))]
        channels = outputs
    return Features(torch.cat(columns, 1).double().numpy(), np.arange(len(pictures)))


@pytest.fixture(scope="module")
def drawings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hatched_drawings(tmp_path_factory.mktemp("other") / "drawings", 100)


@pytest.fixture(scope="module")
def tuned(drawings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of 60 steps from the style in the box towards the drawings."""
    config = TrainConfig(
        name="hatched",
        width=NOVEL.width,
        blocks=NOVEL.blocks,
        decides=NOVEL.decides,
        photos=(str(EXAMPLES),),
        anime=(str(drawings),),
        sheet_photos=str(EXAMPLES),
        crop=48,
        batch=2,
        photo_sides=(96, 96),
        anime_sides=(96, 96),
        discriminator_width=16,
        texture_weight=1.0,
        surface_weight=1.0,
        **NO_VGG,
        flat_weight=1.0,
        colour_weight=0.0,
        noise_weight=0.0,
        steps=60,
        init_steps=0,
        warmup_steps=10,
        chroma_limit=60.0,  # towards the colours of the drawings,
        texture_limit=9.0,  # with strokes
        generator_lr=1e-3,
        discriminator_lr=1e-3,
        ema_decay=0.95,
        precision="32-true",
        guard_every=10_000,
        sheet_every=10_000,
        save_every=10_000,  # guards look at what is saved, too
    )
    run = tmp_path_factory.mktemp("tuned") / "run"
    train_here(config, run, start_from="novel")
    return run


def generator_from(source: str | Path) -> LocalGenerator:
    generator = build_generator(NOVEL)
    load_weights(generator, starting_weights(source, NOVEL), source)
    return generator.eval()


@torch.no_grad()
def test_novel_moves_towards_100_other_drawings_in_60_steps(tuned: Path, drawings: Path) -> None:
    """Fine-tuning the style in the box: the KID of painted photos to the new drawings falls."""
    photos, wanted = crops_of(EXAMPLES, 60), features_of(crops_of(drawings, 100))
    before, after = (
        kid(features_of(generator_from(source)(photos).clamp(-1, 1)), wanted).distance
        for source in ("novel", tuned)
    )
    assert after.value < 0.8 * before.value, (before, after)
    assert after.value < before.low and after.high < before.value


def test_a_style_and_what_was_tuned_from_it_meet_halfway(tuned: Path, tmp_path: Path) -> None:
    """The files that export writes of both have one architecture: their weights can be averaged."""
    file = tmp_path / "hatched.onnx"
    export(str(tuned), file, "fp16", None)
    onnx.save(interpolate(find("novel"), find(file), 0.25, "between"), tmp_path / "between.onnx")
    own, other, between = (generator_from(s) for s in ("novel", file, tmp_path / "between.onnx"))
    moved = 0.0
    for (name, weights), theirs in zip(
        between.state_dict().items(), other.state_dict().values(), strict=True
    ):
        expected = torch.lerp(own.state_dict()[name], theirs, 0.25)
        torch.testing.assert_close(weights, expected, rtol=1e-3, atol=1e-6)  # float16 weights
        moved = max(moved, float((theirs - own.state_dict()[name]).abs().max()))
    assert moved > 0.01
