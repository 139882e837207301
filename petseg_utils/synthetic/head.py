"""Heads: what tells a cat from a dog. Ears, muzzle, nose, mouth and eyes as solids."""

import numpy as np

from petseg_utils.classes import CAT
from petseg_utils.synthetic.breeds import Breed
from petseg_utils.synthetic.parts import EAR, EYE, HEAD, INNER_EAR, MOUTH, MUZZLE, NOSE, TONGUE
from petseg_utils.synthetic.solids import Solids


class HeadBuilder:
    """Places solids in head coordinates: (forward, up, side) in units of the skull's radius."""

    def __init__(self, solids: Solids, centre: np.ndarray, frame: np.ndarray, radius: float) -> None:
        self.solids, self.centre, self.frame, self.radius = solids, centre, frame, radius

    def point(self, forward: float, up: float, side: float) -> np.ndarray:
        return self.centre + self.frame @ np.array([forward, up, side]) * self.radius

    def ball(self, part: int, at: tuple[float, float, float], radii: tuple[float, float, float],
             frame: np.ndarray | None = None) -> None:
        r = self.radius
        scaled = (radii[0] * r, radii[1] * r, radii[2] * r)
        self.solids.ellipsoid(part, self.point(*at), scaled, self.frame if frame is None else frame)

    def rod(self, part: int, start: tuple[float, float, float], end: tuple[float, float, float],
            r_start: float, r_end: float) -> None:
        self.solids.capsule(part, self.point(*start), self.point(*end), r_start * self.radius, r_end * self.radius,
                            self.frame)

    def eye(self, skull: tuple[float, float, float], up: float, side: float, size: float, closed: bool) -> None:
        """Set an eye on the skull's surface, turned half way from the surface's normal to straight ahead."""
        forward = skull[0] * np.sqrt(1 - (up / skull[1]) ** 2 - (side / skull[2]) ** 2)
        at = np.array([forward, up, side])
        if closed:
            half = np.array([-0.05, -0.04, size * np.sign(side)])
            self.rod(MOUTH, tuple(at - half * 0.9), tuple(at + [0.06, -0.08, 0]), 0.04, 0.04)
            self.rod(MOUTH, tuple(at + [0.06, -0.08, 0]), tuple(at + half * 0.9), 0.04, 0.04)
            return
        normal = at / np.square(skull)
        normal = normal / np.linalg.norm(normal) + [1.0, 0.0, 0.0]
        normal /= np.linalg.norm(normal)
        across = np.cross(normal, [0.0, 1.0, 0.0])
        across /= np.linalg.norm(across)
        frame = self.frame @ np.stack([normal, np.cross(across, normal), across], axis=1)
        self.ball(EYE, tuple(at - normal * 0.02), (0.14, size, size * 1.06), frame)


def add_head(solids: Solids, breed: Breed, centre: np.ndarray, frame: np.ndarray, *, closed: bool,
             tongue: bool) -> None:
    """Add a head of ``breed`` whose skull is centred at ``centre`` (3,) and turned by ``frame`` (3, 3)."""
    head = HeadBuilder(solids, centre, frame, breed.head)
    if breed.species == CAT:
        _cat_face(head, breed, closed)
    else:
        _dog_face(head, breed, closed, tongue)
    for side in (-1.0, 1.0):
        _ear(head, breed, side)


def _cat_face(head: HeadBuilder, breed: Breed, closed: bool) -> None:
    skull = (0.92, 0.86, 1.0)
    length, width = breed.muzzle, breed.muzzle_width
    tip = 0.80 + 0.45 * length
    head.ball(HEAD, (0.0, 0.0, 0.0), skull)
    head.rod(HEAD, (0.55, 0.12, 0.0), (tip - 0.06, -0.16, 0.0), 0.34, 0.16)
    head.ball(MUZZLE, (0.62, -0.52, 0.0), (0.30, 0.20, 0.30))
    for side in (-1.0, 1.0):
        head.ball(HEAD, (0.22, -0.32, side * 0.50), (0.50, 0.42, 0.46 + 0.22 * breed.fur))
        head.ball(MUZZLE, (tip - 0.24, -0.34, side * width * 0.42), (0.28, 0.21, width * 0.52))
        head.eye(skull, 0.10, side * 0.43, 0.24, closed)
        head.rod(MOUTH, (tip + 0.03, -0.44, 0.0), (tip - 0.16, -0.52, side * 0.24), 0.03, 0.02)
    head.ball(NOSE, (tip + 0.04, -0.20, 0.0), (0.09, 0.075, 0.12))
    head.rod(MOUTH, (tip + 0.05, -0.26, 0.0), (tip + 0.03, -0.44, 0.0), 0.03, 0.03)


