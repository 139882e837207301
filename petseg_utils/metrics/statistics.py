"""Everything that scoring keeps of each image: from these arrays every score of a run is derived, by anybody, later."""

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import log_softmax

from petseg_utils.classes import BORDER
from petseg_utils.metrics.boundary import boundary_counts
from petseg_utils.metrics.calibration import calibration_bins
from petseg_utils.metrics.counts import confusion_counts


@dataclass(frozen=True)
class ImageStatistics:
    """Sufficient statistics of a model on N images; all arrays share one order.

    Attributes:
        names, breeds: text (N,).
        species: uint8 (N,) of {1 cat, 2 dog}.
        repeats: bool (N,), whether the data set holds a near-duplicate of the photo.
        counts: int64 (N, 4, 3) pixels, see :func:`petseg_utils.metrics.confusion_counts`.
        boundary: int64 (N, 3, 3, 3) pixels, see :func:`petseg_utils.metrics.boundary_counts`.
        calibration: float64 (N, 15, 3), see :func:`petseg_utils.metrics.calibration_bins`.
        loss: float64 (N, 2), the sum of the unweighted cross-entropy over the pixels but the border's, in nats, and
            their number.
    """

    names: np.ndarray
    breeds: np.ndarray
    species: np.ndarray
    repeats: np.ndarray
    counts: np.ndarray
    boundary: np.ndarray
    calibration: np.ndarray
    loss: np.ndarray

    def __len__(self) -> int:
        return len(self.names)

    def select(self, images: np.ndarray) -> "ImageStatistics":
        """The statistics of some images: a bool mask (N,) or indices."""
        return ImageStatistics(**{f.name: getattr(self, f.name)[images] for f in fields(self)})

    @property
    def mean_loss(self) -> float:
        """Mean cross-entropy of all pixels but the border's, in nats."""
        total, pixels = self.loss.sum(axis=0)
        return float(total / max(pixels, 1))

    @property
    def pet_share(self) -> np.ndarray:
        """float64 (N,) in [0, 1]: the pet's share of the photo, half of the border counted in; 0 for an empty mask."""
        pixels = self.counts.sum(axis=2)
        pet = pixels[:, 1] + pixels[:, 2]
        return np.where(pet > 0, pet + pixels[:, 3] / 2, 0) / pixels.sum(axis=1)


def image_statistics(truth: np.ndarray, logits: np.ndarray, species: int) -> dict[str, np.ndarray]:
    """The statistics of one image, by the names of :class:`ImageStatistics`.

    Args:
        truth: uint8 (H, W) of {0, 1, 2, 3}.
        logits: float (3, H, W), before any softmax, at the size of ``truth``.
        species: 1 cat or 2 dog.

    Returns:
        ``counts`` (4, 3), ``boundary`` (3, 3, 3), ``calibration`` (15, 3), ``loss`` (2,).
    """
    prediction = logits.argmax(axis=0).astype(np.uint8)
    inside = truth < BORDER
    true, predicted = truth[inside], prediction[inside]
    log_probabilities = log_softmax(logits[:, inside].astype(np.float64), axis=0)  # (3, P)
    pixels = np.arange(len(true))
    return {
        "counts": confusion_counts(truth, prediction),
        "boundary": boundary_counts(truth, prediction, species),
        "calibration": calibration_bins(np.exp(log_probabilities[predicted, pixels]), predicted == true),
        "loss": np.array([-log_probabilities[true, pixels].sum(), len(true)]),
    }
