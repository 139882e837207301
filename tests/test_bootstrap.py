"""The bootstrap against a naive loop, against a variance known in advance, and against itself."""

import numpy as np
import pytest

from petseg_utils.errors import UsageError
from petseg_utils.metrics import (
    REDUCTIONS,
    SCORE_CLASSES,
    SCORES,
    apply_border,
    bootstrap_intervals,
    bootstrap_statistic,
    paired_bootstrap,
    reduce_scores,
    resample_weights,
    resampled_scores,
    score_columns,
)

CHOICES = [(metric, reduction) for metric in SCORES for reduction in REDUCTIONS]


def random_counts(n, seed=0, skill=0.8):
    """Counts of n cat or dog images of uneven size; images differ in difficulty around ``skill``."""
    rng = np.random.default_rng(seed)
    species = rng.integers(1, 3, size=n)
    right = np.clip(rng.normal(skill, 0.1, size=n), 0.05, 0.95)
    counts = np.zeros((n, 4, 3), np.int64)
    for i in range(n):
        sizes = rng.multinomial(rng.integers(200, 2000), [0.6, 0.28, 0.12])
        for truth, size in zip((0, species[i], 3), sizes, strict=True):
            odds = np.full(3, 1 / 3) if truth == 3 else np.full(3, (1 - right[i]) / 2)
            if truth != 3:
                odds[truth] = right[i]
            counts[i, truth] = rng.multinomial(size, odds)
    return counts, species


def random_confusions(n, seed=0, skill=0.8):
    return apply_border(*random_counts(n, seed, skill), "ignore")


def coins(right):
    """One image of 100 pixels for each entry, half of it cat: all right or all wrong."""
    right = np.asarray(right, bool)
    confusions = np.zeros((len(right), 3, 3), np.int64)
    confusions[right, [[0], [1]], [[0], [1]]] = 50
    confusions[~right, [[0], [1]], [[1], [0]]] = 50
    return confusions


# --------------------------------------------------------------------------------------------------- weights


def test_weights_are_draws_with_replacement():
    weights = resample_weights(40, 5000, seed=1)
    assert weights.shape == (5000, 40)
    assert (weights.sum(axis=1) == 40).all()
    assert (weights == weights.astype(int)).all() and weights.min() == 0
    # Each image: Binomial(40, 1/40), mean 1, variance 39/40; two images are negatively correlated, -1/39.
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.07)
    np.testing.assert_allclose(weights.var(axis=0).mean(), 39 / 40, rtol=0.02)
    assert len(np.unique(weights, axis=0)) == 5000


def test_weights_depend_on_the_seed_alone_and_cannot_be_spoilt():
    first = resample_weights(30, 20, seed=5).copy()
    assert not np.array_equal(resample_weights(30, 20, seed=6), first)
    np.testing.assert_array_equal(resample_weights(30, 20, seed=5), first)
    with pytest.raises(ValueError, match="read-only"):
        resample_weights(30, 20, seed=5)[0, 0] = 9


# ----------------------------------------------------------------------------------------- one set of images


@pytest.mark.parametrize(("metric", "reduction"), CHOICES)
def test_vectorised_resamples_equal_a_loop_over_the_drawn_images(metric, reduction):
    confusions = random_confusions(9, seed=2)  # few enough that some resample has no cat or no dog
    confusions[:, 1] *= np.arange(9)[:, None] == 4
    weights = resample_weights(9, 60, seed=3)
    naive = []
    for row in weights.astype(int):
        drawn = np.repeat(np.arange(9), row)
        naive.append(list(reduce_scores(confusions[drawn], metric, reduction).values()))
    assert np.isnan(naive).any() and not np.isnan(naive).all(axis=0).any()
    actual = resampled_scores(confusions, metric, reduction, weights)
    np.testing.assert_allclose(actual, np.array(naive), rtol=1e-12, strict=True)


