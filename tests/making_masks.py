"""Masks and predictions small enough to count by hand, and random ones."""

import numpy as np

from petseg_utils.metrics import apply_border, confusion_counts

# A cat's image. 5 background (one called cat), 4 cat (one called dog), 3 border (two called cat, one background).
CAT_TRUTH = np.array([[0, 0, 3, 1], [0, 3, 1, 1], [0, 0, 3, 1]], np.uint8)
CAT_GUESS = np.array([[0, 0, 1, 1], [0, 1, 1, 2], [0, 1, 0, 1]], np.uint8)
CAT_COUNTS = [[4, 1, 0], [0, 3, 1], [0, 0, 0], [1, 2, 0]]


def confusion(truth, guess, policy="ignore", species=1):
    return apply_border(confusion_counts(truth, guess)[None], np.array([species]), policy)[0]


def random_pair(rng, shape=(17, 23), species=None):
    """A mask of one species with border, and a prediction that is right about two times in three."""
    species = species or int(rng.integers(1, 3))
    truth = rng.choice([0, species, 3], size=shape, p=[0.6, 0.28, 0.12]).astype(np.uint8)
    noise = rng.integers(0, 3, size=shape)
    guess = np.where((rng.random(shape) < 0.5) & (truth < 3), truth, noise).astype(np.uint8)
    return truth, guess, species
