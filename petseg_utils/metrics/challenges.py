"""What makes pets hard to segment, counted one thing at a time: thin parts, the ambiguous band, look-alike toys.

Counts first, as everywhere: an image leaves a few sums of pixels, from which shares and their intervals follow.
"""

import math
from typing import Any

import cv2
import numpy as np

from petseg_utils.classes import BACKGROUND, BORDER
from petseg_utils.distance import squared_distance
from petseg_utils.metrics.bootstrap import bootstrap_statistic

RADIUS = 0.02  # of the photo's diagonal: what is narrower than twice this is thin


def thin_parts(truth: np.ndarray) -> np.ndarray:
    """The pet's pixels that lie in thin parts: those that an opening of the pet with a disc removes.

    A tail or a leg that no disc of :data:`RADIUS` fits into goes altogether, a body loses its sharp corners only. The
    border is no pet here, so the band has already taken its share of what is thin.

    Args:
        truth: uint8 (H, W) of {0 background, 1 cat, 2 dog, 3 border}.

    Returns:
        bool (H, W).
    """
    pet = ((truth != BACKGROUND) & (truth != BORDER)).view(np.uint8)
    radius = max(1, round(RADIUS * math.hypot(*truth.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    # Beyond the photo's edge the pet goes on: a body that is cut off there is not thin.
    padded = cv2.copyMakeBorder(pet, *(radius,) * 4, cv2.BORDER_REPLICATE)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, disc)[radius:-radius, radius:-radius]
    return (pet == 1) & (opened == 0)


def challenge_counts(truth: np.ndarray, prediction: np.ndarray, toy: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Count what happened to the hard pixels of one image.

    Args:
        truth: uint8 (H, W) of {0 background, 1 cat, 2 dog, 3 border}.
        prediction: uint8 (H, W) of {0, 1, 2}, at the size of ``truth``.
        toy: bool (H, W), background pixels that show a toy, where that is known.

    Returns:
        int64 arrays of pixels: ``parts`` (2, 3), thin parts of the pet and the rest of it: how many, called pet, called
        the right species; ``band`` (2, 2), the half of the border that lies nearer to the pet and the other half: how
        many, called pet; ``toys`` (2, 2), toys and all other background: how many, called pet. Zeros for ``toys`` where
        they are not known.
    """
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise ValueError(f"the mask has shape {truth.shape} and the prediction {prediction.shape}: "
                         "give one image's two (H, W) arrays of the same size")
    called_pet, background, band = prediction != BACKGROUND, truth == BACKGROUND, truth == BORDER
    pet, thin = ~background & ~band, thin_parts(truth)
    inner = band & (squared_distance(~pet) < squared_distance(~background))
    parts = [[_number(region), _number(region & called_pet), _number(region & (prediction == truth))]
             for region in (thin, pet & ~thin)]
    halves = [[_number(region), _number(region & called_pet)] for region in (inner, band & ~inner)]
    toys = [[0, 0], [0, 0]] if toy is None else [[_number(region), _number(region & called_pet)]
                                                 for region in (toy, background & ~toy)]
    return {"parts": np.array(parts), "band": np.array(halves), "toys": np.array(toys)}


def challenge_rows(counts: dict[str, np.ndarray], seed: int = 0) -> list[dict[str, Any]]:
    """Shares of hard and easy pixels, over all images together, with 95 % bootstrap intervals over images.

    Args:
        counts: as of :func:`challenge_counts`, with one more axis (N, ...) in front.
        seed: of the bootstrap.

    Returns:
        Rows with the keys challenge, pixels, metric, n_images, value, ci_low, ci_high; ``n_images`` is the number of
        images that have such pixels. NaN where there are none; no rows of toys where no image has one.
    """
    rows: list[dict[str, Any]] = []

    def add(challenge: str, pixels: str, metric: str, of_them: np.ndarray) -> None:
        (interval,) = bootstrap_statistic(of_them, _share, seed=seed)
        rows.append({"challenge": challenge, "pixels": pixels, "metric": metric,
                     "n_images": int((of_them[:, 0] > 0).sum())} | interval._asdict())

    for place, pixels in enumerate(("thin parts", "rest of the pet")):
        add("thin parts", pixels, "called pet", counts["parts"][:, place, :2])
        add("thin parts", pixels, "right species", counts["parts"][:, place, ::2])
    for place, pixels in enumerate(("half nearer to the pet", "half nearer to the background")):
        add("ambiguous boundary", pixels, "called pet", counts["band"][:, place])
    if counts["toys"][:, 0, 0].any():
        for place, pixels in enumerate(("toys", "other background")):
            add("look-alike toys", pixels, "called pet", counts["toys"][:, place])
        add("look-alike toys", "toys", "photos whose toy is mostly called pet", _mostly(counts["toys"][:, 0]))
    return rows


def _mostly(of_them: np.ndarray) -> np.ndarray:
    """Pixels (N, 2) to images (N, 2): whether there are such pixels, and whether more than half of them are called."""
    there = of_them[:, 0] > 0
    return np.stack([there, there & (2 * of_them[:, 1] > of_them[:, 0])], axis=1).astype(np.int64)


def _share(sums: np.ndarray) -> np.ndarray:
    whole = sums[..., :1]
    return np.divide(sums[..., 1:], whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def _number(region: np.ndarray) -> int:
    return int(np.count_nonzero(region))
