"""Scores of spoiled photos: what is left at each level, and three numbers that sum a kind up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from petseg_utils.corruptions import LEVELS
from petseg_utils.metrics.bootstrap import Interval, percentile_interval, resample_weights, resampled_scores
from petseg_utils.metrics.counts import apply_border
from petseg_utils.metrics.scores import SCORE_CLASSES, reduce_scores

CLEAN = "clean"  # the perturbation of photos as they are, level 0
ALL_KINDS = "all kinds"


@dataclass(frozen=True)
class PerturbedCounts:
    """Of N photos, spoiled in L levels of one kind.

    Attributes:
        names: text (N,).
        species: integers (N,), 1 cat or 2 dog.
        counts: integers (L, N, 4, 3), see :func:`petseg_utils.metrics.confusion_counts`; the levels ascend.
    """

    names: np.ndarray
    species: np.ndarray
    counts: np.ndarray

    def select(self, names: np.ndarray) -> "PerturbedCounts":
        """The photos of these names, in their order."""
        place = {name: i for i, name in enumerate(self.names)}
        images = [place[name] for name in names]
        return PerturbedCounts(self.names[images], self.species[images], self.counts[:, images])


def robustness_rows(clean: PerturbedCounts, spoiled: Mapping[str, PerturbedCounts],
                    seed: int = 0) -> list[dict[str, Any]]:
    """Score a model on spoiled photos in every way that ``metrics.csv`` has a row for: border ignored, dataset level.

    Args:
        clean: level 0.
        spoiled: levels 1 and up, by kind.
        seed: of the bootstrap over images (1000 resamples, 95 %), which draws the same images for all levels.

    Returns:
        Rows with the keys perturbation, level, border, reduction, class, metric, value, ci_low, ci_high. For each level
        the IoU of each class, their mean, mean Dice and pixel accuracy; for each kind, and for all kinds together,
        ``retained``, the mean over levels 1 and up of mean IoU over the clean photos' mean IoU, and ``auc``, the area
        under mean IoU over levels 0 and up, whose ends count half, over the axis' length.

    Raises:
        ValueError: kinds of other photos, in other order, or not all levels.
    """
    for kind, own in spoiled.items():
        if not (np.array_equal(own.names, clean.names) and np.array_equal(own.species, clean.species)):
            raise ValueError(f"{kind} was scored on other photos than the clean ones: score both on the same")
        if len(own.counts) != len(LEVELS) or len(clean.counts) != 1:
            raise ValueError(f"{kind} has {len(own.counts)} levels and the clean photos {len(clean.counts)}: score all "
                             f"{len(LEVELS)} levels, and the clean photos as one")
    weights = resample_weights(len(clean.names), seed=seed)
    rows: list[dict[str, Any]] = []

    def score(kind: str, level: int, counts: np.ndarray) -> tuple[float, np.ndarray]:
        confusions = apply_border(counts, clean.species, "ignore")
        for metric, classes in (("iou", SCORE_CLASSES["iou"]), ("dice", ("mean",)), ("accuracy", ("",))):
            values = reduce_scores(confusions, metric, "dataset")
            samples = resampled_scores(confusions, metric, "dataset", weights)
            columns = dict(zip(SCORE_CLASSES[metric], samples.T, strict=True))
            rows.extend(_row(kind, level, name, metric, _interval(values[name], columns[name])) for name in classes)
            if metric == "iou":
                mean = values["mean"], columns["mean"]
        return mean

    at_clean = score(CLEAN, 0, clean.counts[0])
    curves = {kind: [at_clean, *(score(kind, level, counts) for level, counts in enumerate(own.counts, 1))]
              for kind, own in spoiled.items()}
    sums = {kind: dict(_summaries(np.array([value for value, _ in curve])[None],
                                  np.stack([samples for _, samples in curve], axis=1)))
            for kind, curve in curves.items()}
    for metric in ("retained", "auc"):
        for kind, of_kind in sums.items():
            rows.append(_row(kind, np.nan, "mean", metric, _interval(*of_kind[metric])))
        value = float(np.mean([of_kind[metric][0] for of_kind in sums.values()]))
        samples = np.mean([of_kind[metric][1] for of_kind in sums.values()], axis=0)
        rows.append(_row(ALL_KINDS, np.nan, "mean", metric, _interval(value, samples)))
    return rows


def retained(curve: np.ndarray) -> np.ndarray:
    """The mean over levels 1 and up of a score over its value at level 0: curve (..., 1 + L) -> (...); NaN where there
    was nothing to retain."""
    mean, clean = curve[..., 1:].mean(axis=-1), curve[..., 0]
    return np.divide(mean, clean, out=np.full_like(mean, np.nan), where=clean > 0)


def area_under(curve: np.ndarray) -> np.ndarray:
    """The area under a score over its levels 0 and up (trapezoids), over the axis' length: (..., 1 + L) -> (...)."""
    return (curve[..., 1:] + curve[..., :-1]).mean(axis=-1) / 2


def corruption_error(scores: np.ndarray, reference: np.ndarray) -> float:
    """For each kind the error 1 - score, summed over levels, over that of a reference model; then the mean over kinds.
    Below 1 is better than the reference.

    Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
    ICLR 2019, section 4.2 (mCE), with mean IoU for accuracy.

    Args:
        scores, reference: (K, L) in [0, 1], of the same K kinds and L levels.

    Raises:
        ValueError: shapes that differ, a number outside [0, 1], or a reference without an error.
    """
    if scores.shape != reference.shape or scores.ndim != 2:
        raise ValueError(f"scores have shape {scores.shape}, the reference's {reference.shape}: give (kinds, levels), "
                         "the same for both")
    if not all(((0 <= of) & (of <= 1)).all() for of in (scores, reference)):  # NaN is not, either
        raise ValueError("a score is no number from 0 to 1: give mean IoUs")
    errors, of_reference = (1 - scores).sum(axis=1), (1 - reference).sum(axis=1)
    if (of_reference == 0).any():
        raise ValueError("the reference makes no error under some kind: nothing can be compared with it")
    return float((errors / of_reference).mean())


def _summaries(curve: np.ndarray, samples: np.ndarray) -> Iterator[tuple[str, tuple[float, np.ndarray]]]:
    for name, function in (("retained", retained), ("auc", area_under)):
        yield name, (float(function(curve)[0]), function(samples))


def _interval(value: float, samples: np.ndarray) -> Interval:
    return Interval(value, *percentile_interval(samples, 0.95))


def _row(kind: str, level: float, name: str, metric: str, interval: Interval) -> dict[str, Any]:
    return {"perturbation": kind, "level": level, "border": "ignore", "reduction": "dataset", "class": name,
            "metric": metric} | interval._asdict()
