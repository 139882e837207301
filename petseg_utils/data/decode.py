"""Decode photos and masks from disk, and find every defect on the way.

PIL reads the photos because it refuses a truncated JPEG; OpenCV returns the readable half of it with a warning.
"""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from petseg_utils.classes import BACKGROUND
from petseg_utils.data.layouts import Layout, Sample
from petseg_utils.data.pictures import to_rgb, turn_of
from petseg_utils.errors import DataError

# What PIL raises for a bad file, truncated, damaged or far too large.
BAD_PICTURE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Defect:
    """Something wrong with one file. An ``error`` keeps the photo out; a ``warning`` is told and kept."""

    name: str
    path: Path
    severity: str  # "error" or "warning"
    message: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.path}: {self.message}"


@dataclass(frozen=True)
class Decoded:
    """A photo as decoded: ``image`` uint8 (H, W, 3) RGB, ``mask`` uint8 (H, W) of {0, 1, 2, 3}, and the SHA-256
    digest of its two files."""

    image: np.ndarray
    mask: np.ndarray
    digest: bytes


def read_photo(source: Path | io.BytesIO) -> np.ndarray:
    """Read a photo as uint8 (H, W, 3) RGB, whatever its file's mode (grey, palette, transparency, 16 bits), as its
    pixels are stored."""
    with Image.open(source) as picture:
        return to_rgb(picture)


def _read_as_labelled(source: io.BytesIO) -> np.ndarray:
    """The same of somebody's own photo, whose mask was painted on what a viewer showed: :class:`ValueError` if that is
    not how the pixels are stored. (Trimaps of Oxford-IIIT Pet follow the stored pixels.)"""
    with Image.open(source) as picture:
        if turn_of(picture) is not None:
            raise ValueError("its EXIF says that it stands otherwise than it is stored: store it upright")
        return to_rgb(picture)


def read_mask_file(source: Path | io.BytesIO, kind: str) -> np.ndarray:
    """Read a mask file's raw pixels: uint8 (H, W) trimap values (``oxford``) or (H, W, 3) RGB (``coursework``).

    A trimap stored with a palette keeps its indices: the palette's colours mean nothing.
    """
    with Image.open(source) as picture:
        if kind == "coursework":
            return np.asarray(picture.convert("RGB"))
        if picture.mode not in ("L", "P"):
            raise ValueError(f"trimap has mode {picture.mode}, expected one 8-bit channel")
        return np.asarray(picture)


def read_mask(layout: Layout, sample: Sample) -> np.ndarray:
    """Read a photo's mask at its own size: uint8 (H, W) of {0, 1, 2, 3}."""
    return layout.decode_mask(read_mask_file(sample.mask_path, layout.kind), sample)


def decode(layout: Layout, sample: Sample) -> tuple[Decoded | None, list[Defect]]:
    """Decode one photo and its mask; a photo with an error is ``None``, never a blank stand-in."""
    defects: list[Defect] = []

    def read(path: Path, reader) -> tuple[bytes, np.ndarray | None]:
        try:
            content = path.read_bytes()
            return content, reader(io.BytesIO(content))
        except FileNotFoundError:
            problem = "file is missing"
        except UnidentifiedImageError:
            problem = "file cannot be read (it is no picture)"
        except BAD_PICTURE as error:
            problem = f"file cannot be read ({' '.join(str(error).split())})"
        defects.append(Defect(sample.name, path, "error", problem))
        return b"", None

    reader = _read_as_labelled if layout.kind == "coursework" else read_photo
    image_bytes, image = read(sample.image_path, reader)
    mask_bytes, mask = read(sample.mask_path, lambda f: layout.decode_mask(read_mask_file(f, layout.kind), sample))
    if image is not None and mask is not None and image.shape[:2] != mask.shape:
        (h, w), (mh, mw) = image.shape[:2], mask.shape
        defects.append(Defect(sample.name, sample.mask_path, "error", f"mask is {mw} x {mh}, its photo {w} x {h}"))
    if mask is not None and (problem := layout.contradiction(mask, sample)):
        defects.append(Defect(sample.name, sample.mask_path, "error", problem))
    if image is None or mask is None or defects:
        return None, defects
    if (mask == BACKGROUND).all():
        defects.append(Defect(sample.name, sample.mask_path, "warning", "mask is all background"))
    return Decoded(image, mask, hashlib.sha256(image_bytes + mask_bytes).digest()), defects


def squeeze(image: np.ndarray, size: int) -> np.ndarray:
    """Resize a photo to a square, its aspect ratio given up: uint8 (H, W, 3) to (size, size, 3).

    Squeezing, unlike padding, treats photo and mask alike by construction (a letterboxed photo with a stretched
    mask caps a perfect model at .66 mIoU), and the logits are resized back to (H, W) before scoring.
    """
    if image.shape[:2] == (size, size):
        return image
    shrinks = image.shape[0] >= size and image.shape[1] >= size
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def squeeze_mask(mask: np.ndarray, size: int) -> np.ndarray:
    """Resize a mask to a square: uint8 (H, W) to (size, size), no new codes.

    ``INTER_NEAREST`` takes the pixel at the corner of each cell, half a pixel up and left of where the photo's
    pixels went; ``INTER_NEAREST_EXACT`` takes the one at its centre.
    """
    if mask.shape == (size, size):
        return mask
    return cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST_EXACT)


def refuse_errors(defects: Iterable[Defect]) -> None:
    """Raise :class:`DataError` that lists every error by its file, if there is one."""
    errors = [defect for defect in defects if defect.severity == "error"]
    if errors:
        lines = "\n".join(f"  {defect.path}: {defect.message}" for defect in errors)
        raise DataError(f"{len(errors)} defective file(s): mend or replace them, or leave those photos out with "
                        f"--allow-defects\n{lines}")
