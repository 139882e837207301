"""Eight ways to spoil a photo, in nine levels each, as the published studies chose them.

A photo is spoiled at its own resolution, before anything resizes it, and its mask stays as it was. What is random is
drawn from the photo's name and the kind alone: every model sees the same pixels, and a level adds to the level before
it (the same noise, louder; the same specks, more of them; the same square, larger).
"""

import zlib
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from petseg_utils.errors import UsageError

VERSION = 1  # raise it when a level becomes another: what was counted before is counted again
_SEED = 0  # of all random fields: they are part of the protocol


class Corruption(NamedTuple):
    """One kind.

    Attributes:
        strengths: of the levels 0 to 9, level 0 being the photo as it is.
        unit: what the strengths are, for axes and tables.
        spoil: photo float32 (H, W, 3) in [0, 255], strength, generator -> photo, not clipped yet.
    """

    strengths: tuple[float, ...]
    unit: str
    spoil: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def _noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    return image + sigma * rng.standard_normal(image.shape, dtype=np.float32)


def _blur(image: np.ndarray, times: float, rng: np.random.Generator) -> np.ndarray:
    # For a side of 3 and sigma 0, OpenCV's kernel is the binomial (1 2 1) / 4 both ways, not a box.
    for _ in range(int(times)):
        image = cv2.GaussianBlur(image, (3, 3), 0)
    return image


def _contrast(image: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    return image * np.float32(factor)


def _brightness(image: np.ndarray, offset: float, _: np.random.Generator) -> np.ndarray:
    return image + np.float32(offset)


def _occlusion(image: np.ndarray, side: float, rng: np.random.Generator) -> np.ndarray:
    # The largest square fits into the photo, if it can, and the smaller ones lie in its middle.
    height, width = image.shape[:2]
    largest = max(CORRUPTIONS["occlusion"].strengths)
    top, left = (rng.uniform(0, max(0.0, extent - largest)) for extent in (height, width))
    inset, image = (largest - side) / 2, image.copy()
    row, column = (round(corner + inset) for corner in (top, left))
    image[row : row + int(side), column : column + int(side)] = 0
    return image


def _salt_and_pepper(image: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    drawn = rng.random(image.shape[:2])[..., None]
    return np.where(drawn < share / 2, 0, np.where(drawn > 1 - share / 2, 255, image))


_FIVES = tuple(float(5 * level) for level in range(10))
CORRUPTIONS = {
    "gaussian noise": Corruption(tuple(2.0 * level for level in range(10)), "sigma, grey levels", _noise),
    "gaussian blur": Corruption(tuple(map(float, range(10))), "times a 3 x 3 kernel", _blur),
    "contrast up": Corruption((1, 1.01, 1.02, 1.03, 1.04, 1.05, 1.1, 1.15, 1.2, 1.25), "factor", _contrast),
    "contrast down": Corruption((1, 0.95, 0.9, 0.85, 0.8, 0.6, 0.4, 0.3, 0.2, 0.1), "factor", _contrast),
    "brightness up": Corruption(_FIVES, "grey levels added", _brightness),
    "brightness down": Corruption(tuple(0.0 - step for step in _FIVES), "grey levels added", _brightness),
    "occlusion": Corruption(_FIVES, "side of the square, pixels", _occlusion),
    "salt and pepper": Corruption(tuple(round(0.02 * level, 2) for level in range(10)), "share of pixels",
                                  _salt_and_pepper),
}
LEVELS = range(1, 10)  # level 0 is the clean photo


def corrupt(image: np.ndarray, kind: str, level: int, name: str) -> np.ndarray:
    """A photo, spoiled.

    Args:
        image: uint8 (H, W, 3) RGB, at the photo's own resolution; left as it is.
        kind: a key of :data:`CORRUPTIONS`.
        level: 0 to 9.
        name: the photo's, from which (and from the kind) all that is random is drawn.

    Returns:
        uint8 (H, W, 3), rounded and clipped to [0, 255]; level 0 is the photo bit for bit.

    Raises:
        UsageError: an unknown kind or level, or no such array.
    """
    if kind not in CORRUPTIONS:
        raise UsageError(f"unknown perturbation {kind!r}: choose one of {', '.join(CORRUPTIONS)}")
    corruption = CORRUPTIONS[kind]
    if level not in range(len(corruption.strengths)):
        raise UsageError(f"level {level!r} of {kind} does not exist: choose 0 to {len(corruption.strengths) - 1}")
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise UsageError(f"the photo is {image.dtype} {image.shape}: give uint8 (H, W, 3), RGB")
    if level == 0:
        return image.copy()
    rng = np.random.default_rng((_SEED, zlib.crc32(kind.encode()), zlib.crc32(name.encode())))
    spoiled = corruption.spoil(image.astype(np.float32), corruption.strengths[level], rng)
    return np.rint(spoiled).clip(0, 255).astype(np.uint8)
