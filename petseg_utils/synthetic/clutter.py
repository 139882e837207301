"""Objects behind and in front of the pet: boxes, balls, poles, leaves, and edges that hide a part of it."""

import cv2
import numpy as np

from petseg_utils.synthetic.backdrop import choose_colour
from petseg_utils.synthetic.layers import Layer, window_of
from petseg_utils.synthetic.textures import Rng, noise, smoothstep

SHIFT = 4  # OpenCV's drawing takes fixed-point coordinates; 4 bits are a sixteenth of a pixel


def _filled(outlines: list[np.ndarray], size: int) -> np.ndarray:
    """Return the coverage, float32 (S, S) of 0..1, of polygons (K, 2) given in picture widths."""
    canvas = np.zeros((size, size), np.uint8)
    for outline in outlines:
        cv2.fillPoly(canvas, [np.round(outline * (size << SHIFT)).astype(np.int32)], 255, cv2.LINE_AA, SHIFT)
    return canvas.astype(np.float32) / 255


def _surfaced(rng: Rng, coverage: np.ndarray, colour: np.ndarray, light: np.ndarray) -> Layer:
    """Return a layer of one material, shaded across its extent."""
    size = coverage.shape[0]
    line = np.linspace(-1, 1, size, dtype=np.float32)
    angle = rng.normal(0, 0.5)
    rows, columns = window_of(coverage)
    shade = 1 + 0.25 * (np.float32(light[0] + angle) * line[None, columns] + np.float32(light[1]) * line[rows, None])
    shade += 0.10 * noise(rng, size, rng.uniform(5, 70), stretch=rng.uniform(0.3, 3))[rows, columns]
    painted = np.zeros((size, size, 3), np.float32)
    painted[rows, columns] = colour * (shade * coverage[rows, columns])[..., None]
    return Layer(painted, coverage)


def _box(rng: Rng) -> list[np.ndarray]:
    half = rng.uniform(0.06, 0.3, 2)
    angle = rng.normal(0, 0.15)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return [corners @ turn + rng.uniform(0, 1, 2)]


def _round(rng: Rng) -> list[np.ndarray]:
    """Return one blob, from a ball to a bowl or a cushion (a superellipse)."""
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    power = rng.uniform(0.5, 1.0)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return [np.sign(circle) * np.abs(circle) ** power * rng.uniform(0.05, 0.22, 2) + rng.uniform(0, 1, 2)]


def _pole(rng: Rng) -> list[np.ndarray]:
    x, lean, half = rng.uniform(0, 1), rng.normal(0, 0.08), rng.uniform(0.01, 0.04)
    return [np.array([[x - half, -0.1], [x + half, -0.1], [x + lean + half, 1.1], [x + lean - half, 1.1]])]


def _leaves(rng: Rng, low: float = 0.0) -> list[np.ndarray]:
    """Return blades that fan out of one spot whose height is between ``low`` and 1.1."""
    root = np.array([rng.uniform(0, 1), rng.uniform(low, 1.1)])
    blades = []
    for angle in rng.uniform(-1.2, 1.2, rng.integers(4, 11)):
        tip = root + rng.uniform(0.12, 0.42) * np.array([np.sin(angle), -np.cos(angle)])
        wide = rng.uniform(0.006, 0.03) * np.array([np.cos(angle), np.sin(angle)])
        blades.append(np.stack([root - 0.3 * wide, (root + tip) / 2 - wide, tip, (root + tip) / 2 + wide]))
    return blades


def draw_object(rng: Rng, light: np.ndarray, size: int, camouflage: np.ndarray | None) -> Layer:
    """Draw one object for the background."""
    shape = (_box, _round, _pole, _leaves)[rng.choice(4, p=(0.35, 0.35, 0.12, 0.18))]
    return _surfaced(rng, _filled(shape(rng), size), choose_colour(rng, camouflage), light)


def _blanket_edge(rng: Rng) -> list[np.ndarray]:
    """Return a wavy edge that comes up from below or in from one side."""
    along = np.linspace(-0.1, 1.1, 24)
    depth = rng.uniform(0.08, 0.30) + rng.normal(0, 0.12) * (along - 0.5)
    depth = depth + 0.04 * np.sin(along * rng.uniform(4, 16) + rng.uniform(0, 6))
    edge = np.stack([along, 1 - depth], axis=1)
    outline = np.concatenate([edge, [[1.2, 1.2], [-0.2, 1.2]]])
    turn = rng.integers(3)
    if turn == 1:
        outline = outline[:, ::-1]
    elif turn == 2:
        outline = np.stack([1 - outline[:, 1], outline[:, 0]], axis=1)
    return [outline]


def _box_edge(rng: Rng) -> list[np.ndarray]:
    left, right = np.sort(rng.uniform(-0.3, 1.3, 2))
    top = rng.uniform(0.62, 0.92)
    return [np.array([[left, top], [right + 0.2, top + rng.normal(0, 0.05)], [right + 0.2, 1.1], [left, 1.1]])]


def draw_occluder(rng: Rng, light: np.ndarray, size: int, camouflage: np.ndarray | None) -> Layer:
    """Draw something that stands before the pet: a blanket's or a box's edge, a pole, or leaves."""
    kind = rng.choice(4, p=(0.4, 0.25, 0.15, 0.2))
    outlines = (_blanket_edge, _box_edge, _pole, lambda r: _leaves(r, low=0.8))[kind](rng)
    layer = _surfaced(rng, _filled(outlines, size), choose_colour(rng, camouflage), light)
    rim = cv2.blur(layer.coverage, (5, 5), borderType=cv2.BORDER_REPLICATE)
    layer.colour *= (0.8 + 0.2 * smoothstep(0.5, 0.95, rim))[..., None]
    return layer
