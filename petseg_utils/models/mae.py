"""The masked autoencoder: hide three quarters of a photo's patches and predict them from the rest.

Source: He, Chen, Xie, Li, Dollar, Girshick, "Masked Autoencoders Are Scalable Vision Learners", CVPR 2022.
"""

import math

import torch
from torch import Tensor, nn

from petseg_utils.errors import UsageError
from petseg_utils.models.autoencoders import COLOURS, Reconstructor
from petseg_utils.models.query_decoder import QueryDecoder
from petseg_utils.models.vit import Block, ViTEncoder, initialise, patchify, positions, unpatchify


def random_hidden(batch: int, patches: int, ratio: float, generator: torch.Generator | None = None,
                  device: torch.device | None = None) -> Tensor:
    """Choose which patches are hidden: bool (batch, patches), each row with exactly ``round(ratio * patches)`` of them.

    Args:
        ratio: share of hidden patches, in (0, 1).
        generator: what is drawn from; torch's own if ``None``.

    Raises:
        UsageError: nothing would be hidden, or everything.
    """
    n_hidden = round(ratio * patches)
    if not 0 < n_hidden < patches:
        raise UsageError(f"mask ratio {ratio} hides {n_hidden} of {patches} patches: give one that hides some and "
                         "shows some")
    order = torch.rand(batch, patches, generator=generator, device=generator.device if generator else device).argsort(1)
    return (order < n_hidden).to(device)


class MaskedAutoencoder(Reconstructor):
    """A ViT encoder that sees the visible patches only, and a light decoder that predicts the hidden ones.

    Args:
        patch, dim, depth, heads: of the encoder, see :class:`petseg_utils.models.vit.ViTEncoder`.
        mask_ratio: share of the patches that are hidden in training.
        normalised: predict each patch less its mean, divided by its standard deviation: what the patch looks like, not
            how bright it is. The paper's better target.
        decoder_dim, decoder_depth: of the decoder.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1], hidden bool (B, N) -> predicted patches float (B, N, 3 * patch**2).
        H and W are multiples of ``patch``; N = H * W / patch**2; all rows of ``hidden`` hide the same number, and are
        drawn if not given.
    """

    encoder: ViTEncoder

    def __init__(self, *, patch: int = 16, dim: int = 192, depth: int = 6, heads: int = 3, mask_ratio: float = 0.75,
                 normalised: bool = True, decoder_dim: int = 96, decoder_depth: int = 2):
        super().__init__()
        self.mask_ratio, self.normalised = mask_ratio, normalised
        self.encoder = ViTEncoder(patch=patch, dim=dim, depth=depth, heads=heads)
        self.narrow = nn.Linear(dim, decoder_dim)
        self.mask_token = nn.Parameter(0.02 * torch.randn(decoder_dim))
        of_decoder = math.gcd(heads, decoder_dim)  # as many heads as the encoder's where they divide its width
        self.blocks = nn.ModuleList(Block(decoder_dim, of_decoder) for _ in range(decoder_depth))
        self.norm = nn.LayerNorm(decoder_dim)
        self.head = nn.Linear(decoder_dim, COLOURS * patch * patch)
        for part in (self.narrow, self.blocks, self.head):
            part.apply(initialise)

    def forward(self, images: Tensor, hidden: Tensor | None = None) -> Tensor:
        height, width = (side // self.encoder.patch for side in images.shape[-2:])
        if hidden is None:
            hidden = self.hide(images)
        n_visible = int((~hidden[0]).sum())
        visible = hidden.int().argsort(dim=1, stable=True)[:, :n_visible]  # (B, K), in the photo's order
        seen = self.narrow(self.encoder.tokens(images, visible))  # (B, K, decoder_dim)
        x = self.mask_token.to(seen.dtype).expand(*hidden.shape, -1)
        x = x.scatter(1, visible[..., None].expand_as(seen), seen)
        x = x + positions(height, width, x.shape[-1], x.device)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))

    def hide(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Which patches of the images are hidden in training, bool (B, N), drawn anew."""
        n_patches = images.shape[-2] * images.shape[-1] // self.encoder.patch**2
        return random_hidden(len(images), n_patches, self.mask_ratio, generator, images.device)

    def targets(self, images: Tensor) -> Tensor:
        """What is to be predicted, float (B, N, 3 * patch**2)."""
        patches = patchify(images, self.encoder.patch)
        if not self.normalised:
            return patches
        return (patches - patches.mean(2, keepdim=True)) / (patches.var(2, keepdim=True) + 1e-6).sqrt()

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Mean squared error over the hidden patches, drawn anew, a scalar; what is visible does not count."""
        hidden = self.hide(images, generator)
        errors = (self(images, hidden).float() - self.targets(images)).square().mean(2)  # (B, N)
        return errors[hidden].mean()

    def reconstruct(self, images: Tensor, hidden: Tensor) -> Tensor:
        """Images with their hidden patches (bool (B, N)) as predicted, float32 (B, 3, H, W) in about [0, 1].

        Where the targets are normalised, each prediction is given the hidden patch's own mean and deviation, which the
        network does not know: then it is a picture to look at, not to score.
        """
        patches = patchify(images, self.encoder.patch)
        predicted = self(images, hidden).float()
        if self.normalised:
            predicted = predicted * (patches.var(2, keepdim=True) + 1e-6).sqrt() + patches.mean(2, keepdim=True)
        return unpatchify(torch.where(hidden[..., None], predicted, patches), self.encoder.patch, *images.shape[-2:])


class MAESegmenter(nn.Module):
    """The masked autoencoder's encoder, which now sees every patch, and a query decoder.

    Args:
        patch, dim, depth, heads: of the encoder.
        decoder_dim, decoder_depth: of the decoder, see :class:`petseg_utils.models.query_decoder.QueryDecoder`.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float (B, 3, H, W); H and W multiples of ``patch``.
    """

    def __init__(self, *, patch: int = 16, dim: int = 192, depth: int = 6, heads: int = 3, decoder_dim: int = 128,
                 decoder_depth: int = 2):
        super().__init__()
        self.encoder = ViTEncoder(patch=patch, dim=dim, depth=depth, heads=heads)
        self.decoder = QueryDecoder(channels=dim, dim=decoder_dim, depth=decoder_depth)

    def forward(self, images: Tensor) -> Tensor:
        (features,) = self.encoder(images)
        return self.decoder(features, images.shape[-2:])
