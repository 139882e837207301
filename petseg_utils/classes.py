"""Classes, their codes in a mask, their colours, and what may become of the trimap's border.

A *mask* is a uint8 array (H, W) that keeps everything the trimap knows: 0 background, 1 cat, 2 dog, 3 border.
A *target* is what a loss sees after a border policy: 0, 1, 2, and 255 for pixels that must not count.
The two are kept apart so that a border pixel (real, hard, somebody's) is never confused with a pixel that
augmentation invented at the edge of a rotated photo (255, nobody's).
"""

import numpy as np

from petseg_utils.errors import UsageError

BACKGROUND, CAT, DOG, BORDER, IGNORE = 0, 1, 2, 3, 255
CLASS_NAMES = ("background", "cat", "dog")
NUM_CLASSES = len(CLASS_NAMES)
SPECIES_NAMES = {CAT: "cat", DOG: "dog"}

# How masks are stored as pictures (RGB), by the coursework's convention.
MASK_COLOURS = {BACKGROUND: (0, 0, 0), CAT: (128, 0, 0), DOG: (0, 128, 0), BORDER: (255, 255, 255)}
# How masks are shown (RGB): Okabe and Ito's palette, told apart under the common colour blindnesses. Border is grey.
DISPLAY_COLOURS = {BACKGROUND: (0, 114, 178), CAT: (213, 94, 0), DOG: (0, 158, 115), BORDER: (200, 200, 200)}

BORDER_POLICIES = ("ignore", "background", "pet")


def check_border_policy(policy: str) -> str:
    """Return ``policy`` if it is one of :data:`BORDER_POLICIES`, else raise :class:`UsageError`."""
    if policy not in BORDER_POLICIES:
        raise UsageError(f"unknown border policy {policy!r}: choose one of {', '.join(BORDER_POLICIES)}")
    return policy


def apply_border_policy(mask: np.ndarray, policy: str, species: int) -> np.ndarray:
    """Turn a mask into a training or scoring target.

    Args:
        mask: uint8 (H, W) of {0, 1, 2, 3, 255}.
        policy: ``ignore`` (border becomes 255), ``background`` (0) or ``pet`` (the photo's species).
        species: 1 cat or 2 dog, the photo's species.

    Returns:
        uint8 (H, W) of {0, 1, 2, 255}; the input is left as it was.
    """
    code = {"ignore": IGNORE, "background": BACKGROUND, "pet": species}[check_border_policy(policy)]
    return np.where(mask == BORDER, np.uint8(code), mask)
