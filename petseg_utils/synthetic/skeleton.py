"""Bodies in a pose: torso, legs, tail and neck as solids, with the head of :mod:`petseg_utils.synthetic.head`.

Body coordinates are (forward, up, side) with the floor at up = 0; see :func:`petseg_utils.synthetic.parts.turned`.
"""

from dataclasses import dataclass

import numpy as np

from petseg_utils.classes import CAT, DOG
from petseg_utils.synthetic.breeds import Breed
from petseg_utils.synthetic.head import add_head
from petseg_utils.synthetic.parts import CHEST, LEG, NECK, PAW, TAIL, TORSO, turned
from petseg_utils.synthetic.solids import Solids

POSES = ("sitting", "standing", "lying", "resting")


@dataclass(frozen=True)
class Posture:
    """How an animal is placed before the camera; angles in radians, as in :func:`turned`.

    Attributes:
        pose: one of :data:`POSES`.
        yaw, look_down: of the body.
        head_yaw, head_nod, head_tilt: of the head, in the same world as the body's (not relative to it).
        stride: (4,) swing of the legs, front left, front right, hind left, hind right.
        wag: (2,) sideways and upward swing of the tail.
        closed: eyes shut.
        tongue: a dog's mouth open.
    """

    pose: str
    yaw: float
    look_down: float
    head_yaw: float
    head_nod: float
    head_tilt: float
    stride: tuple[float, ...]
    wag: tuple[float, ...]
    closed: bool
    tongue: bool


class Body:
    """Places solids in body coordinates."""

    def __init__(self, frame: np.ndarray) -> None:
        self.solids, self.frame = Solids(), frame

    def point(self, at: tuple[float, float, float]) -> np.ndarray:
        return self.frame @ np.array(at)

    def ball(self, part: int, at: tuple[float, float, float], radii: tuple[float, float, float]) -> None:
        self.solids.ellipsoid(part, self.point(at), radii, self.frame)

    def rod(self, part: int, start: tuple[float, float, float], end: tuple[float, float, float],
            r_start: float, r_end: float) -> None:
        self.solids.capsule(part, self.point(start), self.point(end), r_start, r_end, self.frame)


def build_animal(breed: Breed, posture: Posture) -> Solids:
    """Return the solids of one animal; the body's centre is near (0, 0) in camera space, the unit half a torso."""
    body = Body(turned(posture.yaw, look_down=posture.look_down))
    shape = {"sitting": _sitting, "standing": _standing, "lying": _lying, "resting": _resting}[posture.pose]
    chest, hip, neck = shape(body, breed, posture)
    _tail(body, breed, hip, posture)

    reach = breed.neck + 0.45 * breed.head + 0.4 * breed.girth
    base = (chest[0] + 0.1 * breed.girth, chest[1] + 0.25 * breed.girth, chest[2])
    top = tuple(start + reach * towards for start, towards in zip(base, neck, strict=True))
    wide = 1.0 + 0.35 * breed.fur
    body.rod(NECK, base, top, 0.80 * breed.girth, 0.66 * breed.head * wide)
    head_frame = turned(posture.head_yaw, posture.head_nod, posture.head_tilt, posture.look_down)
    lift = (top[0], top[1] + 0.25 * breed.head, top[2])
    centre = body.point(lift) + head_frame @ np.array([0.25, 0.0, 0.0]) * breed.head
    add_head(body.solids, breed, centre, head_frame, closed=posture.closed,
             tongue=posture.tongue and breed.species == DOG)
    return body.solids


def _leg_width(breed: Breed) -> float:
    slim = 0.25 if breed.species == CAT else 0.29
    return breed.girth * (slim + 0.08 * breed.fur)


def _paw(body: Body, breed: Breed, at: tuple[float, float, float]) -> None:
    width = _leg_width(breed) * (1.25 if breed.species == CAT else 1.15)
    body.ball(PAW, (at[0] + 0.6 * width, at[1] + 0.75 * width, at[2]), (1.5 * width, 0.85 * width, width))


