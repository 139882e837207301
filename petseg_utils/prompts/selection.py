"""What a prompt means. It points at a region, and the answer is that region and its class.

A click in points at the region of the pixel under it, whatever its class: on background, at the background. A first
click in on a pet that the model sees by itself means that pet. A click out carves the region under it away. A text
points at the class that it names. Without a prompt, the region is the pet. The photo then is cut in two, the region and
the rest, and each is of one mixture of classes.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from petseg_utils.classes import BACKGROUND, CLASS_NAMES, NUM_CLASSES

RULES = 2  # raise it when what a prompt selects changes: what runs were scored by before is scored anew
SEEN = 0.3  # a model sees a pet where its probability is above this,
REACH = 2  # and a click within so many pixels of the square is meant for it: both chosen on validation photos

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


def lean_on_seen(answer: Tensor, pet: Tensor, x: float, y: float) -> Tensor:
    """What a first click in selects: if it falls on a pet that the model sees without it, or within ``REACH`` pixels of
    one, the mean of both opinions. A click near an outline says little by itself, for its hill lies on both sides.
    Another pet that the model sees, apart from this one, is left to the click.

    Args:
        answer: logits (S, S) of the region, from the click alone.
        pet: float (S, S) in [0, 1], of being a pet without a prompt.
        x, y: the click, in pixels of the square.

    Returns:
        logits (S, S).
    """
    seen = (pet > SEEN).cpu().numpy()
    _, parts = cv2.connectedComponents(seen.astype(np.uint8), connectivity=8)
    row, column = (min(int(value), side - 1) for value, side in zip((y, x), seen.shape, strict=True))
    near = parts[max(0, row - REACH) : row + REACH + 1, max(0, column - REACH) : column + REACH + 1]
    meant = np.isin(parts, near[near > 0])
    if not meant.any():
        return answer
    another = torch.tensor(seen & ~meant, device=answer.device)
    return torch.where(another, answer, (answer + as_logits(pet)) / 2)


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
