"""Smooth random fields and the small arithmetic that pictures are mixed with."""

import cv2
import numpy as np

Rng = np.random.Generator


def noise(rng: Rng, size: int, cells: float, stretch: float = 1.0) -> np.ndarray:
    """Return a smooth random field, float32 (size, size), mean 0, standard deviation near 0.5.

    Args:
        cells: blobs along the picture's width; the field looks alike at every size.
        stretch: how much longer a blob is upright than wide.
    """
    wide, high = max(int(cells), 2), max(int(cells / stretch), 2)
    grid = rng.random((high, wide), np.float32) * 2.6 - 1.3
    # Linear interpolation takes a third of the time, and its kinks show only in large blobs.
    return cv2.resize(grid, (size, size), interpolation=cv2.INTER_LINEAR if cells > 24 else cv2.INTER_CUBIC)


def rough(rng: Rng, size: int, cells: float) -> np.ndarray:
    """Return three octaves of :func:`noise`, float32 (size, size)."""
    return noise(rng, size, cells) + 0.6 * noise(rng, size, 2.3 * cells) + 0.4 * noise(rng, size, 5 * cells)


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
    """Return 0 below ``low``, 1 above ``high`` and a smooth rise between."""
    t = np.clip((x - low) * (1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return ``a`` where ``t`` is 0 and ``b`` where it is 1; ``t`` lacks the colour axis."""
    return a + (b - a) * t[..., None]


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    """Return ``image`` after a Gaussian blur of about ``sigma`` pixels; wide blurs are done on a shrunken copy."""
    shrink = max(int(sigma / 1.5), 1)
    height, width = image.shape[:2]
    small = cv2.resize(image, (-(-width // shrink), -(-height // shrink)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / shrink, 0.1), borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def jittered(rng: Rng, colour: tuple[float, ...], amount: float) -> np.ndarray:
    """Return ``colour`` (3,) with its brightness and, less, its hue changed by a few times ``amount`` (0..1)."""
    factor = 1 + amount * rng.uniform(-1, 1) + 0.35 * amount * rng.uniform(-1, 1, 3)
    return np.clip(np.asarray(colour) * factor, 4, 250).astype(np.float32)