def _standing(body: Body, breed: Breed, posture: Posture) -> tuple:
    length, girth, leg = breed.body, breed.girth, breed.leg
    height = leg + 0.75 * girth
    tuck = 0.78 if breed.species == CAT else 0.70
    body.rod(TORSO, (-0.75 * length, height, 0), (0.0, height - 0.04, 0), 0.86 * girth, tuck * 1.12 * girth)
    body.rod(TORSO, (0.0, height - 0.02, 0), (0.72 * length, height, 0), 0.88 * girth, girth)
    body.ball(CHEST, (0.80 * length, height - 0.12, 0), (0.85 * girth, girth, 0.86 * girth))
    width = _leg_width(breed)
    for number, (x, side) in enumerate(((0.80, -1), (0.80, 1), (-0.80, -1), (-0.80, 1))):
        swing = posture.stride[number] * leg
        z = side * 0.48 * girth
        front = x > 0
        hip = (x * length, height - 0.15 * girth, z)
        knee = (x * length + 0.5 * swing + (-0.06 if front else 0.10), 0.52 * leg, z)
        ankle = (x * length + swing - (0.02 if front else 0.14), 1.2 * width, z)
        body.rod(LEG, hip, knee, (0.50 if front else 0.64) * girth, 1.25 * width)
        body.rod(LEG, knee, ankle, 1.2 * width, 0.9 * width)
        _paw(body, breed, (ankle[0], 0.0, z))
    return (0.85 * length, height + 0.15 * girth, 0.0), (-0.85 * length, height + 0.35 * girth, 0.0), (0.58, 0.81, 0.0)


def _sitting(body: Body, breed: Breed, posture: Posture) -> tuple:
    length, girth, leg = breed.body, breed.girth, breed.leg
    top = 0.55 * leg + 0.62 * length + 0.35 * girth
    width = _leg_width(breed)
    body.rod(TORSO, (-0.42 * length, 0.92 * girth, 0), (0.22 * length, top, 0), 1.08 * girth, 0.86 * girth)
    body.ball(CHEST, (0.34 * length, top - 0.30 * girth, 0), (0.66 * girth, 0.95 * girth, 0.78 * girth))
    for side in (-1, 1):
        z = side * 0.40 * girth
        lean = 0.25 * posture.stride[0 if side < 0 else 1]
        elbow = (0.36 * length, 0.55 * top, z)
        foot = (0.44 * length + lean, 1.1 * width, z * 0.9)
        body.rod(LEG, (0.30 * length, top - 0.25 * girth, z), elbow, 0.44 * girth, 1.3 * width)
        body.rod(LEG, elbow, foot, 1.25 * width, 0.95 * width)
        _paw(body, breed, (foot[0], 0.0, foot[2]))
        body.ball(LEG, (-0.18 * length, 0.66 * girth, side * 0.80 * girth), (0.85 * girth, 0.68 * girth, 0.42 * girth))
        _paw(body, breed, (0.02 + 0.14 * length, 0.0, side * 1.02 * girth))
    return (0.26 * length, top + 0.15 * girth, 0.0), (-0.75 * length, 0.45 * girth, 0.0), (0.27, 0.96, 0.0)


