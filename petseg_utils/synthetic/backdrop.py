"""Backgrounds without objects: rooms, gardens, sofas, blankets and out-of-focus blur.

Their colours come from the same list as coats, so that neither a colour nor a background tells cat, dog or nothing.
"""

import numpy as np

from petseg_utils.synthetic.breeds import COATS
from petseg_utils.synthetic.textures import Rng, blurred, jittered, mix, noise, rough, smoothstep

PAINTS = ((196, 200, 196), (150, 170, 186), (178, 160, 132), (132, 78, 62), (92, 110, 84), (214, 204, 180),
          (84, 92, 112), (168, 124, 80), (120, 120, 118), (70, 60, 54), (176, 140, 146))
GREENS = ((96, 122, 52), (122, 140, 74), (80, 104, 60), (150, 140, 84), (128, 112, 78))
PLACES = {"room": "in a room", "grass": "on the grass", "sofa": "on a sofa", "blanket": "on a blanket",
          "blur": "in front of a blurred background"}


def choose_colour(rng: Rng, camouflage: np.ndarray | None) -> np.ndarray:
    """Draw a colour (3,): the ``camouflage`` colour if given, else a coat's or a wall paint's."""
    if camouflage is not None:
        return jittered(rng, tuple(camouflage), 0.15)
    if rng.random() < 0.45:
        coats = tuple(COATS.values())
        return jittered(rng, coats[rng.integers(len(coats))].base, 0.25)
    return jittered(rng, PAINTS[rng.integers(len(PAINTS))], 0.25)


def draw_backdrop(rng: Rng, place: str, size: int, camouflage: np.ndarray | None) -> np.ndarray:
    """Return a background, float32 (S, S, 3); ``place`` is one of :data:`PLACES`."""
    draw = {"room": _room, "grass": _grass, "sofa": _sofa, "blanket": _blanket, "blur": _blur}[place]
    return draw(rng, size, camouflage)


def _plain(rng: Rng, size: int, colour: np.ndarray, grain: float) -> np.ndarray:
    """Return a surface of one colour, uneven by ``grain`` (0..1)."""
    return colour * (1 + grain * rough(rng, size, rng.uniform(3, 12)) * 0.6)[..., None]


