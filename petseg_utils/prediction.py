"""Masks of anybody's photos: from a file to probabilities at the photo's own size, and to pictures one can use."""

import errno
import io
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image, UnidentifiedImageError
from torch import nn
from tqdm import tqdm

from petseg_utils.atomic import replacing_file, write_text
from petseg_utils.classes import BACKGROUND, CAT, CLASS_NAMES, DOG
from petseg_utils.data.colours import encode_colours, overlay
from petseg_utils.data.decode import BAD_PICTURE, squeeze
from petseg_utils.data.pictures import to_rgb, turn_of
from petseg_utils.errors import DataError, PetsegError, UsageError
from petseg_utils.evaluation import resize_logits
from petseg_utils.precision import Precision
from petseg_utils.prompts.selection import Selection

APPLE_SUFFIXES = (".heic", ".heif")
_TABLE = "predictions.csv"
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jfif", ".avif", ".jp2",
                  *APPLE_SUFFIXES)


@dataclass(frozen=True)
class Prediction:
    """What a model says of one photo.

    Attributes:
        mask: uint8 (H, W) of {0 background, 1 cat, 2 dog}, at the photo's own size.
        probabilities: float32 (3, H, W), summing to 1 over the classes.
        region: bool (H, W), what a prompt selected, which may be background; ``None``: the pets.
        score: the probability of the region's class; ``None`` without a prompt.
    """

    mask: np.ndarray
    probabilities: np.ndarray
    region: np.ndarray | None = None
    score: float | None = None

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


def predict_region(selection: Selection) -> Prediction:
    """What a prompt selected as a prediction: one region of one class, and nothing else."""
    return Prediction(selection.codes, selection.classes, selection.mask, selection.score)


def find_photos(paths: Iterable[Path]) -> list[Path]:
    """Files as they are, each once, folders replaced by the photos in them (by suffix, sorted; not those of folders
    in them, and no hidden ones).

    Raises:
        DataError: a path does not exist, or a folder holds no photo.
        UsageError: two photos have the same name but for folder and suffix, which names what is written.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            photos = sorted(p for p in path.iterdir()  # a link to nothing, too: it is refused by name
                            if p.suffix.lower() in PHOTO_SUFFIXES and not p.is_dir() and not p.name.startswith("."))
            if not photos:
                raise DataError(f"folder {str(path)!r} holds no photo (folders in it are not looked into): put "
                                f"{', '.join(PHOTO_SUFFIXES)} files there")
            found += photos
        elif path.is_file():
            found.append(path)
        else:
            raise DataError(f"photo {str(path)!r} does not exist: give a file or a folder of photos")
    found = list({path.resolve(): path for path in found}.values())
    by_stem: dict[str, Path] = {}
    for path in found:
        stem = path.stem.casefold()  # on some systems Rex.png and rex.png are one file
        if by_stem.setdefault(stem, path) is not path:
            raise UsageError(f"photos {str(by_stem[stem])!r} and {str(path)!r} would write the same files: rename "
                             "one, or predict them into different folders")
    return found


def open_photo(path: Path) -> np.ndarray:
    """A photo as uint8 (H, W, 3) RGB, upright, or :class:`DataError` if the file is none; see :func:`decode_photo`."""
    return decode_photo(path, str(path))


def decode_photo(source: Path | io.BytesIO, name: str) -> np.ndarray:
    """A photo as uint8 (H, W, 3) RGB, upright, or :class:`DataError` if ``source`` is none; ``name`` is what it calls
    the photo.

    A phone stores its photos as the sensor lay and notes how to turn them. We turn them here, and not where a data set
    is read: there the masks follow the stored pixels. Modes are brought to RGB by
    :func:`petseg_utils.data.pictures.to_rgb`.
    """
    if Path(name).suffix.lower() in APPLE_SUFFIXES:
        raise DataError(f"photo {name!r} is in Apple's HEIC format, which cannot be read here: export it as JPEG")
    try:
        with Image.open(source) as picture:
            turn = turn_of(picture)
            return to_rgb(picture if turn is None else picture.transpose(turn))
    except BAD_PICTURE as error:
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "no known picture format" if unknown else " ".join(str(error).split())
        raise DataError(f"photo {name!r} cannot be read ({reason}): give a JPEG or PNG file") from None


def predict_files(segment: Callable[[np.ndarray], Prediction], photos: Sequence[Path],
                  folder: Path) -> tuple[pd.DataFrame, list[PetsegError]]:
    """Segment photos from files and write what :func:`write_prediction` writes, with a progress bar.

    Args:
        segment: a photo, uint8 (H, W, 3) RGB, to what is found in it.
        photos: files.
        folder: where the pictures and ``predictions.csv`` go.

    Returns:
        The table, one row a photo, which also goes into ``predictions.csv`` (where rows of other photos stay); and for
        every photo that could not be read, where a click lies outside, or whose pictures could not
        be written, why. The others are not stopped by it.

    Raises:
        OSError: nothing can be written to the folder.
    """
    rows: list[dict[str, Any]] = []
    refused: list[PetsegError] = []
    with tempfile.TemporaryFile(dir=next(place for place in (folder, *folder.parents) if place.exists())):
        pass  # a folder that cannot be written to is told before any work
    try:
        _predict_each(segment, photos, folder, rows, refused)
    finally:  # also when somebody stops it half-way
        table = pd.DataFrame(rows)
        if rows:
            whole = pd.concat([_rows_of_others(folder / _TABLE, table), table])
            write_text(folder / _TABLE, whole.to_csv(index=False, lineterminator="\n"))
    return table, refused


def _rows_of_others(path: Path, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of an earlier table whose pictures still lie in the folder: no photo of ``table`` has their names."""
    try:
        earlier = pd.read_csv(path)
    except (OSError, ValueError):  # there is none, or it is no table
        return table[:0]
    if list(earlier.columns) != list(table.columns):
        return table[:0]
    stems, now = ([Path(photo).stem.casefold() for photo in rows["photo"].astype(str)] for rows in (earlier, table))
    return earlier[[stem not in now for stem in stems]]


