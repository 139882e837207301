"""Image encoders of timm, by name."""

from typing import Any

import timm
from torch import Tensor

from petseg_utils.encoders.fetching import hub
from petseg_utils.encoders.trunk import Trunk
from petseg_utils.errors import DataError, UsageError

FINEST_STRIDE = 4  # finer maps are edges and colours, which the decoder's own image path sees as well


def timm_trunk(name: str, image_size: int, *, learned: bool) -> Trunk:
    """A timm model's stages, or some of a transformer's blocks.

    Args:
        name: as ``timm.create_model`` takes it, such as ``resnet50.a1_in1k``.
        image_size: side of the square photos, in pixels.
        learned: with the weights that timm knows, from its cache or fetched; else with random ones.

    Raises:
        UsageError: timm has no such model, or none of its maps.
        DataError: the weights are neither cached nor can they be fetched.
    """
    base = name.split(".")[0]
    if not timm.is_model(base):
        near = timm.list_models(f"*{base.split('_')[0]}*")[:3]
        raise UsageError(f"timm has no model {name!r}: try {', '.join(near) or 'resnet50'}, or see timm.list_models()")
    tags = timm.list_models(f"{base}.*", pretrained=True)
    try:
        cfg = timm.get_pretrained_cfg(name)
    except RuntimeError:  # an unknown tag
        cfg = None
    if learned and (cfg is None or not cfg.has_weights):
        raise UsageError(f"timm has no weights {name!r}: choose one of {', '.join(tags) or 'none'}, or "
                         f"random:timm:{base}")
    options: dict[str, Any] = {"img_size": image_size} if cfg is not None and cfg.fixed_input_size else {}
    try:
        with hub():
            network: Any = timm.create_model(name, pretrained=learned, features_only=True, **options)
    except RuntimeError as error:
        if not learned or "forward_intermediates" in str(error):
            raise UsageError(f"timm cannot give feature maps of {name!r} at {image_size} px ({error}): choose another "
                             "model") from None
        raise _not_fetched(name, cfg, error) from None
    except Exception as error:  # what a failed download raises differs between versions of three libraries
        raise _not_fetched(name, cfg, error) from None
    info = network.feature_info
    kept = [i for i, stride in enumerate(info.reduction()) if stride >= FINEST_STRIDE]
    channels = info.channels()

    def maps(network: Any, images: Tensor) -> list[Tensor]:
        found = [(m, channels[i]) for i, m in enumerate(network(images)) if i in kept]
        # Some transformers (Swin) answer with channels last.
        return [m if m.shape[1] == width else m.permute(0, 3, 1, 2) for m, width in found]

    return Trunk(network, maps, channels=[channels[i] for i in kept], strides=[info.reduction()[i] for i in kept],
                 mean=cfg.mean if cfg else (0.5,) * 3, std=cfg.std if cfg else (0.5,) * 3)


def _not_fetched(name: str, cfg: Any, error: Exception) -> DataError:
    where = f"model.safetensors of hf.co/{cfg.hf_hub_id}" if cfg.hf_hub_id else cfg.url
    return DataError(f"the weights of timm:{name} are not in the cache and could not be fetched "
                     f"({type(error).__name__}): connect once, or copy {where} into Hugging Face's cache folder")
