"""What preparing photos costs beside training on them, and how fast synthetic pets are drawn."""

import tempfile
from functools import partial
from pathlib import Path

import torch
from timing import Row, time_in_turns
from training_step import training_step

from petseg_utils.data import open_data
from petseg_utils.data.augment import Augmentation
from petseg_utils.models import build_model
from petseg_utils.precision import choose_precision
from petseg_utils.profiles import resolve
from petseg_utils.synthetic import render_pet, write_synthetic_pets
from petseg_utils.training import RunSpec, train


def measure_waiting(n_trainval: int = 800, n_test: int = 20) -> list[Row]:
    """Share of an epoch that the real training loop waits for data: UNet, size and batch of profile ``oxford-128``,
    five augmentations, on synthetic pets, all in a temporary folder."""
    settings = resolve("oxford-128")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_synthetic_pets(folder, n_trainval=n_trainval, n_test=n_test, size=settings.image_size)
        data = open_data(folder, settings.image_size, folder / "cache")
        spec = RunSpec(model="unet", data=data.fingerprint, image_size=settings.image_size, epochs=1,
                       options={"width": settings.width, "depth": settings.depth}, recipe=settings.recipe,
                       augmentation="five", batch_size=settings.batch_size)
        epoch = train(spec, data, folder / "runs", device="cpu", quiet=True).history().iloc[0]
        steps = len(data.indices("train")) // settings.batch_size
    share = epoch["data_wait_share"]
    return [Row(
        f"waiting for data in an epoch of {steps} steps, {settings.image_size} px, batch {settings.batch_size}, five "
        f"augmentations, {choose_precision('cpu').name}",
        f"{share * epoch['seconds']:.2f} s", f"the epoch, {epoch['seconds']:.1f} s", f"{share:.1%} of it",
    )]


def measure_augmentation() -> list[Row]:
    settings = resolve("oxford-128")
    size, photos = settings.image_size, 8
    augment, pet = Augmentation("five"), render_pet(0, 0, size)
    model = build_model("unet", width=settings.width, depth=settings.depth)
    timings = time_in_turns({
        "augmenting": lambda: [augment(pet.image, pet.trimap, (0, 0, i)) for i in range(photos)],
        "training": training_step(model, choose_precision("cpu"), torch.channels_last, photos, size),
    })
    augmenting, training = timings.median("augmenting"), timings.median("training")
    return [Row(f"the five augmentations of a photo, {size} px", f"{augmenting / photos * 1e3:.2f} ms",
                f"a training step on it, {training / photos * 1e3:.1f} ms", f"{augmenting / training:.1%} of it")]


def measure_renderer() -> list[Row]:
    """Rates, not ratios: nothing else renders these pets."""
    rows = []
    for size in (96, 128, 224):
        timings = time_in_turns({"drawing": partial(_draw, 20, size)}, rounds=3)
        rows.append(Row(f"drawing synthetic pets, {size} px", f"{20 / timings.median('drawing'):.0f} images/s", "", ""))
    return rows


def _draw(count: int, size: int) -> None:
    for index in range(count):
        render_pet(0, index, size)
