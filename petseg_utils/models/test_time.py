"""Test-time augmentation: a trained model is asked more than once about a photo, and the answers are averaged."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.encoders.base import Encoder
from petseg_utils.errors import UsageError
from petseg_utils.models.frozen import OnEncoder


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
        return mean_answer([self.model(images), self.model(images.flip(-1)).flip(-1)])


class ScaleAveraged(nn.Module):
    """A trained segmenter that is asked about the photo at several sizes.

    Each answer is brought back to the photo's size, and each pixel's probabilities are the mean of all (Chen,
    Papandreou, Kokkinos, Murphy, Yuille, "DeepLab", TPAMI 2018, which takes the largest answer; the mean is the
    baseline of Chen, Yang, Wang, Xu, Yuille, "Attention to Scale", CVPR 2016). Nothing is trained; an answer takes as
    long as the squares of the scales add up to.

    A model on an encoder has every photo brought to one size; there, scales are of that size.

    Args:
        model: images of any size -> logits of that size; or a model on an encoder, in eval mode.
        scales: each above 0; 1 is the photo as it is.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float32 (B, 3, H, W), the logarithms of the mean
        probabilities.

    Raises:
        UsageError: no scale, one that is not above 0, or one that makes a size that the encoder does not take.
    """

    def __init__(self, model: Any, scales: Sequence[float] = (0.75, 1.0, 1.25)):
        super().__init__()
        if not scales or not all(0 < scale < math.inf for scale in scales):
            raise UsageError(f"scales are {list(scales)}: give one or more numbers above 0")
        if isinstance(model, OnEncoder):
            for scale in scales:
                _check_size(model, scale)
        self.model, self.scales = model, tuple(scales)

    def forward(self, images: Tensor) -> Tensor:
        return mean_answer([self._asked_at(images, scale) for scale in self.scales])

    def _asked_at(self, images: Tensor, scale: float) -> Tensor:
        if isinstance(self.model, OnEncoder):
            with _at_scale(self.model.encoder, scale):
                return self.model(images)
        own = images.shape[-2:]
        size = [max(1, round(scale * side)) for side in own]
        if tuple(size) == tuple(own):
            return self.model(images)
        resized = F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)
        return F.interpolate(self.model(resized).float(), size=own, mode="bilinear", align_corners=False)


@contextlib.contextmanager
def _at_scale(encoder: Encoder, scale: float) -> Iterator[int]:
    own = encoder.image_size
    encoder.image_size = round(scale * own)
    try:
        yield encoder.image_size
    finally:
        encoder.image_size = own


@torch.no_grad()
def _check_size(model: OnEncoder, scale: float) -> None:
    """Whether the model can be asked at that scale is what asking it shows: a transformer may know one size only."""
    encoder, stride = model.encoder, max(model.encoder.strides)
    with _at_scale(encoder, scale) as size:
        fits = size > 0 and size % stride == 0
        if fits and scale != 1:
            try:
                model(torch.zeros(1, 3, 64, 64, device=encoder.mean.device))
            except (RuntimeError, AssertionError, ValueError):
                fits = False
    if not fits:
        raise UsageError(f"scale {scale:g} makes {size} px of the {encoder.image_size} px of encoder {encoder.name!r}, "
                         f"which does not take that: give scales that make multiples of {stride}, or 1 alone")


def mean_answer(answers: Sequence[Tensor]) -> Tensor:
    """Several logits (B, 3, H, W) of the same pixels -> float32 logits (B, 3, H, W): the logarithms of the means of
    their probabilities."""
    summed = reduce(torch.logaddexp, (logits.float().log_softmax(1) for logits in answers))
    return summed - math.log(len(answers))
