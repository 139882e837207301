"""Solutions of the exercises in 07_comparison.ipynb, with the reasons."""

import numpy as np


def corrected_p(p_values: np.ndarray) -> np.ndarray:
    order = np.argsort(p_values)
    # The running maximum keeps the order: a larger p must not come out as the surer finding because its factor is less.
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(stepped, 1)
    return corrected


def score_of_nothing(background: float) -> float:
    # Background: found altogether, and the pet is its only false positive, so intersection over union is its share.
    # The species that is there scores 0, the one that is not e / e = 1: a third of the marks for what is not there.
    # So it passes one half as soon as half of the photo is background, and stays below two thirds.
    return (background + 0 + 1) / 3


def photos_needed(differences: np.ndarray, target: float) -> int:
    # The standard error falls as the root of n, so half the difference takes four times the photos.
    return int(np.floor((2 * differences.std(ddof=1) / target) ** 2)) + 1
