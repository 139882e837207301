"""Decoders of a frozen encoder's maps: feature maps and the photo itself to logits."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.classes import NUM_CLASSES


class ReportDecoder(nn.Module):
    """The report's decoder: four transposed convolutions up from the last map, C -> 256 -> 128 -> 64 -> classes.

    A shallow encoder of two convolutions looks at the photo itself; its map, pooled to twice and to four times the
    token grid, joins after the first and the second stage (concatenated, mixed by a 3x3 convolution).

    Args:
        channels: of the last map.
        low_level: filters of each of the shallow encoder's convolutions.
        outputs: logits at each pixel.

    Shape:
        last map float (B, channels, g, g), photo float (B, 3, H, W) -> logits float (B, outputs, H, W).
    """

    def __init__(self, *, channels: int, low_level: int = 64, outputs: int = NUM_CLASSES):
        super().__init__()
        self.low_level = nn.Sequential(nn.Conv2d(3, low_level, 3, padding=1), nn.ReLU(inplace=True),
                                       nn.Conv2d(low_level, low_level, 3, padding=1), nn.ReLU(inplace=True))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(c_in, c_out, 2, stride=2)
                                 for c_in, c_out in ((channels, 256), (256, 128), (128, 64), (64, outputs)))
        self.fuse = nn.ModuleList(nn.Conv2d(c + low_level, c, 3, padding=1) for c in (256, 128))

    def forward(self, maps: Sequence[Tensor], images: Tensor) -> Tensor:
        return self.rise(maps[-1], self.look(images, maps[-1].shape[-2:]), images.shape[-2:])

    def look(self, images: Tensor, grid: torch.Size) -> list[Tensor]:
        """What the shallow encoder sees, pooled to twice and four times the grid: float (B, low_level, 2g, 2g) and
        (B, low_level, 4g, 4g)."""
        low = self.low_level(images)
        return [F.adaptive_avg_pool2d(low, (times * grid[0], times * grid[1])) for times in (2, 4)]

    def rise(self, x: Tensor, low: Sequence[Tensor], size: torch.Size) -> Tensor:
        """The four stages, from a map (B, channels, g, g) and what :meth:`look` returned to logits of that size."""
        for stage, up in enumerate(self.ups):
            x = up(x)
            if stage < len(self.fuse):
                assert low[stage].shape[-2:] == x.shape[-2:]
                x = self.fuse[stage](torch.cat([x, low[stage]], dim=1))
            if stage < len(self.ups) - 1:
                x = F.relu(x)
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class MultiDecoder(nn.Module):
    """All maps at once, from coarse to fine, and the photo for what is finer still.

    The coarse maps say what, the fine ones say where: each is brought to one width, and the sum so far is enlarged and
    added (Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017). Two convolutions on the photo give
    edges at half its resolution, where no frozen map reaches.

    Args:
        channels: of the maps, fine to coarse.
        width: channels in the decoder.
        image_path: look at the photo itself, too.
        outputs: logits at each pixel.

    Shape:
        maps float (B, C_i, h_i, w_i), fine to coarse, photo float (B, 3, H, W) -> logits float (B, outputs, H, W).
    """

    def __init__(self, *, channels: Sequence[int], width: int = 64, image_path: bool = True,
                 outputs: int = NUM_CLASSES):
        super().__init__()
        self.laterals = nn.ModuleList(nn.Sequential(nn.Conv2d(c, width, 1, bias=False), nn.BatchNorm2d(width))
                                      for c in channels)
        self.mix = nn.ModuleList(_conv(width, width) for _ in channels)
        self.edges = nn.Sequential(_conv(3, 16), _conv(16, width // 2, stride=2)) if image_path else None
        self.fuse = _conv(width + width // 2, width // 2) if image_path else None
        self.head = nn.Conv2d(width // 2 if image_path else width, outputs, 1)

    def forward(self, maps: Sequence[Tensor], images: Tensor) -> Tensor:
        edges = None if self.edges is None else self.edges(images)
        return self.merge(self.project(maps), edges, images.shape[-2:])

    def project(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Each map brought to one width, float (B, width, h_i, w_i)."""
        return [lateral(of_layer) for lateral, of_layer in zip(self.laterals, maps, strict=True)]

    def merge(self, own: Sequence[Tensor], edges: Tensor | None, size: torch.Size) -> Tensor:
        """Add the maps up from coarse to fine, join the photo's edges (B, width / 2, H / 2, W / 2), and enlarge the
        logits to that size."""
        x = self.mix[-1](F.relu(own[-1]))
        for finer, mix in zip(reversed(own[:-1]), reversed(self.mix[:-1]), strict=True):
            x = mix(F.relu(finer + _resize(x, finer.shape[-2:])))
        if edges is not None and self.fuse is not None:
            x = self.fuse(torch.cat([_resize(x, edges.shape[-2:]), edges], dim=1))
        return _resize(self.head(x), size)


def _conv(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False), nn.BatchNorm2d(c_out),
                         nn.ReLU(inplace=True))


def _resize(x: Tensor, size: torch.Size) -> Tensor:
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)
