"""Metrics: sufficient statistics first (counts), a named reduction second (scores, bootstrap, table)."""

from petseg_utils.metrics.bootstrap import (
    Difference,
    Interval,
    bootstrap_intervals,
    paired_bootstrap,
    resample_weights,
    resampled_scores,
)
from petseg_utils.metrics.counts import apply_border, confusion_counts
from petseg_utils.metrics.scores import (
    REDUCTIONS,
    SCORE_CLASSES,
    SCORES,
    class_accuracy,
    dice,
    iou,
    mean_over_classes,
    pixel_accuracy,
    reduce_scores,
    score_columns,
)
from petseg_utils.metrics.table import score_rows

__all__ = [
    "REDUCTIONS",
    "SCORES",
    "SCORE_CLASSES",
    "Difference",
    "Interval",
    "apply_border",
    "bootstrap_intervals",
    "class_accuracy",
    "confusion_counts",
    "dice",
    "iou",
    "mean_over_classes",
    "paired_bootstrap",
    "pixel_accuracy",
    "reduce_scores",
    "resample_weights",
    "resampled_scores",
    "score_columns",
    "score_rows",
]
