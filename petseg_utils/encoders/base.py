"""A frozen encoder: whatever network lies inside, RGB in [0, 1] goes in and feature maps come out."""

import hashlib
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.encoders.trunk import Trunk
from petseg_utils.errors import UsageError


class Encoder(nn.Module):
    """A network that makes feature maps, with what it takes to ask it: the size, the mean and the deviation it expects.

    Without gradients and in eval mode, even where ``train()`` is called around it, until ``requires_grad_()`` says
    otherwise; computes in one type, which :meth:`compute_in` sets, whatever autocast says around it.

    Args:
        trunk: the network; says the channels and strides of its maps.
        name: what tables call it.
        image_size: side S of the square that photos are brought to, in pixels.
        mean, std: of RGB in [0, 1], as the trunk was trained.
        keep: places in the trunk's list of the maps that are wanted; all if ``None``.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> maps (B, C_i, S / s_i, S / s_i) in the type it computes in.

    Attributes:
        name, image_size: as given.
        channels, strides: of the maps that are kept.
        weights_hash: 16 hexadecimal digits that name the weights, a ViT's positions for this size among them.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, trunk: Trunk, *, name: str, image_size: int, mean: Sequence[float], std: Sequence[float],
                 keep: Sequence[int] | None = None):
        super().__init__()
        places = range(len(trunk.channels))
        self.keep = tuple(places if keep is None else (places[place] for place in keep))
        self.trunk, self.name, self.image_size = trunk, name, image_size
        self.channels, self.strides = (tuple(values[place] for place in self.keep)
                                       for values in (trunk.channels, trunk.strides))
        if image_size % max(self.strides):
            raise UsageError(f"encoder {name!r} has stride {max(self.strides)}, which does not divide an image size of "
                             f"{image_size}: give a multiple of it")
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        self.weights_hash = hash_weights(trunk.network)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "Encoder":
        """As any module's, but what is frozen stays in eval mode: batch norm would go on counting."""
        return super().train(mode and any(p.requires_grad for p in self.parameters()))

    def compute_in(self, dtype: torch.dtype) -> None:
        """Cast the weights, once; only while they are frozen, for training needs float32."""
        if not any(p.requires_grad for p in self.parameters()):
            self.trunk.to(dtype)

    def prepare(self, images: Tensor) -> Tensor:
        """Images float (B, 3, H, W), RGB in [0, 1], at the trunk's size and normalised as it expects."""
        if images.shape[-2:] != (self.image_size, self.image_size):
            images = F.interpolate(images, size=(self.image_size, self.image_size), mode="bilinear",
                                   align_corners=False, antialias=True)
        return (images - self.mean) / self.std

    def forward(self, images: Tensor) -> list[Tensor]:
        images = self.prepare(images)
        parameter = next(self.trunk.parameters())
        if parameter.requires_grad:  # fine-tuned: as any other network
            maps = self.trunk(images)
        else:
            with torch.autocast(images.device.type, enabled=False):
                maps = self.trunk(images.to(parameter.dtype))
        return [maps[place] for place in self.keep]


def hash_weights(network: nn.Module) -> str:
    """16 hexadecimal digits that name a network's parameters and statistics, by name, shape and value."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]
