"""petclip-mini as it is shipped: one safetensors file, the rows of the words in use, the words themselves."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from petseg_utils.atomic import replacing_file
from petseg_utils.encoders.trunk import Trunk
from petseg_utils.errors import DataError
from petseg_utils.petclip.network import TOWER_CHANNELS, TOWER_STRIDES, PetCLIP, build_clip

PETCLIP_MINI = "petclip-mini"
_EMBEDDING, _IDS = "token_embedding.weight", "token_ids"


def shipped_file() -> Path:
    return Path(str(files("petseg_utils") / "packaged" / f"{PETCLIP_MINI}.safetensors"))


def save_clip(path: Path, model: PetCLIP, token_ids: torch.Tensor, words: list[str], facts: dict[str, Any]) -> None:
    """Write the two towers in float16, of the 49,408 token embeddings those that captions use.

    Args:
        token_ids: int64, the ids in use, ascending.
        words: what the text side knows.
        facts: what else the file should say of itself.
    """
    state = {name: tensor.detach().cpu() for name, tensor in model.clip.state_dict().items()}
    state[_EMBEDDING] = state[_EMBEDDING][token_ids]
    tensors = {name: tensor.half().contiguous() if tensor.is_floating_point() else tensor.contiguous()
               for name, tensor in state.items()} | {_IDS: token_ids.to(torch.int32)}
    with replacing_file(path) as temporary:
        # One entry: safetensors writes several in an order of chance, and the same weights should be the same file.
        save_file(tensors, temporary, metadata={"petclip": json.dumps({"words": words, "facts": facts})})


def load_clip(path: Path | None = None) -> tuple[open_clip.CLIP, frozenset[str]]:
    """The open_clip model with its weights, in eval mode, and the words that its text side knows.

    Raises:
        DataError: the file is missing or is not what :func:`save_clip` writes.
    """
    path = path or shipped_file()
    if not path.is_file():
        raise DataError(f"{str(path)!r} is missing: install petseg_utils again, or train it with petseg petclip")
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            words = frozenset(json.loads(file.metadata()["petclip"])["words"])
        ids = state.pop(_IDS).long()
        clip = build_clip()
        embedding = torch.zeros_like(clip.token_embedding.weight)
        embedding[ids] = state[_EMBEDDING].float()
        clip.load_state_dict({name: tensor.float() if tensor.is_floating_point() else tensor
                              for name, tensor in state.items()} | {_EMBEDDING: embedding})
    except Exception as error:
        raise DataError(f"{str(path)!r} is no petclip-mini of this version ({type(error).__name__}): install "
                        "petseg_utils again") from error
    return clip.eval(), words


def petclip_trunk(path: Path | None = None, *, learned: bool) -> Trunk:
    """The image tower's four maps.

    Args:
        path: a file of :func:`save_clip`; the shipped one if ``None``.
        learned: with its weights; else random ones.
    """
    clip = load_clip(path)[0] if learned else build_clip()
    if not learned:
        for module in clip.visual.modules():
            if isinstance(module, nn.BatchNorm2d):  # timm begins with residual branches of weight 0, as if none were
                nn.init.ones_(module.weight)
    return Trunk(clip.visual.trunk, _maps, channels=TOWER_CHANNELS, strides=TOWER_STRIDES,
                 mean=open_clip.OPENAI_DATASET_MEAN, std=open_clip.OPENAI_DATASET_STD)


def _maps(tower: Any, images: torch.Tensor) -> list[torch.Tensor]:
    return tower.forward_intermediates(images, indices=(1, 2, 3, 4), intermediates_only=True)
