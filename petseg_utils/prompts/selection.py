"""What a prompt means. It points at a region, and the answer is that region and its class.

A click in points at the region of the pixel under it, whatever its class: on background, at the background. A click out
carves the region under it away. A text points at the class that it names. Without a prompt, the region is the pet. The
photo then is cut in two, the region and the rest, and each is of one mixture of classes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from petseg_utils.classes import BACKGROUND, CLASS_NAMES, NUM_CLASSES

_LEAST = 1e-6
_EDGE = 1e-4  # probabilities are kept so far from 0 and 1 where they become logits


@dataclass(frozen=True)
class Selection:
    """The region that a prompt points at.

    Attributes:
        mask: bool (H, W), the region, at the photo's own size.
        probabilities: float32 (H, W) in [0, 1], of belonging to it.
        label: the region's class: ``background``, ``cat`` or ``dog``.
        score: the class's probability, in [0, 1].
        parts: float32 (2, 3), mean class probabilities in the region and outside of it.
    """

    mask: np.ndarray
    probabilities: np.ndarray
    label: str
    score: float
    parts: np.ndarray

    @property
    def codes(self) -> np.ndarray:
        """The region's class in the region, background elsewhere: uint8 (H, W) of {0, 1, 2}."""
        return np.where(self.mask, CLASS_NAMES.index(self.label), BACKGROUND).astype(np.uint8)

    @property
    def classes(self) -> np.ndarray:
        """Probabilities of background, cat and dog once the region is known, float32 (3, H, W); computed when asked
        for, since a large photo has many pixels."""
        return cut_in_two(self.probabilities, self.parts)


def as_logits(probabilities: Tensor) -> Tensor:
    """Probabilities of any shape, in [0, 1], as finite logits."""
    return probabilities.clamp(_EDGE, 1 - _EDGE).logit()


def label_region(region: Tensor, classes: Tensor) -> Tensor:
    """Mean class probabilities in the region and outside of it, float (2, 3).

    Args:
        region: float (H, W) in [0, 1], of belonging to it.
        classes: float (3, H, W), probabilities of the classes, each pixel for itself.
    """
    weights = torch.stack([region, 1 - region]).flatten(1)  # (2, H W)
    return (weights @ classes.flatten(1).T + _LEAST / NUM_CLASSES) / (weights.sum(1, keepdim=True) + _LEAST)


def cut_in_two(region: Any, parts: Any) -> Any:
    """Class probabilities float (3, H, W) once the region is known: ``r c_in + (1 - r) c_out``, where r is a pixel's
    probability of belonging to the region. A pet has one class, not a cat's head on a dog's body.

    Args:
        region: tensor or array, float (H, W) in [0, 1].
        parts: of the same kind, float (2, 3), c_in and c_out: see :func:`label_region`.
    """
    inside, outside = parts
    return region * inside[:, None, None] + (1 - region) * outside[:, None, None]


def compose(inside: list[Tensor], outside: list[Tensor], base: Tensor | None = None) -> Tensor:
    """One region from several, each float (H, W) in [0, 1]: the union of those pointed at (and of ``base``) without
    those pointed out; something has to be pointed at. How a model that takes one click takes several."""
    region = torch.stack([*inside, *([] if base is None else [base])]).amax(0)
    for carved in outside:
        region = region * (1 - carved)
    return region


def name_region(region: Tensor, classes: Tensor) -> tuple[str, float]:
    """The region's class and its probability; background where the region is empty."""
    if not bool((region > 0.5).any()):
        return CLASS_NAMES[BACKGROUND], float(1 - region.amax())
    inside = label_region((region > 0.5).to(region.dtype), classes)[0]
    code = int(inside.argmax())
    return CLASS_NAMES[code], float(inside[code])
