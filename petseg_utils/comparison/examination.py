"""A closer look at a model's predictions than its statistics keep: what happened to hard pixels, and what the label map
loses when it is resized in place of the logits."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from petseg_utils.data.cache import PetData
from petseg_utils.data.datasets import Maps
from petseg_utils.evaluation import logits_of, resize_logits
from petseg_utils.metrics import Predicted, challenge_counts, confusion_counts
from petseg_utils.precision import Precision


@dataclass(frozen=True)
class Examination:
    """What was seen on N photos.

    Attributes:
        predicted: counts as the run's statistics have them, and those of the label map resized by nearest neighbour.
        challenges: see :func:`petseg_utils.metrics.challenge_counts`, (N, ...) each.
    """

    predicted: Predicted
    challenges: dict[str, np.ndarray]


def examine(model: Any, data: PetData, part: str, precision: Precision, *, toys: np.ndarray | None = None,
            maps: Maps | None = None, batch_size: int = 64) -> Examination:
    """Predict a part once and count.

    Args:
        model, data, part, precision, maps, batch_size: as of :func:`petseg_utils.evaluation.evaluate`.
        toys: bool (N, H, W), where the part's photos show toys, see :func:`petseg_utils.synthetic.toys.toy_masks`;
            ``None`` where nobody knows.

    Raises:
        DataError: the part is empty.
        TrainingError: a logit is no finite number.
    """
    rows = data.indices(part)
    counts, nearest, challenges = [], [], []
    seen = logits_of(model, data, part, precision, maps=maps, batch_size=batch_size)
    for place, (row, logits) in enumerate(seen):
        truth = np.asarray(data.original_mask(row))
        height, width = truth.shape
        prediction = resize_logits(logits, (height, width)).argmax(0).cpu().numpy().astype(np.uint8)
        labels = logits.argmax(0).cpu().numpy().astype(np.uint8)
        counts.append(confusion_counts(truth, prediction))
        nearest.append(confusion_counts(truth, cv2.resize(labels, (width, height),
                                                          interpolation=cv2.INTER_NEAREST_EXACT)))
        challenges.append(challenge_counts(truth, prediction, None if toys is None else toys[place]))
    return Examination(Predicted(np.stack(counts), data.species[rows], np.stack(nearest)),
                       {name: np.stack([of[name] for of in challenges]) for name in challenges[0]})
