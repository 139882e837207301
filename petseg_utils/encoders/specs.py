"""What a spec means: which network, which weights."""

from collections.abc import Sequence
from pathlib import Path

import open_clip
import torch
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from petseg_utils.encoders.base import Encoder
from petseg_utils.encoders.local import file_trunk
from petseg_utils.encoders.naming import encoder_name
from petseg_utils.encoders.openclip import openclip_trunk
from petseg_utils.encoders.timm_models import timm_trunk
from petseg_utils.encoders.trunk import Trunk
from petseg_utils.errors import UsageError
from petseg_utils.petclip.shipped import PETCLIP_MINI, petclip_trunk

_FORMS = ("petclip-mini, TAG:MODEL (such as openai:ViT-B-32), CHECKPOINT:MODEL, timm:NAME, FILE.py, or random: before "
          "any of these")
_NORMALISATIONS = {
    "clip": (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD),
    "imagenet": (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD),
}
_RANDOM_SEED = 0  # of the control's weights: the same for every run that is compared with it


def build_encoder(spec: str, image_size: int, *, keep: Sequence[int] | None = None,
                  normalisation: str | None = None) -> Encoder:
    """Build a frozen encoder.

    Args:
        spec: ``petclip-mini``, ours; ``TAG:MODEL``, any pair of open_clip; ``CHECKPOINT:MODEL``, a local file for an
            open_clip model or for petclip-mini; ``timm:NAME``; ``FILE.py``, whose ``build()`` returns a network with
            ``channels``, ``strides``, ``mean`` and ``std``; or ``random:`` before any of these: the same network
            without what it learned, the control.
        image_size: side of the square that photos are brought to, in pixels.
        keep: places in the list of maps, fine to coarse or early to late, of those that are wanted; all if ``None``.
        normalisation: ``clip`` or ``imagenet`` instead of what the weights were trained with.

    Raises:
        UsageError: a spec or value that cannot be.
        DataError: weights that cannot be found, fetched or read, or that do not fit.
    """
    if normalisation is not None and normalisation not in _NORMALISATIONS:
        raise UsageError(f"unknown normalisation {normalisation!r}: choose one of {', '.join(_NORMALISATIONS)}")
    if image_size < 32:
        raise UsageError(f"image size {image_size} is too small for an encoder: use 32 pixels or more")
    trunk = _build_trunk(spec, image_size)
    mean, std = (trunk.mean, trunk.std) if normalisation is None else _NORMALISATIONS[normalisation]
    return Encoder(trunk, name=encoder_name(spec), image_size=image_size, mean=mean, std=std, keep=keep)


def _build_trunk(spec: str, image_size: int) -> Trunk:
    inner = spec.removeprefix("random:")
    if inner.startswith("random:"):
        raise UsageError(f"encoder {spec!r} says random: twice: once is enough")
    learned = inner == spec
    with torch.random.fork_rng(devices=[]):  # building draws weights; the caller's numbers stay as they were
        torch.manual_seed(_RANDOM_SEED)
        if inner == PETCLIP_MINI:
            return petclip_trunk(learned=learned)
        if inner.endswith(".py"):
            return file_trunk(Path(inner), image_size, learned=learned)
        source, colon, model = inner.rpartition(":")
        if not (source and colon and model):
            raise UsageError(f"encoder {spec!r} is no spec that we know: write {_FORMS}")
        if model == PETCLIP_MINI:
            return petclip_trunk(Path(source), learned=learned)
        if source == "timm":
            return timm_trunk(model, image_size, learned=learned)
        return openclip_trunk(source, model, image_size, learned=learned)
