"""One species a photo: the pixels vote."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from petseg_utils.classes import BACKGROUND, CAT, DOG


class OneSpecies(nn.Module):
    """A trained segmenter whose pet pixels agree on one species.

    Each pixel keeps its probability of being a pet. Which pet is asked of the whole photo: cat and dog get the shares
    that their probabilities, summed over the photo, have of each other. Right where a photo shows one species, as all
    photos of Oxford-IIIT Pet do; where a cat sits beside a dog, one of them is called what it is not.

    Args:
        model: images -> logits.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float (B, 3, H, W).
    """

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return vote(self.model(images))

    def decode(self, maps: Sequence[Tensor], images: Tensor) -> Tensor:
        """The same from maps of the model's frozen encoder."""
        return vote(self.model.decode(maps, images))


def vote(logits: Tensor) -> Tensor:
    """Logits (B, 3, H, W) -> float32 logits (B, 3, H, W) with one share of cat and dog for all pixels of a photo."""
    logits = logits.float()
    pets = logits[:, [CAT, DOG]]
    pet = pets.logsumexp(1, keepdim=True)
    votes = logits.softmax(1)[:, [CAT, DOG]].sum((2, 3))
    shares = (votes + 1e-6).log().log_softmax(1)
    return torch.cat([logits[:, [BACKGROUND]], pet + shares[..., None, None]], dim=1)
