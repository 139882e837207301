"""Bring your own encoder: a Python file whose ``build()`` returns a network."""

import hashlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import nn

from petseg_utils.encoders.trunk import Trunk
from petseg_utils.errors import DataError

_PROMISES = ("channels", "strides", "mean", "std")


def file_trunk(path: Path, image_size: int, *, learned: bool) -> Trunk:
    """The network of a file's ``build()``.

    Args:
        path: a Python file. It is run: only name files that you trust.
        image_size: side of the square photos in pixels, to see whether the maps are as promised.
        learned: keep its weights; else draw every tensor of them anew, with its own mean and deviation.

    Raises:
        DataError: there is no such file, it fails, or what it builds lacks something or gives other maps than promised.
    """
    if not path.is_file():
        raise DataError(f"encoder file {str(path)!r} is not there: give the path of a Python file with a build()")
    module_spec = importlib.util.spec_from_file_location(f"petseg_encoder_{path.stem}", path)
    assert module_spec is not None and module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module  # dataclasses look their module up while it is run
    try:
        module_spec.loader.exec_module(module)
        network: Any = module.build()
    except (URLError, ConnectionError, TimeoutError) as error:
        raise DataError(f"encoder file {str(path)!r} fetches something, and there is no connection ({error}): connect "
                        "once, or put what it fetches where it looks for it (torchvision's weights: "
                        f"{torch.hub.get_dir()}/checkpoints)") from error
    except (Exception, SystemExit) as error:  # somebody else's code: whatever it raises, we say where
        raise DataError(f"encoder file {str(path)!r} does not build ({type(error).__name__}: {error}): mend its build()"
                        ) from error
    if not isinstance(network, nn.Module):
        raise DataError(f"build() of {str(path)!r} returned {type(network).__name__}: return a torch.nn.Module")
    missing = [name for name in _PROMISES if not hasattr(network, name)]
    if missing:
        raise DataError(f"the network of {str(path)!r} has no {missing[0]}: give it {', '.join(_PROMISES)}")
    if (problem := _broken_promise(network, image_size)):
        raise DataError(f"the network of {str(path)!r} {problem}: mend the file")
    if not learned:
        _forget(network)
    promised = {name: getattr(network, name) for name in _PROMISES}
    return Trunk(network, lambda network, images: network(images), **promised,
                 code=hashlib.sha256(path.read_bytes()).hexdigest()[:16])


@torch.no_grad()
def _broken_promise(network: Any, image_size: int) -> str:
    """What is wrong with somebody's network, after asking it once; empty if nothing."""
    for name, length in (("mean", 3), ("std", 3), ("channels", None), ("strides", None)):
        values = getattr(network, name)
        if not isinstance(values, Sequence) or len(values) != (length or len(values)) or not all(
                isinstance(value, float | int) and (length or isinstance(value, int) and value > 0)
                for value in values) or (name == "std" and min(values) <= 0):
            return f"has {name} {values!r}, expected {'three numbers' if length else 'a list of whole numbers'}" + (
                "" if name == "mean" else " above 0")
    if not len(network.channels) == len(network.strides) > 0:
        return f"names {len(network.channels)} channels and {len(network.strides)} strides, expected one of each a map"
    if not any(True for _ in network.parameters()):
        return "has no weights"
    try:
        maps = network.eval()(torch.zeros(2, 3, image_size, image_size))
    except (Exception, SystemExit) as error:
        return f"fails on photos of {image_size} px ({type(error).__name__}: {error})"
    shapes = [tuple(m.shape) for m in maps] if isinstance(maps, list | tuple) else type(maps).__name__
    promised = [(2, channels, *2 * (image_size // stride,))
                for channels, stride in zip(network.channels, network.strides, strict=True)]
    if shapes != promised:
        return f"answers two photos with {shapes}, its channels and strides say {promised}"
    return "" if all(torch.isfinite(m).all() for m in maps) else "answers a blank photo with what is no number"


@torch.no_grad()
def _forget(network: nn.Module) -> None:
    """Draw every weight anew: we do not know how somebody's network is initialised, but how large its weights are."""
    for parameter in network.parameters():
        if parameter.numel() > 1:
            parameter.copy_(parameter.mean() + parameter.std() * torch.randn_like(parameter))
    for module in network.modules():
        getattr(module, "reset_running_stats", lambda: None)()  # what a batch norm has counted was learned, too
