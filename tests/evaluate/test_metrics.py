"""KID and FID against closed forms, the textbook estimator and torchmetrics on one network."""

import numpy as np
import pytest

from sakuga.errors import DataError
from sakuga.evaluate.metrics import Features, cosines, fid, halves, kid


def features(values, views=1):
    values = np.asarray(values, np.float64)
    return Features(values, np.arange(len(values)) // views)


def gaussian(count, dimension, seed, mean=0.0):
    return np.random.default_rng(seed).normal(mean, 1, (count, dimension))


def textbook_kid(first, second):
    """The unbiased estimate as the paper prints it, in loops."""

    def k(x, y):
        return (x @ y / len(x) + 1) ** 3

    m, n = len(first), len(second)
    own_first = sum(k(first[i], first[j]) for i in range(m) for j in range(m) if i != j)
    own_second = sum(k(second[i], second[j]) for i in range(n) for j in range(n) if i != j)
    across = sum(k(x, y) for x in first for y in second)
    return own_first / (m * (m - 1)) + own_second / (n * (n - 1)) - 2 * across / (m * n)


def test_fid_of_one_dimension_is_the_closed_form():
    first, second = gaussian(50, 1, 1), gaussian(40, 1, 2) * 3 + 2
    expected = (first.mean() - second.mean()) ** 2 + (first.std(ddof=1) - second.std(ddof=1)) ** 2
    assert fid(features(first), features(second)) == pytest.approx(expected)


def test_fid_of_a_shift_is_its_squared_length():
    values = gaussian(60, 8, 3)
    shift = np.arange(8.0)
    assert fid(features(values), features(values + shift)) == pytest.approx((shift**2).sum())


@pytest.mark.parametrize(("count", "dimension"), [(40, 6), (10, 30)])
def test_fid_agrees_with_the_matrix_square_root(count, dimension):
    import scipy.linalg

    first, second = gaussian(count, dimension, 4), gaussian(count, dimension, 5) * 2 + 1
    covariances = [np.cov(side, rowvar=False) for side in (first, second)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1] + 1e-12 * np.eye(dimension)).real
    expected = ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(
        covariances[0] + covariances[1] - 2 * root
    )
    assert fid(features(first), features(second)) == pytest.approx(expected, rel=1e-4)


def test_fid_of_a_set_with_itself_is_zero():
    values = features(gaussian(30, 50, 6))
    assert fid(values, values) == pytest.approx(0, abs=1e-9)


def test_kid_is_the_textbook_estimate():
    first, second = gaussian(9, 5, 7), gaussian(12, 5, 8, mean=0.5)
    assert kid(features(first), features(second)).value == pytest.approx(
        textbook_kid(first, second)
    )


def test_kid_of_equal_distributions_is_zero_on_average_and_its_interval_holds_zero():
    values, covered = [], 0
    for seed in range(60):
        distance = kid(
            features(gaussian(30, 8, seed)), features(gaussian(30, 8, 1000 + seed)), draws=200
        ).distance
        values.append(distance.value)
        covered += distance.low <= 0 <= distance.high
    standard_error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * standard_error
    assert covered >= 45  # of 60


def test_kid_stays_unbiased_when_pictures_give_several_views():
    """Views of a picture are near copies: the classic estimate on rows would be far above zero."""
    grouped, naive = [], []
    for seed in range(40):
        sides = []
        for which in (seed, 5000 + seed):
            pictures = np.repeat(gaussian(12, 8, which), 4, axis=0)
            sides.append(pictures + 0.01 * gaussian(48, 8, which + 1))
        grouped.append(kid(features(sides[0], 4), features(sides[1], 4), draws=2).value)
        naive.append(kid(features(sides[0]), features(sides[1]), draws=2).value)
    assert abs(np.mean(grouped)) < 3 * np.std(grouped) / np.sqrt(len(grouped))
    assert np.mean(naive) > 5 * np.std(naive) / np.sqrt(len(naive))


def test_kid_of_many_rows_is_that_of_one_block(monkeypatch):
    from sakuga.evaluate import metrics

    sides = features(gaussian(30, 5, 1), views=3), features(gaussian(22, 5, 2), views=2)
    whole = kid(*sides, draws=20)
    monkeypatch.setattr(metrics, "KERNEL_ROWS", 7)
    assert kid(*sides, draws=20).value == pytest.approx(whole.value, rel=1e-12)


