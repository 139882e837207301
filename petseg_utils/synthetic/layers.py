"""Solids to lit pictures with coverage, the stuff that scenes are composed of."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from petseg_utils.synthetic.parts import FIRST_BARE
from petseg_utils.synthetic.solids import Solids, Surface, see
from petseg_utils.synthetic.textures import Rng, blurred, noise, smoothstep

SUPERSAMPLING = 1.25


def window_of(coverage: np.ndarray) -> tuple[slice, slice]:
    """Return (rows, columns) of the smallest rectangle of ``coverage`` (S, S) with all that is not zero."""
    left, top, width, height = cv2.boundingRect((coverage > 0).view(np.uint8))
    return slice(top, top + height), slice(left, left + width)


@dataclass
class Layer:
    """A picture with coverage.

    Attributes:
        colour: float32 (S, S, 3) of 0..255, multiplied by coverage.
        coverage: float32 (S, S) of 0..1.
    """

    colour: np.ndarray
    coverage: np.ndarray

    def over(self, background: np.ndarray) -> np.ndarray:
        """Return this layer composited over ``background``, float32 (S, S, 3), which stays as it is."""
        picture = background.copy()
        window = window_of(self.coverage)
        picture[window] *= (1 - self.coverage[window])[..., None]
        picture[window] += self.colour[window]
        return picture


@dataclass(frozen=True)
class View:
    """Where the camera puts a model: ``scale`` picture widths per model unit, zero at ``origin`` (x, y) in widths."""

    scale: float
    origin: tuple[float, float]

    @property
    def coat_cells(self) -> float:
        """Blobs of a coat's pattern along the picture's width; a nearer animal has larger ones."""
        return min(max(2.2 / self.scale, 3.0), 40.0)


def draw_solids(rng: Rng, solids: Solids, paint: Callable[[Surface, int], np.ndarray], *, view: View, light: np.ndarray,
                size: int, fur: float) -> Layer:
    """Draw solids with soft shading, creases and hair.

    Args:
        paint: given the surface and the picture side it was seen at, returns unlit colours (N, 3) of 0..255.
        light: (3,) unit vector towards the light, camera space.
        size: S, pixels along the picture's side.
        fur: 0 smooth to 1 shaggy.
    """
    fine = round(size * SUPERSAMPLING)
    reach = view.scale * fine  # pixels per model unit
    surface = see(solids, reach, (view.origin[0] * fine, view.origin[1] * fine), fine, margin=round(0.03 * fine))
    bare = surface.part >= FIRST_BARE
    if not bare.size:  # out of the picture
        return Layer(np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32))

    # Limbs and torso are separate solids; averaging normals over a hand's breadth welds them into one skin.
    smooth = blurred(surface.spread(surface.normal.T), 0.07 * reach)
    smooth /= np.sqrt(smooth[..., :1] ** 2 + smooth[..., 1:2] ** 2 + smooth[..., 2:] ** 2) + 0.02
    raw = light @ surface.normal
    facing = np.where(bare, raw, 0.75 * (smooth @ light).ravel()[surface.pixels] + 0.25 * raw)
    lit = 0.52 + 0.62 * np.clip(facing, -0.45, 1)

    # Creases: what lies deeper than its surroundings gets less light from all sides.
    around = blurred(surface.spread(surface.depth, elsewhere=surface.depth.min()), 0.10 * reach)
    lit *= 1 - 0.45 * smoothstep(0.02, 0.35, around.ravel()[surface.pixels] - surface.depth)
    strands = noise(rng, fine, 62, stretch=1.4 + 1.4 * fur) + noise(rng, fine, 26, stretch=1.6)
    lit *= np.where(bare, 1, 1 + (0.09 + 0.09 * fur) * surface.pick(strands))

    values = np.ones((bare.size, 4), np.float32)
    np.minimum(paint(surface, fine) * lit[:, None], 255, out=values[:, :3])
    layer = surface.spread(values)
    still = np.minimum(blurred(surface.spread(bare), 0.02 * reach) * 4, 0.9)  # eyes and noses are not hairy
    length = (0.003 + 0.022 * fur) * view.scale**0.5 * fine
    hair = (noise(rng, fine, 80) + 0.7 * noise(rng, fine, 34))[surface.window] * (length * (1 - still))
    whole = np.zeros((fine, fine, 4), np.float32)
    whole[surface.window] = _ruffled(layer, smooth, hair)
    shrunk = cv2.resize(whole, (size, size), interpolation=cv2.INTER_AREA)
    return Layer(np.ascontiguousarray(shrunk[..., :3]), np.ascontiguousarray(shrunk[..., 3]))


def _ruffled(layer: np.ndarray, normals: np.ndarray, hair: np.ndarray) -> np.ndarray:
    """Displace pixels along the surface's normals, by ``hair`` (h, w) pixels: smooth outlines become hairy."""
    height, width = hair.shape
    columns = np.arange(width, dtype=np.float32)[None, :] + normals[..., 0] * hair
    rows = np.arange(height, dtype=np.float32)[:, None] + normals[..., 1] * hair
    return cv2.remap(layer, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
