"""Data: from files in a known layout to uint8 arrays in memory to training and scoring samples."""

from petseg_utils.data.augment import Augmentation
from petseg_utils.data.cache import PetData, open_data
from petseg_utils.data.colours import decode_colours, encode_colours, overlay
from petseg_utils.data.datasets import SegmentationDataset, ValSegmentationDataset

__all__ = [
    "Augmentation",
    "PetData",
    "SegmentationDataset",
    "ValSegmentationDataset",
    "decode_colours",
    "encode_colours",
    "open_data",
    "overlay",
]
