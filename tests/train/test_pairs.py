"""Training on stored pairs: what a crop is, what the terms ask for, and that the head learns it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from training import draw_pictures, tiny_config, train_here

from sakuga.cel.settings import CelSettings
from sakuga.cel.skin import Face
from sakuga.convert.onnx_export import export_checkpoint
from sakuga.data.pairs import Pair, prepare_pairs
from sakuga.errors import DataError, OptionError
from sakuga.models.local import LocalGenerator, Painting, draw_strokes, lay_flat, two_tones
from sakuga.painting.stylizer import Stylizer
from sakuga.train import losses
from sakuga.train.checkpoint import load_checkpoint, load_weights
from sakuga.train.config import TrainConfig, check_objective, config_from
from sakuga.train.dataset import PairSampler, load_pairs
from sakuga.train.objective import Batch, drawing_terms

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric"),
    pytest.mark.usefixtures("traced_once"),
]

NO_CEL = {
    "photos": [], "anime": [], "sheet_photos": "", "decides": True,
    "flat_weight": 0.0, "colour_weight": 0.0, "texture_weight": 0.0, "surface_weight": 0.0,
    "picture_weight": 0.0, "init_steps": 0, "texture_limit": 9.0, "chroma_limit": 90.0,
}  # fmt: skip


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pairs")
    photos = draw_pictures(root / "photos", 5, seed=1)
    prepare_pairs(photos, root / "pairs", CelSettings(), sides=(64, 90), workers=1)
    return root / "pairs"


def config(pairs: Path, **changes: object) -> TrainConfig:
    tiny = dataclasses.asdict(tiny_config(pairs, pairs))
    return config_from({**tiny, **NO_CEL, "pairs": [str(pairs)], **changes})


def marked_pair(side: int = 64) -> Pair:
    """Photo, drawing and strokes that tell each pixel's place."""
    y, x = np.indices((side, side), np.uint8)
    photo = np.dstack([y, x, y])
    return Pair(photo, photo + 64, (y + x).astype(np.uint8), (Face(50.0, 12.0, 5.0, 6.0),))


def test_a_crop_is_the_same_place_of_photo_drawing_and_strokes() -> None:
    sampler = PairSampler([marked_pair()], 32, 0.5, torch.device("cpu"))
    photo, drawing, strokes = sampler.draw(8, torch.Generator().manual_seed(0))
    grey = torch.round((photo + 1) * 127.5)
    assert torch.equal(torch.round((drawing + 1) * 127.5), grey + 64)
    assert torch.equal(torch.round(strokes[:, 0] * 255), grey[:, 0] + grey[:, 1])
    assert photo.shape == (8, 3, 32, 32) and strokes.shape == (8, 1, 32, 32)


def test_faces_are_drawn_as_often_as_asked() -> None:
    pair = marked_pair(200)
    face = Face(150.0, 40.0, 5.0, 6.0)
    pair = Pair(pair.photo, pair.drawing, pair.strokes, (face,))

    def share(wanted: float) -> float:
        sampler = PairSampler([pair], 32, wanted, torch.device("cpu"))
        photo, _, _ = sampler.draw(400, torch.Generator().manual_seed(1))
        rows, columns = torch.round((photo[:, :2] + 1) * 127.5).unbind(dim=1)
        inside = (rows == 40) & (columns == 150)
        return float(inside.flatten(1).any(dim=1).float().mean())

    assert share(1.0) == 1
    assert share(0.0) < 0.1
    assert 0.4 < share(0.5) < 0.62


def test_ranks_cut_the_crops_of_one() -> None:
    sampler = PairSampler([marked_pair()], 32, 0.3, torch.device("cpu"))
    whole, _, _ = sampler.draw(6, torch.Generator().manual_seed(2))
    parts = [
        sampler.draw(6, torch.Generator().manual_seed(2), rank=r, world_size=2)[0] for r in (0, 1)
    ]
    assert torch.equal(whole[0::2], parts[0]) and torch.equal(whole[1::2], parts[1])


def test_pairs_too_small_for_a_crop_are_an_error() -> None:
    with pytest.raises(DataError, match="no pair is as large as a crop of 96"):
        PairSampler([marked_pair()], 96, 0.0, torch.device("cpu"))


