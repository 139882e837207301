"""How long a model takes to answer."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from petseg_utils.hardware import device_name
from petseg_utils.precision import Precision

BATCH_SIZES = (1, 32)  # one photo at a time, as in an app; many, as over an archive
WARM_UP = 2  # calls that are not counted: the first ones choose algorithms and fill caches
LEAST, MOST = 3, 50  # calls


@torch.inference_mode()
def time_inference(model: nn.Module, image_size: int, precision: Precision, *,
                   batch_sizes: tuple[int, ...] = BATCH_SIZES, seconds: float = 0.3) -> list[dict[str, Any]]:
    """Measure a model's forward pass on random photos that lie on the device: no decoding, no scoring.

    Args:
        model: images (B, 3, S, S) in [0, 1] -> logits, already on ``precision.device``, in eval mode.
        image_size: S in pixels.
        precision: device and compute type.
        batch_sizes: photos at once.
        seconds: how long each batch size is measured, at least.

    Returns:
        A row a batch size, with the keys batch_size, milliseconds (of a photo: the median over calls, divided by the
        batch size), images_per_second (the reverse), calls, device, precision, threads (of torch), clock. The clock is
        ``cpu``, the processor time of this process, where one thread of the CPU computes: what else the machine does
        lengthens it little. Else it is the ``wall``'s.
    """
    rows = []
    alone = precision.device.type == "cpu" and torch.get_num_threads() == 1
    clock, now = ("cpu", time.process_time) if alone else ("wall", time.perf_counter)
    generator = torch.Generator().manual_seed(0)
    for batch_size in batch_sizes:
        pixels = torch.randint(0, 256, (batch_size, 3, image_size, image_size), generator=generator, dtype=torch.uint8)
        images = precision.images(pixels)

        def call(images: torch.Tensor = images) -> None:
            with precision.autocast():
                model(images)
            if precision.device.type == "cuda":
                torch.cuda.synchronize(precision.device)  # a GPU answers before it has worked

        taken = _seconds_of(call, seconds, now)
        milliseconds = 1000 * float(np.median(taken)) / batch_size
        rows.append({"batch_size": batch_size, "milliseconds": milliseconds, "images_per_second": 1000 / milliseconds,
                     "calls": len(taken), "device": device_name(precision.device), "precision": precision.name,
                     "threads": torch.get_num_threads(), "clock": clock})
    return rows


def _seconds_of(call: Callable[[], None], least: float, now: Callable[[], float]) -> list[float]:
    for _ in range(WARM_UP):
        call()
    taken: list[float] = []
    while len(taken) < LEAST or (sum(taken) < least and len(taken) < MOST):
        started = now()
        call()
        taken.append(now() - started)
    return taken
