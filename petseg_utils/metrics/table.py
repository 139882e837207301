"""From statistics to the tidy rows of results tables: one number a row."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from petseg_utils.classes import BORDER_POLICIES, CLASS_NAMES
from petseg_utils.metrics.bootstrap import Interval, bootstrap_intervals, bootstrap_statistic
from petseg_utils.metrics.boundary import boundary_iou
from petseg_utils.metrics.calibration import expected_calibration_error
from petseg_utils.metrics.counts import apply_border
from petseg_utils.metrics.scores import REDUCTIONS, SCORES
from petseg_utils.metrics.statistics import ImageStatistics

# Upper ends of the pet's share of the photo.
OBJECT_SIZES = {"small (below 20 % of the photo)": 0.2, "medium (20 to 40 %)": 0.4, "large (40 % and more)": np.inf}


def score_rows(statistics: ImageStatistics, seed: int = 0) -> list[dict[str, Any]]:
    """Score a set of images in every way that ``metrics.csv`` has a row for.

    Args:
        statistics: of the images; for a part of them, select it first.
        seed: of the bootstrap over images (1000 resamples, 95 %).

    Returns:
        Rows with the keys border, reduction, class, metric, value, ci_low, ci_high, always in the same order: IoU, Dice
        and accuracy by border policy, reduction, metric, class (78 rows; class '' is accuracy over all pixels);
        boundary IoU by border policy and class (12 rows, dataset level); then the loss (nats) and the expected
        calibration error, both with the border ignored. NaN for a class that is absent.

    Raises:
        ValueError: no images, or shapes or species that do not fit.
    """
    rows: list[dict[str, Any]] = []
    for policy in BORDER_POLICIES:
        confusions = apply_border(statistics.counts, statistics.species, policy)
        for reduction in REDUCTIONS:
            for metric in SCORES:
                for name, interval in bootstrap_intervals(confusions, metric, reduction, seed=seed).items():
                    rows.append(_row(policy, reduction, name, metric, interval))
    for policy in BORDER_POLICIES:
        rows += [_row(policy, "dataset", name, "boundary_iou", interval)
                 for name, interval in _boundary_intervals(statistics, policy, seed).items()]
    (loss,) = bootstrap_statistic(statistics.loss, _mean_loss, seed=seed)
    (error,) = bootstrap_statistic(statistics.calibration, _calibration_error, seed=seed)
    return [*rows, _row("ignore", "dataset", "", "loss", loss), _row("ignore", "dataset", "", "ece", error)]


def group_rows(statistics: ImageStatistics, seed: int = 0) -> list[dict[str, Any]]:
    """Score groups of images apart: by breed, by the pet's size in the photo, and without the known defects.

    Returns:
        Rows with the keys grouping, group, n_images, border, reduction, class, metric, value, ci_low, ci_high: IoU of
        each class that the group holds and their mean, and the mean boundary IoU, dataset level, border ignored. A
        breed has two classes, so its mean is no mean over three and compares with other breeds' only.
    """
    rows: list[dict[str, Any]] = []
    for grouping, group, images in _groups(statistics):
        if not images.any():
            continue
        chosen = statistics.select(images)
        about = {"grouping": grouping, "group": group, "n_images": len(chosen)}
        scores = bootstrap_intervals(apply_border(chosen.counts, chosen.species, "ignore"), "iou", "dataset", seed=seed)
        rows += [about | _row("ignore", "dataset", name, "iou", interval)
                 for name, interval in scores.items() if not np.isnan(interval.value)]
        outline = _boundary_intervals(chosen, "ignore", seed)["mean"]
        rows.append(about | _row("ignore", "dataset", "mean", "boundary_iou", outline))
    return rows


def _groups(statistics: ImageStatistics) -> Iterator[tuple[str, str, np.ndarray]]:
    everything = np.ones(len(statistics), dtype=bool)
    yield "all", "all", everything
    empty = statistics.counts[:, 1:3].sum(axis=(1, 2)) == 0
    yield "defects", "without empty masks", ~empty
    yield "defects", "without near-duplicates", ~statistics.repeats
    yield "defects", "without both", ~empty & ~statistics.repeats
    least = 0.0
    for name, most in OBJECT_SIZES.items():
        yield "size", name, ~empty & (statistics.pet_share >= least) & (statistics.pet_share < most)
        least = most
    for breed in sorted(set(statistics.breeds.tolist())):
        yield "breed", breed, statistics.breeds == breed


def _boundary_intervals(statistics: ImageStatistics, policy: str, seed: int) -> dict[str, Interval]:
    counts = statistics.boundary[:, BORDER_POLICIES.index(policy)]
    return dict(zip((*CLASS_NAMES, "mean"), bootstrap_statistic(counts, boundary_iou, seed=seed), strict=True))


def _mean_loss(sums: np.ndarray) -> np.ndarray:
    return sums[..., :1] / np.maximum(sums[..., 1:], 1)


def _calibration_error(bins: np.ndarray) -> np.ndarray:
    return expected_calibration_error(bins)[..., None]


def _row(border: str, reduction: str, name: str, metric: str, interval: Interval) -> dict[str, Any]:
    return {"border": border, "reduction": reduction, "metric": metric, "class": name} | interval._asdict()
