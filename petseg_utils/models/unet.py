"""UNet as the study's report has it: double-convolution blocks, max pooling, bilinear decoder, skip concatenation.

Source: Ronneberger, Fischer, Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015;
batch norm and padded convolutions, as everybody uses it today, are not in the paper.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.classes import NUM_CLASSES
from petseg_utils.errors import UsageError


class DoubleConv(nn.Sequential):
    """Twice 3x3 convolution, batch norm, ReLU: (B, in, H, W) -> (B, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(
            # No bias: the batch norm that follows subtracts it again.
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class Up(nn.Module):
    """One decoder level: 1x1 convolution, bilinear upsampling to the skip's size, concatenation, double convolution.

    The report upsamples first. A 1x1 convolution and bilinear upsampling commute (one mixes channels, the other
    positions, with weights that sum to 1), so we convolve the small map: the same function at a quarter of the cost.
    """

    def __init__(self, in_channels: int, skip_channels: int):
        super().__init__()
        self.reduce = nn.Conv2d(in_channels, skip_channels, 1)
        self.fuse = DoubleConv(2 * skip_channels, skip_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(self.reduce(x), size=skip.shape[-2:], mode="bilinear", align_corners=False)
        return self.fuse(torch.cat([skip, x], dim=1))


class UNet(nn.Module):
    """Images to logits at the same size.

    Args:
        width: channels of the first level; level ``i`` has ``width * 2**i``.
        depth: number of poolings; the bottleneck sees the image at ``1 / 2**depth`` of its size.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float (B, 3, H, W) of background, cat, dog; no softmax.
        Any H, W >= 2**depth (odd sizes too: the decoder takes its sizes from the skips).

    Raises:
        UsageError: ``width`` or ``depth`` is less than 1; an image is smaller than the poolings leave a pixel of.
    """

    def __init__(self, *, width: int = 16, depth: int = 4):
        super().__init__()
        if width < 1 or depth < 1:
            raise UsageError(f"UNet width {width}, depth {depth}: both must be 1 or more")
        self.least_side = 2**depth
        channels = [width * 2**level for level in range(depth + 1)]
        self.stem = DoubleConv(3, channels[0])
        self.down = nn.ModuleList(DoubleConv(a, b) for a, b in pairwise(channels))
        self.up = nn.ModuleList(Up(b, a) for a, b in reversed(list(pairwise(channels))))
        self.head = nn.Conv2d(channels[0], NUM_CLASSES, 1)

    def forward(self, images: Tensor) -> Tensor:
        if min(images.shape[-2:]) < self.least_side:
            height, width = images.shape[-2:]
            raise UsageError(f"images of {width} x {height} pixels are too small for a UNet of this depth: give "
                             f"{self.least_side} pixels or more on each side, or a smaller depth")
        skips = [self.stem(images)]
        for block in self.down:
            skips.append(block(F.max_pool2d(skips[-1], 2)))
        x = skips.pop()
        for block in self.up:
            x = block(x, skips.pop())
        return self.head(x)
