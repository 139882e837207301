"""Scores of confusion matrices, and the two ways of making one number out of many images.

A confusion matrix C has rows truth and columns prediction, in pixels. Of class c,
TP = C[c, c], FN = row sum - TP, FP = column sum - TP.

**A class that is absent from the truth has no score: NaN**, never 0 or 1, whether it was predicted or not. 1 for an
absent class rewards a model for the photos' content (an epsilon in numerator and denominator does just that: the
predictor that always says background then gets .58 per image); 0 for an absent but predicted class makes one stray
pixel cost as much as a photo missed altogether. Nothing goes unpunished: each wrongly predicted pixel is a FN of
the class that it was taken from, and that class is present.
"""

from collections.abc import Callable

import numpy as np

from petseg_utils.classes import CLASS_NAMES, NUM_CLASSES
from petseg_utils.errors import UsageError

REDUCTIONS = ("dataset", "image")


def iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union (Jaccard index), TP / (TP + FP + FN) (Everingham et al. 2010, PASCAL VOC).

    Args:
        confusion: pixels (..., 3, 3), rows truth, columns prediction.

    Returns:
        float64 (..., 3) in [0, 1], background, cat, dog; NaN where the class is absent from the truth.
    """
    hit, true, predicted = _margins(confusion)
    return _ratio(hit, true + predicted - hit, present=true > 0)


def dice(confusion: np.ndarray) -> np.ndarray:
    """Dice coefficient (F1), 2 TP / (2 TP + FP + FN) (Dice 1945); equals 2 IoU / (1 + IoU) of the same matrix.

    Args:
        confusion: pixels (..., 3, 3), rows truth, columns prediction.

    Returns:
        float64 (..., 3) in [0, 1], background, cat, dog; NaN where the class is absent from the truth.
    """
    hit, true, predicted = _margins(confusion)
    return _ratio(2 * hit, true + predicted, present=true > 0)


def class_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of a class's pixels that are found (recall), TP / (TP + FN); its mean is "mean class accuracy".

    Args:
        confusion: pixels (..., 3, 3), rows truth, columns prediction.

    Returns:
        float64 (..., 3) in [0, 1], background, cat, dog; NaN where the class is absent from the truth.
    """
    hit, true, _ = _margins(confusion)
    return _ratio(hit, true, present=true > 0)


def pixel_accuracy(confusion: np.ndarray) -> np.ndarray:
    """Share of all pixels that are right, trace / sum.

    Args:
        confusion: pixels (..., 3, 3), rows truth, columns prediction.

    Returns:
        float64 (...) in [0, 1]; NaN where no pixel counts (a photo that is all border, under ``ignore``).
    """
    hit, true, _ = _margins(confusion)
    total = true.sum(axis=-1)
    return _ratio(hit.sum(axis=-1), total, present=total > 0)


def mean_over_classes(scores: np.ndarray) -> np.ndarray:
    """Mean of the classes that are present: (..., 3) -> float64 (...); NaN where none is."""
    return _mean_of_numbers(scores, axis=-1)


SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"iou": iou, "dice": dice, "accuracy": class_accuracy}
# The classes of each metric's rows, in order; '' is the score over all pixels, which only accuracy has.
SCORE_CLASSES: dict[str, tuple[str, ...]] = {
    "iou": (*CLASS_NAMES, "mean"),
    "dice": (*CLASS_NAMES, "mean"),
    "accuracy": (*CLASS_NAMES, "mean", ""),
}


def score_columns(confusion: np.ndarray, metric: str) -> np.ndarray:
    """Score each matrix for itself: pixels (..., 3, 3) -> float64 (..., K), columns as ``SCORE_CLASSES[metric]``.

    Raises:
        UsageError: unknown metric.
    """
    if metric not in SCORES:
        raise UsageError(f"unknown metric {metric!r}: choose one of {', '.join(SCORES)}")
    scores = SCORES[metric](confusion)
    columns = [scores, mean_over_classes(scores)[..., None]]
    if "" in SCORE_CLASSES[metric]:
        columns.append(pixel_accuracy(confusion)[..., None])
    return np.concatenate(columns, axis=-1)


def reduce_scores(confusions: np.ndarray, metric: str, reduction: str) -> dict[str, float]:
    """Score a set of images.

    ``dataset`` adds the images' matrices, then scores the sum: each pixel counts the same. ``image`` scores each
    image, then takes each class's mean over the images where it is present: each image counts the same. Under
    ``image``, ``mean`` is the mean over images of the image's own mean over its present classes, hence not the mean
    of the three class values: half of an image's score is background, while cat and dog have half of the images each.

    Args:
        confusions: pixels (N, 3, 3), one matrix per image. For a breed, select its images first.
        metric: ``iou``, ``dice`` or ``accuracy``.
        reduction: ``dataset`` or ``image``.

    Returns:
        {class: score in [0, 1] or NaN}, keys in the order of ``SCORE_CLASSES[metric]``.

    Raises:
        UsageError: unknown metric or reduction.
        ValueError: no images, or not (N, 3, 3).
    """
    confusions = check_confusions(confusions)
    if check_reduction(reduction) == "dataset":
        values = score_columns(confusions.sum(axis=0), metric)
    else:
        values = _mean_of_numbers(score_columns(confusions, metric), axis=0)
    return dict(zip(SCORE_CLASSES[metric], values.tolist(), strict=True))


def check_reduction(reduction: str) -> str:
    """Return ``reduction`` if it is one of :data:`REDUCTIONS`, else raise :class:`UsageError`."""
    if reduction not in REDUCTIONS:
        raise UsageError(f"unknown reduction {reduction!r}: choose one of {', '.join(REDUCTIONS)}")
    return reduction


def check_confusions(confusions: np.ndarray) -> np.ndarray:
    """Return ``confusions`` as an array if it is (N, 3, 3) with N >= 1, else raise :class:`ValueError`."""
    confusions = np.asarray(confusions)
    if confusions.ndim != 3 or confusions.shape[1:] != (NUM_CLASSES, NUM_CLASSES) or len(confusions) == 0:
        raise ValueError(f"confusions have shape {confusions.shape}: expected (N, 3, 3) with at least one image")
    return confusions


def _margins(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixels of each class that are hit, true, predicted: three arrays (..., 3)."""
    confusion = np.asarray(confusion)
    return np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1), confusion.sum(axis=-2)


def _ratio(part: np.ndarray, whole: np.ndarray, present: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=present)


def _mean_of_numbers(values: np.ndarray, axis: int) -> np.ndarray:
    """``np.nanmean`` that answers NaN, without a warning, where there is no number."""
    there = ~np.isnan(values)
    number = there.sum(axis=axis)
    return _ratio(np.where(there, values, 0.0).sum(axis=axis), number, present=number > 0)
