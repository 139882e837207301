"""The statistics of images, the rows made of them, and that order and batching change nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making_runs import FLOAT32, small_model
from test_bootstrap import random_counts

from petseg_utils.classes import BORDER_POLICIES
from petseg_utils.evaluation import evaluate
from petseg_utils.metrics import (
    ImageStatistics,
    apply_border,
    bootstrap_intervals,
    boundary_iou,
    expected_calibration_error,
    group_rows,
    image_statistics,
    score_rows,
)


def made(n=30, seed=0) -> ImageStatistics:
    counts, species = random_counts(n, seed)
    rng = np.random.default_rng(seed)
    true, predicted = rng.integers(10, 90, (2, n, 3, 3))
    number = rng.integers(1, 100, (n, 15)).astype(float)
    share = rng.random((2, n, 15))
    return ImageStatistics(
        names=np.array([f"pet_{i}" for i in range(n)]), breeds=np.array(["Birman", "pug"])[species - 1],
        species=species.astype(np.uint8), repeats=rng.random(n) < 0.2, counts=counts,
        boundary=np.stack([np.minimum(true, predicted) // 2, true, predicted], axis=-1),
        calibration=np.stack([number, number * share[0], number * share[1]], axis=-1),
        loss=np.stack([rng.random(n) * 100, rng.integers(50, 200, n)], axis=1),
    )


def test_rows_are_tidy_complete_and_in_order():
    rows = score_rows(made())
    assert {tuple(row) for row in rows} == {("border", "reduction", "metric", "class", "value", "ci_low", "ci_high")}
    four = ["background", "cat", "dog", "mean"]
    expected = [
        (border, reduction, metric, name)
        for border in ("ignore", "background", "pet")
        for reduction in ("dataset", "image")
        for metric, names in (("iou", four), ("dice", four), ("accuracy", [*four, ""]))
        for name in names
    ]
    policies = ("ignore", "background", "pet")
    expected += [(border, "dataset", "boundary_iou", name) for border in policies for name in four]
    expected += [("ignore", "dataset", "loss", ""), ("ignore", "dataset", "ece", "")]
    assert [(r["border"], r["reduction"], r["metric"], r["class"]) for r in rows] == expected
    for row in rows:
        assert all(type(row[key]) is float for key in ("value", "ci_low", "ci_high"))
        assert row["metric"] == "ece" or row["ci_low"] <= row["value"] <= row["ci_high"]


def test_rows_hold_what_the_functions_say():
    statistics = made()
    rows = {(r["border"], r["reduction"], r["metric"], r["class"]): r for r in score_rows(statistics, seed=4)}
    for i, border in enumerate(BORDER_POLICIES):
        confusions = apply_border(statistics.counts, statistics.species, border)
        for metric in ("iou", "dice", "accuracy"):
            for reduction in ("dataset", "image"):
                for name, interval in bootstrap_intervals(confusions, metric, reduction, seed=4).items():
                    row = rows[border, reduction, metric, name]
                    assert (row["value"], row["ci_low"], row["ci_high"]) == interval
        assert rows[border, "dataset", "boundary_iou", "mean"]["value"] == boundary_iou(
            statistics.boundary[:, i].sum(axis=0))[3]
    assert rows["ignore", "dataset", "loss", ""]["value"] == pytest.approx(statistics.mean_loss)
    assert rows["ignore", "dataset", "ece", ""]["value"] == expected_calibration_error(
        statistics.calibration.sum(axis=0))


def test_rows_of_cats_alone_have_no_dog():
    statistics = made()
    statistics.boundary[:, :, 2, 1] = 0  # no dog's outline either
    for row in score_rows(statistics.select(statistics.species == 1)):
        assert np.isnan(row["value"]) == np.isnan(row["ci_low"]) == np.isnan(row["ci_high"]) == (row["class"] == "dog")


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(12)))
def test_the_order_of_images_changes_no_score(order):
    statistics = made(12)
    one, other = ([(r["class"], r["metric"], r["border"], round(r["value"], 9)) for r in score_rows(s)]
                  for s in (statistics, statistics.select(np.array(order))))
    np.testing.assert_equal(one, other)


@pytest.mark.parametrize("batch_size", [1, 3, 5])
def test_batching_changes_no_statistic_but_by_rounding(batch_size, few):
    model = small_model("unet")
    one, other = (evaluate(model, few, "test", FLOAT32, batch_size=size) for size in (batch_size, 64))
    assert one.names.tolist() == other.names.tolist()
    assert np.abs(one.counts - other.counts).sum() <= 4
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-4)
    np.testing.assert_allclose(one.calibration.sum((0, 1)), other.calibration.sum((0, 1)), rtol=1e-3)


def test_groups_part_the_images():
    statistics = made(40)
    statistics.counts[3, 1:3] = 0  # an empty mask
    rows = [row for row in group_rows(statistics) if row["metric"] == "iou" and row["class"] == "mean"]
    sizes = {(row["grouping"], row["group"]): row["n_images"] for row in rows}
    repeats = int(statistics.repeats.sum())
    assert sizes["all", "all"] == 40 and sizes["defects", "without empty masks"] == 39
    assert sizes["defects", "without near-duplicates"] == 40 - repeats
    assert sizes["defects", "without both"] == 40 - repeats - (not statistics.repeats[3])
    assert sum(n for (grouping, _), n in sizes.items() if grouping == "breed") == 40
    assert sum(n for (grouping, _), n in sizes.items() if grouping == "size") == 39
    birman = statistics.select(statistics.breeds == "Birman")
    (row,) = [r for r in group_rows(statistics) if (r["group"], r["class"], r["metric"]) == ("Birman", "mean", "iou")]
    confusions = apply_border(birman.counts, birman.species, "ignore")
    assert row["value"] == bootstrap_intervals(confusions, "iou", "dataset")["mean"].value


def test_the_pets_share_counts_half_of_the_border():
    truth = np.zeros((10, 10), np.uint8)
    truth[:5], truth[5:7] = 2, 3
    log_probabilities = np.log(np.full((3, 10, 10), 1 / 3, np.float32))
    arrays = image_statistics(truth, log_probabilities, 2)
    statistics = ImageStatistics(*(np.array([x]) for x in ("a", "pug", 2, False)), *(
        arrays[name][None] for name in ("counts", "boundary", "calibration", "loss")))
    assert statistics.pet_share.tolist() == [0.6]
    assert statistics.mean_loss == pytest.approx(np.log(3), rel=1e-6)
    assert statistics.loss[0, 1] == 80
    assert expected_calibration_error(statistics.calibration[0]) == pytest.approx(abs(1 / 3 - 30 / 80), abs=1e-6)
