"""Choosing an animal's posture and how the camera frames it."""

from dataclasses import dataclass

import numpy as np

from petseg_utils.classes import CAT, DOG
from petseg_utils.synthetic.layers import View
from petseg_utils.synthetic.parts import CHEST, EAR, HEAD, MUZZLE, NECK
from petseg_utils.synthetic.skeleton import POSES, Posture
from petseg_utils.synthetic.solids import Solids
from petseg_utils.synthetic.textures import Rng

# By species, in the order of POSES: cats curl up, dogs stand.
POSE_CHANCES = {CAT: (0.38, 0.17, 0.25, 0.20), DOG: (0.34, 0.36, 0.20, 0.10)}
HEAD_PARTS = (HEAD, MUZZLE, EAR)


@dataclass(frozen=True)
class Framing:
    """What the photo is of: ``body`` (all of it), ``portrait`` (head and chest) or ``head``."""

    name: str
    parts: tuple[int, ...] | None
    low: float  # smallest and largest share of the picture's side that the parts fill
    high: float


FRAMINGS = (Framing("body", None, 0.55, 1.10), Framing("portrait", (*HEAD_PARTS, CHEST, NECK), 0.62, 1.0),
            Framing("head", HEAD_PARTS, 0.60, 1.0))


def choose_posture(rng: Rng, species: int) -> Posture:
    """Draw a posture; animals mostly face the camera, and their heads more so than their bodies."""
    pose = POSES[rng.choice(len(POSES), p=POSE_CHANCES[species])]
    resting = pose == "resting"
    yaw = float(rng.uniform(0.3, 1.9) * rng.choice((-1, 1)) if resting else rng.uniform(-1.75, 1.75))
    away = rng.random() < 0.06  # a few look elsewhere
    head_yaw = float(np.clip(0.45 * yaw + rng.normal(0, 0.9 if away else 0.35), yaw - 1.3, yaw + 1.3))
    return Posture(
        pose=pose, yaw=yaw, look_down=float(rng.uniform(0.35, 0.85) if resting else rng.uniform(0.05, 0.55)),
        head_yaw=head_yaw, head_nod=float(rng.normal(0.0, 0.16)),
        head_tilt=float(rng.normal(0, 0.5 if resting else 0.16)),
        stride=tuple(rng.uniform(-0.35, 0.35, 4)), wag=tuple(rng.uniform(-1, 1, 2)),
        closed=bool(rng.random() < (0.45 if resting else 0.06)), tongue=bool(rng.random() < 0.5))


def choose_framing(rng: Rng) -> Framing:
    """Draw what the photo is of; pet photographers like close-ups."""
    return FRAMINGS[rng.choice(3, p=(0.56, 0.24, 0.20))]


def frame(rng: Rng, solids: Solids, framing: Framing) -> View:
    """Place an animal so that the framed parts fill a random share of the picture, somewhere near its middle."""
    x0, y0, x1, y1 = solids.bounds(framing.parts)
    share = float(np.exp(rng.uniform(np.log(framing.low), np.log(framing.high))))
    scale = share / float(max(x1 - x0, y1 - y0))
    slack = max(1.0 - share, 0.12)
    centre = 0.5 + rng.uniform(-0.5, 0.5, 2) * slack
    if framing.parts is not None:  # the body hangs down out of the picture
        centre[1] = 0.5 - 0.05 + 0.3 * (centre[1] - 0.5)
    return View(scale, (float(centre[0] - scale * (x0 + x1) / 2), float(centre[1] - scale * (y0 + y1) / 2)))
