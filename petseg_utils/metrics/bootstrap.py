"""How sure a score is: percentile bootstrap over images (Efron 1979), alone and for two models on the same images.

An image, not a pixel, is what was drawn at random, so images are what is drawn again. Drawing N images with
replacement gives each of them a multinomial weight; with the weights of all R resamples in one matrix W (R, N), all
resampled confusion matrices are a single product W @ counts (N, 9), instead of R passes over N images.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from petseg_utils.classes import NUM_CLASSES
from petseg_utils.metrics.scores import SCORE_CLASSES, check_confusions, check_reduction, reduce_scores, score_columns


class Interval(NamedTuple):
    """A score with the ends of its interval, all in [0, 1] or NaN."""

    value: float
    ci_low: float
    ci_high: float


class Difference(NamedTuple):
    """A score's difference (first minus second model) in [-1, 1], its interval, and the two-sided p in (0, 1]."""

    difference: float
    ci_low: float
    ci_high: float
    p: float


# One call's matrix is kept (29 MB for the official test set): a table asks for it some twenty times, and two
# models compared with the same seed must be given the same images anyway.
@lru_cache(maxsize=1)
def resample_weights(n_images: int, resamples: int = 1000, seed: int = 0) -> np.ndarray:
    """How often each image occurs in each resample.

    Returns:
        float64 (R, N), read-only, whole numbers >= 0; each row sums to N. Same arguments, same weights.

    Raises:
        ValueError: fewer than one image or resample.
    """
    if n_images < 1 or resamples < 1:
        raise ValueError(f"got {n_images} images and {resamples} resamples: a bootstrap needs at least one of each")
    drawn = np.random.default_rng(seed).integers(n_images, size=(resamples, n_images))
    # A range of its own for each resample, so that one bincount serves them all; 5x faster than rng.multinomial.
    drawn += np.arange(resamples)[:, None] * n_images
    weights = np.bincount(drawn.ravel(), minlength=resamples * n_images).reshape(resamples, n_images)
    weights = weights.astype(np.float64)  # float, because the products below are BLAS's; exact up to 2**53 pixels
    weights.setflags(write=False)
    return weights


def resampled_scores(confusions: np.ndarray, metric: str, reduction: str, weights: np.ndarray) -> np.ndarray:
    """Score every resample, as :func:`reduce_scores` would score the images that it drew.

    Args:
        confusions: pixels (N, 3, 3), rows truth, columns prediction.
        metric: ``iou``, ``dice`` or ``accuracy``.
        reduction: ``dataset`` or ``image``.
        weights: (R, N), how often each image occurs in each resample.

    Returns:
        float64 (R, K), columns as ``SCORE_CLASSES[metric]``; NaN where a resample drew no image with that class.

    Raises:
        UsageError: unknown metric or reduction.
        ValueError: not (N, 3, 3), or weights for another number of images.
    """
    confusions = check_confusions(confusions)
    if weights.ndim != 2 or weights.shape[1] != len(confusions):
        raise ValueError(f"weights have shape {weights.shape}: expected (R, {len(confusions)}), a column per image")
    if check_reduction(reduction) == "dataset":
        sums = weights @ confusions.reshape(len(confusions), -1)  # (R, 9)
        return score_columns(sums.reshape(-1, NUM_CLASSES, NUM_CLASSES), metric)
    scores = score_columns(confusions, metric)  # (N, K)
    there = ~np.isnan(scores)
    total, number = weights @ np.where(there, scores, 0.0), weights @ there.astype(np.float64)  # (R, K) each
    return np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0)


