"""The study's training augmentations, through albumentations: five of them, close-ups for photos from anywhere, and
spoiled photos.

Every pixel that an augmentation invents is marked 255 in the mask (``fill_mask``): albumentations' default, 0, would
teach the model that the grey corner of a rotated photo is background.
"""

import random

import albumentations as A
import cv2
import numpy as np

from petseg_utils.classes import IGNORE
from petseg_utils.errors import UsageError


def _five() -> list[A.BasicTransform]:
    return [
        A.HorizontalFlip(p=0.5),
        A.Affine(scale=(0.85, 1.2), rotate=(-12, 12), translate_percent=(-0.06, 0.06), fill_mask=IGNORE,
                 interpolation=cv2.INTER_LINEAR, mask_interpolation=cv2.INTER_NEAREST, p=0.6),
        A.GridDistortion(num_steps=4, distort_limit=0.15, fill_mask=IGNORE, mask_interpolation=cv2.INTER_NEAREST,
                         p=0.1),
        A.ColorJitter(brightness=(0.75, 1.25), contrast=(0.75, 1.25), saturation=(0.7, 1.3), hue=(-0.03, 0.03), p=0.6),
        A.GaussianBlur(blur_limit=(3, 5), p=0.05),
    ]


def _zoomed() -> list[A.BasicTransform]:
    """The five, and close-ups: people photograph faces, the data set shows whole pets."""
    return [
        A.Affine(scale=(1.2, 2.6), translate_percent=(-0.3, 0.3), fill_mask=IGNORE, interpolation=cv2.INTER_LINEAR,
                 mask_interpolation=cv2.INTER_NEAREST, p=0.5),
        *_five(),
    ]


def _spoiled() -> list[A.BasicTransform]:
    """The five, and half of the photos spoiled as notebook 06 spoils them, in strengths drawn afresh."""
    return [
        *_five(),
        A.OneOf([
            A.GaussNoise(std_range=(0.01, 0.1)),
            A.SaltAndPepper(amount=(0.01, 0.2), salt_vs_pepper=(0.5, 0.5)),
            A.RandomBrightnessContrast(brightness_limit=(-0.2, 0.2), contrast_limit=(-0.9, 0.25),
                                       ensure_safe_range=False),
            A.CoarseDropout(num_holes_range=(1, 1), hole_height_range=(0.1, 0.4), hole_width_range=(0.1, 0.4), fill=0),
        ], p=0.5),
    ]


_AUGMENTATIONS = {"none": list, "five": _five, "zoomed": _zoomed, "spoiled": _spoiled}
AUGMENTATION_NAMES = tuple(_AUGMENTATIONS)


class Augmentation:
    """A chain of augmentations whose randomness depends on the sample alone, not on the process that draws it.

    albumentations 2.0.8 keeps one generator for each pipeline object: DataLoader workers that copy the object all draw
    the same sequence, and draw it again in every epoch. We seed it anew for each sample (0.02 ms), with one generator
    for the whole chain: its own ``set_random_seed`` gives every transform a generator with the same seed, so that all
    throw the same dice (two photos of five would escape all five, and none would only be flipped).

    Args:
        name: ``none``, ``five``, ``zoomed`` or ``spoiled``.
    """

    def __init__(self, name: str):
        if name not in _AUGMENTATIONS:
            raise UsageError(f"unknown augmentation {name!r}: choose one of {', '.join(AUGMENTATION_NAMES)}")
        self.name = name
        transforms = _AUGMENTATIONS[name]()
        self._compose = A.Compose(transforms) if transforms else None

    def __call__(self, image: np.ndarray, mask: np.ndarray, key: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        """Augment one photo and its mask.

        Args:
            image: uint8 (H, W, 3) RGB.
            mask: uint8 (H, W) of {0, 1, 2, 3}.
            key: (seed, epoch, index); the same key draws the same augmentation in any process.

        Returns:
            uint8 (H, W, 3) and uint8 (H, W) of {0, 1, 2, 3, 255}.
        """
        if self._compose is None:
            return image, mask
        seed = int(np.random.SeedSequence(key).generate_state(1)[0])
        self._compose.set_random_state(np.random.default_rng(seed), random.Random(seed))
        augmented = self._compose(image=image, mask=mask)
        return augmented["image"], augmented["mask"]
