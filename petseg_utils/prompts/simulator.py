"""A simulated user: clicks where the mask is most wrong, as interactive segmentation is evaluated.

Source: Xu, Price, Cohen, Yang, Huang, "Deep Interactive Object Selection", CVPR 2016, section 5 (the largest error
region, and in it the place that is farthest from its edge); Sofiiuk, Petrov, Konushin, "Reviving Iterative Training
with Mask Guidance for Interactive Segmentation" (RITM), ICIP 2022.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from petseg_utils.distance import squared_distance

MAX_CLICKS = 20
RIM = 0.1  # of the depth of a region's deepest pixel: what is called near its edge


@dataclass(frozen=True)
class Click:
    """One click.

    Attributes:
        x, y: pixels of the photo, at the centre of a pixel.
        positive: whether it says "this belongs to it".
    """

    x: float
    y: float
    positive: bool


def next_click(target: np.ndarray, mask: np.ndarray, counted: np.ndarray | None = None) -> Click | None:
    """Where a user who wants ``target`` would click on ``mask``.

    Args:
        target: bool (H, W), what is wanted.
        mask: bool (H, W), what there is; all False before the first click.
        counted: bool (H, W), False where pixels do not count (the border band); all count if ``None``.

    Returns:
        A click at the deepest place of the largest connected error (8 neighbours): positive where something is
        missing, negative where there is too much. ``None`` if nothing is wrong. Of equal errors, the missing one; of
        equal places, the first in reading order.
    """
    counts = np.ones_like(target) if counted is None else counted
    best: tuple[int, bool, np.ndarray] | None = None
    for positive, wrong in ((True, target & ~mask & counts), (False, ~target & mask & counts)):
        number, labels, statistics, _ = cv2.connectedComponentsWithStats(wrong.astype(np.uint8), connectivity=8)
        if number == 1:
            continue
        largest = 1 + int(statistics[1:, cv2.CC_STAT_AREA].argmax())
        area = int(statistics[largest, cv2.CC_STAT_AREA])
        if best is None or area > best[0]:
            best = (area, positive, labels == largest)
    if best is None:
        return None
    _, positive, region = best
    y, x = deepest(region)
    return Click(x + 0.5, y + 0.5, positive)


def deepest(region: np.ndarray) -> tuple[int, int]:
    """(row, column) of the pixel of a region, bool (H, W), that is farthest from its edge; the photo's edge is one."""
    depth = squared_distance(np.pad(region, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row), int(column)


def rim(region: np.ndarray) -> np.ndarray:
    """The pixels of a region, bool (H, W), that are near its edge, bool (H, W); the photo's edge is none, and a region
    that fills the photo is all of it."""
    depth = squared_distance(region)
    return region & (depth <= max(1.5**2, RIM**2 * depth.max()))


def simulate(target: np.ndarray, predict: Callable[[list[Click]], np.ndarray], counted: np.ndarray | None = None,
             max_clicks: int = MAX_CLICKS,
             enough: Callable[[np.ndarray], bool] = lambda _: False) -> tuple[list[Click], np.ndarray]:
    """Click, look, click again, from an empty mask.

    Args:
        target: bool (H, W), what is wanted; not empty.
        predict: all clicks so far -> bool (H, W).
        counted: bool (H, W), False where pixels do not count.
        max_clicks: after so many the user gives up.
        enough: the IoUs so far -> whether anybody wants to know more; if not, the last is kept.

    Returns:
        The clicks, and the IoU after each of ``max_clicks``, float (max_clicks,): a mask that is perfect needs no
        further click, and keeps its IoU.
    """
    counts = np.ones_like(target) if counted is None else counted
    clicks: list[Click] = []
    scores = np.ones(max_clicks)
    mask = np.zeros_like(target)
    for number in range(max_clicks):
        click = next_click(target, mask, counts)
        if click is None:
            break
        clicks.append(click)
        mask = predict(clicks)
        union = ((target | mask) & counts).sum()
        scores[number] = (target & mask & counts).sum() / union if union else 1.0
        if enough(scores[: number + 1]):
            scores[number + 1 :] = scores[number]
            break
    return clicks, scores
