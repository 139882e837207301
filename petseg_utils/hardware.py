"""What the machine can compute with."""

import platform
import warnings
from functools import cache
from pathlib import Path

import torch

_CPUINFO = Path("/proc/cpuinfo")


@cache
def cuda_works() -> bool:
    """Whether there is a CUDA card that this torch can compute on. An old card is seen, but the newest builds hold no
    kernels for it: its first operation fails. That is said once, in a warning."""
    if not torch.cuda.is_available():
        return False
    try:
        torch.ones(1, device="cuda").add(1).item()
    except RuntimeError as error:
        warnings.warn(f"the card {torch.cuda.get_device_name()} is there, but torch {torch.__version__} cannot compute "
                      f"on it ({error}): the CPU is used; a torch built for an older CUDA may know the card",
                      stacklevel=2)
        return False
    return True


def cpu_has_bfloat16() -> bool:
    """Whether the CPU has instructions for bfloat16: without them it accepts the type and runs ten times slower."""
    if not _CPUINFO.is_file():  # torch's own question has changed its private name between the versions we support
        return False
    flags = _CPUINFO.read_text().split()
    return "avx512_bf16" in flags or "amx_bf16" in flags


def device_name(device: torch.device) -> str:
    """What the results call the machine: the card's or the processor's name."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    models = [line for line in _CPUINFO.read_text().splitlines() if "model name" in line] if _CPUINFO.is_file() else []
    return models[0].split(":", 1)[1].strip() if models else platform.processor() or platform.machine()
