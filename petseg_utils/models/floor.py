"""The floor: what a model scores that never looks at the photo."""

import numpy as np
import torch
from torch import Tensor, nn

from petseg_utils.classes import NUM_CLASSES


class ClassFrequencies(nn.Module):
    """Says everywhere how frequent each class is among the training pixels. Background is, so that is what it predicts;
    its loss is the entropy of the classes, and what a model should beat.

    Args:
        masks: uint8 (N, H, W) of the training photos; the border does not count.

    Shape:
        images (B, 3, H, W) -> logits float (B, 3, H, W), the same for every pixel.
    """

    logits: Tensor

    def __init__(self, masks: np.ndarray):
        super().__init__()
        seen = sum(np.bincount(mask.ravel(), minlength=NUM_CLASSES)[:NUM_CLASSES] for mask in masks)
        self.register_buffer("logits", torch.tensor(seen / np.sum(seen), dtype=torch.float32).clamp(min=1e-6).log())

    def forward(self, images: Tensor) -> Tensor:
        return self.logits[:, None, None].expand(len(images), NUM_CLASSES, *images.shape[-2:])