def _lying(body: Body, breed: Breed, posture: Posture) -> tuple:
    length, girth = breed.body, breed.girth
    width = _leg_width(breed)
    body.rod(TORSO, (-0.70 * length, 0.86 * girth, 0), (0.66 * length, 1.02 * girth, 0), 0.98 * girth, 0.90 * girth)
    body.ball(CHEST, (0.72 * length, 0.95 * girth, 0), (0.75 * girth, 0.92 * girth, 0.85 * girth))
    reach = 0.72 * length + 0.35 * breed.leg + 0.5 * girth
    for side in (-1, 1):
        z = side * 0.55 * girth
        foot = (reach + 0.3 * posture.stride[0 if side < 0 else 1], 0.9 * width, z)
        body.rod(LEG, (0.62 * length, 0.50 * girth, z), foot, 0.38 * girth, 0.95 * width)
        _paw(body, breed, (foot[0], 0.0, z))
        body.ball(LEG, (-0.62 * length, 0.62 * girth, side * 0.78 * girth), (0.88 * girth, 0.62 * girth, 0.44 * girth))
        _paw(body, breed, (-0.62 * length + 0.75 * girth, 0.0, side * 1.05 * girth))
    return (0.78 * length, 1.18 * girth, 0.0), (-0.95 * length, 0.60 * girth, 0.0), (0.50, 0.87, 0.0)


def _resting(body: Body, breed: Breed, posture: Posture) -> tuple:
    """Curl up: the torso follows an arc on the floor and the chest comes back beside the thighs."""
    girth = breed.girth
    bow = 0.40 * breed.body + 0.40 * girth
    side = -1.0 if posture.yaw > 0 else 1.0  # the chest's end of the arc comes out on the viewer's side
    ring = [(bow * np.cos(a), 0.80 * girth, side * bow * np.sin(a)) for a in np.linspace(-2.5, 1.1, 5)]
    for number, (start, end) in enumerate(zip(ring, ring[1:], strict=False)):
        body.rod(TORSO, start, end, (0.98 - 0.02 * number) * girth, (0.96 - 0.02 * number) * girth)
    body.ball(CHEST, ring[-1], (0.80 * girth, 0.80 * girth, 0.80 * girth))
    width = _leg_width(breed)
    body.ball(LEG, (ring[1][0] * 1.1, 0.62 * girth, ring[1][2] * 1.25), (0.70 * girth, 0.62 * girth, 0.60 * girth))
    for offset in (0.55, 0.95):
        knee = (ring[-1][0] + 0.5 * girth, 0.35 * girth, ring[-1][2] * offset)
        foot = (knee[0] + 0.45 * breed.leg, 1.0 * width, knee[2] - side * 0.1)
        body.rod(LEG, knee, foot, 0.36 * girth, 1.0 * width)
        _paw(body, breed, (foot[0], 0.0, foot[2]))
    return ring[-1], ring[0], (0.75, 0.05, 0.35 * side)


def _tail(body: Body, breed: Breed, hip: tuple[float, float, float], posture: Posture) -> None:
    """Chain capsules along a curve that starts backwards at the hip and bends by the tail's kind."""
    length, thick, bend, start = {
        "thin": (1.5, 0.105, 0.16, 0.0), "plume": (1.35, 0.15, 0.22, 0.1), "sickle": (1.0, 0.10, 0.34, 0.5),
        "curled": (1.15, 0.12, 0.95, 0.9), "stub": (0.25, 0.12, 0.2, 0.6)}[breed.tail]
    on_floor = posture.pose != "standing"
    sideways, upward = posture.wag
    angle, turn = (0.0, 1.1 * sideways) if on_floor else (start + upward, 0.35 * sideways)
    steps = 6
    thick *= 1.0 + 0.9 * breed.fur * (breed.tail in ("plume", "curled"))
    at, step = hip, length / steps
    for number in range(steps):
        heading = turn * (number + 1) / 2 if on_floor else turn
        flat = np.cos(angle)
        end = (at[0] - step * flat * np.cos(heading), at[1] + step * np.sin(angle),
               at[2] + step * flat * np.sin(heading))
        if on_floor and breed.tail != "curled":
            end = (end[0], max(end[1] * 0.6, thick), end[2])
        swell = thick * (0.75 + 0.5 * np.sin(np.pi * (number + 0.6) / steps)) if breed.tail == "plume" else thick
        body.rod(TAIL, at, end, swell, swell * (0.92 if number < steps - 1 else 0.6))
        at, angle = end, angle + bend
