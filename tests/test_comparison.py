"""All pairs of models: Holm's correction against statsmodels, differences against the comparison of two."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from petseg_utils.metrics import compare_all_pairs, holm, paired_bootstrap, resample_weights
from petseg_utils.metrics.bootstrap import bootstrap_intervals, summarise_differences


def confusions(n, quality, seed=0, noise=0):
    """Images of 100 pixels, 60 background and 40 of one species, of which a share is found."""
    truth = np.random.default_rng(seed)
    hits, other = truth.beta(8 * quality, 8 * (1 - quality), n), np.random.default_rng(seed + 100 + noise)
    found = np.clip(hits + 0.02 * other.standard_normal(n), 0, 1)
    result = np.zeros((n, 3, 3), dtype=np.int64)
    species = 1 + np.arange(n) % 2
    result[:, 0, 0] = 60
    result[np.arange(n), species, species] = np.round(40 * found)
    result[np.arange(n), species, 0] = 40 - np.round(40 * found)
    return result


def test_holm_equals_statsmodels():
    rng = np.random.default_rng(0)
    for m in (1, 2, 5, 40, 231):
        p_values = rng.random(m) ** 4  # many small ones
        p_values[rng.random(m) < 0.3] = rng.choice(p_values)  # and ties
        expected = multipletests(p_values, method="holm")[1]
        np.testing.assert_allclose(holm(p_values), expected, rtol=0, atol=1e-12)


def test_holm_by_hand():
    # sorted .01 .02 .03 .04: times 4, 3, 2, 1 are .04 .06 .06 .04, and none may fall below the one before
    np.testing.assert_allclose(holm(np.array([0.03, 0.01, 0.04, 0.02])), [0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.5, 0.9])).tolist() == [1.0, 1.0]
    assert len(holm(np.zeros(0))) == 0


@pytest.mark.parametrize("wrong", [[1.2], [-0.1], [float("nan")], [[0.1]]])
def test_holm_refuses_what_is_no_p_value(wrong):
    with pytest.raises(ValueError, match="p-values"):
        holm(np.array(wrong))


def test_each_pair_is_the_comparison_of_two():
    models = {name: confusions(60, quality) for name, quality in (("a", 0.5), ("b", 0.6), ("c", 0.9))}
    rows = compare_all_pairs(models, resamples=1000)
    assert [(row.first, row.second) for row in rows] == [("a", "b"), ("a", "c"), ("b", "c")]
    for row in rows:
        expected = paired_bootstrap(models[row.first], models[row.second], "iou", "dataset")["mean"]
        assert (row.difference, row.ci_low, row.ci_high, row.p) == expected
    np.testing.assert_array_equal([row.p_holm for row in rows], holm(np.array([row.p for row in rows])))


def test_thousands_of_resamples_are_drawn_in_parts_with_seeds_of_their_own():
    a, b = confusions(30, 0.5), confusions(30, 0.52)
    (row,) = compare_all_pairs({"a": a, "b": b}, resamples=1500)
    weights = np.concatenate([resample_weights(30, 1000, 0), resample_weights(30, 500, 1)])
    samples = [[np.mean(of) for of in _scores(model, weights)] for model in (a, b)]
    expected = summarise_differences(row.difference, np.subtract(*samples))
    np.testing.assert_allclose(row[3:6], expected[1:], atol=1e-12)


def _scores(model, weights):
    sums = np.einsum("rn,nij->rij", weights, model)
    hit, union = np.diagonal(sums, axis1=1, axis2=2), sums.sum(1) + sums.sum(2) - np.diagonal(sums, axis1=1, axis2=2)
    return hit / union


def test_enough_resamples_are_drawn_for_the_correction_to_leave_something():
    """With 1000 resamples no p is below .002, and times 190 pairs nothing could ever be found."""
    models = {str(i): confusions(40, 0.2 + 0.03 * i) for i in range(20)}
    rows = compare_all_pairs(models)
    clear = [row for row in rows if (row.first, row.second) == ("0", "19")]
    assert len(rows) == 190 and clear[0].p_holm < 0.05


def test_equally_good_models_are_seldom_told_apart_after_correction():
    """The chance of any false finding among ten pairs is at most .05; uncorrected it is several times that."""
    wrongly, uncorrected, trials = 0, 0, 120
    for seed in range(trials):
        models = {str(i): confusions(50, 0.5, seed, noise=i) for i in range(5)}
        rows = compare_all_pairs(models, resamples=1000, seed=seed)
        wrongly += any(row.p_holm < 0.05 for row in rows)
        uncorrected += any(row.p < 0.05 for row in rows)
    assert wrongly / trials < 0.12 < uncorrected / trials


def test_models_on_other_images_are_refused():
    with pytest.raises(ValueError, match="other images"):
        compare_all_pairs({"a": confusions(10, 0.5), "b": confusions(10, 0.5)[::-1]})
    with pytest.raises(ValueError, match="two or more"):
        compare_all_pairs({"a": confusions(10, 0.5)})


def test_intervals_cover_the_truth_as_often_as_they_say():
    """1500 test sets from one population, whose own mIoU is known: 95 +/- 2 % of the intervals hold it."""
    population = confusions(4000, 0.7, seed=5)
    sums = population.sum(axis=0)
    hit = np.diagonal(sums)
    truth = (hit / (sums.sum(0) + sums.sum(1) - hit)).mean()
    drawn, covered, trials = np.random.default_rng(6), 0, 1500
    for trial in range(trials):
        of = population[drawn.integers(len(population), size=150)]
        interval = bootstrap_intervals(of, "iou", "dataset", resamples=400, seed=trial)["mean"]
        covered += interval.ci_low <= truth <= interval.ci_high
    assert 0.93 <= covered / trials <= 0.97