def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x (1, S) and y (S, 1) in picture widths."""
    line = (np.arange(size, dtype=np.float32) + 0.5) / size
    return line[None, :], line[:, None]


def _room(rng: Rng, size: int, camouflage: np.ndarray | None) -> np.ndarray:
    x, y = _grid(size)
    horizon = float(rng.uniform(0.2, 0.6)) + float(rng.normal(0, 0.08)) * (x - 0.5)
    wall = _plain(rng, size, choose_colour(rng, None), 0.06)
    if rng.random() < 0.4:  # wallpaper, curtains or panels
        wall *= 1 + 0.12 * np.sign(np.sin(x * rng.uniform(20, 70) + y * rng.uniform(-3, 3)))[..., None]
    floor = _floor(rng, size, choose_colour(rng, camouflage), horizon)
    edge = smoothstep(-0.006, 0.006, y - horizon)
    room = mix(wall, floor, edge)
    board = float(rng.uniform(0.0, 0.05))
    return room * (1 - 0.35 * smoothstep(board + 0.012, board, np.abs(y - horizon)) * rng.integers(2))[..., None]


def _floor(rng: Rng, size: int, colour: np.ndarray, horizon: np.ndarray) -> np.ndarray:
    x, y = _grid(size)
    kind = rng.integers(3)
    if kind == 0:  # carpet
        return _plain(rng, size, colour, 0.10) * (1 + 0.16 * noise(rng, size, 90))[..., None]
    # Floors recede: position along the depth is the inverse of the distance below the horizon.
    far = 0.25 / np.maximum(y - horizon + 0.12, 0.05)
    across = (x - rng.uniform(0.2, 0.8)) * far * 10
    boards = np.floor(across)
    tone = 1 + 0.10 * np.sin(boards * 12.9898 + (0 if kind == 1 else np.floor(far * 7) * 78.233))
    gap = smoothstep(0.06, 0.02, np.abs(across - boards - 0.5) * -1 + 0.5)
    if kind == 2:  # tiles
        gap = np.maximum(gap, smoothstep(0.08, 0.03, np.abs(far * 7 - np.round(far * 7))))
    grain = noise(rng, size, 50, stretch=0.2) if kind == 1 else noise(rng, size, 40)
    return colour * (tone * (1 - 0.35 * gap) * (1 + 0.07 * grain))[..., None]


def _grass(rng: Rng, size: int, camouflage: np.ndarray | None) -> np.ndarray:
    _, y = _grid(size)
    horizon = rng.uniform(-0.3, 0.5)
    green = jittered(rng, GREENS[rng.integers(len(GREENS))], 0.25)
    blades = noise(rng, size, 70, stretch=2.5) + 0.7 * noise(rng, size, 30, stretch=1.6) + 0.5 * noise(rng, size, 6)
    ground = green * (1 + 0.24 * blades)[..., None]
    soil = choose_colour(rng, camouflage)
    ground = mix(ground, soil * (1 + 0.15 * noise(rng, size, 60))[..., None], smoothstep(0.1, 0.7, rough(rng, size, 4)))
    hedge = _blur(rng, size, camouflage) * 0.6 + jittered(rng, GREENS[rng.integers(len(GREENS))], 0.3) * 0.4
    return mix(hedge, ground, smoothstep(-0.02, 0.04, y - horizon + 0.03 * noise(rng, size, 8)))


def _sofa(rng: Rng, size: int, camouflage: np.ndarray | None) -> np.ndarray:
    x, y = _grid(size)
    colour = choose_colour(rng, camouflage)
    weave = 1 + 0.07 * noise(rng, size, 80) + 0.06 * rough(rng, size, 5)
    seat = rng.uniform(0.45, 0.75)
    pillows = rng.integers(2, 5)
    phase = (x * pillows + rng.uniform(0, 1)) % 1
    bulge = np.sin(np.pi * phase) * np.sin(np.pi * np.clip((y + 0.1) / (seat + 0.1), 0, 0.99))
    back = 0.72 + 0.34 * np.sqrt(np.maximum(bulge, 0))
    shade = np.where(y < seat, back, 1.08 - 0.5 * np.exp(-12 * np.abs(y - seat)))
    return colour * (shade * weave)[..., None].astype(np.float32)


def _blanket(rng: Rng, size: int, camouflage: np.ndarray | None) -> np.ndarray:
    x, y = _grid(size)
    colour, other = choose_colour(rng, camouflage), choose_colour(rng, None)
    warp = noise(rng, size, 4)
    angle = rng.uniform(0, np.pi)
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    u, v = x * cos + y * sin + 0.06 * warp, y * cos - x * sin + 0.06 * warp
    rate = rng.uniform(18, 60)
    lines = smoothstep(0.1, 0.5, np.sin(u * rate))
    pattern = (lines, 0.5 * (lines + smoothstep(0.1, 0.5, np.sin(v * rate))), 0 * lines,
               smoothstep(0.2, 0.4, noise(rng, size, rng.uniform(8, 20))))[rng.integers(4)]
    folds = 1 + 0.20 * np.sin(v * rng.uniform(8, 20) + 3 * warp) * rng.uniform(0.2, 1) + 0.08 * noise(rng, size, 80)
    return mix(np.broadcast_to(colour, (size, size, 3)), other, pattern * rng.uniform(0.3, 0.9)) * folds[..., None]


def _blur(rng: Rng, size: int, camouflage: np.ndarray | None) -> np.ndarray:
    first, second, third = choose_colour(rng, camouflage), choose_colour(rng, None), choose_colour(rng, None)
    picture = mix(np.broadcast_to(first, (size, size, 3)), second, smoothstep(-0.4, 0.5, noise(rng, size, 4)))
    picture = mix(picture, third, smoothstep(0.1, 0.6, noise(rng, size, 7, stretch=rng.uniform(0.5, 2))))
    return blurred(picture, 0.015 * size)


def darken_ground(background: np.ndarray, centre: tuple[float, float], radii: tuple[float, float],
                  depth: float) -> None:
    """Put a soft contact shadow (an ellipse, in picture widths) on ``background``, in place."""
    x, y = _grid(background.shape[0])
    distance = ((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2
    background *= (1 - depth * np.exp(-1.2 * distance))[..., None]


def light_up(picture: np.ndarray, rng: Rng, light: np.ndarray) -> np.ndarray:
    """Return ``picture`` brighter towards the light, in its tint, and sometimes with the shadow of leaves."""
    size = picture.shape[0]
    x, y = _grid(size)
    fall = 1 + rng.uniform(0.1, 0.5) * ((x - 0.5) * light[0] + (y - 0.5) * light[1])
    if rng.random() < 0.25:
        fall = fall * (0.9 + 0.25 * smoothstep(-0.1, 0.25, noise(rng, size, rng.uniform(2.5, 7))))
    warmth = float(rng.normal(0, 0.05))
    tint = np.array([1 + warmth, 1 + rng.normal(0, 0.015), 1 - warmth], np.float32) * rng.uniform(0.78, 1.12)
    return picture * (fall.astype(np.float32)[..., None] * tint.astype(np.float32))
