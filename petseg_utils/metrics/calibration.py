"""Calibration: of the pixels that a model is 80 % sure of, are 80 % right?

Source: Guo, Pleiss, Sun, Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, eq. 3, with 15 bins. A
pixel's confidence is its largest softmax probability; the border is left out, for nobody knows its truth.
"""

import numpy as np

NUM_BINS = 15


def calibration_bins(confidence: np.ndarray, correct: np.ndarray) -> np.ndarray:
    """Sort pixels into bins of equal width by confidence.

    Args:
        confidence: floats (P,) in [0, 1], the largest class probability of each pixel.
        correct: bool (P,), whether that class is the true one.

    Returns:
        float64 (15, 3): of each bin (b / 15, (b + 1) / 15] the number of pixels, the sum of their confidences, and how
        many are right. Bins of several images add up.

    Raises:
        ValueError: shapes differ, or a confidence is no number in [0, 1].
    """
    confidence = np.asarray(confidence, dtype=np.float64)
    if confidence.shape != correct.shape or confidence.ndim != 1:
        raise ValueError(f"confidence has shape {confidence.shape} and correct {correct.shape}: give two (P,) arrays")
    if confidence.size and not (confidence.min() >= 0 and confidence.max() <= 1):
        raise ValueError(f"confidences run from {confidence.min()} to {confidence.max()}: give probabilities in [0, 1]")
    bins = np.clip(np.ceil(confidence * NUM_BINS).astype(np.intp) - 1, 0, NUM_BINS - 1)
    weights = (None, confidence, correct.astype(np.float64))
    return np.stack([np.bincount(bins, weights=w, minlength=NUM_BINS) for w in weights], axis=1).astype(np.float64)


def expected_calibration_error(bins: np.ndarray) -> np.ndarray:
    """Mean distance between confidence and accuracy, weighted by the bins' pixels.

    Args:
        bins: (..., 15, 3) as :func:`calibration_bins` returns it, of one image or summed over images.

    Returns:
        float64 (...) in [0, 1], 0 is perfectly calibrated; NaN where there is no pixel.
    """
    number, confidence, right = np.moveaxis(np.asarray(bins, dtype=np.float64), -1, 0)
    total = number.sum(axis=-1)
    apart = np.abs(confidence - right).sum(axis=-1)  # of a bin: n |confidence / n - right / n|
    return np.divide(apart, total, out=np.full(np.shape(total), np.nan), where=total > 0)
