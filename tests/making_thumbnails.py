"""Thumbnails at chosen distances, and the search for near-duplicates that needs no hash: the truth for the tests."""

import numpy as np

from petseg_utils.data.duplicates import DUPLICATE_RMSE, THUMBNAIL

LIMIT = round(DUPLICATE_RMSE**2 * THUMBNAIL * THUMBNAIL * 3)  # sum of squared differences at the threshold: 6912


def brute_force_pairs(thumbnails: np.ndarray) -> list[tuple[int, int]]:
    """All pairs below the threshold, first < second, in order: every photo is compared with every other.

    Whole numbers in double precision: ||a||^2 + ||b||^2 - 2 ab is exact.
    """
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.float64)
    norms = (flat**2).sum(axis=1)
    pairs = []
    for start in range(0, len(flat), 512):
        block = slice(start, start + 512)
        rows, columns = np.nonzero(norms[block, None] + norms - 2 * flat[block] @ flat.T < LIMIT)
        pairs += [(i + start, j) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if i + start < j]
    return pairs


def at_distance(thumbnail: np.ndarray, squared: int, rng: np.random.Generator) -> np.ndarray:
    """A neighbour whose squared differences sum to exactly ``squared``."""
    difference = np.zeros(thumbnail.size, int)
    for i in range(thumbnail.size):
        step = min(int(np.sqrt(squared)), int(rng.integers(1, 8)))
        difference[i] = step * rng.choice([-1, 1])
        squared -= step**2
    assert squared == 0
    return (thumbnail + rng.permutation(difference).reshape(thumbnail.shape)).astype(np.uint8)


def random_thumbnails(n: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 (n, 16, 16, 3); no two are near-duplicates, and 20 grey levels may be added or taken away anywhere."""
    return rng.integers(20, 236, (n, THUMBNAIL, THUMBNAIL, 3)).astype(np.uint8)
