"""Look-alikes that are background: plush toys shaped like pets, and furry cushions in the coats of pets."""

import numpy as np

from petseg_utils.synthetic.breeds import BREEDS, Coat
from petseg_utils.synthetic.coat import fur_colours
from petseg_utils.synthetic.layers import Layer, View, draw_solids
from petseg_utils.synthetic.parts import CHEST, EAR, EYE, INNER_EAR, MOUTH, MUZZLE, NOSE, PAW, TONGUE, TORSO, turned
from petseg_utils.synthetic.skeleton import Posture, build_animal
from petseg_utils.synthetic.solids import Solids, Surface
from petseg_utils.synthetic.textures import Rng

FELT = ((226, 92, 128), (72, 138, 214), (244, 190, 52), (92, 182, 96), (150, 96, 196), (232, 118, 48), (190, 112, 60),
        (64, 178, 180), (238, 152, 176), (206, 60, 56))


def draw_toy(rng: Rng, *, centre: tuple[float, float], width: float, light: np.ndarray, size: int) -> Layer:
    """Draw a plush toy about ``width`` picture widths wide: one felt colour, seams, button eyes."""
    breed = BREEDS[rng.integers(len(BREEDS))]
    yaw, down = float(rng.uniform(-0.9, 0.9)), float(rng.uniform(0.05, 0.45))
    posture = Posture("sitting" if rng.random() < 0.65 else "lying", yaw, down, yaw + float(rng.normal(0, 0.2)), 0.0,
                      float(rng.normal(0, 0.2)), (0.0, 0.0, 0.0, 0.0), tuple(rng.uniform(-1, 1, 2)), False, False)
    solids = build_animal(breed, posture)
    felt, patch = np.array(FELT, np.float32)[rng.choice(len(FELT), 2, replace=False)]
    patch = patch if rng.random() < 0.3 else felt * 0.45 + 130

    def paint(surface: Surface, _size: int) -> np.ndarray:
        part, (along, dorsal, side) = surface.part, surface.local
        colours = np.where(np.isin(part, (MUZZLE, INNER_EAR, PAW, CHEST))[:, None], patch, felt)
        seam = (np.abs(side) < 0.07) & (np.sin(along * 16) > -0.3) & np.isin(part, (TORSO, MUZZLE, EAR))
        colours[seam] = felt * 0.4
        colours[np.isin(part, (NOSE, MOUTH, TONGUE))] = (36, 28, 30)
        eye = part == EYE
        holes = np.square(np.abs(side) - 0.35) + dorsal**2 < 0.05
        colours[eye] = np.where(holes[eye, None], (150, 150, 150), (22, 20, 24))
        return colours

    return draw_solids(rng, solids, paint, view=_fit(solids, centre, width), light=light, size=size, fur=0.02)


def draw_cushion(rng: Rng, coat: Coat, *, centre: tuple[float, float], width: float, light: np.ndarray,
                 size: int) -> Layer:
    """Draw a heap of furry cushions in a pet's coat, without a face or limbs."""
    solids = Solids()
    for _ in range(rng.integers(1, 4)):
        spot = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)])
        radii = (float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.3, 0.6)))
        solids.ellipsoid(TORSO, spot, radii, turned(float(rng.uniform(0, 3)), tilt=float(rng.normal(0, 0.4))))
    view = _fit(solids, centre, width)

    def paint(surface: Surface, fine: int) -> np.ndarray:
        return fur_colours(rng, surface, coat, view.coat_cells, fine)

    return draw_solids(rng, solids, paint, view=view, light=light, size=size, fur=float(rng.uniform(0.1, 0.9)))


def _fit(solids: Solids, centre: tuple[float, float], width: float) -> View:
    x0, y0, x1, y1 = solids.bounds()
    scale = width / float(max(x1 - x0, y1 - y0))
    return View(scale, (centre[0] - scale * float(x0 + x1) / 2, centre[1] - scale * float(y0 + y1) / 2))
