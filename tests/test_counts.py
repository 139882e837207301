"""Counts: pixels of each class by what they were called, and what becomes of the border among them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from making_masks import CAT_COUNTS, CAT_GUESS, CAT_TRUTH, confusion, random_pair

from petseg_utils.classes import BORDER_POLICIES, apply_border_policy
from petseg_utils.errors import UsageError
from petseg_utils.metrics import apply_border, confusion_counts, reduce_scores

codes = st.integers(0, 3)
sides = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6)


def test_counts_of_a_mask_written_out():
    counts = confusion_counts(CAT_TRUTH, CAT_GUESS)
    assert counts.tolist() == CAT_COUNTS
    assert counts.dtype == np.int64


@pytest.mark.parametrize("truth_code", range(4))
@pytest.mark.parametrize("guess_code", range(3))
def test_each_pair_of_codes_has_its_own_cell(truth_code, guess_code):
    counts = confusion_counts(np.full((2, 3), truth_code, np.uint8), np.full((2, 3), guess_code, np.int64))
    assert counts[truth_code, guess_code] == counts.sum() == 6


def test_counts_do_not_overflow_the_masks_type():
    truth = np.full((600, 500), 3, np.uint8)
    assert confusion_counts(truth, np.full((600, 500), 2, np.uint8))[3, 2] == 300_000


@pytest.mark.parametrize("code", [4, 255])
def test_a_foreign_value_in_the_mask_is_named(code):
    truth = CAT_TRUTH.copy()
    truth[1, 2] = code
    with pytest.raises(ValueError, match=rf"mask holds the value {code}:"):
        confusion_counts(truth, CAT_GUESS)


@pytest.mark.parametrize("code", [3, 255, -1])
def test_a_foreign_value_in_the_prediction_is_named(code):
    guess = CAT_GUESS.astype(np.int64)
    guess[0, 0] = code
    with pytest.raises(ValueError, match=rf"prediction holds the value {code}:"):
        confusion_counts(CAT_TRUTH, guess)


@pytest.mark.parametrize(
    ("truth", "guess", "words"),
    [
        (CAT_TRUTH, CAT_GUESS.T, r"\(3, 4\).*\(4, 3\)"),
        (CAT_TRUTH[None], CAT_GUESS[None], r"\(1, 3, 4\)"),  # a batch would lose which image is which
        (CAT_TRUTH[:0], CAT_GUESS[:0], r"\(0, 4\)"),
        (CAT_TRUTH, CAT_GUESS.astype(np.float32), "float32"),
        (CAT_TRUTH == 1, CAT_GUESS, "bool"),
    ],
)
def test_arrays_that_are_not_an_images_masks_are_refused(truth, guess, words):
    with pytest.raises(ValueError, match=words):
        confusion_counts(truth, guess)


@given(st.data())
def test_counts_sum_to_the_number_of_pixels_and_to_those_of_each_class(data):
    shape = data.draw(sides)
    truth = data.draw(hnp.arrays(np.uint8, shape, elements=codes))
    guess = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 2)))
    counts = confusion_counts(truth, guess)
    assert counts.sum() == truth.size
    assert counts.sum(axis=1).tolist() == np.bincount(truth.ravel(), minlength=4).tolist()
    assert counts.sum(axis=0).tolist() == np.bincount(guess.ravel(), minlength=3).tolist()


@given(st.data())
def test_transposing_or_cutting_the_image_changes_nothing(data):
    shape = data.draw(sides)
    truth = data.draw(hnp.arrays(np.uint8, shape, elements=codes))
    guess = data.draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 2)))
    counts = confusion_counts(truth, guess)
    np.testing.assert_array_equal(confusion_counts(truth.T, guess.T), counts)
    np.testing.assert_array_equal(confusion_counts(truth[::-1, ::-1], guess[::-1, ::-1]), counts)
    if shape[0] > 1:
        halves = confusion_counts(truth[:1], guess[:1]) + confusion_counts(truth[1:], guess[1:])
        np.testing.assert_array_equal(halves, counts)


# ---------------------------------------------------------------------------------------------------- border


@pytest.mark.parametrize(
    ("policy", "species", "expected"),
    [
        ("ignore", 1, [[4, 1, 0], [0, 3, 1], [0, 0, 0]]),
        ("ignore", 2, [[4, 1, 0], [0, 3, 1], [0, 0, 0]]),
        ("background", 1, [[5, 3, 0], [0, 3, 1], [0, 0, 0]]),
        ("background", 2, [[5, 3, 0], [0, 3, 1], [0, 0, 0]]),
        ("pet", 1, [[4, 1, 0], [1, 5, 1], [0, 0, 0]]),
        ("pet", 2, [[4, 1, 0], [0, 3, 1], [1, 2, 0]]),
    ],
)
def test_where_the_border_goes(policy, species, expected):
    counts = np.array([CAT_COUNTS])
    confusions = apply_border(counts, np.array([species], np.uint8), policy)
    assert confusions.tolist() == [expected]
    assert confusions.dtype == np.int64
    assert counts.tolist() == [CAT_COUNTS]  # not changed in place


def test_each_images_border_goes_to_its_own_species():
    counts = np.zeros((3, 4, 3), np.int64)
    counts[:, 3] = [[1, 2, 3], [10, 20, 30], [100, 200, 300]]
    confusions = apply_border(counts, np.array([2, 1, 2]), "pet")
    assert confusions[:, 1].tolist() == [[0, 0, 0], [10, 20, 30], [0, 0, 0]]
    assert confusions[:, 2].tolist() == [[1, 2, 3], [0, 0, 0], [100, 200, 300]]


@pytest.mark.parametrize("policy", BORDER_POLICIES)
def test_border_row_agrees_with_the_policy_applied_to_the_mask(policy):
    rng = np.random.default_rng(3)
    for species in (1, 2):
        truth, guess, _ = random_pair(rng, species=species)
        target = apply_border_policy(truth, policy, species)
        kept = target != 255
        by_mask = confusion_counts(target[kept][None], guess[kept][None])[:3]
        np.testing.assert_array_equal(confusion(truth, guess, policy, species), by_mask)


@pytest.mark.parametrize(
    ("counts", "species", "words"),
    [
        (np.zeros((2, 3, 3)), np.array([1, 2]), r"\(2, 3, 3\)"),
        (np.zeros((4, 3)), np.array([1]), r"\(4, 3\)"),
        (np.zeros((2, 4, 3)), np.array([1]), r"\(1,\)"),
        (np.zeros((2, 4, 3)), np.array([1, 0]), "holds 0"),
        (np.zeros((2, 4, 3)), np.array([3, 1]), "holds 3"),
    ],
)
def test_counts_and_species_that_do_not_fit_are_refused(counts, species, words):
    with pytest.raises(ValueError, match=words):
        apply_border(counts, species, "ignore")


def test_an_unknown_name_is_refused_with_the_choices():
    one = np.ones((1, 3, 3))
    with pytest.raises(UsageError, match=r"skip.*ignore, background, pet"):
        apply_border(np.ones((1, 4, 3)), np.array([1]), "skip")
    with pytest.raises(UsageError, match=r"f1.*iou, dice, accuracy"):
        reduce_scores(one, "f1", "dataset")
    with pytest.raises(UsageError, match=r"micro.*dataset, image"):
        reduce_scores(one, "iou", "micro")
