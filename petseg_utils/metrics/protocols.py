"""One prediction, eleven scores: what the same masks are worth under the protocols that studies use, all of them
called "mIoU". Each differs in one thing from the first, ours.

They are written out here to be compared and taught. What the study reports comes from
:mod:`petseg_utils.metrics.scores`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from petseg_utils.classes import BACKGROUND, BORDER
from petseg_utils.metrics.counts import NUM_TRUTHS, apply_border
from petseg_utils.metrics.scores import reduce_scores

EPSILON = 1e-6
BATCH = 32  # images that are scored together where batches are averaged


@dataclass(frozen=True)
class Predicted:
    """What protocols look at; all arrays share the order of the test list.

    Attributes:
        counts: pixels (N, 4, 3), see :func:`petseg_utils.metrics.confusion_counts`; logits were resized to each photo's
            own size before the argmax.
        species: (N,) of {1 cat, 2 dog}.
        nearest: the same counts where the argmax came first and the label map was resized by nearest neighbour;
            ``None`` if nobody counted them.
    """

    counts: np.ndarray
    species: np.ndarray
    nearest: np.ndarray | None = None

    def confusions(self, border: str = "ignore") -> np.ndarray:
        """Pixels (N, 3, 3) under a border policy."""
        return apply_border(self.counts, self.species, border)


def ours(predicted: Predicted) -> float:
    """All images' pixels together, border ignored, logits resized to the photo, mean over the classes."""
    return _dataset_level(predicted, "ignore")


def border_is_background(predicted: Predicted) -> float:
    """As ours, but the border counts as background, as it does where a mask is "pet or not" without a word on it."""
    return _dataset_level(predicted, "background")


def border_is_pet(predicted: Predicted) -> float:
    """As ours, but the border counts as pet."""
    return _dataset_level(predicted, "pet")


def border_as_class(predicted: Predicted) -> float:
    """The border is a fourth class to find. A model that was never taught it scores 0 there, and the mean is over
    four."""
    squares = np.zeros((len(predicted.counts), NUM_TRUTHS, NUM_TRUTHS))
    squares[:, :, :BORDER] = predicted.counts
    hit, union = _hit_and_union(squares.sum(axis=0))
    return float((hit / np.maximum(union, 1)).mean())


def per_image(predicted: Predicted) -> float:
    """Each image's mean over the classes that it shows, then the mean over images."""
    return reduce_scores(predicted.confusions(), "iou", "image")["mean"]


def per_image_with_epsilon(predicted: Predicted) -> float:
    """(I + e) / (U + e) of all three classes in each image: an absent class that is not predicted scores 1, one stray
    pixel of it turns the 1 into 0."""
    hit, union = _hit_and_union(predicted.confusions())
    return float(((hit + EPSILON) / (union + EPSILON)).mean())


def absent_class_is_one(predicted: Predicted) -> float:
    """In each image a class that it does not show scores 1, whatever was predicted."""
    confusions = predicted.confusions()
    hit, union = _hit_and_union(confusions)
    there = confusions.sum(axis=2) > 0
    return float(np.where(there, hit / np.maximum(union, 1), 1.0).mean())


def image_class_pairs(predicted: Predicted) -> float:
    """Mean over all pairs of an image and a class that it shows or that was predicted in it, as torchmetrics'
    ``MeanIoU`` has it: a stray pixel of the other species adds a pair that scores 0."""
    hit, union = _hit_and_union(predicted.confusions())
    return float((hit[union > 0] / union[union > 0]).mean())


def batch_average(predicted: Predicted) -> float:
    """Mean IoU of each batch of 32 in the order of the list, then the mean over batches; the list is sorted by breed,
    so that in most batches one species is absent, and counts as 0 once it was predicted."""
    confusions = predicted.confusions()
    scores = []
    for start in range(0, len(confusions), BATCH):
        hit, union = _hit_and_union(confusions[start : start + BATCH].sum(axis=0))
        scores.append((hit[union > 0] / union[union > 0]).mean())
    return float(np.mean(scores))


def pooled_pixels(predicted: Predicted) -> float:
    """The classes' intersections and unions are added before they are divided ("micro"): a / (2 - a) of the pixel
    accuracy a, hence mostly background."""
    hit, union = _hit_and_union(predicted.confusions().sum(axis=0))
    return float(hit.sum() / union.sum())


def nearest_label_map(predicted: Predicted) -> float:
    """As ours, but the label map is resized to the photo, by nearest neighbour, and not the logits. NaN where nobody
    counted it."""
    if predicted.nearest is None:
        return float("nan")
    return ours(Predicted(predicted.nearest, predicted.species))


@dataclass(frozen=True)
class Protocol:
    """A way to score, under the name that tables and figures give it."""

    name: str
    score: Callable[[Predicted], float]

    @property
    def what(self) -> str:
        """What it does, in a sentence or two."""
        return " ".join((self.score.__doc__ or "").split())


PROTOCOLS = (
    Protocol("dataset level, border ignored (ours)", ours),
    Protocol("border as background", border_is_background),
    Protocol("border as pet", border_is_pet),
    Protocol("border as a fourth class", border_as_class),
    Protocol("per image, classes that are there", per_image),
    Protocol("per image, with an epsilon", per_image_with_epsilon),
    Protocol("per image, absent class = 1", absent_class_is_one),
    Protocol("(image, class) pairs", image_class_pairs),
    Protocol("average over batches of the sorted list", batch_average),
    Protocol("pixels pooled over classes", pooled_pixels),
    Protocol("label map resized by nearest", nearest_label_map),
)


def protocol_rows(predicted: Predicted) -> list[dict[str, Any]]:
    """The score under each of :data:`PROTOCOLS`: rows with the keys protocol, value."""
    return [{"protocol": protocol.name, "value": protocol.score(predicted)} for protocol in PROTOCOLS]


def background_everywhere(counts: np.ndarray) -> np.ndarray:
    """The counts (N, 4, 3) of the predictor that says background everywhere, on the images of any model's counts."""
    empty = np.zeros_like(counts)
    empty[:, :, BACKGROUND] = counts.sum(axis=2)
    return empty


def _dataset_level(predicted: Predicted, border: str) -> float:
    return reduce_scores(predicted.confusions(border), "iou", "dataset")["mean"]


def _hit_and_union(confusions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (..., C, C) to (..., C) each: found rightly; true or predicted."""
    hit = np.diagonal(confusions, axis1=-2, axis2=-1).astype(np.float64)
    return hit, confusions.sum(axis=-1) + confusions.sum(axis=-2) - hit
