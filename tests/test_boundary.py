"""Boundary IoU: masks small enough to count by hand, and the paper's own few lines."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from petseg_utils.classes import BORDER_POLICIES, CAT, DOG
from petseg_utils.metrics import boundary_counts, boundary_iou

POLICY = {policy: i for i, policy in enumerate(BORDER_POLICIES)}


def square(side=50, left=10, right=30, code=CAT, border=False):
    mask = np.zeros((side, side), np.uint8)
    mask[left:right, left:right] = code
    if border:
        mask[left - 2 : right + 2, left - 2 : right + 2] = 3
        mask[left:right, left:right] = code
    return mask


def test_outlines_of_a_square_are_counted_by_hand():
    mask = square()  # 50 x 50: d is 2 % of 70.7, one pixel
    counts = boundary_counts(mask, mask, CAT)[POLICY["background"]]
    ring, around, frame = 4 * 20 - 4, 4 * 22 - 4, 4 * 50 - 4  # a square of side n has 4 n - 4 edge pixels
    assert counts[CAT].tolist() == [ring, ring, ring]
    assert counts[0].tolist() == [around + frame] * 3  # background ends at the cat and at the photo's edge
    assert counts[DOG].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(boundary_iou(counts), [1, 1, np.nan, 1])


def test_a_shift_costs_the_outline_much_and_the_area_little():
    truth, shifted = square(), np.roll(square(), 1, axis=1)
    counts = boundary_counts(truth, shifted, CAT)[POLICY["background"]]
    ring, common = 4 * 20 - 4, 2 * 19  # the two long edges overlap in 19 pixels each, the upright ones not at all
    assert counts[CAT].tolist() == [common, ring, ring]
    assert boundary_iou(counts)[CAT] == pytest.approx(common / (2 * ring - common))
    area = 19 / 21
    assert boundary_iou(counts)[CAT] < 0.4 < area


@pytest.mark.parametrize("grown", [0, 1, 2])
def test_under_ignore_an_edge_anywhere_in_the_band_is_right(grown):
    truth = square(border=True)
    prediction = square(left=10 - grown, right=30 + grown)
    counts = boundary_counts(truth, prediction, CAT)
    np.testing.assert_array_equal(boundary_iou(counts[POLICY["ignore"]])[[0, CAT]], [1, 1])
    perfect = {policy: bool(boundary_iou(counts[i])[CAT] == 1) for policy, i in POLICY.items()}
    assert perfect == {"ignore": True, "background": grown == 0, "pet": grown == 2}


def test_another_species_meets_no_outline():
    counts = boundary_counts(square(code=CAT), square(code=DOG), CAT)[POLICY["ignore"]]
    assert counts[CAT, 0] == counts[DOG, 0] == 0 and counts[DOG, 2] > 0
    assert boundary_iou(counts)[CAT] == 0 and np.isnan(boundary_iou(counts)[DOG])


def papers(mask: np.ndarray) -> np.ndarray:
    """mask_to_boundary as the paper describes it: pad by a background pixel, erode d times, subtract."""
    distance = max(1, round(0.02 * np.hypot(*mask.shape)))
    padded = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=distance)
    return mask - eroded[1:-1, 1:-1]


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (40, 60), elements=st.integers(0, 1)), arrays(np.uint8, (40, 60), elements=st.integers(0, 1)))
def test_the_papers_way_gives_the_same(truth, prediction):
    truth, prediction = (cv2.medianBlur(mask, 5) for mask in (truth, prediction))  # noise has no inside
    ours = boundary_iou(boundary_counts(truth, prediction, CAT)[POLICY["background"]])[CAT]
    a, b = papers(truth) > 0, papers(prediction) > 0
    if truth.any():
        assert ours == pytest.approx((a & b).sum() / (a | b).sum())
    else:
        assert np.isnan(ours)


def test_the_distance_grows_with_the_photo():
    small, large = square(50, 10, 30), square(500, 100, 300)
    ring = boundary_counts(large, large, CAT)[0, CAT, 1]
    d = round(0.02 * 500 * 2**0.5)
    assert ring == 200**2 - (200 - 2 * d) ** 2
    assert boundary_counts(small, small, CAT)[0, CAT, 1] == 20**2 - 18**2


def test_sizes_that_differ_are_refused():
    with pytest.raises(ValueError, match="same size"):
        boundary_counts(square(), square(60), CAT)
