"""Colours of what the camera sees of an animal: coat patterns that follow the body, eyes, nose and mouth."""

from dataclasses import dataclass

import numpy as np

from petseg_utils.classes import CAT
from petseg_utils.synthetic.breeds import Breed, Coat
from petseg_utils.synthetic.parts import (
    CHEST, COUNT, EAR, EYE, HEAD, INNER_EAR, LEG, MOUTH, MUZZLE, NECK, NOSE, PAW, TAIL, TONGUE, TORSO,
)
from petseg_utils.synthetic.solids import Surface
from petseg_utils.synthetic.textures import Rng, jittered, mix, noise, smoothstep

# How much of the second colour a part has, and how that grows towards its dorsal side, by pattern. Parts that are
# not named have none.
LAYOUTS = {
    "bicolour": {MUZZLE: (1.6, 0), CHEST: (1.6, 0), PAW: (1.6, 0), LEG: (0.4, -0.3), NECK: (0.1, -1.2),
                 TORSO: (-0.2, -1.3), HEAD: (-0.4, -0.4), EAR: (-1.5, 0), TAIL: (-0.6, 0)},
    "points": {MUZZLE: (1.4, 0), EAR: (1.6, 0), PAW: (1.5, 0), TAIL: (1.4, 0), LEG: (0.3, 0), HEAD: (0.1, -0.3),
               TORSO: (-0.7, 0.5), NECK: (-0.9, 0), CHEST: (-1, 0)},
    "saddle": {TORSO: (0.2, 1.2), NECK: (0.2, 1.2), HEAD: (0.0, 1.1), EAR: (1.2, 0), TAIL: (0.8, 0.6),
               MUZZLE: (-0.8, 1.2), LEG: (-0.5, 0.5), CHEST: (-0.6, 0), PAW: (-1.2, 0)},
}
# Stripes across a part, per unit of its local length.
STRIPES = {TORSO: 9.0, LEG: 6.5, TAIL: 2.2, HEAD: 0.0, NECK: 6.0, CHEST: 4.0}
CAT_EYES = ((150, 170, 80), (186, 160, 60), (196, 124, 40), (120, 170, 196))
DOG_EYES = ((70, 44, 26), (96, 62, 34), (52, 36, 28), (150, 110, 50))


@dataclass(frozen=True)
class FaceColours:
    """Colours (3,) of bare parts and the opening of the pupils, 0.25 (slit) to 0.8."""

    eye: np.ndarray
    nose: np.ndarray
    pupil: float


def choose_face(rng: Rng, breed: Breed) -> FaceColours:
    """Draw the colours of a face."""
    is_cat = breed.species == CAT
    eyes = CAT_EYES if is_cat else DOG_EYES
    noses = ((188, 116, 110), (70, 48, 46), (140, 84, 76)) if is_cat else ((34, 30, 32), (44, 36, 36), (96, 64, 54))
    return FaceColours(jittered(rng, eyes[rng.integers(4)], 0.2), jittered(rng, noses[rng.integers(3)], 0.15),
                       float(rng.uniform(0.22, 0.62)) if is_cat else float(rng.uniform(0.55, 0.75)))


