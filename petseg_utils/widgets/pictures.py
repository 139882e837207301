"""What is shown of a photo that may be far larger than a screen."""

import io

import cv2
import numpy as np
from PIL import Image

from petseg_utils.classes import BACKGROUND, CLASS_NAMES, DISPLAY_COLOURS
from petseg_utils.widgets.state import encode_png

SHOWN_SIDE = 1024  # pixels; the mask is computed, and saved, at the photo's own size
VIEWS = ("mask", "cut-out")
_REST = 0.6  # of the opacity: what is not selected stays easier to see
_JPEG_QUALITY = 92
_SQUARE = 12  # of the chequerboard that stands for nothing, in pixels


def shown_size(height: int, width: int) -> tuple[int, int]:
    """(H, W) at which a photo is shown: its own, or with :data:`SHOWN_SIDE` as the longer side."""
    scale = min(1, SHOWN_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrink(picture: np.ndarray) -> np.ndarray:
    """A photo uint8 (H, W, 3), or a region uint8 (H, W) of {0, 255}, at the size at which it is shown."""
    height, width = shown_size(*picture.shape[:2])
    if picture.shape[:2] == (height, width):
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def photo_file(shown: np.ndarray) -> bytes:
    """A photo uint8 (H, W, 3) as the bytes of a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(shown).save(file, format="JPEG", quality=_JPEG_QUALITY)
    return file.getvalue()


def region_file(alpha: np.ndarray) -> bytes:
    """A region uint8 (H, W) of [0, 255] as the bytes of a PNG file: white, opaque where the region is."""
    return encode_png(np.dstack([np.full_like(alpha, 255), alpha]))


def class_colour(name: str) -> str:
    """The display colour of a class as CSS writes it."""
    return "#{:02x}{:02x}{:02x}".format(*DISPLAY_COLOURS[CLASS_NAMES.index(name)])


def paint_overlay(shown: np.ndarray, alpha: np.ndarray, label: str, opacity: float) -> np.ndarray:
    """What the canvas paints in the browser: the region's class over the region, background over the rest.

    Args:
        shown: uint8 (H, W, 3), the photo as it is shown.
        alpha: uint8 (H, W) of [0, 255], the region.
        label: the region's class.
        opacity: of the colours, in [0, 1].
    """
    share = alpha[..., None].astype(np.float32) / 255
    inside, rest = opacity * share, opacity * _REST * (1 - share) * (label != CLASS_NAMES[BACKGROUND])
    colours = inside * _colour(label) + rest * _colour(CLASS_NAMES[BACKGROUND])
    return np.rint((1 - inside - rest) * shown + colours).astype(np.uint8)


def paint_view(view: str, shown: np.ndarray, alpha: np.ndarray, label: str) -> np.ndarray:
    """The other picture: the mask in display colours, or the cut-out on a chequerboard; arguments as above."""
    share = alpha[..., None].astype(np.float32) / 255
    if view == "mask":
        over, under = _colour(label), _colour(CLASS_NAMES[BACKGROUND])
    else:
        rows, columns = (np.arange(side) // _SQUARE for side in alpha.shape)
        over, under = shown, np.where((rows[:, None] + columns)[..., None] % 2, 255, 224)
    return np.rint(share * over + (1 - share) * under).astype(np.uint8)


def _colour(name: str) -> np.ndarray:
    return np.array(DISPLAY_COLOURS[CLASS_NAMES.index(name)], np.float32)
