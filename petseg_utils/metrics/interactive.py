"""Scores of a dialogue: how good after so many clicks, and how many clicks to be good."""

import numpy as np

from petseg_utils.errors import UsageError


def miou_at(ious: np.ndarray, clicks: int) -> float:
    """Mean over objects of the IoU after so many clicks (mIoU@k).

    Args:
        ious: float (N, K), the IoU of each object after 1 .. K clicks.
        clicks: k, from 1 to K.
    """
    if not 1 <= clicks <= ious.shape[1]:
        raise UsageError(f"mIoU@{clicks} was asked of dialogues of {ious.shape[1]} clicks: give a number from 1 to "
                         "that")
    return float(ious[:, clicks - 1].mean())


def number_of_clicks(ious: np.ndarray, threshold: float) -> np.ndarray:
    """Clicks until an object's IoU first reaches a threshold, int (N,); K, all of them, where it never does.

    Source: NoC of Xu et al., "Deep Interactive Object Selection", CVPR 2016; objects that fail count with the maximum.
    """
    reached = ious >= threshold
    return np.where(reached.any(1), reached.argmax(1) + 1, ious.shape[1])


def worst_drop(ious: np.ndarray) -> np.ndarray:
    """By how much an object's IoU falls at the click that harms it most, float (N,) >= 0."""
    return np.clip(-np.diff(ious, axis=1).min(axis=1), 0, None)
