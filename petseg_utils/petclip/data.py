"""What petclip-mini learns from: captioned photos of the training part, and rendered pets with their captions."""

import csv
import hashlib
import random

import albumentations as A
import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from petseg_utils.classes import BACKGROUND
from petseg_utils.data.cache import PetData
from petseg_utils.data.layouts import Layout
from petseg_utils.errors import DataError
from petseg_utils.petclip.breeds import LOOKS, WITHHELD
from petseg_utils.petclip.captions import draw_caption
from petseg_utils.petclip.vocabulary import tokenize

TEACHER_SIZE = 256  # pixels that a teacher sees: a photo of 128 is enlarged, for a large network sees more then
CROP_SIZE = 112  # pixels of a training crop's side
CROP_SHARE = (0.55, 1.0)  # a crop's side, as a share of the photo's
EMPTY_SHARE = 0.2  # of the rendered pictures' turns: a crop beside the pet, captioned as background
EMPTY_CAPTIONS = ("background", "the background", "a photo of the background", "only background", "no pet",
                  "a photo without a pet", "no cat and no dog")


def captioned_data(oxford: PetData, synthetic: PetData) -> PetData:
    """Both data sets as one, in memory, with a ``caption`` in the manifest for each rendered picture.

    Of Oxford-IIIT Pet the withheld breeds leave the training and the validation part; the test part is whole. Of the
    rendered pets there is a training part only.

    Raises:
        DataError: a breed that we have no words for, or rendered pets without captions.
    """
    unknown = set(oxford.manifest["breed"]) - set(LOOKS)
    if unknown:
        raise DataError(f"there is no description of breed {sorted(unknown)[0]!r}: petclip-mini learns from "
                        "Oxford-IIIT Pet, give that data set")
    manifests = [oxford.manifest.assign(caption=""), synthetic.manifest.assign(caption=_captions(synthetic))]
    withheld = manifests[0]["breed"].isin(WITHHELD) & manifests[0]["part"].isin(["train", "val"])
    manifests[0].loc[withheld, "part"] = "withheld"
    manifests[1].loc[manifests[1]["part"] != "train", "part"] = "unused"
    both = (oxford, synthetic)
    content = f"{oxford.fingerprint} {synthetic.fingerprint} without {' '.join(WITHHELD)}"
    return PetData(
        images=np.concatenate([data.images for data in both]),
        masks=np.concatenate([data.masks for data in both]),
        species=np.concatenate([data.species for data in both]),
        manifest=pd.concat(manifests, ignore_index=True),
        fingerprint=hashlib.sha256(content.encode()).hexdigest()[:16],
        sizes=np.concatenate([data.sizes for data in both]),
        defects=oxford.defects + synthetic.defects,
        layout=Layout(oxford.layout.kind, oxford.layout.root, oxford.layout.samples + synthetic.layout.samples),
    )


def _captions(synthetic: PetData) -> list[str]:
    path = synthetic.layout.root / "annotations" / "captions.csv"
    if not path.is_file():
        raise DataError(f"{str(path)!r} is missing: render the synthetic pets again")
    with path.open(encoding="utf-8", newline="") as file:
        captions = {row["name"]: row["caption"] for row in csv.DictReader(file)}
    return [captions[name] for name in synthetic.manifest["name"]]


