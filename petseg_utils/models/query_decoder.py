"""A decoder that asks: one learnable token for each class, and a mask from how well it agrees with each pixel.

Source: Strudel, Garcia, Laptev, Schmid, "Segmenter: Transformer for Semantic Segmentation", ICCV 2021 (class and image
tokens attend to each other); upscaled by transposed convolutions before the dot product as in Kirillov et al., "Segment
Anything", ICCV 2023.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.classes import NUM_CLASSES
from petseg_utils.models.vit import Block, initialise, positions


class QueryDecoder(nn.Module):
    """Feature maps to logits.

    Args:
        channels: of the map.
        dim: numbers in a token; a multiple of 4 and of ``heads``.
        depth: number of transformer layers that class and image tokens go through together.
        heads: of the attention.

    Shape:
        features float (B, channels, h, w), size (H, W) -> logits float (B, 3, H, W). The logit of class c at a place is
        the dot product of that place's upscaled token, 4h x 4w of them, and class c's token.
    """

    def __init__(self, *, channels: int, dim: int = 128, depth: int = 2, heads: int = 4):
        super().__init__()
        self.embed = nn.Linear(channels, dim)
        self.class_tokens = nn.Parameter(0.02 * torch.randn(NUM_CLASSES, dim))
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.upscale = nn.Sequential(nn.ConvTranspose2d(dim, dim // 2, 2, stride=2), nn.GELU(),
                                     nn.ConvTranspose2d(dim // 2, dim // 4, 2, stride=2))
        self.ask = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim // 4))
        for part in (self.embed, self.blocks, self.ask):
            part.apply(initialise)

    def forward(self, features: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
        B, _, height, width = features.shape
        x = self.embed(features.flatten(2).transpose(1, 2))
        x = x + positions(height, width, x.shape[-1], x.device)
        x = torch.cat([self.class_tokens.to(x.dtype).expand(B, -1, -1), x], dim=1)  # (B, 3 + h w, dim)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        classes, places = x[:, :NUM_CLASSES], x[:, NUM_CLASSES:]
        maps = self.upscale(places.transpose(1, 2).unflatten(2, (height, width)))  # (B, dim / 4, 4h, 4w)
        logits = torch.einsum("bcd,bdhw->bchw", self.ask(classes), maps)
        return F.interpolate(logits, size=tuple(size), mode="bilinear", align_corners=False)