def _dog_face(head: HeadBuilder, breed: Breed, closed: bool, tongue: bool) -> None:
    skull = (0.95, 0.86, 0.90)
    length, width = breed.muzzle, breed.muzzle_width
    tip = 0.72 + length
    head.ball(HEAD, (0.0, 0.0, 0.0), skull)
    head.ball(HEAD, (0.25, -0.30, 0.0), (0.60, 0.48, 0.80 + 0.15 * breed.fur))
    head.rod(HEAD, (0.45, 0.02, 0.0), (0.62 + 0.5 * length, -0.20, 0.0), 0.42, width * 0.72)
    head.rod(MUZZLE, (0.62, -0.26, 0.0), (tip, -0.26, 0.0), width * 0.90, width * 0.74)
    for side in (-1.0, 1.0):
        head.ball(MUZZLE, (tip - 0.12, -0.42, side * width * 0.38), (0.36, width * 0.56, width * 0.52))
        head.eye(skull, 0.20, side * 0.42, 0.13, closed)
        head.rod(MOUTH, (tip + width * 0.66, -0.50, 0.0), (0.60, -0.58, side * width * 0.98), 0.035, 0.035)
    head.ball(NOSE, (tip + width * 0.62, -0.10, 0.0), (0.19, 0.17, 0.24))
    head.rod(MOUTH, (tip + width * 0.72, -0.20, 0.0), (tip + width * 0.66, -0.48, 0.0), 0.03, 0.03)
    jaw = -0.78 if tongue else -0.62
    head.rod(MUZZLE, (0.45, -0.50, 0.0), (tip - 0.12, jaw, 0.0), width * 0.66, width * 0.48)
    if tongue:
        head.ball(TONGUE, (tip + 0.16, -0.82, 0.0), (0.14, 0.34, width * 0.36))
    if breed.fur > 0.7 and breed.ear == "folded":  # a terrier's beard
        head.ball(MUZZLE, (tip - 0.10, -0.66, 0.0), (0.40, 0.46, width * 0.80))


def _ear(head: HeadBuilder, breed: Breed, side: float) -> None:
    size = breed.ear_size
    if breed.ear == "upright" and breed.species == CAT:
        tip = (-0.02, 0.56 + 0.92 * size, side * (0.62 + 0.22 * size))
        head.rod(EAR, (-0.05, 0.48, side * 0.54), tip, 0.40, 0.05)
        head.rod(INNER_EAR, (0.19, 0.56, side * 0.58), (0.06, tip[1] - 0.14, tip[2]), 0.24, 0.03)
    elif breed.ear == "upright":
        tip = (-0.02, 0.60 + 0.92 * size, side * (0.42 + 0.12 * size))
        head.rod(EAR, (-0.12, 0.52, side * 0.42), tip, 0.32, 0.09)
        head.rod(INNER_EAR, (0.05, 0.60, side * 0.44), (0.08, tip[1] - 0.16, tip[2]), 0.20, 0.05)
    elif breed.ear == "folded":
        bend = (-0.02, 0.62 + 0.42 * size, side * (0.62 + 0.28 * size))
        head.rod(EAR, (-0.10, 0.50, side * 0.56), bend, 0.30, 0.20)
        head.rod(EAR, bend, (0.36 + 0.3 * size, 0.52, side * (0.70 + 0.30 * size)), 0.20, 0.07)
    else:
        down = np.array([0.12, -1.0, side * 0.16])
        down /= np.linalg.norm(down)
        out = np.cross(down, [1.0, 0.0, 0.0])
        out /= np.linalg.norm(out)
        frame = head.frame @ np.stack([down, np.cross(out, down), out], axis=1)
        length = 0.34 + 0.48 * size
        head.ball(EAR, (-0.08, 0.42, side * 0.74), (0.32, 0.26, 0.24))
        head.ball(EAR, (-0.02, 0.50 - 0.86 * length, side * 0.98), (length, 0.40, 0.15), frame)
