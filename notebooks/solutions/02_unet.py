"""Solutions of the exercises in 02_unet.ipynb, with the reasons."""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F


def unet_parameters(width: int, depth: int) -> int:
    def block(channels_in: int, channels_out: int) -> int:
        # Two 3 x 3 convolutions without bias; a batch norm learns a scale and a shift for each channel. Its running
        # mean and variance are measured, not trained, and do not count.
        return 9 * channels_in * channels_out + 9 * channels_out * channels_out + 2 * 2 * channels_out

    channels = [width * 2**level for level in range(depth + 1)]
    total = block(3, channels[0]) + 3 * channels[0] + 3  # the stem; the head, a 1 x 1 convolution with bias
    for above, below in pairwise(channels):
        total += block(above, below)  # on the way down
        total += below * above + above  # on the way up, the 1 x 1 convolution, with bias
        total += block(2 * above, above)  # and the block that takes skip and coarse map together
    return total


def receptive_field(layers: list[tuple[int, int]]) -> int:
    side, step = 1, 1
    for kernel, stride in layers:
        # A kernel of k positions reaches k - 1 positions beyond the first, each as many input pixels wide as all
        # strides before it make them. The layer's own stride counts for those after it only.
        side += (kernel - 1) * step
        step *= stride
    return side


def dice_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    counted = (target != 255)[:, None]  # (B, 1, H, W)
    # 255 is no class: set to 0 before the one-hot and masked out after it, in the probabilities too. Masking only the
    # truth would leave the ignored pixels in the denominator, and the model would learn to predict nothing there.
    truth = F.one_hot(target.where(target != 255, 0), logits.shape[1]).permute(0, 3, 1, 2) * counted
    probabilities = logits.softmax(dim=1) * counted
    # Summed over the whole batch: photo by photo, a class that a photo lacks would have no overlap to reward.
    overlap = (probabilities * truth).sum(dim=(0, 2, 3))
    total = probabilities.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    present = truth.sum(dim=(0, 2, 3)) > 0
    return 1 - (2 * overlap[present] / total[present]).mean()


def outline(region: np.ndarray, distance: int) -> np.ndarray:
    height, width = region.shape
    # Outside the photo is not of the region, so we pad with False.
    padded = np.pad(region, distance)
    inner = np.ones_like(region)
    # A pixel is away from the edge if every shift of the region by up to ``distance`` still covers it.
    for dy in range(2 * distance + 1):
        for dx in range(2 * distance + 1):
            inner &= padded[dy : dy + height, dx : dx + width]
    return region & ~inner
