"""Bring your own encoder: a Python file whose ``build()`` returns a network."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import nn

from petseg_utils.encoders.trunk import Trunk
from petseg_utils.errors import DataError

_PROMISES = ("channels", "strides", "mean", "std")


def file_trunk(path: Path, *, learned: bool) -> Trunk:
    """The network of a file's ``build()``.

    Args:
        path: a Python file. It is run: only name files that you trust.
        learned: keep its weights; else draw every tensor of them anew, with its own mean and deviation.

    Raises:
        DataError: there is no such file, it fails, or what it builds lacks something.
    """
    if not path.is_file():
        raise DataError(f"encoder file {str(path)!r} is not there: give the path of a Python file with a build()")
    module_spec = importlib.util.spec_from_file_location(f"petseg_encoder_{path.stem}", path)
    assert module_spec is not None and module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
        network: Any = module.build()
    except Exception as error:  # somebody else's code: whatever it raises, we say where
        raise DataError(f"encoder file {str(path)!r} does not build ({type(error).__name__}: {error}): mend its build()"
                        ) from error
    if not isinstance(network, nn.Module):
        raise DataError(f"build() of {str(path)!r} returned {type(network).__name__}: return a torch.nn.Module")
    missing = [name for name in _PROMISES if not hasattr(network, name)]
    if missing:
        raise DataError(f"the network of {str(path)!r} has no {missing[0]}: give it {', '.join(_PROMISES)}")
    if not learned:
        _forget(network)
    promised = {name: getattr(network, name) for name in _PROMISES}
    return Trunk(network, lambda network, images: network(images), **promised,
                 code=hashlib.sha256(path.read_bytes()).hexdigest()[:16])


@torch.no_grad()
def _forget(network: nn.Module) -> None:
    """Draw every weight anew: we do not know how somebody's network is initialised, but how large its weights are."""
    for parameter in network.parameters():
        if parameter.numel() > 1:
            parameter.copy_(parameter.mean() + parameter.std() * torch.randn_like(parameter))
