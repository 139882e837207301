"""Ratios that this project claims, each measured side by side in one run: ``make bench``.

Every line compares two ways of doing the same work, measured in turns, so that a busy machine slows both. Medians over
the rounds; the machine is named first.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix

from petseg_utils.data.augment import Augmentation
from petseg_utils.metrics import confusion_counts
from petseg_utils.models import build_model
from petseg_utils.precision import Precision, choose_precision, device_name
from petseg_utils.synthetic import render_pet
from petseg_utils.training import cross_entropy

ROUNDS = 5


def seconds_of(*ways: Callable[[], object]) -> list[float]:
    """Median seconds of each way, in turns after one warm-up."""
    for way in ways:
        way()
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for times, way in zip(taken, ways, strict=True):
            started = time.perf_counter()
            way()
            times.append(time.perf_counter() - started)
    return [statistics.median(times) for times in taken]


def training_step(precision: Precision, memory_format: torch.memory_format, batch: int, size: int) -> Callable:
    """One step of a 16-channel UNet on random photos."""
    torch.manual_seed(0)
    model = build_model("unet").to(memory_format=memory_format)
    optimizer = torch.optim.AdamW(model.parameters())
    images = torch.rand(batch, 3, size, size).to(memory_format=memory_format)
    targets = torch.randint(0, 3, (batch, size, size))

    def step() -> None:
        with precision.autocast():
            logits = model(images)
        loss = cross_entropy(logits, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step


def bench_training_step(batch: int = 32, size: int = 128) -> None:
    ours = choose_precision("cpu")
    plain = Precision(torch.device("cpu"), torch.float32)
    fast, slow = seconds_of(training_step(ours, torch.channels_last, batch, size),
                            training_step(plain, torch.contiguous_format, batch, size))
    print(f"training step, UNet 16 x {size} px: {ours.name} channels_last {batch / fast:.0f} images/s, "
          f"float32 NCHW {batch / slow:.0f} images/s, ratio {slow / fast:.1f}")


def bench_augmentation(size: int = 128) -> None:
    """What preparing a photo costs beside training on it."""
    augment, pet = Augmentation("five"), render_pet(0, 0, size)
    step = training_step(choose_precision("cpu"), torch.channels_last, 8, size)
    augmenting, training = seconds_of(lambda: [augment(pet.image, pet.trimap, (0, 0, i)) for i in range(8)], step)
    print(f"five augmentations: {augmenting / 8 * 1e3:.2f} ms an image, {augmenting / training:.1%} of a training step")


def bench_metric_update(side: int = 384) -> None:
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 4, (side, side), np.uint8), rng.integers(0, 3, (side, side), np.uint8)
    there, here = torch.tensor(prediction).long(), torch.tensor(truth).long()
    reference, ours = seconds_of(
        lambda: [multiclass_confusion_matrix(there, here, num_classes=4) for _ in range(20)],
        lambda: [confusion_counts(truth, prediction) for _ in range(20)],
    )
    print(f"metric update, {side} x {side} px: ours {ours / 20 * 1e3:.2f} ms, "
          f"torchmetrics {reference / 20 * 1e3:.2f} ms, ratio {reference / ours:.1f}")


def bench_renderer() -> None:
    """A rate, not a ratio: nothing else renders these pets."""
    for size in (96, 128, 224):
        (taken,) = seconds_of(lambda size=size: [render_pet(0, i, size) for i in range(20)])
        print(f"synthetic pets at {size} px: {20 / taken:.0f} images/s on one core")


if __name__ == "__main__":
    print(f"{device_name(torch.device('cpu'))}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    bench_training_step()
    bench_augmentation()
    bench_metric_update()
    bench_renderer()