def albedo(rng: Rng, surface: Surface, breed: Breed, coat: Coat, face: FaceColours, cells: float,
           size: int) -> np.ndarray:
    """Return the unlit colours, float32 (N, 3) of 0..255, of the seen pixels.

    Args:
        cells: coat blobs along the picture's width; it falls as the animal comes nearer.
        size: S, pixels along the picture's side.
    """
    part, (along, dorsal, side) = surface.part, surface.local
    wobble = surface.pick(noise(rng, size, cells))
    base, second = jittered(rng, coat.base, 0.12), jittered(rng, coat.second, 0.12)
    share = _second_share(rng, surface, coat, wobble, cells, size)
    colours = mix(base, second, share)
    if coat.pattern == "patches":
        dark = smoothstep(0.15, 0.4, surface.pick(noise(rng, size, cells * 0.6)))
        colours = mix(colours, jittered(rng, (48, 42, 40), 0.1), dark)
    if coat.pattern in ("stripes", "solid", "saddle"):  # throat, belly and muzzle are paler
        pale = smoothstep(0.1, 1.1, -dorsal) * np.isin(part, (TORSO, CHEST, NECK)) + (part == MUZZLE) * 0.9
        colours = mix(colours, colours * 0.55 + 100, pale * 0.45)
    inner = (part == INNER_EAR)
    colours[inner] = colours[inner] * 0.45 + np.float32([104, 68, 62])
    _paint_eyes(colours, part == EYE, along, dorsal, side, face, breed)
    colours[part == NOSE] = face.nose
    colours[part == MOUTH] = colours[part == MOUTH] * 0.1 + np.float32([32, 22, 22])
    colours[part == TONGUE] = np.float32([206, 110, 116])
    return colours


def _second_share(rng: Rng, surface: Surface, coat: Coat, wobble: np.ndarray, cells: float,
                  size: int) -> np.ndarray:
    """Return how much of the coat's second colour every pixel has, float32 (N,) of 0..1."""
    part, (along, dorsal, side) = surface.part, surface.local
    if coat.pattern in LAYOUTS:
        layout = LAYOUTS[coat.pattern]
        weight = np.array([layout.get(number, (-2.0, 0.0)) for number in range(COUNT)], np.float32)
        share = weight[part, 0] + weight[part, 1] * dorsal + 0.55 * wobble
        if coat.pattern == "bicolour":  # a blaze between the eyes
            share = np.where(part == HEAD, share + 1.4 * smoothstep(0.35, 0.1, np.abs(side)), share)
        if coat.pattern == "points":  # the mask is darkest in the middle of the face, legs darken downwards
            share = share + (part == HEAD) * 0.9 * smoothstep(0.75, 0.2, np.abs(side)) + (part == LEG) * 0.7 * along
        return smoothstep(-0.15, 0.25, share)
    if coat.pattern == "stripes":
        rate = np.array([STRIPES.get(number, 0.0) for number in range(COUNT)], np.float32)
        phase = rate[part] * along + 1.6 * wobble
        phase = np.where(part == HEAD, 11 * side, phase)
        strength = np.isin(part, tuple(STRIPES)) * smoothstep(-0.9, 0.3, dorsal + 0.4 * (part != HEAD))
        return smoothstep(-0.1, 0.65, np.sin(phase + rng.uniform(0, 6))) * strength * 0.85
    if coat.pattern == "spots":
        return smoothstep(0.22, 0.42, surface.pick(noise(rng, size, cells * 2.2))) * 0.9
    if coat.pattern == "patches":
        return smoothstep(0.05, 0.3, surface.pick(noise(rng, size, cells * 0.6)) + 0.2 * wobble)
    return smoothstep(-0.3, 1.3, 0.5 * dorsal + wobble) * 0.6


def _paint_eyes(colours: np.ndarray, eyes: np.ndarray, along: np.ndarray, up: np.ndarray, across: np.ndarray,
                face: FaceColours, breed: Breed) -> None:
    """Paint iris, pupil, lid and glint, in place; cats have slit pupils."""
    front, up, across = along[eyes], up[eyes], across[eyes]
    radius = up**2 + across**2
    iris = mix(face.eye, face.eye * 0.6, smoothstep(0.2, 0.9, radius))
    tall = 0.92 if breed.species == CAT else face.pupil
    pupil = (across / face.pupil) ** 2 + (up / tall) ** 2 < 1
    iris[pupil] = (12, 10, 12)
    lid = (radius > 0.86) | (front < 0.2)
    iris[lid] = (36, 28, 26)
    glint = (up - 0.35) ** 2 + (across - 0.3) ** 2 < 0.07
    iris[glint & ~lid] = (245, 245, 245)
    colours[eyes] = iris