def _predict_each(segment: Callable[[np.ndarray], Prediction], photos: Sequence[Path], folder: Path,
                  rows: list[dict[str, Any]], refused: list[PetsegError]) -> None:
    for path in tqdm(photos, desc="photos", unit="photo", mininterval=1, disable=len(photos) == 1):
        try:
            image = open_photo(path)
            prediction = segment(image)
        except PetsegError as error:
            refused.append(error if str(path) in str(error) else type(error)(f"{path}: {error}"))
            continue
        try:
            rows.append({"photo": printable(path)} | write_prediction(folder, path.stem, image, prediction))
        except OSError as error:
            advice = {errno.ENAMETOOLONG: "give the photo a shorter name", errno.ENOSPC: "make room there"}
            refused.append(DataError(f"{printable(path)}: its pictures cannot be written to {printable(folder)!r} "
                                     f"({error.strerror}): {advice.get(error.errno or 0, 'give another folder')}"))


def printable(path: Path) -> str:
    """A path as text that any file and any terminal takes: what is no UTF-8 in its name becomes a question mark."""
    return str(path).encode("utf-8", "replace").decode("utf-8")


def write_prediction(folder: Path, stem: str, image: np.ndarray, prediction: Prediction) -> dict[str, Any]:
    """Write ``STEM-mask.png`` (the study's mask colours), ``STEM-overlay.png`` and ``STEM-cutout.png`` (RGBA, the
    pet, or the region that a prompt selected, on nothing), each in one step.

    Returns:
        A row for a table: the label, its mean probability over its own pixels (with a prompt, that of the region's
        class), and the shares of cat, of dog and of what is cut out.
    """
    region = prediction.mask != BACKGROUND if prediction.region is None else prediction.region
    alpha = np.where(region, 255, 0).astype(np.uint8)
    pictures = {
        "mask": encode_colours(prediction.mask),
        "overlay": overlay(image, prediction.mask),
        "cutout": np.dstack([image, alpha]),
    }
    for kind, picture in pictures.items():
        with replacing_file(folder / f"{stem}-{kind}.png") as temporary:
            Image.fromarray(picture).save(temporary, format="PNG")
    code = CLASS_NAMES.index(prediction.label)
    score = prediction.score
    if score is None:
        score = float(prediction.probabilities[code][prediction.mask == code].mean())
    return {
        "label": prediction.label,
        "probability": round(score, 4),
        "cat_share": round(float((prediction.mask == CAT).mean()), 4),
        "dog_share": round(float((prediction.mask == DOG).mean()), 4),
        "selected_share": float(f"{region.mean():.4g}"),  # decimals would round a small region away
    }
