"""Masks of anybody's photos: from a file to probabilities at the photo's own size, and to pictures one can use."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import nn

from petseg_utils.atomic import replacing_file
from petseg_utils.classes import BACKGROUND, CAT, CLASS_NAMES, DOG
from petseg_utils.data.colours import encode_colours, overlay
from petseg_utils.data.decode import BAD_PICTURE, squeeze
from petseg_utils.errors import DataError, UsageError
from petseg_utils.evaluation import resize_logits
from petseg_utils.precision import Precision

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")


@dataclass(frozen=True)
class Prediction:
    """What a model says of one photo.

    Attributes:
        mask: uint8 (H, W) of {0 background, 1 cat, 2 dog}, at the photo's own size.
        probabilities: float32 (3, H, W), summing to 1 over the classes.
    """

    mask: np.ndarray
    probabilities: np.ndarray

    @property
    def label(self) -> str:
        """``cat`` or ``dog``, whichever has more pixels; ``background`` if neither has any."""
        pixels = np.bincount(self.mask.ravel(), minlength=3)
        return CLASS_NAMES[max(CAT, DOG, key=lambda code: pixels[code])] if pixels[1:].any() else "background"


@torch.inference_mode()
def predict_photo(model: nn.Module, image: np.ndarray, image_size: int, precision: Precision) -> Prediction:
    """Segment one photo.

    Args:
        model: in eval mode on ``precision.device``.
        image: uint8 (H, W, 3) RGB, any size.
        image_size: the square that the model was trained on, in pixels.
        precision: device and compute type.
    """
    batch = torch.tensor(squeeze(image, image_size)).permute(2, 0, 1)[None]
    with precision.autocast():
        logits = model(precision.images(batch))[0].float()
    probabilities = resize_logits(logits, image.shape[:2]).softmax(0)
    return Prediction(probabilities.argmax(0).to("cpu", torch.uint8).numpy(), probabilities.cpu().numpy())


def find_photos(paths: Iterable[Path]) -> list[Path]:
    """Files as they are, folders replaced by the photos in them (by suffix, sorted).

    Raises:
        DataError: a path does not exist, or a folder holds no photo.
        UsageError: two photos have the same name but for folder and suffix, which names what is written.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            photos = sorted(p for p in path.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES)
            if not photos:
                raise DataError(f"folder {str(path)!r} holds no photo: put {', '.join(PHOTO_SUFFIXES)} files there")
            found += photos
        elif path.is_file():
            found.append(path)
        else:
            raise DataError(f"photo {str(path)!r} does not exist: give a file or a folder of photos")
    by_stem: dict[str, Path] = {}
    for path in found:
        if by_stem.setdefault(path.stem, path) is not path:
            raise UsageError(f"photos {str(by_stem[path.stem])!r} and {str(path)!r} would write the same files: rename "
                             "one, or predict them into different folders")
    return found


def open_photo(path: Path) -> np.ndarray:
    """A photo as uint8 (H, W, 3) RGB, upright, or :class:`DataError` if the file is none.

    A phone stores its photos as the sensor lay and notes how to turn them. We turn them here, and not where a data set
    is read: there the masks follow the stored pixels.
    """
    try:
        with Image.open(path) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except BAD_PICTURE as error:
        raise DataError(f"photo {str(path)!r} cannot be read ({' '.join(str(error).split())}): give a JPEG or PNG "
                        "file") from None


def write_prediction(folder: Path, stem: str, image: np.ndarray, prediction: Prediction) -> dict[str, Any]:
    """Write ``STEM-mask.png`` (the study's mask colours), ``STEM-overlay.png`` and ``STEM-cutout.png`` (RGBA, the pet
    on nothing), each in one step.

    Returns:
        A row for a table: the label, its mean probability over its own pixels, and the shares of cat and dog.
    """
    alpha = np.where(prediction.mask == BACKGROUND, 0, 255).astype(np.uint8)
    pictures = {
        "mask": encode_colours(prediction.mask),
        "overlay": overlay(image, prediction.mask),
        "cutout": np.dstack([image, alpha]),
    }
    for kind, picture in pictures.items():
        with replacing_file(folder / f"{stem}-{kind}.png") as temporary:
            Image.fromarray(picture).save(temporary, format="PNG")
    code = CLASS_NAMES.index(prediction.label)
    own = prediction.mask == code
    return {
        "label": prediction.label,
        "probability": round(float(prediction.probabilities[code][own].mean()), 4),
        "cat_share": round(float((prediction.mask == CAT).mean()), 4),
        "dog_share": round(float((prediction.mask == DOG).mean()), 4),
    }
