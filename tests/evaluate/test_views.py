"""Views cover the picture without bending it, and what was seen is remembered rightly."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sakuga.evaluate.features import FeatureNetwork
from sakuga.evaluate.systems import Item
from sakuga.evaluate.views import BATCH, cached_features, features_of, views_of


class Looker:
    """A network that gives channel means and counts how often it is asked."""

    def __init__(self, name="looker"):
        self.batches = []
        self.network = FeatureNetwork(name, hashlib.sha256(name.encode()).hexdigest(), 8, self.see)

    def see(self, squares):
        assert squares.dtype == np.uint8 and squares.shape[1:] == (8, 8, 3)
        self.batches.append(len(squares))
        return squares.mean(axis=(1, 2)).astype(np.float32)


def plain(level, height=8, width=8):
    return np.full((height, width, 3), level, np.uint8)


def item(level):
    content = bytes([level])
    return Item(str(level), hashlib.sha256(content).hexdigest(), str(level), lambda: content)


def read(source):
    return plain(source.content()[0], 8, 16)


@given(
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    view=st.sampled_from(["squares", "tiles"]),
)
def test_views_together_show_every_pixel(height, width, view):
    """Position is written in the colours, so that each view tells what it shows."""
    rows, columns = np.mgrid[:height, :width]
    picture = np.stack([rows % 256, columns % 256, rows // 256 + 16 * (columns // 256)], -1)
    window = min(height, width, 256 if view == "tiles" else 10**9)
    views = views_of(picture.astype(np.uint8), view, window)  # the windows themselves, unresized
    assert views.shape[1:] == (window, window, 3)
    red, green, blue = np.moveaxis(views.astype(int), -1, 0)
    top, left = red + 256 * (blue % 16), green + 256 * (blue // 16)
    seen = np.zeros((height, width), bool)
    seen[top.ravel(), left.ravel()] = True
    assert seen.all()
    if view == "squares":
        assert len(views) == -(-max(height, width) // window)


def test_a_circle_stays_round():
    rows, columns = np.mgrid[:100, :100]
    disc = ((rows - 50) ** 2 + (columns - 50) ** 2 < 900)[..., None] * np.uint8(255)
    (view,) = views_of(np.repeat(disc, 3, axis=2), "squares", 40)
    inside = view[..., 0] > 127
    assert abs(int(inside.any(0).sum()) - int(inside.any(1).sum())) <= 1


def test_features_know_their_pictures_across_batches():
    looker = Looker()
    pictures = [plain(level, 8, 8 * (1 + level % 3)) for level in range(30)]
    steps = []
    seen = features_of(pictures, looker.network, "squares", lambda: steps.append(1))
    assert len(steps) == seen.total_pictures == 30
    assert sum(looker.batches) == len(seen.values) == 60
    assert max(looker.batches) == BATCH
    assert seen.values[:, 0].tolist() == seen.pictures.tolist()


def test_what_was_seen_is_not_looked_at_again(tmp_path):
    items = [item(3), item(5)]
    first, second = Looker(), Looker()
    one = cached_features(items, read, first.network, "squares", tmp_path, read_as="whole")
    two = cached_features(items, read, second.network, "squares", tmp_path, read_as="whole")
    assert first.batches and not second.batches
    assert np.array_equal(one.values, two.values) and np.array_equal(one.pictures, two.pictures)


@pytest.mark.parametrize("change", ["files", "order", "network", "view", "reading"])
def test_another_question_is_answered_anew(tmp_path, change):
    items = [item(3), item(5)]
    cached_features(items, read, Looker().network, "squares", tmp_path, read_as="whole")
    looker = Looker("another" if change == "network" else "looker")
    cached_features(
        {"files": [item(3), item(6)], "order": items[::-1]}.get(change, items),
        read,
        looker.network,
        "tiles" if change == "view" else "squares",
        tmp_path,
        read_as="half" if change == "reading" else "whole",
    )
    assert looker.batches


def test_without_a_cache_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cached_features([item(3)], read, Looker().network, "squares", None, read_as="whole")
    assert not list(tmp_path.iterdir())
