"""Models by name. Every model maps images (B, 3, H, W), RGB in [0, 1], to logits (B, 3, H, W)."""

import inspect
from typing import Any

from torch import nn

from petseg_utils.errors import UsageError
from petseg_utils.models.autoencoders import ImprovedAutoencoder, Reconstructor, SimpleAutoencoder, UNetAutoencoder
from petseg_utils.models.clip import ClipSegmenter
from petseg_utils.models.mae import MAESegmenter, MaskedAutoencoder
from petseg_utils.models.prompt import PromptCLIP, PromptPyramid, PromptUNet
from petseg_utils.models.unet import UNet
from petseg_utils.models.unet_resattn import UNetResAttn

_AUTOENCODERS: dict[str, type[nn.Module]] = {
    "ae-simple": SimpleAutoencoder, "ae-improved": ImprovedAutoencoder, "ae-unet": UNetAutoencoder,
    "mae": MaskedAutoencoder,
}
# The autoencoders' own three channels serve as logits; the masked one gets another decoder.
_MODELS: dict[str, type[nn.Module]] = {
    "unet": UNet, "unet-resattn": UNetResAttn, **_AUTOENCODERS, "mae": MAESegmenter, "clip": ClipSegmenter,
    "prompt-clip": PromptCLIP, "prompt-unet": PromptUNet, "prompt": PromptPyramid,
}
MODEL_NAMES, AUTOENCODER_NAMES = tuple(_MODELS), tuple(_AUTOENCODERS)
FROZEN_ENCODER_NAMES = ("clip", "prompt-clip", "prompt")  # built on an encoder of petseg_utils.encoders
PROMPT_NAMES = ("prompt-clip", "prompt-unet", "prompt")  # they take prompts, too


def build_model(name: str, **options: Any) -> nn.Module:
    """Build a model with fresh weights.

    Args:
        name: one of :data:`MODEL_NAMES`.
        options: the model's own keyword arguments; see its class.

    Raises:
        UsageError: an unknown model or option.
    """
    return _build(_MODELS, name, options)


def build_autoencoder(name: str, **options: Any) -> Reconstructor:
    """Build a model that learns to reconstruct, with fresh weights; its ``encoder`` fits the segmentation model of the
    same name, if both are given the same options for it.

    Args:
        name: one of :data:`AUTOENCODER_NAMES`.
        options: the model's own keyword arguments; see its class.

    Raises:
        UsageError: an unknown model or option.
    """
    return _build(_AUTOENCODERS, name, options)


def _build(models: dict[str, type[nn.Module]], name: str, options: dict[str, Any]) -> Any:
    if name not in models:
        raise UsageError(f"unknown model {name!r}: choose one of {', '.join(models)}")
    known = inspect.signature(models[name]).parameters
    for option in options:
        if option not in known:
            raise UsageError(f"model {name!r} has no option {option!r}: choose among {', '.join(known)}")
    return models[name](**options)


def count_parameters(model: nn.Module) -> int:
    """The number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
