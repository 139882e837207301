"""Checkpoints: one safetensors file each (no pickle), JSON in its header, replaced in one step."""

import dataclasses
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from petseg_utils.atomic import replacing_file
from petseg_utils.encoders.naming import in_folder
from petseg_utils.errors import DataError, UsageError
from petseg_utils.models import FROZEN_ENCODER_NAMES
from petseg_utils.models.frozen import OnEncoder
from petseg_utils.training.spec import SEGMENTING, RunSpec

_WEIGHTS, _OPTIMIZER = "model.", "optimizer."


def save_checkpoint(path: Path, spec: RunSpec, model: nn.Module, *, optimizer: torch.optim.Optimizer | None = None,
                    facts: dict[str, Any] | None = None) -> None:
    """Write weights, and with ``optimizer`` all that training needs to go on.

    The tensors are written out at once, so the file is a copy: what trains on cannot change it.
    """
    tensors = {f"{_WEIGHTS}{name}": _plain(tensor) for name, tensor in model.state_dict().items()}
    if optimizer is not None:
        for index, state in optimizer.state_dict()["state"].items():
            tensors.update({f"{_OPTIMIZER}{index}.{key}": _plain(value) for key, value in state.items()})
    with replacing_file(path) as temporary:
        save_file(tensors, temporary, metadata={"spec": spec.to_json(), "facts": json.dumps(facts or {})})


def _plain(tensor: Tensor) -> Tensor:
    return tensor.detach().cpu().contiguous()  # safetensors knows no channels_last


def read_spec(path: Path) -> RunSpec:
    """The spec of the run that wrote a checkpoint.

    Raises:
        DataError: the file is missing or is no checkpoint of ours.
    """
    return parse_spec(_header(path)["spec"], path)


def parse_spec(text: str, path: Path) -> RunSpec:
    """A spec from the JSON that ``path`` holds, or :class:`DataError` if it is none that this version knows."""
    try:
        return RunSpec.from_json(text)
    except (TypeError, ValueError, UsageError) as error:
        raise DataError(f"{str(path)!r} carries a run spec that this version cannot read ({error}): use the version "
                        "that wrote it, or train it again") from None


def load_model(path: Path, tasks: tuple[str, ...] = SEGMENTING) -> nn.Module:
    """Build a checkpoint's model with its weights, in eval mode on the CPU.

    Raises:
        DataError: the file is missing, is no checkpoint of ours, or its model learned another task.
    """
    spec = read_spec(path)
    if spec.task not in tasks:
        raise DataError(f"the model in checkpoint {str(path)!r} learned {spec.task}, not {' or '.join(tasks)}: give a "
                        "run that did")
    model: Any = dataclasses.replace(spec, encoder=_where_it_lies(spec.encoder, path.parent)).build()
    if spec.model in FROZEN_ENCODER_NAMES:
        check_encoder(spec, model)
        model.encoder.requires_grad_(not spec.frozen)
    load_weights(path, model)
    return model.eval()


def _where_it_lies(encoder: str, folder: Path) -> str:
    """An encoder's spec; if its file is not where it was, the one of that name beside the checkpoint, or here."""
    def find(file: Path) -> Path:
        return next((place for place in (file, folder / file.name, Path(file.name)) if place.is_file()), file)
    return in_folder(encoder, find)


def check_encoder(spec: RunSpec, model: OnEncoder) -> None:
    """Refuse an encoder whose weights or code are no longer those that the run was planned with.

    Raises:
        DataError: they are others.
    """
    found = model.encoder.weights_hash
    if spec.encoder_weights and found != spec.encoder_weights:
        drawn = " (random ones may come out otherwise on another processor)" if "random:" in spec.encoder else ""
        raise DataError(f"the weights of encoder {spec.encoder!r} are {found}, the run was made with "
                        f"{spec.encoder_weights}{drawn}: bring those, or train again")
    if spec.encoder_code and (code := model.encoder.trunk.code) != spec.encoder_code:
        raise DataError(f"the code of encoder {spec.encoder!r} is {code}, the run was made with {spec.encoder_code}: "
                        "bring that file, or train again")


def load_weights(path: Path, model: nn.Module) -> None:
    """Load a checkpoint's weights; every tensor must fit (``strict``).

    Raises:
        DataError: one does not, or is missing.
    """
    try:
        model.load_state_dict(_tensors(path, _WEIGHTS))
    except RuntimeError as error:  # torch's own message has a line for each tensor
        first = str(error).strip().splitlines()[-1].strip()
        raise DataError(f"the weights in checkpoint {str(path)!r} do not fit the model that its spec names "
                        f"({first[:160]}): use the version that wrote it, or train it again") from None


def load_encoder(path: Path, encoder: nn.Module) -> None:
    """Load the encoder's part of a checkpoint's weights; every tensor must fit.

    Raises:
        DataError: it does not.
    """
    try:
        encoder.load_state_dict(_tensors(path, f"{_WEIGHTS}encoder."))
    except RuntimeError:  # torch's own message has a line for each tensor
        raise DataError(f"the encoder in checkpoint {str(path)!r} has other layers or sizes than the model's: give "
                        "both runs the same options") from None


def load_start(path: Path, model: nn.Module) -> None:
    """Begin with the weights of a model of the same layers, or of a smaller one: where a tensor is larger than the
    checkpoint's, it is filled up with zeros, so that what is new adds nothing yet.

    Raises:
        DataError: the layers are others.
    """
    learned, own = _tensors(path, _WEIGHTS), model.state_dict()
    if learned.keys() != own.keys() or any(
            value.ndim != own[name].ndim or any(a > b for a, b in zip(value.shape, own[name].shape, strict=True))
            for name, value in learned.items()):
        raise DataError(f"the weights in checkpoint {str(path)!r} have other layers than the model's: start a "
                        "prompt-clip from the report's decoder, a prompt from a prompt, on the same encoder")
    for name, value in learned.items():
        wider = torch.zeros_like(own[name])
        wider[tuple(slice(n) for n in value.shape)] = value
        own[name] = wider
    model.load_state_dict(own)


def load_training(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Load weights and optimizer state; returns the facts that were saved with them."""
    load_weights(path, model)
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _tensors(path, _OPTIMIZER).items():
        index, key = name.split(".", 1)
        # As the weights lie: on a GPU, steps are slower where moments lie otherwise.
        state.setdefault(int(index), {})[key] = tensor.to(
            memory_format=torch.channels_last if tensor.ndim == 4 else torch.preserve_format)
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return json.loads(_header(path)["facts"])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError:
        if os.path.lexists(path):  # the reader says the same of a file that it may not open
            raise DataError(f"checkpoint {str(path)!r} may not be read: ask its owner for it") from None
        raise DataError(f"checkpoint {str(path)!r} does not exist: give a run's folder, the best.safetensors in it, or "
                        "prompt-mini") from None
    except (SafetensorError, OSError, struct.error) as error:
        raise DataError(f"checkpoint {str(path)!r} cannot be read ({error}): copy it anew, or remove its folder "
                        "and train again") from None


def _header(path: Path) -> dict[str, str]:
    with _opened(path) as file:
        header = file.metadata() or {}
    if "spec" not in header:
        raise DataError(f"checkpoint {str(path)!r} carries no run spec: give a file that petseg train wrote")
    return header


def _tensors(path: Path, prefix: str) -> dict[str, Tensor]:
    with _opened(path) as file:
        # Copies: a view would keep the file mapped, and Windows cannot replace a mapped file.
        return {key.removeprefix(prefix): file.get_tensor(key).clone() for key in file.keys() if key.startswith(prefix)}
