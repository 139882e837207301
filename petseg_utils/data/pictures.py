"""Picture files of any mode to RGB, and what their EXIF says of how they stand."""

import numpy as np
from PIL import ExifTags, Image

_TURNS = {  # how to undo each value of EXIF's Orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_rgb(picture: Image.Image) -> np.ndarray:
    """A picture as uint8 (H, W, 3) RGB. What is transparent becomes white, as viewers show it; 16 bits a channel become
    8."""
    if picture.mode.startswith("I") or picture.mode == "F":
        return _from_deep_grey(np.asarray(picture))
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return np.asarray(picture.convert("RGB"))


def turn_of(picture: Image.Image) -> Image.Transpose | None:
    """What makes a picture stand as its EXIF says that it does; ``None`` where it does, or where that cannot be read.
    (Pillow's own function also writes the rest of the EXIF anew, and stumbles over a single odd entry.)"""
    try:
        return _TURNS.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # whatever a damaged block makes its reader raise
        return None


def _from_deep_grey(values: np.ndarray) -> np.ndarray:
    """Grey of more than 8 bits (H, W) as uint8 (H, W, 3): 65535 is white, as in a 16-bit PNG (Pillow cuts at 255), or
    255, or for floats 1, where nothing is brighter."""
    top = values.max(initial=0)
    high = 65535 if top > 255 else 1 if values.dtype.kind == "f" and top <= 1 else 255
    grey = np.rint(np.clip(values.astype(np.float64), 0, high) / high * 255).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
