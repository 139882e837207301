"""Scores against tables worked out by hand, against torchmetrics, and against their own symmetries."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from making_masks import CAT_GUESS, CAT_TRUTH, confusion, random_pair
from torchmetrics.functional.classification import multiclass_confusion_matrix, multiclass_jaccard_index

from petseg_utils.classes import BORDER_POLICIES, apply_border_policy
from petseg_utils.metrics import (
    REDUCTIONS,
    SCORE_CLASSES,
    SCORES,
    apply_border,
    class_accuracy,
    confusion_counts,
    dice,
    iou,
    mean_over_classes,
    pixel_accuracy,
    reduce_scores,
    score_columns,
)

F, NAN = Fraction, float("nan")

# Two images without border for the constant predictors: 6 background and 2 pet pixels each.
CAT_8 = np.array([[0, 0, 0, 0], [0, 0, 1, 1]], np.uint8)
DOG_8 = np.array([[0, 0, 0, 0], [0, 0, 2, 2]], np.uint8)


def assert_scores(actual, expected):
    """Compare with fractions, NaN equal to NaN; also refuses a wrong number of scores."""
    actual = np.asarray(list(actual.values()) if isinstance(actual, dict) else actual)
    np.testing.assert_allclose(actual, np.array([float(v) for v in expected]), rtol=1e-12, atol=0, strict=True)


# ---------------------------------------------------------------------------------- scores worked out by hand


@pytest.mark.parametrize(
    ("policy", "ious", "dices", "recalls", "pixels"),
    [  # dog: absent, and predicted once
        ("ignore", [F(4, 5), F(3, 5), NAN], [F(8, 9), F(6, 8), NAN], [F(4, 5), F(3, 4), NAN], F(7, 9)),
        ("background", [F(5, 8), F(3, 7), NAN], [F(10, 13), F(6, 10), NAN], [F(5, 8), F(3, 4), NAN], F(8, 12)),
        ("pet", [F(4, 6), F(5, 8), NAN], [F(8, 10), F(10, 13), NAN], [F(4, 5), F(5, 7), NAN], F(9, 12)),
    ],
)
def test_scores_under_each_policy(policy, ious, dices, recalls, pixels):
    matrix = confusion(CAT_TRUTH, CAT_GUESS, policy)
    assert_scores(iou(matrix), ious)
    assert_scores(dice(matrix), dices)
    assert_scores(class_accuracy(matrix), recalls)
    assert float(pixel_accuracy(matrix)) == pytest.approx(float(pixels), rel=1e-12)
    assert_scores(score_columns(matrix, "iou"), [*ious, sum(ious[:2]) / 2])
    assert_scores(score_columns(matrix, "accuracy"), [*recalls, sum(recalls[:2]) / 2, pixels])


@pytest.mark.parametrize("policy", BORDER_POLICIES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("metric", SCORES)
def test_perfect_is_one_under_each_policy(policy, reduction, metric):
    matrices = []
    for species in (1, 2):
        truth = np.where(CAT_TRUTH == 1, species, CAT_TRUTH).astype(np.uint8)
        # What the policy calls true; where it calls nothing true, anything may be said (here: the other species).
        perfect = apply_border_policy(truth, policy, species)
        perfect[perfect == 255] = 3 - species
        matrices.append(confusion(truth, perfect, policy, species))
    scores = reduce_scores(np.array(matrices), metric, reduction)
    assert tuple(scores) == SCORE_CLASSES[metric]
    assert_scores(scores, [1] * len(scores))


@pytest.mark.parametrize(
    ("metric", "reduction", "expected"),
    [
        ("iou", "dataset", [F(12, 16), 0, 0, F(1, 4)]),
        ("iou", "image", [F(6, 8), 0, 0, F(3, 8)]),  # with an epsilon: (3/4 + 0 + 1) / 3 = .58
        ("dice", "dataset", [F(24, 28), 0, 0, F(2, 7)]),
        ("dice", "image", [F(12, 14), 0, 0, F(3, 7)]),
        ("accuracy", "dataset", [1, 0, 0, F(1, 3), F(12, 16)]),
        ("accuracy", "image", [1, 0, 0, F(1, 2), F(6, 8)]),
    ],
)
def test_all_background(metric, reduction, expected):
    matrices = np.array([confusion(truth, np.zeros_like(truth)) for truth in (CAT_8, DOG_8)])
    assert_scores(reduce_scores(matrices, metric, reduction), expected)


@pytest.mark.parametrize(
    ("metric", "reduction", "expected"),
    [
        ("iou", "dataset", [0, 0, F(2, 16), F(1, 24)]),
        ("iou", "image", [0, 0, F(2, 8), F(1, 16)]),  # cat's image: mean(0, 0); dog's image: mean(0, 1/4)
        ("dice", "dataset", [0, 0, F(4, 18), F(2, 27)]),
        ("dice", "image", [0, 0, F(4, 10), F(1, 10)]),
        ("accuracy", "dataset", [0, 0, 1, F(1, 3), F(2, 16)]),
        ("accuracy", "image", [0, 0, 1, F(1, 4), F(1, 8)]),
    ],
)
def test_always_dog(metric, reduction, expected):
    matrices = np.array([confusion(truth, np.full_like(truth, 2)) for truth in (CAT_8, DOG_8)])
    assert_scores(reduce_scores(matrices, metric, reduction), expected)


def test_large_and_small_pet_differ_by_reduction():
    # A small cat half missed (2 of 4 pixels found, 12 background), a large one found whole (12 of 12, 4 background).
    small, large = [[12, 0, 0], [2, 2, 0], [0, 0, 0]], [[4, 0, 0], [0, 12, 0], [0, 0, 0]]
    pair = np.array([small, large])
    # Sum: background 16 of 18, cat 14 of 16. By image: background 12/14 and 1, cat 2/4 and 1.
    assert_scores(reduce_scores(pair, "iou", "dataset"), [F(8, 9), F(7, 8), NAN, (F(8, 9) + F(7, 8)) / 2])
    background, cat = (F(6, 7) + 1) / 2, (F(1, 2) + 1) / 2
    assert_scores(reduce_scores(pair, "iou", "image"), [background, cat, NAN, (background + cat) / 2])


def test_mean_per_image_is_the_mean_of_the_images_means():
    # Cat's image: 3/4 and 1/2, mean 5/8. Background alone: 1. Mean of both 13/16; of the two classes 11/16.
    cat_image, empty_image = [[3, 0, 0], [1, 1, 0], [0, 0, 0]], [[9, 0, 0], [0, 0, 0], [0, 0, 0]]
    scores = reduce_scores(np.array([cat_image, empty_image]), "iou", "image")
    assert_scores(scores, [F(7, 8), F(1, 2), NAN, F(13, 16)])


# -------------------------------------------------------------------------------------------- absent classes


@pytest.mark.parametrize("score", SCORES.values())
@pytest.mark.parametrize("stray", [0, 5])
def test_absent_class_has_no_score_whether_predicted_or_not(score, stray):
    matrix = np.array([[20 - stray, 0, stray], [0, 7, 0], [0, 0, 0]])
    background, cat, dog = score(matrix)
    assert np.isnan(dog)
    assert cat == 1
    assert background < 1 if stray else background == 1  # the stray pixels are charged to where they were taken


@pytest.mark.filterwarnings("error")
def test_nothing_to_score_is_nan_without_a_warning():
    nothing = np.zeros((2, 3, 3), np.int64)
    for metric in SCORES:
        for reduction in REDUCTIONS:
            assert np.isnan(list(reduce_scores(nothing, metric, reduction).values())).all()
    assert np.isnan(mean_over_classes(np.full(3, NAN)))
    assert_scores(mean_over_classes(np.array([[F(1, 2), NAN, 1], [0, 0, 1]], float)), [F(3, 4), F(1, 3)])


def test_an_image_of_border_alone_counts_for_nothing():
    blank, other = np.zeros((3, 3), np.int64), confusion(CAT_TRUTH, CAT_GUESS)
    for metric in SCORES:
        for reduction in REDUCTIONS:
            assert_scores(
                reduce_scores(np.array([blank, other]), metric, reduction),
                reduce_scores(other[None], metric, reduction).values(),
            )


@pytest.mark.parametrize("shape", [(3, 3), (0, 3, 3), (2, 4, 3), (1, 2, 3, 3)])
def test_anything_but_a_stack_of_matrices_is_refused(shape):
    with pytest.raises(ValueError, match="at least one image"):
        reduce_scores(np.ones(shape), "iou", "dataset")


# -------------------------------------------------------------------------------------- properties, references

matrices = hnp.arrays(np.int64, st.tuples(st.integers(1, 8), st.just(3), st.just(3)), elements=st.integers(0, 99))


@given(matrices)
def test_dice_follows_from_iou(confusions):
    jaccard = iou(confusions)
    np.testing.assert_allclose(dice(confusions), 2 * jaccard / (1 + jaccard), rtol=1e-12)


@given(matrices)
def test_scores_lie_in_the_unit_interval_and_iou_below_dice_and_recall(confusions):
    for score in SCORES.values():
        there = score(confusions)[confusions.sum(axis=-1) > 0]
        assert ((there >= 0) & (there <= 1)).all()
    present = confusions.sum(axis=-1) > 0
    assert (iou(confusions) <= dice(confusions) + 1e-12)[present].all()
    assert (iou(confusions) <= class_accuracy(confusions) + 1e-12)[present].all()


@given(matrices, st.randoms(use_true_random=False))
def test_order_of_images_changes_nothing(confusions, random):
    order = random.sample(range(len(confusions)), len(confusions))
    for metric in SCORES:
        for reduction in REDUCTIONS:
            expected = reduce_scores(confusions, metric, reduction).values()
            assert_scores(reduce_scores(confusions[order], metric, reduction), expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_splitting_into_batches_changes_nothing(seed, batch):
    rng = np.random.default_rng(seed)
    pairs = [random_pair(rng, shape=(5, 4)) for _ in range(8)]
    counts = np.stack([confusion_counts(truth, guess) for truth, guess, _ in pairs])
    species = np.array([species for *_, species in pairs])
    for policy in BORDER_POLICIES:
        whole = apply_border(counts, species, policy)
        parts = [apply_border(counts[i : i + batch], species[i : i + batch], policy) for i in range(0, 8, batch)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
        for metric in SCORES:  # the dataset's score needs no more than each batch's sum
            sums = np.stack([part.sum(axis=0) for part in parts])
            assert_scores(reduce_scores(sums, metric, "dataset"), reduce_scores(whole, metric, "dataset").values())


@pytest.mark.parametrize("policy", BORDER_POLICIES)
def test_counts_and_iou_equal_torchmetrics(policy):
    rng = np.random.default_rng(11)
    pairs = [random_pair(rng) for _ in range(12)]
    assert {species for *_, species in pairs} == {1, 2}  # all three classes are present, so nothing is NaN
    ours = np.stack([confusion(truth, guess, policy, species) for truth, guess, species in pairs])
    guesses = torch.from_numpy(np.stack([guess for _, guess, _ in pairs])).long()
    masks = np.stack([apply_border_policy(truth, policy, species) for truth, _, species in pairs])
    targets = torch.from_numpy(masks).long()
    for i, matrix in enumerate(ours):
        theirs = multiclass_confusion_matrix(guesses[i], targets[i], num_classes=3, ignore_index=255)
        np.testing.assert_array_equal(matrix, theirs.numpy())
    jaccard = multiclass_jaccard_index(guesses, targets, num_classes=3, ignore_index=255, average=None)
    np.testing.assert_allclose(list(reduce_scores(ours, "iou", "dataset").values())[:3], jaccard.numpy(), rtol=1e-6)