@pytest.mark.parametrize(("metric", "reduction"), CHOICES)
def test_intervals_are_the_quantiles_of_the_resamples(metric, reduction):
    confusions = random_confusions(25, seed=4)
    intervals = bootstrap_intervals(confusions, metric, reduction, resamples=200, level=0.8, seed=7)
    samples = resampled_scores(confusions, metric, reduction, resample_weights(25, 200, 7))
    values = reduce_scores(confusions, metric, reduction)
    assert tuple(intervals) == SCORE_CLASSES[metric]
    for column, (name, (value, low, high)) in zip(samples.T, intervals.items(), strict=True):
        assert value == values[name]
        assert (low, high) == pytest.approx(tuple(np.quantile(column, [0.1, 0.9])), rel=1e-12)


@pytest.mark.parametrize(("metric", "reduction"), CHOICES)
def test_value_lies_inside_an_interval_that_is_reproducible_and_shrinks_with_n(metric, reduction):
    few, many = random_confusions(50, seed=8), random_confusions(3200, seed=8)
    narrow = bootstrap_intervals(many, metric, reduction)
    wide = bootstrap_intervals(few, metric, reduction)
    assert wide == bootstrap_intervals(few, metric, reduction)
    assert wide != bootstrap_intervals(few, metric, reduction, seed=1)
    for name, (value, low, high) in wide.items():
        assert low < value < high
        # 64 times the images, an eighth of the width; between a fifth and a thirteenth for chance.
        shrunk = (narrow[name].ci_high - narrow[name].ci_low) / (high - low)
        assert 1 / 13 < shrunk < 1 / 5, name


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_width_is_that_of_the_known_standard_error(reduction):
    # Share of heads of N coins: standard error sqrt(p (1 - p) / N); a 95 % interval is 2 * 1.96 of them wide.
    right = np.random.default_rng(0).random(2000) < 0.7
    interval = bootstrap_intervals(coins(right), "accuracy", reduction, resamples=4000)[""]
    share = right.mean()
    assert interval.value == pytest.approx(share)
    width = 2 * 1.96 * np.sqrt(share * (1 - share) / 2000)
    assert interval.ci_high - interval.ci_low == pytest.approx(width, rel=0.1)
    assert (interval.ci_high + interval.ci_low) / 2 == pytest.approx(share, abs=width / 20)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("metric", "reduction"), CHOICES)
def test_an_absent_class_is_nan_throughout_and_the_others_are_not(metric, reduction):
    intervals = bootstrap_intervals(coins([True, False, True]), metric, reduction, resamples=50)
    assert np.isnan(intervals.pop("dog")).all()
    assert np.isfinite(list(intervals.values())).all()


@pytest.mark.filterwarnings("error")
def test_a_class_that_most_resamples_lack_still_has_its_interval():
    confusions = np.zeros((40, 3, 3), np.int64)
    confusions[:, 0, 0] = 10
    confusions[0, 2] = [5, 0, 15]  # the one dog
    for reduction in REDUCTIONS:
        interval = bootstrap_intervals(confusions, "accuracy", reduction)["dog"]
        assert interval == pytest.approx((0.75, 0.75, 0.75))


def test_what_does_not_fit_is_refused():
    confusions = random_confusions(5)
    with pytest.raises(ValueError, match="level is 95"):
        bootstrap_intervals(confusions, "iou", "dataset", level=95)
    with pytest.raises(ValueError, match="0 resamples"):
        bootstrap_intervals(confusions, "iou", "dataset", resamples=0)
    with pytest.raises(ValueError, match="at least one image"):
        bootstrap_intervals(confusions[:0], "iou", "dataset")
    with pytest.raises(ValueError, match=r"\(10, 4\)"):
        resampled_scores(confusions, "iou", "dataset", resample_weights(4, 10))
    with pytest.raises(UsageError, match="micro"):
        resampled_scores(confusions, "iou", "micro", resample_weights(5, 10))


# ------------------------------------------------------------------------------------------------ two models


