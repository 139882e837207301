"""Metrics: sufficient statistics first (counts), a named reduction second (scores, bootstrap, table)."""

from petseg_utils.metrics.bootstrap import (
    Difference,
    Interval,
    bootstrap_intervals,
    bootstrap_statistic,
    paired_bootstrap,
    resample_weights,
    resampled_scores,
)
from petseg_utils.metrics.boundary import boundary_counts, boundary_iou
from petseg_utils.metrics.calibration import calibration_bins, expected_calibration_error
from petseg_utils.metrics.challenges import challenge_counts, challenge_rows, thin_parts
from petseg_utils.metrics.comparison import PairedDifference, compare_all_pairs, holm
from petseg_utils.metrics.counts import apply_border, confusion_counts
from petseg_utils.metrics.protocols import PROTOCOLS, Predicted, background_everywhere, protocol_rows
from petseg_utils.metrics.reconstruction import psnr, ssim
from petseg_utils.metrics.robustness import PerturbedCounts, corruption_error, robustness_rows
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
from petseg_utils.metrics.statistics import ImageStatistics, image_statistics
from petseg_utils.metrics.table import group_rows, score_rows

__all__ = [
    "PROTOCOLS",
    "REDUCTIONS",
    "SCORES",
    "SCORE_CLASSES",
    "Difference",
    "ImageStatistics",
    "Interval",
    "PairedDifference",
    "PerturbedCounts",
    "Predicted",
    "apply_border",
    "background_everywhere",
    "bootstrap_intervals",
    "bootstrap_statistic",
    "boundary_counts",
    "boundary_iou",
    "calibration_bins",
    "challenge_counts",
    "challenge_rows",
    "class_accuracy",
    "compare_all_pairs",
    "confusion_counts",
    "corruption_error",
    "dice",
    "expected_calibration_error",
    "group_rows",
    "holm",
    "image_statistics",
    "iou",
    "mean_over_classes",
    "paired_bootstrap",
    "pixel_accuracy",
    "protocol_rows",
    "psnr",
    "reduce_scores",
    "resample_weights",
    "resampled_scores",
    "robustness_rows",
    "score_columns",
    "score_rows",
    "ssim",
    "thin_parts",
]
