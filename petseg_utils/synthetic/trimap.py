"""From coverage to a trimap: 1 pet, 2 background, 3 border."""

import cv2
import numpy as np

PET_CODE, BACKGROUND_CODE, BORDER_CODE = 1, 2, 3
FULL = 0.98  # coverage from which a pixel is not mixed


def trimap_from_coverage(coverage: np.ndarray, width: float) -> np.ndarray:
    """Return the trimap, uint8 (S, S), of a pet's coverage.

    A pixel is pet or background only if all its neighbourhood is; everything else, every mixed pixel among it, is
    border. Thin parts such as tails therefore become border altogether, as they do in the real annotations.

    Args:
        coverage: float32 (S, S) of 0..1.
        width: half width of the border in pixels, on each side of the mixed pixels.
    """
    pet = _eroded(coverage > FULL, width)
    background = _eroded(coverage < 1 - FULL, width)
    return np.where(pet, PET_CODE, np.where(background, BACKGROUND_CODE, BORDER_CODE)).astype(np.uint8)


def _eroded(mask: np.ndarray, width: float) -> np.ndarray:
    """Return the pixels of ``mask`` that lie farther than ``width`` from all pixels outside of it."""
    if mask.all():
        return mask
    return cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) > width
