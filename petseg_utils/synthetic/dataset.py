"""Writing synthetic pets to disk in the layout of the Oxford-IIIT Pet data set."""

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np

from petseg_utils.atomic import replacing_folder
from petseg_utils.errors import UsageError
from petseg_utils.synthetic.breeds import BREEDS
from petseg_utils.synthetic.scene import SyntheticPet, check_size, render_pet

RENDERER_VERSION = 3  # raise it when pictures change, so that data sets on disk are drawn again
JPEG_QUALITY = 95
MARKER = "synthetic.json"
HEADER = """#Image CLASS-ID SPECIES BREED ID
#ID: 1:{classes} Class ids
#SPECIES: 1:Cat 2:Dog
#BREED ID: 1-{cats}:Cat 1:{dogs}:Dog
#All images with 1st letter as captial are cat images
#images with small first letter are dog images
"""


def write_synthetic_pets(root: Path, *, n_trainval: int, n_test: int, size: int, seed: int = 0) -> Path:
    """Write a data set below ``root``, or reuse the finished one with the same parameters.

    It appears under its name only when it is complete: it is drawn in a folder beside it and then moved.

    Args:
        root: folder that will contain ``oxford-iiit-pet``, as torchvision's ``OxfordIIITPet`` expects.
        n_trainval: number of pictures in ``trainval.txt``; at least one of each breed.
        n_test: the same for ``test.txt``; no picture is in both.
        size: side of the square pictures in pixels, 32 or more.
        seed: another seed gives other pictures.

    Returns:
        The folder ``root/oxford-iiit-pet``.

    Raises:
        UsageError: a number is too small, or the folder holds data that this function has not written.
    """
    check_size(size)
    for name, count in (("n_trainval", n_trainval), ("n_test", n_test)):
        if count < len(BREEDS):
            raise UsageError(f"{name} is {count}, which leaves breeds without a picture: "
                             f"choose {len(BREEDS)} or more, one for each breed")
    parameters = {"renderer_version": RENDERER_VERSION, "n_trainval": n_trainval, "n_test": n_test, "size": size,
                  "seed": seed}
    folder = Path(root) / "oxford-iiit-pet"
    if _parameters_of(folder) == parameters:
        return folder
    if folder.exists() and _parameters_of(folder) is None:
        raise UsageError(f"{folder} holds other data than synthetic pets and is left as it is: choose another root")

    with replacing_folder(folder) as partial:
        _write_files(partial, n_trainval, n_test, size, seed)
        (partial / MARKER).write_text(json.dumps(parameters, indent=1) + "\n", encoding="utf-8")
        if _parameters_of(folder) != parameters:  # else another process was quicker
            shutil.rmtree(folder, ignore_errors=True)
    return folder


def _parameters_of(folder: Path) -> dict[str, int] | None:
    """Return what a finished data set was made with, None for anything else."""
    marker = folder / MARKER
    return json.loads(marker.read_text(encoding="utf-8")) if marker.is_file() else None


def _write_files(folder: Path, n_trainval: int, n_test: int, size: int, seed: int) -> None:
    images, annotations = folder / "images", folder / "annotations"
    images.mkdir(parents=True)
    (annotations / "trimaps").mkdir(parents=True)
    # Sorted by code point, capital letters and so cats come first, within the lists and in the class numbers.
    class_ids = {name: number for number, name in enumerate(sorted(breed.name for breed in BREEDS), start=1)}
    lines: list[str] = []
    captions: list[tuple[str, str]] = []
    for index in range(n_trainval + n_test):
        pet = render_pet(seed, index, size)
        _write_picture(images / f"{pet.name}.jpg", cv2.cvtColor(pet.image, cv2.COLOR_RGB2BGR))
        _write_picture(annotations / "trimaps" / f"{pet.name}.png", pet.trimap)
        lines.append(_line(pet, class_ids))
        captions.append((pet.name, pet.caption))

    species = [breed.species for breed in BREEDS]
    header = HEADER.format(classes=len(BREEDS), cats=species.count(1), dogs=species.count(2))
    (annotations / "list.txt").write_text(header + "".join(sorted(lines)), encoding="ascii")
    (annotations / "trainval.txt").write_text("".join(sorted(lines[:n_trainval])), encoding="ascii")
    (annotations / "test.txt").write_text("".join(sorted(lines[n_trainval:])), encoding="ascii")
    with (annotations / "captions.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", "caption"))
        writer.writerows(sorted(captions))


def _line(pet: SyntheticPet, class_ids: dict[str, int]) -> str:
    return f"{pet.name} {class_ids[pet.breed]} {pet.species} {pet.breed_id}\n"


def _write_picture(path: Path, picture: np.ndarray) -> None:
    """Write ``picture`` (OpenCV's channel order); imencode, unlike imwrite, copes with any file name on Windows."""
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix == ".jpg" else []
    _, data = cv2.imencode(path.suffix, picture, options)
    path.write_bytes(data.tobytes())
