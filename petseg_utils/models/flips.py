"""Two looks at a photo: as it is, and in the mirror."""

import math
from typing import Any

import torch
from torch import Tensor, nn


class FlipAveraged(nn.Module):
    """A trained segmenter that is asked twice, about the photo and about its mirror image.

    The mirrored answer is turned back, and each pixel's probabilities are the mean of both (test-time augmentation, as
    in Krizhevsky, Sutskever, Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NeurIPS 2012,
    section 4.1). Nothing is trained; an answer takes twice as long.

    Args:
        model: images -> logits.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float32 (B, 3, H, W), the logarithms of the mean
        probabilities.
    """

    def __init__(self, model: Any):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        seen = self.model(images).float().log_softmax(1)
        mirrored = self.model(images.flip(-1)).float().log_softmax(1).flip(-1)
        return torch.logaddexp(seen, mirrored) - math.log(2)
