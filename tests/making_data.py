"""Tiny data sets on disk, in both layouts, for tests that need to spoil a file or to know every pixel."""

import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 40, 52  # no square: a mask that is turned or a size that is swapped shows
TRAINVAL = ("Birman_1", "Birman_2", "pug_1", "pug_2")
TEST = ("Birman_3", "pug_3")


def photo(name: str, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A smooth random photo that its name determines, uint8 (H, W, 3); no two names give near-duplicates."""
    patches = np.random.default_rng(zlib.crc32(name.encode())).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return cv2.resize(patches, (width, height), interpolation=cv2.INTER_LINEAR)


def trimap(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """An upright ellipse of pet (1) left of the middle, a ring of border (3), else background (2)."""
    y, x = np.mgrid[:height, :width]
    radius = np.hypot((y - height / 2) / (height / 3), (x - width / 3) / (width / 5))
    return np.where(radius < 0.8, 1, np.where(radius < 1.1, 3, 2)).astype(np.uint8)


def colour_mask(name: str) -> np.ndarray:
    """The same ellipse in the coursework's colours; dogs are green, cats dark red."""
    pet = (128, 0, 0) if name[0].isupper() else (0, 128, 0)
    return np.array([(0, 0, 0), pet, (0, 0, 0), (255, 255, 255)], np.uint8)[trimap()]


def list_line(name: str) -> str:
    return f"{name} 1 {1 if name[0].isupper() else 2} 1\n"


def write_picture(path: Path, array: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, quality=95)
    return path


def write_oxford(root: Path, trainval=TRAINVAL, test=TEST, *, folder: str = "oxford-iiit-pet") -> Path:
    """Write the Oxford layout; return the folder that holds ``images`` and ``annotations``."""
    base = root / folder
    for name in (*trainval, *test):
        write_picture(base / "images" / f"{name}.jpg", photo(name))
        write_picture(base / "annotations" / "trimaps" / f"{name}.png", trimap())
    for split, names in (("trainval", trainval), ("test", test)):
        (base / "annotations" / f"{split}.txt").write_text("".join(map(list_line, names)))
    return base


def write_coursework(root: Path, trainval=TRAINVAL, test=TEST) -> Path:
    """Write the coursework layout below ``root`` and return it."""
    for folder, names in (("TrainVal", trainval), ("Test", test)):
        for name in names:
            write_picture(root / folder / "color" / f"{name}.jpg", photo(name))
            write_picture(root / folder / "label" / f"{name}.png", colour_mask(name))
    return root


def centre_of_mass(weights: np.ndarray) -> tuple[float, float]:
    """(x, y) of the centre of non-negative weights (H, W), in pixels; the first pixel's centre is 0.5."""
    height, width = weights.shape
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    return float(weights.sum(0) @ x / weights.sum()), float(weights.sum(1) @ y / weights.sum())
