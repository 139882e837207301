"""Sufficient statistics: what an image's mask and prediction say about each other, before any score is chosen.

Counts keep the trimap's border in a row of its own, so that one array answers for every border policy and nobody
has to predict again to change his mind.
"""

import numpy as np

from petseg_utils.classes import BACKGROUND, BORDER, NUM_CLASSES, SPECIES_NAMES, check_border_policy

NUM_TRUTHS = NUM_CLASSES + 1  # background, cat, dog, border


def confusion_counts(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Count the pixels of one image by true and predicted class.

    Args:
        truth: integers (H, W) of {0 background, 1 cat, 2 dog, 3 border}. 255 (a pixel that belongs to nothing) is
            refused: augmentation makes such pixels, and masks that are scored are never augmented.
        prediction: integers (H, W) of {0, 1, 2}, at the size of ``truth``.

    Returns:
        int64 (4, 3), pixels: rows are true background, cat, dog, border; columns predicted background, cat, dog.
        Its sum is H * W.

    Raises:
        ValueError: shapes differ, are not (H, W) or hold no pixel; not integers; or a value outside the sets above.

    Example:
        >>> confusion_counts(np.array([[0, 1, 3]]), np.array([[0, 0, 1]])).tolist()
        [[1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]]
    """
    if truth.shape != prediction.shape or truth.ndim != 2 or truth.size == 0:
        # A batch is refused too: it would be summed, and per-image scores and the bootstrap need the images apart.
        raise ValueError(
            f"the mask has shape {truth.shape} and the prediction {prediction.shape}: "
            "give one image's two (H, W) arrays of the same size"
        )
    _check_codes("mask", truth, BORDER)
    _check_codes("prediction", prediction, NUM_CLASSES - 1)
    # intp is what bincount works in: one conversion here instead of a hidden second one there.
    codes = truth.astype(np.intp) * NUM_CLASSES + prediction.astype(np.intp)
    counts = np.bincount(codes.ravel(), minlength=NUM_TRUTHS * NUM_CLASSES)
    return counts.reshape(NUM_TRUTHS, NUM_CLASSES).astype(np.int64, copy=False)


def apply_border(counts: np.ndarray, species: np.ndarray, policy: str) -> np.ndarray:
    """Decide what becomes of the border and return plain 3-class confusion matrices.

    Args:
        counts: integers (N, 4, 3), pixels, one :func:`confusion_counts` per image.
        species: integers (N,), 1 cat or 2 dog: whose border it is.
        policy: ``ignore`` drops the border row, ``background`` adds it to row 0, ``pet`` to the row of the species.

    Returns:
        int64 (N, 3, 3), pixels: rows truth, columns prediction. The input is left as it was.

    Raises:
        UsageError: unknown policy.
        ValueError: shapes that do not fit, or a species that is neither 1 nor 2.
    """
    check_border_policy(policy)
    counts, species = np.asarray(counts), np.asarray(species)
    if counts.ndim != 3 or counts.shape[1:] != (NUM_TRUTHS, NUM_CLASSES):
        raise ValueError(f"counts have shape {counts.shape}: expected (N, {NUM_TRUTHS}, {NUM_CLASSES})")
    if species.shape != counts.shape[:1]:
        raise ValueError(f"species have shape {species.shape}: expected {counts.shape[:1]}, one for each image")
    if not (known := np.isin(species, list(SPECIES_NAMES))).all():
        raise ValueError(f"species holds {species[~known][0]}: expected 1 (cat) or 2 (dog) for each image")
    confusions = counts[:, :NUM_CLASSES].astype(np.int64)  # a copy, also where the type is int64 already
    if policy != "ignore":
        rows = species.astype(np.intp) if policy == "pet" else BACKGROUND
        confusions[np.arange(len(counts)), rows] += counts[:, BORDER]
    return confusions


def _check_codes(what: str, array: np.ndarray, highest: int) -> None:
    if array.dtype.kind not in "iu":
        raise ValueError(f"the {what} has type {array.dtype}: expected integers from 0 to {highest}")
    for value in (array.min(), array.max()):
        if not 0 <= value <= highest:
            raise ValueError(f"the {what} holds the value {value}: expected integers from 0 to {highest}")
