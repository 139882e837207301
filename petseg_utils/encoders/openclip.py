"""Image towers of open_clip: by tag, which is fetched, or from a local file."""

import difflib
import warnings
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.factory import load_state_dict
from torch import Tensor, nn

from petseg_utils.encoders.fetching import hub, nothing_logged
from petseg_utils.encoders.naming import WEIGHTS_SUFFIXES
from petseg_utils.encoders.trunk import Trunk
from petseg_utils.errors import DataError, UsageError

_OPENAI_KEYS = {"input_resolution", "context_length", "vocab_size"}  # only OpenAI's own files have these


def openclip_trunk(source: str, model: str, image_size: int, *, learned: bool) -> Trunk:
    """The patch tokens of an open_clip image tower as maps, never its pooled vector.

    Args:
        source: a tag such as ``openai``, or a local file.
        model: a name of ``open_clip.list_models()``.
        image_size: side of the square photos in pixels; a ViT is built for it, its positions interpolated.
        learned: with weights; else random ones.

    Raises:
        UsageError: an unknown model or tag, or one whose activation is not the model's.
        DataError: the weights cannot be fetched, or the file does not fit.
    """
    config = open_clip.get_model_config(model)
    if config is None:
        raise UsageError(f"open_clip has no model {model!r}: choose one of {', '.join(_near(model))}, or see "
                         "open_clip.list_models()")
    path = Path(source)
    if path.suffix in WEIGHTS_SUFFIXES or path.is_file():
        network = _from_file(path, model, image_size, learned=learned)
    else:
        network = _from_tag(source, model, config, image_size, learned=learned)
    visual: Any = network.visual
    mean, std = (getattr(visual, name, None) or default for name, default in (
        ("image_mean", open_clip.OPENAI_DATASET_MEAN), ("image_std", open_clip.OPENAI_DATASET_STD)))
    indices = _blocks(visual)
    with torch.no_grad():
        shapes = [tuple(m.shape) for m in _maps(visual.eval(), torch.zeros(1, 3, image_size, image_size), indices)]
    patch = getattr(visual, "patch_size", None)  # (height, width): where patches do not fill the photo, maps mislead
    return Trunk(visual, lambda visual, images: _maps(visual, images, indices), mean=mean, std=std,
                 channels=[shape[1] for shape in shapes],
                 strides=[patch[0] if patch else image_size // shape[2] for shape in shapes])


def _blocks(visual: Any) -> list[int] | None:
    """Four of a transformer's blocks, evenly spread, with the last; ``None``, all, of a network with stages."""
    blocks = getattr(getattr(visual, "transformer", None), "resblocks", None) or getattr(
        getattr(visual, "trunk", None), "blocks", None)
    return None if blocks is None else sorted({max(0, len(blocks) * part // 4 - 1) for part in (1, 2, 3, 4)})


def _maps(visual: Any, images: Tensor, indices: list[int] | None) -> list[Tensor]:
    # A tower of stages has no norm to put after each of them.
    found = visual.forward_intermediates(images, indices=indices, normalize_intermediates=indices is not None,
                                         intermediates_only=True, output_fmt="NCHW")
    return [m for m in found["image_intermediates"] if images.shape[-1] // m.shape[-1] >= 4]


def _create(model: str, image_size: int, **options: Any) -> nn.Module:
    with warnings.catch_warnings(), nothing_logged():  # of a model without weights: we load them, or want none
        warnings.simplefilter("ignore")
        return open_clip.create_model(model, force_image_size=image_size, **options)


def _from_tag(tag: str, model: str, config: dict[str, Any], image_size: int, *, learned: bool) -> nn.Module:
    plain = model.removesuffix("-quickgelu")
    facts = open_clip.get_pretrained_cfg(plain, tag) or open_clip.get_pretrained_cfg(model, tag)
    if not facts:
        known = open_clip.list_pretrained_tags_by_model(model)
        raise UsageError(f"open_clip has no weights {tag!r} for {model!r}, and no such file is there: choose one of "
                         f"{', '.join(known) or 'none'}, or give a file that ends in {', '.join(WEIGHTS_SUFFIXES)}")
    quick = bool(facts.get("quick_gelu"))
    if config.get("quick_gelu") and not quick:
        raise UsageError(f"model {model!r} computes with QuickGELU, weights {tag!r} were trained with GELU: name "
                         f"{plain!r}")
    if not learned:
        return _create(model, image_size, force_quick_gelu=quick)
    try:
        # OpenAI's were trained with QuickGELU; under the plain name open_clip would only warn.
        with hub():
            return _create(model, image_size, pretrained=tag, force_quick_gelu=quick)
    except Exception as error:  # what a failed download raises differs between versions of two libraries
        where = f"hf.co/{facts['hf_hub'].rstrip('/')}" if facts.get("hf_hub") else facts.get("url", tag)
        # In open_clip's own layout a file does not say which activation it was trained with: the name has to.
        twin = f"{plain}-quickgelu" if quick and open_clip.get_model_config(f"{plain}-quickgelu") else model
        raise DataError(f"the weights of {tag}:{model} are not in the cache and could not be fetched "
                        f"({type(error).__name__}): connect once, or bring the file of {where} and name it "
                        f"FILE:{twin}") from None


def _from_file(path: Path, model: str, image_size: int, *, learned: bool) -> nn.Module:
    if not path.is_file():
        raise DataError(f"checkpoint {str(path)!r} is not there: give the path of an open_clip or OpenAI file")
    state, openai = _read(path)
    network = _create(model, image_size, force_quick_gelu=openai)
    if learned:
        try:
            open_clip.model.resize_pos_embed(state, network)
            network.load_state_dict(state)
        except (RuntimeError, KeyError) as error:
            first = str(error).strip().splitlines()[-1].strip()
            raise DataError(f"checkpoint {str(path)!r} does not fit {model!r} ({first[:120]}): name the model that it "
                            "was trained as") from None
    return network


def _read(path: Path) -> tuple[dict[str, Tensor], bool]:
    """A file's weights in float32, and whether it has OpenAI's layout, whose networks compute with QuickGELU."""
    try:
        try:
            state, openai = dict(torch.jit.load(path, map_location="cpu").state_dict()), True
        except RuntimeError:  # no TorchScript archive
            state = dict(load_state_dict(str(path)))
            openai = bool(_OPENAI_KEYS & set(state))
    except Exception as error:
        raise DataError(f"checkpoint {str(path)!r} cannot be read ({type(error).__name__}): give an open_clip or "
                        "OpenAI file") from None
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()
            if name not in _OPENAI_KEYS}, openai


def _near(model: str) -> list[str]:
    return difflib.get_close_matches(model, open_clip.list_models(), n=3, cutoff=0.3) or ["ViT-B-32"]
