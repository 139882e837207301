"""Small data sets, runs, models and notebooks that several test files are made of."""

import dataclasses
import inspect
from pathlib import Path

import nbformat
import numpy as np
import torch
from making_data import photo, trimap, write_oxford, write_picture
from nbformat.v4 import new_code_cell, new_notebook
from safetensors.torch import load_file
from torch import Tensor, nn

from petseg_utils.data import PetData
from petseg_utils.data.layouts import Layout
from petseg_utils.models import build_model
from petseg_utils.precision import Precision
from petseg_utils.training import Run, RunSpec, train

FLOAT32 = Precision(torch.device("cpu"), torch.float32)
CLOCK_COLUMNS = ["seconds", "images_per_second", "data_wait_share"]  # of a history; all others repeat to the bit


def subset(data: PetData, **sizes: int) -> PetData:
    """The first photos of some parts, ``subset(data, train=8, val=4, test=4)``, under the same fingerprint."""
    rows = np.sort(np.concatenate([data.indices(part)[:size] for part, size in sizes.items()]))
    return dataclasses.replace(
        data, images=np.array(data.images[rows]), masks=np.array(data.masks[rows]), species=data.species[rows],
        manifest=data.manifest.iloc[rows].reset_index(drop=True), sizes=data.sizes[rows],
        layout=Layout(data.layout.kind, data.layout.root, tuple(data.layout.samples[row] for row in rows)),
    )


def few_photos(data: PetData) -> PetData:
    """22 photos: 10 train (so that a batch of 4 leaves the last two out), 6 validation, 6 test."""
    return subset(data, train=10, val=6, test=6)


def tiny_spec(pets: PetData, /, **changes) -> RunSpec:
    """A run of a second: three epochs of a UNet with two channels."""
    plain = {"model": "unet", "data": pets.fingerprint, "image_size": pets.image_size, "epochs": 3,
             "options": {"width": 2, "depth": 2}, "batch_size": 4, "augmentation": "five"}
    return RunSpec(**(plain | changes))


def train_tiny(data: PetData, folder: Path, **changes) -> Run:
    return train(tiny_spec(data, **changes), data, folder, device="cpu", quiet=True)


def assert_same_training(one: Run, other: Run) -> None:
    """Two runs' weights, losses of every epoch, scores and statistics agree to the bit."""
    assert_same_tensors(load_file(one.best), load_file(other.best))
    assert one.history().drop(columns=CLOCK_COLUMNS).equals(other.history().drop(columns=CLOCK_COLUMNS))
    for split in ("val", "test"):
        for name, array in vars(one.statistics(split)).items():
            np.testing.assert_array_equal(array, getattr(other.statistics(split), name))


def assert_same_tensors(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def small_model(name: str, seed: int = 0) -> nn.Module:
    """A model with seeded weights, made narrow and shallow where its class lets us."""
    torch.manual_seed(seed)
    known = inspect.signature(type(build_model(name))).parameters
    least = (("width", 4), ("depth", 2), ("patch", 8), ("dim", 12), ("decoder_dim", 16), ("decoder_depth", 1))
    return build_model(name, **{option: n for option, n in least if option in known})


def write_sizes(root: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    """Write test photos of the given (height, width) by name in the Oxford layout, and two trainval photos."""
    base = write_oxford(root, ("Birman_1", "pug_1"), tuple(sizes))
    for name, (height, width) in sizes.items():
        write_picture(base / "images" / f"{name}.jpg", photo(name, height, width))
        write_picture(base / "annotations" / "trimaps" / f"{name}.png", trimap(height, width))
    return root


def write_notebook(path: Path, *sources: str, parameters: str | None = None) -> Path:
    """Write a notebook of code cells, the first of them tagged ``parameters`` if given."""
    cells = [new_code_cell(source) for source in sources]
    if parameters is not None:
        cells.insert(0, new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def assert_sentence(text: str, *parts: str) -> None:
    """An error message that fits on one line and names what it should."""
    assert text.strip() and len(text.strip().splitlines()) == 1, text
    for part in parts:
        assert part in text, text