@pytest.mark.parametrize(("metric", "reduction"), CHOICES)
def test_identical_models_do_not_differ(metric, reduction):
    confusions = random_confusions(60)
    for result in paired_bootstrap(confusions, confusions.copy(), metric, reduction).values():
        assert result == (0, 0, 0, 1)


def better(confusions, every=1):
    """Give half of the errors of each ``every``-th image back to the true class: same truth, better prediction."""
    result = confusions.copy()
    for c in range(3):
        errors = result[::every, c] // 2
        errors[:, c] = 0
        result[::every, c] -= errors
        result[::every, c, c] += errors.sum(axis=1)
    return result


@pytest.mark.parametrize(("metric", "reduction"), CHOICES)
def test_clearly_different_models_differ(metric, reduction):
    worse = random_confusions(200, skill=0.7)
    forth = paired_bootstrap(better(worse), worse, metric, reduction)
    back = paired_bootstrap(worse, better(worse), metric, reduction)
    for name, (difference, low, high, p) in forth.items():
        assert 0 < low < difference < high
        assert p == pytest.approx(2 / 1001)  # never 0: no more can be said with 1000 resamples
        assert back[name] == pytest.approx((-difference, -high, -low, p))


def test_pairing_finds_a_difference_that_two_intervals_hide():
    worse = random_confusions(200, skill=0.7)
    improved = better(worse, every=20)
    alone_a, alone_b = (bootstrap_intervals(c, "iou", "image")["mean"] for c in (improved, worse))
    assert alone_b.ci_high > alone_a.value  # the intervals overlap by far
    result = paired_bootstrap(improved, worse, "iou", "image")["mean"]
    assert result.difference == pytest.approx(alone_a.value - alone_b.value)
    assert result.p < 0.01 and result.ci_low > 0


def test_p_is_uniform_where_two_models_are_equally_good():
    # Exchangeable coins: p < .1 should come up about 10 times in 100; 3 standard deviations either side.
    rng = np.random.default_rng(5)
    flips = rng.random((100, 2, 80)) < 0.6
    pairs = [paired_bootstrap(coins(a), coins(b), "accuracy", "image", resamples=300)[""].p for a, b in flips]
    assert 1 <= np.sum(np.array(pairs) < 0.1) <= 19


def test_paired_difference_has_the_known_standard_error():
    rng = np.random.default_rng(6)
    a = rng.random(2000) < 0.7
    b = np.where(rng.random(2000) < 0.9, a, ~a)  # agrees on nine images of ten
    result = paired_bootstrap(coins(a), coins(b), "accuracy", "dataset", resamples=4000)[""]
    deviation = np.std(a.astype(float) - b) / np.sqrt(2000)
    assert result.difference == pytest.approx(a.mean() - b.mean())
    assert result.ci_high - result.ci_low == pytest.approx(2 * 1.96 * deviation, rel=0.1)


@pytest.mark.filterwarnings("error")
def test_absent_class_in_a_pair_is_nan():
    results = paired_bootstrap(coins([1, 0, 1]), coins([1, 1, 0]), "iou", "dataset", resamples=50)
    assert np.isnan(results["dog"]).all()
    assert np.isfinite(results["mean"]).all()


def test_different_images_are_refused():
    confusions = random_confusions(20)
    with pytest.raises(ValueError, match="20 and 19 images"):
        paired_bootstrap(confusions, confusions[:19], "iou", "dataset")
    with pytest.raises(ValueError, match="20 and 1 images"):
        paired_bootstrap(confusions, confusions[:1], "iou", "dataset")
    with pytest.raises(ValueError, match="image 0 has other true class sizes"):
        paired_bootstrap(confusions, confusions[::-1], "iou", "dataset")


@pytest.mark.parametrize("metric", ["iou", "dice", "accuracy"])
def test_any_statistic_is_resampled_as_confusions_are(metric):
    confusions = random_confusions(25)
    general = bootstrap_statistic(confusions, lambda sums: score_columns(sums, metric), seed=3)
    assert general == list(bootstrap_intervals(confusions, metric, "dataset", seed=3).values())
