"""The compute type for a device, and how a uint8 batch becomes what a model eats."""

import contextlib
import platform
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from petseg_utils.encoders.base import Encoder
from petseg_utils.errors import UsageError
from petseg_utils.memory import keep_freed_memory


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

    A CPU without bfloat16 instructions accepts the type and runs ten times slower, so we ask for the instruction. Where
    the CPU is chosen, the process also begins to keep freed memory (:mod:`petseg_utils.memory`).

    Args:
        device: ``auto`` (CUDA where there is one), ``cpu`` or ``cuda``.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"unknown device {device!r}: choose auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device 'cuda' is not available here: choose auto or cpu")
    if device == "cpu" or not torch.cuda.is_available():
        keep_freed_memory()
        return Precision(torch.device("cpu"), torch.bfloat16 if _cpu_has_bfloat16() else torch.float32)
    ampere = torch.cuda.get_device_capability() >= (8, 0)
    return Precision(torch.device("cuda"), torch.bfloat16 if ampere else torch.float16)


def _cpu_has_bfloat16() -> bool:
    cpuinfo = Path("/proc/cpuinfo")  # torch's own question has changed its private name between the versions we support
    if not cpuinfo.is_file():
        return False
    flags = cpuinfo.read_text().split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def device_name(device: torch.device) -> str:
    """What the results call the machine: the card's or the processor's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line] if cpuinfo.is_file() else []
    return models[0].split(":", 1)[1].strip() if models else platform.processor() or platform.machine()
