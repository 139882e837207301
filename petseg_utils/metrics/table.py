"""From counts to the tidy rows of a results table: one number a row."""

from typing import Any

import numpy as np

from petseg_utils.classes import BORDER_POLICIES
from petseg_utils.metrics.bootstrap import bootstrap_intervals
from petseg_utils.metrics.counts import apply_border
from petseg_utils.metrics.scores import REDUCTIONS, SCORES


def score_rows(counts: np.ndarray, species: np.ndarray, seed: int = 0) -> list[dict[str, Any]]:
    """Score a set of images in every way that ``metrics.csv`` has a row for.

    Args:
        counts: integers (N, 4, 3), pixels: rows true background, cat, dog, border; columns predictions. For a
            breed or any other part, select its images first.
        species: integers (N,), 1 cat or 2 dog.
        seed: of the bootstrap over images (1000 resamples, 95 %).

    Returns:
        78 rows with the keys border, reduction, class, metric, value, ci_low, ci_high, always in the same order:
        by border policy, reduction, metric, class. Class '' is accuracy over all pixels. Values in [0, 1], or NaN
        for a class that is absent.

    Raises:
        ValueError: no images, or shapes or species that do not fit.
    """
    rows: list[dict[str, Any]] = []
    for policy in BORDER_POLICIES:
        confusions = apply_border(counts, species, policy)
        for reduction in REDUCTIONS:
            for metric in SCORES:
                names = {"border": policy, "reduction": reduction, "metric": metric}
                intervals = bootstrap_intervals(confusions, metric, reduction, seed=seed)
                for name, (value, low, high) in intervals.items():
                    rows.append({**names, "class": name, "value": value, "ci_low": low, "ci_high": high})
    return rows
