"""What all models have in common that stand on an encoder of :mod:`petseg_utils.encoders`."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from petseg_utils.encoders.base import Encoder
from petseg_utils.encoders.features import encode


class OnEncoder(nn.Module):
    """A model whose encoder comes from elsewhere and usually stays as it is.

    While it does, checkpoints leave it out: its weights are where the encoder's spec says.

    Args:
        encoder: of :func:`petseg_utils.encoders.specs.build_encoder`.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float (B, 3, H, W).
    """

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        self.register_state_dict_post_hook(_leave_encoder_out)
        self.register_load_state_dict_post_hook(_do_not_miss_encoder)

    @property
    def frozen(self) -> bool:
        return not any(p.requires_grad for p in self.encoder.parameters())

    def encode(self, images: Tensor) -> list[Tensor]:
        """The encoder's maps, as the cache would hold them while it is frozen."""
        return encode(self.encoder, images) if self.frozen else self.encoder(images)

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images), images)

    def decode(self, maps: Sequence[Tensor], images: Tensor) -> Tensor:
        """Logits (B, 3, H, W) from the maps of :meth:`encode` and the photos."""
        raise NotImplementedError


def as_images(maps: Sequence[Tensor], images: Tensor) -> list[Tensor]:
    """The maps in the images' type and memory format."""
    return [of_layer.to(images.dtype, memory_format=torch.channels_last) for of_layer in maps]


def _leave_encoder_out(model: OnEncoder, state: dict[str, Any], prefix: str, _: Any) -> None:
    if model.frozen:
        for name in [name for name in state if name.startswith(f"{prefix}encoder.")]:
            del state[name]


def _do_not_miss_encoder(model: OnEncoder, keys: Any) -> None:
    if model.frozen:
        keys.missing_keys[:] = [name for name in keys.missing_keys if not name.startswith("encoder.")]