def test_gradient_distance_of_a_soft_border_is_what_it_takes_away() -> None:
    hard = torch.zeros(1, 1, 8, 8)
    hard[..., 4:] = 1
    soft = hard.clone()
    soft[..., 3], soft[..., 4] = 1 / 3, 2 / 3
    # |dx|: 1 against three steps of 1/3: (1/3 + 2/3 + 1/3) in each of 8 rows, over 56 differences
    assert float(losses.gradient_distance(soft, hard)) == pytest.approx(8 * 4 / 3 / 56)
    assert float(losses.gradient_distance(hard + 0.3, hard)) == pytest.approx(0, abs=1e-6)


def test_sparse_gradients_prefer_one_step_to_many_and_spare_the_drawings_own() -> None:
    flat = torch.zeros(1, 3, 4, 12)
    step, ramp = flat.clone(), flat.clone()
    step[..., 6:] = 1
    ramp[..., 1:11] = torch.linspace(0.1, 1.0, 10)
    ramp[..., 11] = 1
    one, ten = (float(losses.sparse_gradients(p, flat, knee=1e-6)) for p in (step, ramp))
    assert one == pytest.approx(1 / 11, rel=0.01)  # one step of 1 among 11, in each row
    assert ten == pytest.approx(10 * 0.1**0.5 / 11, rel=0.01)
    own = float(losses.sparse_gradients(step, step))
    assert own == pytest.approx(0, abs=1e-6)  # a border that the drawing has
    assert float(losses.sparse_gradients(flat, step)) == pytest.approx(0, abs=1e-6)


def test_stroke_cross_entropy_in_closed_form() -> None:
    logits = torch.tensor([0.0, 2.0]).view(1, 1, 1, 2)
    strokes = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    expected = (3 * np.log(2) + np.log(1 + np.exp(2))) / 2
    assert float(losses.stroke_cross_entropy(logits, strokes, 3.0)) == pytest.approx(expected)


def test_the_terms_vanish_for_the_drawing_itself(pairs: Path) -> None:
    photo = torch.rand(2, 3, 16, 16) * 2 - 1
    strokes = (torch.rand(2, 1, 16, 16) > 0.8).float()
    batch = Batch(photo, photo, drawing=photo, strokes=strokes)
    perfect = Painting(photo, photo, photo, strokes=(strokes * 2 - 1) * 50)
    terms = drawing_terms(config(pairs), batch, perfect)
    assert set(terms) == {"tone", "base", "drawing", "gradient", "strokes"}
    assert float(sum(terms.values())) == pytest.approx(0, abs=1e-6)
    # Ink is no colour: what the base is under strokes costs nothing.
    inked = Painting(photo, photo + strokes, photo + strokes, strokes=(strokes * 2 - 1) * 50)
    assert float(sum(drawing_terms(config(pairs), batch, inked).values())) < 1e-6
    assert drawing_terms(config(pairs), Batch(photo, photo), perfect) == {}


def test_a_zero_weight_costs_nothing(pairs: Path) -> None:
    names = ("tone", "base", "drawing", "gradient", "side", "stroke")
    none = config(pairs, **{f"{name}_weight": 0.0 for name in names})
    photo = torch.zeros(1, 3, 8, 8)
    batch = Batch(photo, photo, drawing=photo, strokes=photo[:, :1])
    assert (
        drawing_terms(none, batch, Painting(photo, photo, photo, photo[:, :1], photo[:, :1])) == {}
    )


def test_lay_flat_makes_a_soft_border_crisp() -> None:
    ramp = ((torch.arange(40) - 18) / 4).clamp(0, 1) - 0.5  # over four pixels
    base = ramp.view(1, 1, 1, 40).expand(1, 3, 30, 40)
    on, off = torch.full((1, 1, 30, 40), 20.0), torch.full((1, 1, 30, 40), -20.0)
    flat = lay_flat(base, on)[0, 0, 15]
    before = (base[0, 0, 15].abs() < 0.45).sum()
    after = (flat[5:-5].abs() < 0.45).sum()
    assert before == 3 and after <= 1
    assert torch.allclose(lay_flat(base, off), base, atol=1e-6)
    constant = torch.full((1, 3, 20, 20), 0.3)
    assert torch.allclose(lay_flat(constant, on[..., :20, :20]), constant)


