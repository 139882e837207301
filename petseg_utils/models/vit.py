"""A small vision transformer, on patches that may be missing.

Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021; pre-norm blocks. Positions are fixed sines and
cosines, so that a network serves any size that its patches divide.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.errors import UsageError
from petseg_utils.models.autoencoders import COLOURS, check_divisible


class Attention(nn.Module):
    """Every token looks at all tokens: softmax(q k^T / sqrt(D / heads)) v, (B, N, D) -> (B, N, D)."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.project = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        B, N, D = x.shape
        q, k, v = self.qkv(x).reshape(B, N, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)  # (B, h, N, D/h)
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.project(mixed.transpose(1, 2).reshape(B, N, D))


class Block(nn.Module):
    """One transformer layer: attention between tokens, then an MLP on each token, both added to their input."""

    def __init__(self, dim: int, heads: int):
        super().__init__()
        self.norm_attention, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm_attention(x))
        return x + self.mlp(self.norm_mlp(x))


def positions(height: int, width: int, dim: int, device: torch.device | None = None) -> Tensor:
    """Sines and cosines of each place of a grid, float32 (height * width, dim), row by row.

    Half of the numbers tell the row, half the column, at ``dim / 4`` wavelengths from 2 pi to 20,000 pi cells.
    Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, in two dimensions.
    """
    wavelengths = 1e4 ** (torch.arange(dim // 4, device=device) / (dim // 4))
    rows = torch.arange(height, device=device)[:, None] / wavelengths  # (height, dim / 4)
    columns = torch.arange(width, device=device)[:, None] / wavelengths
    of_rows = torch.cat([rows.sin(), rows.cos()], dim=1)[:, None].expand(-1, width, -1)
    of_columns = torch.cat([columns.sin(), columns.cos()], dim=1)[None].expand(height, -1, -1)
    return torch.cat([of_rows, of_columns], dim=2).reshape(height * width, dim)


def patchify(images: Tensor, patch: int) -> Tensor:
    """Cut images (B, 3, H, W) into patches, row by row: (B, H / patch * W / patch, 3 * patch * patch).

    Raises:
        UsageError: the patches do not divide the image.
    """
    check_divisible(images, patch)
    return F.pixel_unshuffle(images, patch).flatten(2).transpose(1, 2)


def unpatchify(patches: Tensor, patch: int, height: int, width: int) -> Tensor:
    """The inverse of :func:`patchify`: (B, N, 3 * patch * patch) -> (B, 3, height, width)."""
    maps = patches.transpose(1, 2).unflatten(2, (height // patch, width // patch))
    return F.pixel_shuffle(maps, patch)


class ViTEncoder(nn.Module):
    """Patches to tokens, and tokens through transformer layers.

    Args:
        patch: side of a patch in pixels.
        dim: numbers in a token; a multiple of 4 and of ``heads``.
        depth: number of layers.
        heads: of the attention.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> one map in a list, [(B, dim, H / patch, W / patch)].

    Attributes:
        channels, strides: ``(dim,)`` and ``(patch,)``.

    Raises:
        UsageError: ``dim`` does not divide as it must, or the patches do not divide the image.
    """

    def __init__(self, *, patch: int, dim: int, depth: int, heads: int):
        super().__init__()
        if dim % 4 or dim % heads:
            raise UsageError(f"a ViT of dim {dim} with {heads} heads cannot be: give a dim that is a multiple of 4 and "
                             "of the heads")
        self.patch, self.dim = patch, dim
        self.channels, self.strides = (dim,), (patch,)
        self.embed = nn.Linear(COLOURS * patch * patch, dim)
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.apply(initialise)

    def tokens(self, images: Tensor, visible: Tensor | None = None) -> Tensor:
        """Images to tokens after the last layer.

        Args:
            images: float (B, 3, H, W) in [0, 1].
            visible: int64 (B, K), which patches are looked at; the others never enter the network. All if ``None``.

        Returns:
            float (B, K, dim), in the order of ``visible``; K = H / patch * W / patch if it is ``None``.
        """
        height, width = (side // self.patch for side in images.shape[-2:])
        # Pixels are centred: [0, 1] would give every patch a large common part.
        x = self.embed(patchify(images, self.patch) * 2 - 1) + positions(height, width, self.dim, images.device)
        if visible is not None:
            x = x.gather(1, visible[..., None].expand(-1, -1, self.dim))
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def forward(self, images: Tensor) -> list[Tensor]:
        height, width = (side // self.patch for side in images.shape[-2:])
        return [self.tokens(images).transpose(1, 2).unflatten(2, (height, width))]


def initialise(module: nn.Module) -> None:
    """Glorot's uniform weights and no bias in every linear layer, as in the paper's code; for ``apply``."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
