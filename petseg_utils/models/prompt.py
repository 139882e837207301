"""Segmenters that are told where to look.

They answer two questions at once: of what class is each pixel, and does it belong to the region that the prompt points
at? What of a photo needs no prompt is computed once (:meth:`PromptModel.embed`), the rest for each click
(:meth:`PromptModel.select`).
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.classes import NUM_CLASSES
from petseg_utils.encoders.specs import build_encoder
from petseg_utils.models.frozen import OnEncoder, as_images
from petseg_utils.models.map_decoders import MultiDecoder, ReportDecoder
from petseg_utils.models.unet import UNet
from petseg_utils.petclip.shipped import PETCLIP_MINI

OUTPUTS = NUM_CLASSES + 1  # the classes, and "belongs to the region"
SIGMA = 4.0


class PromptModel:
    """What training, evaluation and app ask of a prompt model; the classes below have it.

    Attributes:
        planes: prompt maps it takes: the clicks in; or the clicks in, the clicks out, and the mask so far.
        sigma: of the clicks' heat maps, in pixels of the input.
    """

    planes: ClassVar[int] = 1
    sigma: float

    def embed(self, maps: Sequence[Tensor], images: Tensor) -> list[Tensor]:
        """What can be computed before anybody clicks, from the frozen encoder's maps (none where there is no encoder)
        and the images float (B, 3, H, W): tensors that begin with B."""
        raise NotImplementedError

    def select(self, embedding: Sequence[Tensor], prompts: Tensor) -> Tensor:
        """Logits float (B, 4, H, W) of background, cat, dog and of belonging to the region.

        Args:
            embedding: from :meth:`embed`.
            prompts: float (B, planes, H, W) in [0, 1], see :func:`petseg_utils.prompts.heatmap.heat_map`; all 0
                without a prompt.
        """
        raise NotImplementedError

    def decode(self, maps: Sequence[Tensor], images: Tensor) -> Tensor:
        """Logits (B, 3, H, W) of the classes where nobody has clicked."""
        nothing = images.new_zeros(len(images), self.planes, *images.shape[-2:])
        return self.select(self.embed(maps, images), nothing)[:, :NUM_CLASSES]


class PromptUNet(PromptModel, UNet):
    """A UNet with the clicks' heat map as a fourth channel of its input: all of it is computed for each click.

    Args:
        width, depth: see :class:`petseg_utils.models.unet.UNet`.
        sigma: of the clicks' heat maps, in pixels of the input.
    """

    def __init__(self, *, width: int = 16, depth: int = 4, sigma: float = SIGMA):
        super().__init__(width=width, depth=depth)
        self.sigma = sigma
        self.stem = self.block(3 + self.planes, width)
        self.head = nn.Conv2d(width, OUTPUTS, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images), images)

    def encode(self, images: Tensor) -> list[Tensor]:
        """No maps: nothing is frozen here."""
        return []

    def embed(self, maps: Sequence[Tensor], images: Tensor) -> list[Tensor]:
        return [images]

    def select(self, embedding: Sequence[Tensor], prompts: Tensor) -> Tensor:
        return super().forward(torch.cat([embedding[0], prompts.to(embedding[0].dtype)], dim=1))


class PromptCLIP(PromptModel, OnEncoder):
    """The report's model: the clicks' heat map, pooled to the token grid, is one more channel of the frozen map.

    The decoder is the report's (:class:`petseg_utils.models.map_decoders.ReportDecoder`).

    Args:
        encoder: the encoder's spec.
        image_size: side of the square that the encoder sees, in pixels.
        sigma: of the clicks' heat maps, in pixels of the model's input.
    """

    def __init__(self, *, encoder: str = PETCLIP_MINI, image_size: int = 128, sigma: float = SIGMA):
        super().__init__(build_encoder(encoder, image_size, keep=(-1,)))
        self.sigma = sigma
        self.decoder = ReportDecoder(channels=self.encoder.channels[-1] + self.planes, outputs=OUTPUTS)

    def embed(self, maps: Sequence[Tensor], images: Tensor) -> list[Tensor]:
        (tokens,) = as_images(maps, images)
        return [tokens, *self.decoder.look(images, tokens.shape[-2:])]

    def select(self, embedding: Sequence[Tensor], prompts: Tensor) -> Tensor:
        tokens, *low = embedding
        pooled = _pool(prompts, tokens).to(tokens.dtype)
        return self.decoder.rise(torch.cat([tokens, pooled], dim=1), low, prompts.shape[-2:])


class PromptPyramid(PromptModel, OnEncoder):
    """Ours: all maps of a frozen encoder, clicks in and out, and the mask so far.

    Args:
        encoder: the encoder's spec.
        image_size: side of the square that the encoder sees, in pixels.
        width: channels in the decoder.
        sigma: of the clicks' heat maps, in pixels of the model's input.
    """

    planes = 3

    def __init__(self, *, encoder: str = PETCLIP_MINI, image_size: int = 128, width: int = 64, sigma: float = SIGMA):
        super().__init__(build_encoder(encoder, image_size))
        self.sigma = sigma
        self.decoder = PromptedDecoder(channels=self.encoder.channels, width=width, planes=self.planes)

    def embed(self, maps: Sequence[Tensor], images: Tensor) -> list[Tensor]:
        assert self.decoder.edges is not None
        return [*self.decoder.project(as_images(maps, images)), self.decoder.edges(images)]

    def select(self, embedding: Sequence[Tensor], prompts: Tensor) -> Tensor:
        *own, edges = embedding
        return self.decoder.select(own, edges, prompts)


class PromptedDecoder(MultiDecoder):
    """``multi`` with prompts: on every level, where the clicks are, and how alike each place is to what was clicked.

    A convolution reaches a few places only, a click has to reach them all. So the features under the clicks in, and
    those under the clicks out, are averaged, and each place learns of its product with both averages, channel by
    channel: a dot product before it is summed.

    Args:
        channels, width: see :class:`petseg_utils.models.map_decoders.MultiDecoder`.
        planes: prompt maps; the first two are clicks in and clicks out.
    """

    def __init__(self, *, channels: Sequence[int], width: int, planes: int):
        super().__init__(channels=channels, width=width, outputs=OUTPUTS)
        self.place = nn.ModuleList(nn.Conv2d(planes, width, 3, padding=1) for _ in channels)
        self.match = nn.ModuleList(nn.Linear(2 * width, width) for _ in channels)
        self.place_edges = nn.Conv2d(planes, width // 2, 3, padding=1)

    def select(self, own: Sequence[Tensor], edges: Tensor, prompts: Tensor) -> Tensor:
        """Logits (B, 4, H, W) from what the maps and the edges were projected to, and prompts (B, planes, H, W)."""
        prompts = prompts.to(own[0].dtype, memory_format=torch.channels_last)
        guided = []
        for features, place, match in zip(own, self.place, self.match, strict=True):
            pooled = _pool(prompts, features)
            clicked = average_under(features, pooled[:, :2])  # (B, 2, width)
            guided.append(features + place(pooled) + match_clicked(features, clicked, match))
        return self.merge(guided, edges + self.place_edges(_pool(prompts, edges)), prompts.shape[-2:])


def _pool(prompts: Tensor, like: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(prompts, (like.shape[-2], like.shape[-1]))


def average_under(features: Tensor, heat: Tensor) -> Tensor:
    """Features (B, C, h, w) averaged under each of the heat maps (B, K, h, w): (B, K, C), 0 under no heat."""
    weights = heat.flatten(2)
    weights = weights / weights.sum(2, keepdim=True).clamp(min=1e-6)
    return weights @ features.flatten(2).transpose(1, 2)


def match_clicked(features: Tensor, clicked: Tensor, match: nn.Module) -> Tensor:
    """``match`` at each place of the features' products with both averages.

    The products are drawn into the weights, for each photo its own: W (x * a) = (W diag a) x. So nothing of the size of
    two feature maps is made.

    Args:
        features: float (B, C, h, w).
        clicked: float (B, 2, C), averages under the clicks in and out.
        match: a linear layer from 2 C numbers to C.

    Returns:
        float (B, C, h, w).
    """
    assert isinstance(match, nn.Linear)
    inside, outside = match.weight.chunk(2, dim=1)
    weights = inside * clicked[:, 0, None] + outside * clicked[:, 1, None]  # (B, C, C)
    places = features.permute(0, 2, 3, 1).flatten(1, 2)  # (B, h w, C): as channels_last has them
    alike = places @ weights.transpose(1, 2) + match.bias
    return alike.unflatten(1, features.shape[-2:]).permute(0, 3, 1, 2)
