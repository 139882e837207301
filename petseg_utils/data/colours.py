"""Masks as colour pictures and back, both ways by look-up: an unknown colour is an error, never a nearest guess."""

import numpy as np

from petseg_utils.classes import DISPLAY_COLOURS, IGNORE, MASK_COLOURS


def _pack(rgb: np.ndarray) -> np.ndarray:
    """RGB uint8 (..., 3) to one int32 (...) per colour."""
    rgb = rgb.astype(np.int32)
    return rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2]


_CODES = {int(_pack(np.array(colour))): code for code, colour in MASK_COLOURS.items()}


def encode_colours(mask: np.ndarray, colours: dict[int, tuple[int, int, int]] = MASK_COLOURS) -> np.ndarray:
    """Paint a mask.

    Args:
        mask: uint8 (H, W) of class codes, each a key of ``colours``.
        colours: RGB of every code; the storage colours, or :data:`petseg_utils.classes.DISPLAY_COLOURS`.

    Returns:
        uint8 (H, W, 3) RGB.

    Raises:
        ValueError: the mask holds a code without a colour.
    """
    unknown = sorted(set(np.unique(mask).tolist()) - set(colours))
    if unknown:
        raise ValueError(f"mask codes {unknown[:5]} have no colour: use codes {sorted(colours)}")
    table = np.zeros((256, 3), dtype=np.uint8)
    for code, colour in colours.items():
        table[code] = colour
    return table[mask]


def overlay(image: np.ndarray, mask: np.ndarray, opacity: float = 0.5) -> np.ndarray:
    """Blend a mask's display colours over a photo, whose own colours are taken out: each colour then is a class.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W) of {0, 1, 2, 3}.
        opacity: of the colours, in [0, 1].

    Returns:
        uint8 (H, W, 3) RGB.
    """
    colours = encode_colours(mask, DISPLAY_COLOURS)
    grey = image.mean(axis=2, keepdims=True, dtype=np.float32)
    return (np.float32(1 - opacity) * grey + np.float32(opacity) * colours).round().astype(np.uint8)


def decode_colours(rgb: np.ndarray) -> np.ndarray:
    """Read a colour mask: uint8 (H, W, 3) RGB to uint8 (H, W) of {0, 1, 2, 3}.

    Raises:
        ValueError: a colour that is none of :data:`petseg_utils.classes.MASK_COLOURS`, or not an RGB array.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"colour mask has shape {rgb.shape}, expected (H, W, 3)")
    packed = _pack(rgb)
    mask = np.full(packed.shape, IGNORE, dtype=np.uint8)
    for key, code in _CODES.items():
        mask[packed == key] = code
    if (mask == IGNORE).any():
        strange = rgb[mask == IGNORE][0].tolist()
        raise ValueError(f"mask colour {tuple(strange)} is none of {sorted(MASK_COLOURS.values())}")
    return mask
