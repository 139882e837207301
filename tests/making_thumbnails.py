"""Thumbnails at chosen distances, and the search for near-duplicates that needs no hash: the truth for the tests."""

import numpy as np

from petseg_utils.data.duplicates import DUPLICATE_RMSE, THUMBNAIL

LIMIT = round(DUPLICATE_RMSE**2 * THUMBNAIL * THUMBNAIL * 3)  # sum of squared differences at the threshold: 6912


def brute_force_pairs(thumbnails: np.ndarray) -> list[tuple[int, int]]:
    """All pairs below the threshold: every photo is compared with all later ones, in whole numbers."""
    flat = thumbnails.reshape(len(thumbnails), -1).astype(np.int16)
    return [(i, int(j)) for i in range(len(flat))
            for j in i + 1 + np.flatnonzero(np.square(flat[i + 1 :] - flat[i], dtype=np.int32).sum(axis=1) < LIMIT)]


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
