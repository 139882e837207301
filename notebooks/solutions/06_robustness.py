"""Solutions of the exercises in 06_robustness.ipynb, with the reasons."""

import numpy as np


def salt_and_pepper(image: np.ndarray, share: float, seed: int) -> np.ndarray:
    # One number a pixel decides for all shares: the lowest become black, the highest white, and a larger share only
    # moves the two thresholds. Drawing which pixels to hit anew for each share would make every level another photo.
    drawn = np.random.default_rng(seed).random(image.shape[:2])[..., None]
    return np.where(drawn < share / 2, 0, np.where(drawn > 1 - share / 2, 255, image)).astype(np.uint8)


def retained_ratio(curve: np.ndarray) -> float:
    # Level 0 would add 1 / (1 + L) of the clean score to every model's mean: all ratios move towards 1, their order
    # stays, and every difference between models looks smaller than it is.
    return float(curve[1:].mean() / curve[0])


def hidden_share(pet: np.ndarray, row: int, column: int, side: int) -> float:
    # Clipped first: a negative start would count from the other end of the photo.
    top, left = max(0, row), max(0, column)
    hidden = pet[top : max(0, row + side), left : max(0, column + side)]
    return float(hidden.sum() / pet.sum())
