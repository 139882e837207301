"""The compute type for a device, and how a uint8 batch becomes what a model eats."""

import contextlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from petseg_utils.encoders.base import Encoder
from petseg_utils.errors import UsageError
from petseg_utils.hardware import cpu_has_bfloat16, cuda_works
from petseg_utils.memory import keep_freed_memory

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Precision:
    """A device and the type its convolutions run in.

    Attributes:
        device: where the model lives.
        dtype: autocast type; float32 means no autocast.
    """

    device: torch.device
    dtype: torch.dtype

    @property
    def name(self) -> str:
        return str(self.dtype).removeprefix("torch.")

    def autocast(self) -> contextlib.AbstractContextManager:
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def grad_scaler(self) -> torch.amp.GradScaler:
        """Scales the loss in float16, whose smallest numbers would swallow gradients; does nothing otherwise."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    def images(self, batch: Tensor) -> Tensor:
        """uint8 (B, 3, H, W) to float32 in [0, 1] on the device, channels_last: that is how it convolves fastest."""
        batch = batch.to(self.device, non_blocking=True)
        return batch.to(memory_format=torch.channels_last).float().div_(255)

    def model(self, model: nn.Module) -> nn.Module:
        """The model on the device, channels_last, its frozen encoder (if it has one) in the compute type."""
        model = model.to(self.device).to(memory_format=torch.channels_last)
        for module in model.modules():
            if isinstance(module, Encoder):
                module.compute_in(self.dtype)
        return model


def choose_precision(device: str = "auto") -> Precision:
    """bfloat16 where the hardware computes in it, float16 on older CUDA cards, float32 elsewhere.

    Where the CPU is chosen, the process also begins to keep freed memory (:mod:`petseg_utils.memory`); where CUDA is,
    cuDNN tries out which algorithm suits the sizes that we always come with.

    Args:
        device: ``auto`` (CUDA where there is a card that works), ``cpu`` or ``cuda``; a type may be asked for after a
            colon, as in ``cuda:float32``.

    Raises:
        UsageError: no such device here, or another type.
    """
    kind, _, asked = device.partition(":")
    if kind not in ("auto", "cpu", "cuda") or asked not in ("", *_TYPES):
        raise UsageError(f"unknown device {device!r}: choose auto, cpu or cuda, with a type ({', '.join(_TYPES)}) if "
                         "need be, as in cuda:float32")
    if kind == "cuda" and not cuda_works():
        raise UsageError(f"device {device!r} is not available here: choose auto or cpu")
    if kind == "cpu" or not cuda_works():
        keep_freed_memory()
        suits = torch.bfloat16 if cpu_has_bfloat16() else torch.float32
        return Precision(torch.device("cpu"), _TYPES.get(asked, suits))
    torch.backends.cudnn.benchmark = True
    suits = torch.bfloat16 if torch.cuda.get_device_capability() >= (8, 0) else torch.float16  # from Ampere on
    return Precision(torch.device("cuda"), _TYPES.get(asked, suits))
