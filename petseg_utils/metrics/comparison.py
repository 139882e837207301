"""All pairs of models on the same images, with p-values that are corrected for their number.

Of twenty comparisons between equal models one is "significant" at .05 by chance. Holm's step-down procedure (S. Holm,
"A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979) keeps the chance
of *any* false finding at the level, whatever the dependence between the comparisons, and rejects all that Bonferroni's
does and more.
"""

import math
from collections.abc import Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np

from petseg_utils.metrics.bootstrap import resample_weights, resampled_scores, summarise_differences
from petseg_utils.metrics.scores import SCORE_CLASSES, check_confusions, reduce_scores

_AT_ONCE = 1000  # resamples whose weights are held in memory together


class PairedDifference(NamedTuple):
    """Two models' difference (first minus second) with its interval, and p without and with Holm's correction."""

    first: str
    second: str
    difference: float
    ci_low: float
    ci_high: float
    p: float
    p_holm: float


def holm(p_values: np.ndarray) -> np.ndarray:
    """Correct p-values for their number.

    The smallest of m is multiplied by m, the next by m - 1, and so on down to 1; no corrected value may be smaller than
    one before it, nor larger than 1.

    Args:
        p_values: (m,) in [0, 1].

    Returns:
        float64 (m,), in the order given: reject those that are at most the level.

    Raises:
        ValueError: not one-dimensional, or a value outside [0, 1].
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    if p_values.ndim != 1 or not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError(f"p-values have shape {p_values.shape}: expected (m,), all between 0 and 1")
    order = np.argsort(p_values, kind="stable")
    stepped = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return corrected


def compare_all_pairs(confusions: Mapping[str, np.ndarray], metric: str = "iou", reduction: str = "dataset", *,
                      resamples: int | None = None, level: float = 0.95, seed: int = 0) -> list[PairedDifference]:
    """Compare every pair of models by the mean over classes, all on the same resampled images.

    Args:
        confusions: pixels (N, 3, 3) by model, the same images in the same order, under one border policy.
        metric, reduction: as in :func:`petseg_utils.metrics.paired_bootstrap`.
        resamples: how many sets of N images to draw. The least p that R resamples can give is 2 / (1 + R); ``None``
            takes as many thousands as keep twice that, times the number of pairs, below 1 - level.
        level: share of the resampled differences inside an interval; not corrected, one interval speaks of one pair.
        seed: same seed, same resamples.

    Returns:
        A row for each pair, in the order of the models.

    Raises:
        UsageError: unknown metric or reduction.
        ValueError: fewer than two models, or models on different images.
    """
    models = {name: check_confusions(of) for name, of in confusions.items()}
    if len(models) < 2:
        raise ValueError(f"got {len(models)} models: a comparison takes two or more")
    truths = {name: of.sum(axis=2) for name, of in models.items()}
    first = next(iter(truths.values()))
    for name, truth in truths.items():
        if truth.shape != first.shape or (truth != first).any():
            raise ValueError(f"model {name!r} was scored on other images than the first one: give all the same images "
                             "in the same order under the same border policy")
    pairs = list(combinations(models, 2))
    if resamples is None:
        resamples = max(1, math.ceil(2 * 2 * len(pairs) / (1 - level) / _AT_ONCE)) * _AT_ONCE
    mean = SCORE_CLASSES[metric].index("mean")
    chunks: dict[str, list[np.ndarray]] = {name: [] for name in models}
    for number, start in enumerate(range(0, resamples, _AT_ONCE)):
        drawn = min(_AT_ONCE, resamples - start)
        weights = resample_weights(len(first), drawn, seed + number)
        for name, of in models.items():
            chunks[name].append(resampled_scores(of, metric, reduction, weights)[:, mean])
    samples = {name: np.concatenate(of) for name, of in chunks.items()}
    values = {name: reduce_scores(of, metric, reduction)["mean"] for name, of in models.items()}
    found = [summarise_differences(values[a] - values[b], samples[a] - samples[b], level) for a, b in pairs]
    corrected = holm(np.array([difference.p for difference in found]))
    return [PairedDifference(a, b, *difference, float(p))
            for (a, b), difference, p in zip(pairs, found, corrected, strict=True)]