def test_more_pictures_narrow_the_interval():
    widths = []
    for count in (10, 160):
        distance = kid(features(gaussian(count, 4, 1)), features(gaussian(count, 4, 2))).distance
        assert distance.low < distance.high
        widths.append(distance.high - distance.low)
    assert widths[1] < widths[0] / 2


def test_the_same_seed_gives_the_same_interval():
    sides = features(gaussian(8, 4, 1)), features(gaussian(8, 4, 2))
    assert kid(*sides, draws=50).distance == kid(*sides, draws=50).distance


def test_the_gain_is_clear_where_the_two_kids_overlap():
    photos, drawings = gaussian(40, 4, 1), features(gaussian(60, 4, 2, mean=1.0))
    results = features(photos + 0.15)  # a little nearer, each of them
    before, after = kid(features(photos), drawings), kid(results, drawings)
    gain = after.below(before)
    assert gain.value == pytest.approx(before.value - after.value)
    assert before.distance.low < after.distance.high
    assert 0 < gain.low < gain.value < gain.high


def test_the_gain_of_the_photos_themselves_is_nothing():
    photos, drawings = features(gaussian(9, 4, 1)), features(gaussian(9, 4, 2))
    before = kid(photos, drawings)
    gain = before.below(kid(photos, drawings))
    assert (gain.value, gain.low, gain.high) == (0, 0, 0)
    with pytest.raises(ValueError, match="9 photos, 8 results"):
        kid(features(gaussian(8, 4, 1)), drawings).below(before)


@pytest.mark.filterwarnings("ignore")  # torchmetrics' own
def test_torchmetrics_agrees_on_the_same_feature_module():
    torch = pytest.importorskip("torch")
    pytest.importorskip("torchmetrics")
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.kid import KernelInceptionDistance

    class Means(torch.nn.Module):
        num_features = 12

        def forward(self, pictures):
            grid = torch.nn.functional.adaptive_avg_pool2d(pictures.float() / 255, 2)
            return grid.flatten(1)

    random = np.random.default_rng(0)
    first = random.integers(0, 256, (40, 3, 4, 4), dtype=np.uint8)
    second = random.integers(60, 256, (40, 3, 4, 4), dtype=np.uint8)
    network = Means()
    sides = [features(network(torch.from_numpy(side)).numpy()) for side in (first, second)]

    their_fid = FrechetInceptionDistance(feature=network, normalize=False)
    their_fid.set_dtype(torch.float64)
    their_kid = KernelInceptionDistance(feature=network, subsets=1, subset_size=40, normalize=False)
    for metric in (their_fid, their_kid):
        metric.update(torch.from_numpy(first), real=True)
        metric.update(torch.from_numpy(second), real=False)
    assert fid(*sides) == pytest.approx(their_fid.compute().item(), rel=1e-4)
    assert kid(*sides, draws=2).value == pytest.approx(their_kid.compute()[0].item(), abs=1e-6)


def test_one_picture_has_no_kid_even_with_many_views():
    one = Features(gaussian(4, 3, 1), np.zeros(4, np.intp))
    with pytest.raises(DataError, match="undefined for a single picture"):
        kid(one, features(gaussian(5, 3, 2)))
    with pytest.raises(DataError, match="FID is undefined"):
        fid(features(gaussian(5, 3, 2)), one)


def test_halves_split_by_picture_and_lose_nothing():
    whole = features(np.arange(40.0).reshape(20, 2), views=2)
    first, second = halves(whole)
    assert first.total_pictures == second.total_pictures == 5
    assert not set(first.pictures) & set(second.pictures)
    assert sorted(np.concatenate([first.values, second.values])[:, 0]) == list(range(0, 40, 2))
    with pytest.raises(DataError, match="at least 4"):
        halves(features(np.zeros((3, 2))))


def test_cosine_is_one_for_the_same_direction_and_zero_for_a_right_angle():
    first = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    second = np.array([[5.0, 0.0], [-1.0, 1.0], [0.0, -1.0]])
    assert cosines(first, second) == pytest.approx([1, 0, -1])