def bootstrap_intervals(
    confusions: np.ndarray,
    metric: str,
    reduction: str,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Score a set of images, with percentile intervals.

    The interval speaks of other photos from the same source, scored with the same weights of the same model; it does
    not cover what another training seed would give.

    Args:
        confusions: pixels (N, 3, 3), rows truth, columns prediction.
        metric: ``iou``, ``dice`` or ``accuracy``.
        reduction: ``dataset`` or ``image``.
        resamples: how many sets of N images to draw.
        level: share of the resamples inside the interval, in (0, 1).
        seed: same seed and same N, same resamples.

    Returns:
        {class: Interval}, keys in the order of ``SCORE_CLASSES[metric]``. Resamples in which a class is absent do not
        count for it; an absent class has three NaN.

    Raises:
        UsageError: unknown metric or reduction.
        ValueError: no images, not (N, 3, 3), no resamples, or a level outside (0, 1).
    """
    values = reduce_scores(confusions, metric, reduction)
    weights = resample_weights(len(confusions), resamples, seed)
    samples = resampled_scores(confusions, metric, reduction, weights)
    columns = zip(values.items(), samples.T, strict=True)
    return {name: Interval(value, *percentile_interval(column, level)) for (name, value), column in columns}


def bootstrap_statistic(
    statistic: np.ndarray,
    score: Callable[[np.ndarray], np.ndarray],
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Interval]:
    """Score the sum of any sufficient statistic over images (dataset level), with percentile intervals.

    Args:
        statistic: numbers (N, ...), one array per image, that add up over images.
        score: sums (..., *shape of one image's array) -> scores (..., K), NaN where there is none.
        resamples, level, seed: as in :func:`bootstrap_intervals`.

    Returns:
        K intervals.

    Raises:
        ValueError: no images or resamples, or a level outside (0, 1).
    """
    values = score(statistic.sum(axis=0))
    flat = statistic.reshape(len(statistic), -1).astype(np.float64)
    sums = resample_weights(len(statistic), resamples, seed) @ flat
    samples = score(sums.reshape(resamples, *statistic.shape[1:]))
    return [Interval(float(value), *percentile_interval(column, level))
            for value, column in zip(values, samples.T, strict=True)]


def paired_bootstrap(
    confusions_a: np.ndarray,
    confusions_b: np.ndarray,
    metric: str,
    reduction: str,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Difference]:
    """Compare two models on the same images: each resample draws the same images for both (Koehn 2004).

    What is hard about a photo is hard for both models and cancels in the difference, so that this finds differences
    that two overlapping intervals hide. p is the interval turned round: twice the smaller share of resampled
    differences at or beyond zero, (1 + count) / (1 + R) each so that p is never 0, and at most 1.

    Args:
        confusions_a: pixels (N, 3, 3) of the first model, rows truth, columns prediction.
        confusions_b: the same images in the same order, of the second model, under the same border policy.
        metric: ``iou``, ``dice`` or ``accuracy``.
        reduction: ``dataset`` or ``image``.
        resamples: how many sets of N images to draw.
        level: share of the resampled differences inside the interval, in (0, 1).
        seed: same seed and same N, same resamples.

    Returns:
        {class: Difference}, keys in the order of ``SCORE_CLASSES[metric]``; NaN for an absent class.

    Raises:
        UsageError: unknown metric or reduction.
        ValueError: different numbers of images, or images whose true classes have different sizes.
    """
    confusions_a, confusions_b = check_confusions(confusions_a), check_confusions(confusions_b)
    if len(confusions_a) != len(confusions_b):
        raise ValueError(
            f"the models were scored on {len(confusions_a)} and {len(confusions_b)} images: give both the same images"
        )
    # Row sums are the truth's own class sizes: they tell images apart, whatever was predicted.
    if (other := (confusions_a.sum(axis=2) != confusions_b.sum(axis=2)).any(axis=1)).any():
        raise ValueError(
            f"image {int(other.argmax())} has other true class sizes for the second model: "
            "give both models the same images in the same order under the same border policy"
        )
    value_a, value_b = (reduce_scores(c, metric, reduction) for c in (confusions_a, confusions_b))
    weights = resample_weights(len(confusions_a), resamples, seed)
    samples_a, samples_b = (resampled_scores(c, metric, reduction, weights) for c in (confusions_a, confusions_b))
    columns = zip(SCORE_CLASSES[metric], (samples_a - samples_b).T, strict=True)
    return {name: summarise_differences(value_a[name] - value_b[name], column, level) for name, column in columns}


def summarise_differences(difference: float, samples: np.ndarray, level: float = 0.95) -> Difference:
    """A difference with the interval and the p that its resamples (R,) give; NaN among them do not count."""
    return Difference(difference, *percentile_interval(samples, level), _two_sided_p(samples))


def percentile_interval(samples: np.ndarray, level: float) -> tuple[float, float]:
    """The ends between which a share ``level`` of resampled scores (R,) lies; NaN among them do not count.

    Raises:
        ValueError: a level outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: expected a share between 0 and 1, such as 0.95")
    samples = samples[~np.isnan(samples)]
    if samples.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _two_sided_p(differences: np.ndarray) -> float:
    differences = differences[~np.isnan(differences)]
    if differences.size == 0:
        return float("nan")
    rarer = min((differences <= 0).sum(), (differences >= 0).sum())
    return min(1.0, float(2 * (1 + rarer) / (1 + differences.size)))
