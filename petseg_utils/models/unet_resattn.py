"""``unet-resattn``: the UNet with residual blocks, attention pooling on the way down and attention gates on the way up.

Sources: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016 (block); Gao, Wang, Wu, "LIP: Local
Importance-based Pooling", ICCV 2019 (downsampling); Oktay et al., "Attention U-Net", MIDL 2018 (upsampling).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.models.unet import UNet


class ResidualBlock(nn.Module):
    """3x3 convolution, batch norm, ReLU, 3x3 convolution, batch norm, plus the input, ReLU: (B, in, H, W) ->
    (B, out, H, W). Where the channels differ, the input passes a 1x1 convolution and batch norm."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut = nn.Identity() if in_channels == out_channels else nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.residual(x) + self.shortcut(x))


class AttentionPool(nn.Module):
    """Downsampling by 2: every channel's mean over a 2x2 window, weighted by a softmax of learned scores (LIP, eq. 2).

    With all scores equal this is average pooling, with scores far apart max pooling; it begins as the former. The
    scores are bounded, so that the softmax may be written as a ratio of two average poolings, which is fast.

    Shape: (B, C, H, W) -> (B, C, H // 2, W // 2), an odd last row or column dropped as pooling does.
    """

    BOUND = 8.0  # e^16 times the weight is as good as all of it

    def __init__(self, channels: int):
        super().__init__()
        self.score = nn.Conv2d(channels, channels, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def scores(self, x: Tensor) -> Tensor:
        """(B, C, H, W) in [-BOUND, BOUND]."""
        return self.BOUND * torch.tanh(self.score(x).float() / self.BOUND)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.scores(x).exp()
        return (F.avg_pool2d(x * weights, 2) / F.avg_pool2d(weights, 2)).to(x.dtype)


class AttentionGate(nn.Module):
    """Additive attention on a skip: every pixel of it is scaled by one number in (0, 1) that skip and decoder agree on.

    ``a = sigmoid(psi(relu(W_s skip + W_x x)))``, and the result is ``a * skip`` (Oktay et al., eq. 1).

    Shape: skip (B, C, H, W), x (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int):
        super().__init__()
        inner = max(channels // 2, 1)
        self.from_skip = nn.Conv2d(channels, inner, 1, bias=False)
        self.from_x = nn.Conv2d(channels, inner, 1)
        self.psi = nn.Conv2d(inner, 1, 1)

    def attention(self, skip: Tensor, x: Tensor) -> Tensor:
        """(B, 1, H, W) in (0, 1)."""
        return torch.sigmoid(self.psi(F.relu(self.from_skip(skip) + self.from_x(x))))

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        return self.attention(skip, x) * skip


class UNetResAttn(UNet):
    """The UNet with :class:`ResidualBlock`, :class:`AttentionPool` and an :class:`AttentionGate` in every upsampling.

    Arguments, shapes and errors are those of :class:`petseg_utils.models.unet.UNet`; about a tenth more
    multiply-accumulates at the same width and depth.
    """

    block = ResidualBlock
    pooling = AttentionPool
    gate = AttentionGate

    def __init__(self, *, width: int = 16, depth: int = 4):
        super().__init__(width=width, depth=depth)
