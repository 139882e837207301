"""PyTorch data sets over the cache, under the names the field uses.

Photos leave as uint8: a quarter of the bytes to pass between processes and to a GPU, where they become floats.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from petseg_utils.classes import apply_border_policy
from petseg_utils.data.augment import Augmentation
from petseg_utils.data.cache import PetData
from petseg_utils.data.manifest import labelled_subset


class Maps(Protocol):
    """Feature maps that are read by row of the manifest, as those of :mod:`petseg_utils.encoders.features`."""

    def read(self, rows: np.ndarray) -> list[Tensor]: ...


class SegmentationDataset(Dataset):
    """Training samples: a photo, augmented, and its target.

    ``dataset[i]`` is ``(image, target)``: uint8 (3, S, S) RGB and uint8 (S, S) of {0, 1, 2, 255}; after them come the
    photo's feature maps, float16 (C_i, h_i, w_i), if there are any. Call :meth:`set_epoch` before each epoch; what is
    drawn then depends only on (seed, epoch, index).

    Args:
        data: the opened data set.
        part: ``train`` (or another part of the manifest).
        augmentation: ``none``, ``five``, ``zoomed`` or ``spoiled``.
        border: what becomes of border pixels, see :func:`petseg_utils.classes.apply_border_policy`.
        seed: seeds the augmentations and the choice of labelled photos.
        label_fraction: share of the photos that are used, see :func:`petseg_utils.data.manifest.labelled_subset`.
        views: after so many epochs the augmentations begin again from the first epoch's; 0: never.
        maps: feature maps of the part's photos in each of the views, if they have been computed.
    """

    def __init__(self, data: PetData, part: str = "train", *, augmentation: str = "none", border: str = "ignore",
                 seed: int = 0, label_fraction: float = 1.0, views: int = 0, maps: Sequence[Maps] = ()):
        self.data = data
        self.rows = labelled_subset(data.manifest, data.indices(part), label_fraction, seed)
        self.augment = Augmentation(augmentation)
        self.border = border
        self.seed = seed
        self.views = views
        self.maps = maps
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch % self.views if self.views else epoch

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Tensor, ...]:
        row = self.rows[i]
        key = (self.seed, self.epoch, int(row))
        image, mask = self.augment(self.data.images[row], self.data.masks[row], key)
        target = apply_border_policy(mask, self.border, int(self.data.species[row]))
        # torch.tensor copies: the cache is memory-mapped read-only and must stay as it is.
        maps = [m[0] for m in self.maps[self.epoch % len(self.maps)].read(np.array([row]))] if self.maps else []
        return torch.tensor(image).permute(2, 0, 1), torch.tensor(target), *maps


class ValSegmentationDataset(Dataset):
    """Scoring samples: a photo, its mask at the study's size, its original mask, and its original size.

    ``dataset[i]`` is ``(image, mask, original_mask, original_size)``: uint8 (3, S, S) RGB, uint8 (S, S) and uint8
    (H, W), both of {0, 1, 2, 3}, and ``(H, W)`` in pixels. Nothing is augmented, nothing is random.
    """

    def __init__(self, data: PetData, part: str):
        self.data = data
        self.rows = data.indices(part)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, Tensor, tuple[int, int]]:
        row = self.rows[i]
        original = torch.tensor(self.data.original_mask(row))
        image = torch.tensor(self.data.images[row]).permute(2, 0, 1)
        return image, torch.tensor(self.data.masks[row]), original, (original.shape[0], original.shape[1])
