"""Models by name. Every model maps images (B, 3, H, W), RGB in [0, 1], to logits (B, 3, H, W)."""

import inspect
from typing import Any

from torch import nn

from petseg_utils.errors import UsageError
from petseg_utils.models.unet import UNet
from petseg_utils.models.unet_resattn import UNetResAttn

_MODELS: dict[str, type[nn.Module]] = {"unet": UNet, "unet-resattn": UNetResAttn}
MODEL_NAMES = tuple(_MODELS)


def build_model(name: str, **options: Any) -> nn.Module:
    """Build a model with fresh weights.

    Args:
        name: one of :data:`MODEL_NAMES`.
        options: the model's own keyword arguments; see its class.

    Raises:
        UsageError: an unknown model or option.
    """
    if name not in _MODELS:
        raise UsageError(f"unknown model {name!r}: choose one of {', '.join(MODEL_NAMES)}")
    known = inspect.signature(_MODELS[name]).parameters
    for option in options:
        if option not in known:
            raise UsageError(f"model {name!r} has no option {option!r}: choose among {', '.join(known)}")
    return _MODELS[name](**options)


def count_parameters(model: nn.Module) -> int:
    """The number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
