"""Boundary IoU: how well the outline is met, whatever the size of the animal.

IoU of a large pet hardly notices a ragged outline: pixels grow with the square of its size, the outline only with its
size. Boundary IoU compares only the pixels of truth and prediction that lie within ``d`` of their own outline.
Source: Cheng, Girshick, Dollar, Berg, Kirillov, "Boundary IoU", CVPR 2021, eq. 3, with their d = 2 % of the diagonal.
"""

import math

import cv2
import numpy as np

from petseg_utils.classes import BORDER, BORDER_POLICIES, IGNORE, NUM_CLASSES, apply_border_policy

DISTANCE = 0.02  # of the photo's diagonal


def boundary_counts(truth: np.ndarray, prediction: np.ndarray, species: int) -> np.ndarray:
    """Count the outline pixels of one image, under each border policy.

    Pixels that a policy ignores belong to no class, neither in the truth nor in the prediction: under ``ignore`` the
    outline is where the band begins, and a prediction whose edge runs anywhere inside the band meets it.

    Args:
        truth: uint8 (H, W) of {0 background, 1 cat, 2 dog, 3 border}.
        prediction: uint8 (H, W) of {0, 1, 2}, at the size of ``truth``.
        species: 1 cat or 2 dog, whose border it is.

    Returns:
        int64 (3, 3, 3), pixels: policies ``ignore, background, pet``; classes background, cat, dog; and the outline
        pixels of truth and prediction in common, of the truth, of the prediction.
    """
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise ValueError(f"the mask has shape {truth.shape} and the prediction {prediction.shape}: "
                         "give one image's two (H, W) arrays of the same size")
    distance = max(1, round(DISTANCE * math.hypot(*truth.shape)))
    counts = np.zeros((len(BORDER_POLICIES), NUM_CLASSES, 3), dtype=np.int64)
    for p, policy in enumerate(BORDER_POLICIES):
        target = apply_border_policy(truth, policy, species)
        counted = np.where(target == IGNORE, np.uint8(BORDER), prediction)
        for c in range(NUM_CLASSES):
            true, predicted = (_outline(labels == c, distance) for labels in (target, counted))
            counts[p, c] = np.count_nonzero(true & predicted), np.count_nonzero(true), np.count_nonzero(predicted)
    return counts


def _outline(region: np.ndarray, distance: int) -> np.ndarray:
    """The pixels of a region, bool (H, W), within ``distance`` of its edge; the photo's edge is one, as in the paper's
    code."""
    inside = cv2.erode(region.view(np.uint8), np.ones((3, 3), np.uint8), iterations=distance,
                       borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return region & (inside == 0)


def boundary_iou(counts: np.ndarray) -> np.ndarray:
    """Boundary IoU of each class.

    Args:
        counts: pixels (..., 3, 3): classes, and outline pixels in common, of the truth, of the prediction; of one
            image or summed over images.

    Returns:
        float64 (..., 4) in [0, 1]: background, cat, dog, and the mean of the classes that are there; NaN where a class
        is absent from the truth.
    """
    common, true, predicted = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    scores = np.divide(common, true + predicted - common, out=np.full(common.shape, np.nan), where=true > 0)
    there = ~np.isnan(scores)
    number = there.sum(axis=-1)
    total = np.where(there, scores, 0.0).sum(axis=-1)
    mean = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return np.concatenate([scores, mean[..., None]], axis=-1)
