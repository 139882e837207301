"""Distances to a region's edge."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from petseg_utils.distance import squared_distance


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:90, :130]
    return [sum((y - rng.integers(90)) ** 2 / rng.integers(6, 40) ** 2 + (x - rng.integers(130)) ** 2
                / rng.integers(6, 40) ** 2 < 1 for _ in range(4)) > 0 for _ in range(40)]


def placed(region, offset):
    """A copy that begins so many bytes behind a multiple of 64."""
    memory = np.zeros(region.size + 128, bool)
    start = -memory.ctypes.data % 64 + offset
    copy = memory[start : start + region.size].reshape(region.shape)
    copy[:] = region
    return copy


def test_it_is_the_exact_square(blobs):
    for region in blobs:
        np.testing.assert_allclose(squared_distance(region), distance_transform_edt(region) ** 2, rtol=0, atol=1e-9)


def test_far_from_the_edge_it_still_is():
    region = np.ones((700, 900), bool)
    region[3, 7] = region[600, 800] = False
    rows, columns = np.indices(region.shape)
    nearest = np.minimum((rows - 3) ** 2 + (columns - 7) ** 2, (rows - 600) ** 2 + (columns - 800) ** 2)
    assert np.array_equal(squared_distance(region), nearest)


def test_it_does_not_depend_on_where_the_array_lies(blobs):
    """OpenCV's own distances do, in the last bit, for some of these regions."""
    for region in blobs:
        found = [squared_distance(placed(region, offset)) for offset in range(0, 64, 7)]
        assert all(np.array_equal(found[0], other) for other in found)


def test_where_nothing_is_outside_it_is_infinite():
    assert np.isinf(squared_distance(np.ones((3, 4), bool))).all()
    assert not squared_distance(np.zeros((3, 4), bool)).any()
