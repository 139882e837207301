"""Three convolutional autoencoders as the published studies draw them: an encoder, and a decoder that serves twice.

Each maps images (B, 3, H, W) to three channels of the same size. Trained to reconstruct, these are the photo's red,
green and blue; trained to segment, the logits of background, cat and dog. So the same class stands for both, and the
trained encoder of the one can be handed to the other.

Source of the idea: Hinton, Salakhutdinov, "Reducing the Dimensionality of Data with Neural Networks", Science 2006.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.classes import NUM_CLASSES
from petseg_utils.errors import UsageError

COLOURS = 3
assert COLOURS == NUM_CLASSES  # what lets one decoder serve twice


class Encoder(nn.Module):
    """Stages that each halve the map: images (B, 3, H, W) -> maps (B, C_i, H / 2**i, W / 2**i), i = 1, 2, ..., finest
    first.

    Attributes:
        channels: C_i of each map.
        strides: 2**i of each map.
    """

    def __init__(self, stages: list[nn.Module], channels: list[int]):
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels = tuple(channels)
        self.strides = tuple(2 ** (level + 1) for level in range(len(channels)))

    def forward(self, images: Tensor) -> list[Tensor]:
        check_divisible(images, self.strides[-1])
        maps = []
        for stage in self.stages:
            images = stage(images)
            maps.append(images)
        return maps


def check_divisible(images: Tensor, stride: int) -> None:
    """Refuse images whose sides are no multiples of ``stride``, so that a decoder comes out where it began.

    Raises:
        UsageError: they are not.
    """
    height, width = images.shape[-2:]
    if height % stride or width % stride:
        raise UsageError(f"images of {width} x {height} pixels do not divide into squares of {stride}: give sides that "
                         f"are multiples of {stride}")


class Reconstructor(nn.Module):
    """A model that learns from photos alone.

    Attributes:
        encoder: images -> a list of maps; what a segmentation model of the same name takes over.
    """

    encoder: nn.Module

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """How badly it reconstructs images float (B, 3, H, W) in [0, 1], a scalar; what it hides, if it hides anything,
        is drawn from ``generator`` (torch's own if ``None``)."""
        raise NotImplementedError


class Autoencoder(Reconstructor):
    """What the three have in common.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float (B, 3, H, W); H and W multiples of the encoder's last
        stride.

    Attributes:
        bounded: a sigmoid makes pixels of the logits in reconstruction.
    """

    bounded = True

    def decode(self, maps: list[Tensor]) -> Tensor:
        """Maps, finest first, to logits (B, 3, H, W)."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encoder(images))

    def reconstruct(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to their reconstructions, float32: in [0, 1] where ``bounded``, else about there."""
        pixels = self(images).float()
        return pixels.sigmoid() if self.bounded else pixels

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Mean squared error of the reconstruction, a scalar; nothing is drawn, so ``generator`` is not used."""
        return F.mse_loss(self.reconstruct(images), images)


class SimpleAutoencoder(Autoencoder):
    """Two stages of 3x3 convolution, ReLU and max pooling; transposed convolutions mirror them.

    Args:
        width: channels of the first stage; the second has twice as many.
    """

    def __init__(self, *, width: int = 32):
        super().__init__()
        channels = [width, 2 * width]
        self.encoder = Encoder([
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
            for a, b in pairwise([COLOURS, *channels])
        ], channels)
        self.up = nn.Sequential(nn.ConvTranspose2d(2 * width, width, 2, stride=2), nn.ReLU(),
                                nn.ConvTranspose2d(width, COLOURS, 2, stride=2))

    def decode(self, maps: list[Tensor]) -> Tensor:
        return self.up(maps[-1])


def _norm_act(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.LeakyReLU(0.2, inplace=True)]


class ImprovedAutoencoder(Autoencoder):
    """Three strided blocks (``width``, twice, four times as many channels) with batch norm and LeakyReLU; bilinear
    upsampling and convolution in the decoder, which paints no checkerboard.

    Args:
        width: channels of the first block.
        skips: hand the decoder the encoder's earlier maps, too.
    """

    def __init__(self, *, width: int = 32, skips: bool = False):
        super().__init__()
        channels = [width, 2 * width, 4 * width]
        self.skips = skips
        self.encoder = Encoder([
            nn.Sequential(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=False), *_norm_act(b))
            for a, b in pairwise([COLOURS, *channels])
        ], channels)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a + (b if skips else 0), b, 3, padding=1, bias=False), *_norm_act(b))
            for a, b in ((4 * width, 2 * width), (2 * width, width))
        )
        self.head = nn.Conv2d(width, COLOURS, 3, padding=1)

    def decode(self, maps: list[Tensor]) -> Tensor:
        x = maps[-1]
        for block, skip in zip(self.up, reversed(maps[:-1]), strict=True):
            x = _twice_as_large(x)
            x = block(torch.cat([skip, x], dim=1) if self.skips else x)
        return self.head(_twice_as_large(x))


def _twice_as_large(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _two_convolutions(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [nn.Conv2d(channels_in, channels_out, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1), nn.ReLU(inplace=True)]


def _initialise(module: nn.Module) -> None:
    """He's weights, no bias. Twenty layers of ReLU without batch norm swallow the signal under torch's own smaller
    weights, and training stays at the mean colour for long.

    Source: He, Zhang, Ren, Sun, "Delving Deep into Rectifiers", ICCV 2015.
    """
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        # Each output of a 2x2 transposed convolution of stride 2 is fed by one input position: its fan is the channels.
        fan = module.in_channels * (module.kernel_size[0] ** 2 if isinstance(module, nn.Conv2d) else 1)
        nn.init.normal_(module.weight, std=(2 / fan) ** 0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class UNetAutoencoder(Autoencoder):
    """A UNet's way down and up without its skips: ``depth`` blocks of two convolutions, ReLU and max pooling, as many
    transposed-convolution blocks, a 1x1 head. Its reconstruction is linear: the published study has no sigmoid here.

    Args:
        width: channels of the first block; block ``i`` has ``width * 2**i``.
        depth: number of blocks; the bottleneck has ``1 / 2**depth`` of the photo's size.
        skips: hand the decoder the encoder's earlier maps, as in a UNet.
    """

    bounded = False

    def __init__(self, *, width: int = 16, depth: int = 5, skips: bool = False):
        super().__init__()
        channels = [width * 2**level for level in range(depth)]
        self.skips = skips
        self.encoder = Encoder([nn.Sequential(*_two_convolutions(a, b), nn.MaxPool2d(2))
                                for a, b in pairwise([COLOURS, *channels])], channels)
        coarse_to_fine = [*reversed(channels), width]
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairwise(coarse_to_fine))
        # A map of the photo's own size does not exist in this encoder, so the last block has no skip.
        beside = [*coarse_to_fine[1:-1], 0] if skips else [0] * depth
        self.fuse = nn.ModuleList(nn.Sequential(*_two_convolutions(b + skip, b))
                                  for b, skip in zip(coarse_to_fine[1:], beside, strict=True))
        self.head = nn.Conv2d(width, COLOURS, 1)
        self.apply(_initialise)

    def decode(self, maps: list[Tensor]) -> Tensor:
        x = maps[-1]
        for up, fuse, skip in zip(self.up, self.fuse, [*reversed(maps[:-1]), None], strict=True):
            x = up(x)
            x = fuse(torch.cat([skip, x], dim=1) if self.skips and skip is not None else x)
        return self.head(x)
