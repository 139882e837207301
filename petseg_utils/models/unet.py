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


class MaxPool(nn.MaxPool2d):
    """The largest of each 2x2 window: (B, C, H, W) -> (B, C, H // 2, W // 2)."""

    def __init__(self, channels: int):
        super().__init__(2)


class Up(nn.Module):
    """One decoder level: 1x1 convolution, bilinear upsampling to the skip's size, concatenation, block.

    The report upsamples first. A 1x1 convolution and bilinear upsampling commute (one mixes channels, the other
    positions, with weights that sum to 1), so we convolve the small map: the same function at a quarter of the cost.

    Args:
        in_channels, skip_channels: of the coarse map and of the skip; the result has ``skip_channels``.
        block: its class, such as :class:`DoubleConv`.
        gate: what the skip passes on its way, as ``gate(skip, x)``; nothing if ``None``.
        skips: without, the skip only tells the size.
    """

    def __init__(self, in_channels: int, skip_channels: int, block: type[nn.Module], gate: nn.Module | None,
                 skips: bool):
        super().__init__()
        self.reduce = nn.Conv2d(in_channels, skip_channels, 1)
        self.gate = gate
        self.skips = skips
        self.fuse = block(2 * skip_channels if skips else skip_channels, skip_channels)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(self.reduce(x), size=skip.shape[-2:], mode="bilinear", align_corners=False)
        if not self.skips:
            return self.fuse(x)
        if self.gate is not None:
            skip = self.gate(skip, x)
        return self.fuse(torch.cat([skip, x], dim=1))


class UNet(nn.Module):
    """Images to logits at the same size.

    A variant names other parts in the three class attributes; the way of the data stays.

    Args:
        width: channels of the first level; level ``i`` has ``width * 2**i``.
        depth: number of poolings; the bottleneck sees the image at ``1 / 2**depth`` of its size.
        skips: concatenate the encoder's maps in the decoder; without them, all has to pass through the bottleneck.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float (B, 3, H, W) of background, cat, dog; no softmax.
        Any H, W >= 2**depth (odd sizes too: the decoder takes its sizes from the skips).

    Raises:
        UsageError: ``width`` or ``depth`` is less than 1; an image is smaller than the poolings leave a pixel of.
    """

    block: type[nn.Module] = DoubleConv
    pooling: type[nn.Module] = MaxPool
    gate: type[nn.Module] | None = None

    def __init__(self, *, width: int = 16, depth: int = 4, skips: bool = True):
        super().__init__()
        if width < 1 or depth < 1:
            raise UsageError(f"UNet width {width}, depth {depth}: both must be 1 or more")
        self.least_side = 2**depth
        channels = [width * 2**level for level in range(depth + 1)]
        self.stem = self.block(3, channels[0])
        self.pool = nn.ModuleList(self.pooling(c) for c in channels[:-1])
        self.down = nn.ModuleList(self.block(a, b) for a, b in pairwise(channels))
        self.up = nn.ModuleList(Up(b, a, self.block, self.gate(a) if self.gate else None, skips)
                                for a, b in reversed(list(pairwise(channels))))
        self.head = nn.Conv2d(channels[0], NUM_CLASSES, 1)

    def forward(self, images: Tensor) -> Tensor:
        if min(images.shape[-2:]) < self.least_side:
            height, width = images.shape[-2:]
            raise UsageError(f"images of {width} x {height} pixels are too small for a UNet of this depth: give "
                             f"{self.least_side} pixels or more on each side, or a smaller depth")
        skips = [self.stem(images)]
        for pool, block in zip(self.pool, self.down, strict=True):
            skips.append(block(pool(skips[-1])))
        x = skips.pop()
        for up in self.up:
            x = up(x, skips.pop())
        return self.head(x)