def test_lay_flat_spares_what_is_nowhere_calm() -> None:
    """With a limit a ramp is laid flat as before, and leaves stay leaves."""
    on = torch.full((1, 1, 48, 48), 9.0)
    leaves = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(3))
    leaves = leaves.repeat_interleave(2, 2).repeat_interleave(2, 3).expand(-1, 3, -1, -1) - 0.5
    ramp = torch.linspace(-0.1, 0.1, 48).expand(1, 3, 48, 48)
    kept, smoothed = (
        (lay_flat(leaves, on, limit=limit) - leaves).abs().mean() for limit in (0.003, None)
    )
    assert kept < 0.2 * smoothed
    spared, usual = (lay_flat(ramp, on, limit=limit) for limit in (0.003, None))
    assert (spared - usual).abs().max() < 0.01


def test_lay_flat_keeps_a_step_and_mixes_no_sides() -> None:
    base = torch.full((1, 3, 24, 30), -0.5)
    base[..., 15:] = 0.7
    on = torch.full((1, 1, 24, 30), 9.0)
    assert torch.allclose(lay_flat(base, on), base, atol=1e-3)


def test_broad_tones_are_laid_at_half_size() -> None:
    base = torch.full((1, 3, 40, 40), -0.4)
    base[..., 21:] = 0.4  # off the cells of two pixels
    base += 0.2 * (torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(4)) - 0.5)
    on = torch.full((1, 1, 40, 40), 9.0)
    fine, broad = (lay_flat(base, on, passes) for passes in (((1, 3, 0.0),), ((2, 3, 0.0),)))
    assert broad[..., :18].std() < fine[..., :18].std() < 0.5 * base[..., :18].std()
    crisp = lay_flat(base, on, ((2, 3, 0.0), (1, 3, 0.0)))
    assert (crisp[..., 22] - crisp[..., 19]).min() > 0.7


def test_two_tones_make_shapes_of_texture() -> None:
    """Each pixel takes the mean of its own side, as crisp as the sides are."""
    bright = (torch.arange(40) // 5 % 2 == 0).float().expand(1, 1, 40, 40)
    noise = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(4)) - 0.5
    base = 0.05 * (2 * bright - 1) + 0.05 * noise
    decided, everywhere = 40 * (2 * bright - 1), torch.ones(1, 1, 40, 40)
    two = two_tones(base, decided, everywhere, base)
    for side in (bright, 1 - bright):
        inside = two[0, :, 5:-5, 5:-5][:, side[0, 0, 5:-5, 5:-5] > 0]
        assert inside.std(dim=1).max() < 0.6 * 0.05 * noise.std()
    assert (two[..., 4] - two[..., 5]).mean() == pytest.approx(0.1, abs=0.01)
    pale, full = (
        (tones[..., 4] - tones[..., 5]).mean()
        for tones in (two_tones(0.1 * base, decided, everywhere, base, c) for c in (0.0, 1.0))
    )
    assert pale == pytest.approx(0.01, abs=0.003) and 0.08 < full < 0.11
    assert torch.equal(two_tones(base, decided, 0 * everywhere, base), base)
    assert torch.equal(two_tones(base, 0 * decided, everywhere, base), base)  # undecided
    contours = 20 * base
    assert (two_tones(contours, decided, everywhere, contours) - contours).abs().max() < 0.02
    constant = torch.full((1, 3, 40, 40), 0.3)
    assert torch.allclose(two_tones(constant, decided, everywhere, base), constant, atol=1e-5)


def test_a_run_of_before_there_were_two_tones_goes_on(pairs: Path, tmp_path: Path) -> None:
    made = config(pairs, steps=2)
    checkpoint = train_here(made, tmp_path / "run")
    saved = torch.load(checkpoint, weights_only=True)
    for kind in ("generator", "ema"):
        names = {name: name.replace("choices", "decisions") for name in saved[kind]}
        saved[kind] = {names[name]: value for name, value in saved[kind].items()}
    torch.save(saved, checkpoint)

    network = LocalGenerator(8, 1, decides=True).eval()
    load_weights(network, saved["ema"], checkpoint)
    photo = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        painting = network(photo, in_parts=True)
    assert not painting.sides.any()  # what was there meant something else
    train_here(dataclasses.replace(made, steps=4), tmp_path / "run", resume=True)
    ema = load_checkpoint(checkpoint)[1]["ema"]
    assert ema["choices.weight"][8:].any() and torch.isfinite(ema["choices.weight"]).all()
    train_here(made, tmp_path / "other", start_from=tmp_path / "run")


