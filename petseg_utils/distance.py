"""How far pixels are from a region's edge, without rounding."""

import cv2
import numpy as np


def squared_distance(region: np.ndarray) -> np.ndarray:
    """Of each pixel of a region, to the nearest pixel outside of it.

    Squares of distances between pixels are whole numbers, so that equal distances are equal here. OpenCV's roots need
    not be: their last bit depends on where in memory the result happens to lie, and with it which of two equally deep
    pixels is the deeper one.

    Args:
        region: bool (H, W).

    Returns:
        float64 (H, W), whole numbers of pixels squared; 0 outside of the region, infinite where nothing is outside.
        Exact for distances up to 1,000 pixels; beyond, as exact as OpenCV's float32 allows.
    """
    if region.all():
        return np.full(region.shape, np.inf)
    roots = cv2.distanceTransform(region.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.rint(np.square(roots, dtype=np.float64))
