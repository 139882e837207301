"""From coverage to a trimap: 1 pet, 2 background, 3 border."""

import cv2
import numpy as np

PET_CODE, BACKGROUND_CODE, BORDER_CODE = 1, 2, 3


def trimap_from_coverage(coverage: np.ndarray, width: float) -> np.ndarray:
    """Return the trimap, uint8 (S, S), of a pet's coverage.

    A pixel is pet or background only if all its neighbourhood is; everything else, every mixed pixel among it, is
    border. Thin parts such as tails therefore become border altogether, as they do in the real annotations.

    Args:
        coverage: float32 (S, S) of 0..1.
        width: half width of the border in pixels; at least one pixel is used.
    """
    reach = 2 * max(round(width), 1) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    quantised = np.round(coverage * 255).astype(np.uint8)
    pet = cv2.erode(quantised, kernel) >= 250
    background = cv2.dilate(quantised, kernel) <= 5
    return np.where(pet, PET_CODE, np.where(background, BACKGROUND_CODE, BORDER_CODE)).astype(np.uint8)