def test_strokes_are_a_darkened_local_colour() -> None:
    white, gray = torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    assert torch.equal(draw_strokes(gray, torch.zeros(1, 1, 2, 2)), gray)
    inked = draw_strokes(white, torch.ones(1, 1, 2, 2))
    assert float(inked.mean()) == pytest.approx(2 * (0.1 + 0.27) - 1)
    sepia = draw_strokes(white, torch.ones(1, 1, 2, 2), (0.3, 0.2, 0.1), 0.5)[0, :, 0, 0]
    assert sepia.tolist() == pytest.approx(
        [2 * (0.1 + 0.9 * (0.5 + s / 2)) - 1 for s in (0.3, 0.2, 0.1)]
    )


def test_a_generator_that_decides_sees_no_further_than_it_says() -> None:
    torch.manual_seed(0)
    network = LocalGenerator(8, 1, decides=True).double()
    side = 8 * 30
    photo = torch.rand(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    middle = side // 2
    network(photo)[0, :, middle, middle].sum().backward()
    rows = photo.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    reach = max(middle - int(rows.min()), int(rows.max()) - middle)
    assert 0 < reach <= network.receptive_radius


def test_training_on_pairs_is_exact_and_becomes_a_style(pairs: Path, tmp_path: Path) -> None:
    made = config(pairs, steps=4)
    checkpoint = train_here(made, tmp_path / "run")
    again = train_here(made, tmp_path / "again")
    one, two = (load_checkpoint(path)[1]["ema"] for path in (checkpoint, again))
    assert all(torch.equal(one[name], two[name]) for name in one)
    spec = export_checkpoint(tmp_path / "run", tmp_path / "x.onnx")
    assert spec.training["photos"] == len(load_pairs([pairs])) and spec.training["drawings"] == 0
    photo = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    assert Stylizer(tmp_path / "x.onnx")(photo).shape == photo.shape


def test_the_head_learns_where_strokes_are(tmp_path: Path) -> None:
    """Thin dark lines on colour, which are strokes in the drawing."""
    folder = tmp_path / "pairs"
    folder.mkdir()
    rng = np.random.default_rng(7)
    for number in range(6):
        photo = np.full((64, 64, 3), rng.integers(120, 240, 3), np.uint8)
        strokes = np.zeros((64, 64), np.uint8)
        for row, column in rng.integers(2, 60, (4, 2)):
            strokes[row : row + 2] = strokes[:, column : column + 2] = 255
        photo[strokes > 0] = 30
        (folder / f"{number}.webp").write_bytes(Pair(photo, photo, strokes).encode())
    made = config(
        folder, steps=150, generator_lr=4e-3, ema_decay=0.9, stroke_weight=1.0, beta1=0.9,
        save_every=150, sheet_every=150,
    )  # fmt: skip
    checkpoint = train_here(made, tmp_path / "run")
    network = LocalGenerator(8, 1, decides=True)
    network.load_state_dict(load_checkpoint(checkpoint)[1]["ema"])
    sampler = PairSampler(load_pairs([folder]), 64, 0.0, torch.device("cpu"))
    photo, _, strokes = sampler.draw(6, torch.Generator().manual_seed(5))
    with torch.no_grad():
        found = network(photo, in_parts=True).strokes
    assert float(found[strokes > 0.9].mean()) > 0.5
    assert float(found[strokes < 0.1].mean()) < -0.5


def test_settings_that_contradict_each_other_are_refused(pairs: Path) -> None:
    with pytest.raises(OptionError, match="pairs hold their photos"):
        config(pairs, photos=["photos"])
    with pytest.raises(OptionError, match="pairs bring their drawings"):
        config(pairs, flat_weight=1.0)
    with pytest.raises(OptionError, match="only the local generator"):
        config(pairs, generator="cartoongan")
    with pytest.raises(OptionError, match="nothing is learned in the init"):
        check_objective(config_from({"texture_weight": 1.0, "init_steps": 3}))
    check_objective(config_from({"texture_weight": 1.0, "init_steps": 0}))
    with pytest.raises(OptionError, match="nothing is learned: no term"):
        check_objective(config_from({"init_steps": 0}))
    with pytest.raises(OptionError, match="face_share"):
        config(pairs, face_share=1.5)