class CaptionDataset(Dataset):
    """Crops with captions.

    ``dataset[i]`` is ``(image, text, label, crop, row)``: uint8 (3, 112, 112) RGB; token ids int64 (32,); the breed's
    number int64; the crop as an affine map float32 (2, 3) from its own coordinates to the photo's, both in [-1, 1], as
    ``torch.nn.functional.affine_grid`` takes it; and the photo's row in the manifest. What is drawn depends only on
    (seed, epoch, row).

    Args:
        data: as :func:`captioned_data` returns it.
        seed: seeds crops, colours and captions.
    """

    def __init__(self, data: PetData, seed: int):
        self.data, self.seed, self.epoch = data, seed, 0
        self.rows = data.indices("train")
        self.breeds = breeds_of(data)
        self._colours = A.Compose([
            A.ColorJitter(brightness=(0.7, 1.3), contrast=(0.7, 1.3), saturation=(0.7, 1.3), hue=(-0.03, 0.03), p=0.8),
            A.GaussianBlur(blur_limit=(3, 5), p=0.1),
        ])

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor, int, Tensor, int]:
        row = int(self.rows[i])
        rng = np.random.default_rng((self.seed, self.epoch, row))
        facts = self.data.manifest.iloc[row]
        box, caption = None, facts["caption"]
        if caption and rng.random() < EMPTY_SHARE:
            box = _box_beside_the_pet(self.data.masks[row], rng)
        if box is not None:
            caption = EMPTY_CAPTIONS[rng.integers(len(EMPTY_CAPTIONS))]
        elif not caption:
            caption = draw_caption(facts["breed"], facts["species"], rng)
        crop = _as_affine(_draw_box(rng) if box is None else box, flip=bool(rng.random() < 0.5))
        self._colours.set_random_state(rng, random.Random(int(rng.integers(2**31))))
        image = self._colours(image=_cut(self.data.images[row], crop))["image"]
        return (torch.tensor(image).permute(2, 0, 1), tokenize([caption])[0], self.breeds.index(facts["breed"]),
                torch.tensor(crop), row)


def breeds_of(data: PetData) -> list[str]:
    """The breeds of the training part, in order; a label is a place in this list."""
    return sorted(set(data.manifest["breed"][data.manifest["part"] == "train"]))


Box = tuple[float, float, float, float]  # centre x, centre y, half width, half height; the photo is [-1, 1] x [-1, 1]


def _draw_box(rng: np.random.Generator) -> Box:
    side = rng.uniform(*CROP_SHARE)
    stretch = np.exp(rng.uniform(-0.15, 0.15))
    half_x, half_y = min(side * stretch, 1.0), min(side / stretch, 1.0)
    return rng.uniform(half_x - 1, 1 - half_x), rng.uniform(half_y - 1, 1 - half_y), half_x, half_y


def _box_beside_the_pet(mask: np.ndarray, rng: np.random.Generator) -> Box | None:
    """One of ten drawn boxes that shows background only, if there is one."""
    size = len(mask)
    for _ in range(10):
        half = rng.uniform(0.25, 0.5)
        x, y = rng.uniform(half - 1, 1 - half, 2)
        left, top, right, bottom = (round((value + 1) / 2 * size) for value in (x - half, y - half, x + half, y + half))
        if (mask[top:bottom, left:right] == BACKGROUND).all():
            return x, y, half, half
    return None


def _as_affine(box: Box, flip: bool) -> np.ndarray:
    x, y, half_x, half_y = box
    return np.array([[-half_x if flip else half_x, 0, x], [0, half_y, y]], dtype=np.float32)


def _cut(image: np.ndarray, crop: np.ndarray) -> np.ndarray:
    """The crop of uint8 (S, S, 3) that an affine map describes, uint8 (112, 112, 3)."""
    size = len(image)
    # From pixels of the crop to [-1, 1], through the crop, to pixels of the photo; pixel centres lie at halves.
    to_unit = np.array([[2 / CROP_SIZE, 0, 1 / CROP_SIZE - 1], [0, 2 / CROP_SIZE, 1 / CROP_SIZE - 1], [0, 0, 1]])
    to_pixels = np.array([[size / 2, 0, size / 2 - 0.5], [0, size / 2, size / 2 - 0.5], [0, 0, 1]])
    pixels = (to_pixels @ np.vstack([crop, [0, 0, 1]]) @ to_unit)[:2]
    return cv2.warpAffine(image, pixels, (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                          borderMode=cv2.BORDER_REFLECT_101)
