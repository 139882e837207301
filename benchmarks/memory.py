"""Training with freed memory kept (:mod:`petseg_utils.memory`) beside giving it back to the system, as glibc comes."""

import subprocess
import sys
import time

import torch
from timing import Row, Timings, clock_name
from training_step import training_step

from petseg_utils.memory import keep_freed_memory
from petseg_utils.models import build_model
from petseg_utils.precision import Precision, choose_precision
from petseg_utils.profiles import resolve

ROUNDS, STEPS = 5, 3
MODELS = {"unet": "UNet 16", "unet-resattn": "unet-resattn 16"}


def measure() -> list[Row]:
    """A row a model. A process cannot forget what it kept, so each way runs in one of its own, in turns."""
    settings, dtype = resolve("oxford-128"), choose_precision("cpu").name
    rows = []
    for model, name in MODELS.items():
        times: dict[str, list[float]] = {"kept": [], "given back": []}
        for _ in range(ROUNDS):
            for way, seconds in times.items():
                told = subprocess.run([sys.executable, __file__, model, dtype, way], capture_output=True, text=True,
                                      check=True)
                seconds.append(float(told.stdout))
        timings = Timings(times)
        rate = {way: settings.batch_size / timings.median(way) for way in times}
        rows.append(Row(f"training step, {settings.image_size} px, batch {settings.batch_size}, freed memory kept",
                        f"{name}: {rate['kept']:.1f} images/s", f"given back: {rate['given back']:.1f} images/s",
                        timings.ratio("given back", "kept")))
    return rows


def seconds_a_step(model: str, dtype: str) -> float:
    """Of this process, after one step to warm up."""
    settings = resolve("oxford-128")
    precision = Precision(torch.device("cpu"), getattr(torch, dtype))
    torch.manual_seed(0)
    step = training_step(build_model(model, width=settings.width, depth=settings.depth), precision,
                         torch.channels_last, settings.batch_size, settings.image_size)
    step()
    clock = time.process_time if clock_name() == "processor time" else time.perf_counter
    started = clock()
    for _ in range(STEPS):
        step()
    return (clock() - started) / STEPS


if __name__ == "__main__":
    of_model, in_dtype, asked = sys.argv[1:]
    if asked == "kept":
        keep_freed_memory()
    print(seconds_a_step(of_model, in_dtype))
