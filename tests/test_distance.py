"""Distances to a region's edge."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from petseg_utils.distance import squared_distance


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:120, :110]
    return [sum((y - rng.integers(120)) ** 2 / rng.integers(6, 60) ** 2 + (x - rng.integers(110)) ** 2
                / rng.integers(6, 60) ** 2 < 1 for _ in range(4)) > 0 for _ in range(60)]


def test_it_is_the_exact_square(blobs):
    for region in blobs:
        np.testing.assert_allclose(squared_distance(region), distance_transform_edt(region) ** 2, rtol=0, atol=1e-9)


def test_far_from_the_edge_it_still_is():
    region = np.ones((700, 900), bool)
    region[3, 7] = region[600, 800] = False
    rows, columns = np.indices(region.shape)
    nearest = np.minimum((rows - 3) ** 2 + (columns - 7) ** 2, (rows - 600) ** 2 + (columns - 800) ** 2)
    assert np.array_equal(squared_distance(region), nearest)


def test_it_does_not_depend_on_where_the_result_lies(blobs, monkeypatch):
    """OpenCV's own distances do, in the last bit, for some of these regions."""
    computed = cv2.distanceTransform

    def found(region, offset):
        def placed(source, *how):
            memory = np.zeros(4 * source.size + 128, np.uint8)
            start = -memory.ctypes.data % 64 + offset
            result = memory[start : start + 4 * source.size].view(np.float32).reshape(source.shape)
            return computed(source, *how, dst=result)

        monkeypatch.setattr(cv2, "distanceTransform", placed)
        return squared_distance(region)

    for region in blobs:
        assert np.array_equal(found(region, 0), found(region, 16))


def test_where_nothing_is_outside_it_is_infinite():
    assert np.isinf(squared_distance(np.ones((3, 4), bool))).all()
    assert not squared_distance(np.zeros((3, 4), bool)).any()
