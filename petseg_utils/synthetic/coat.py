"""Colours of what the camera sees of an animal: coat patterns that follow the body, eyes, nose and mouth."""

from dataclasses import dataclass

import numpy as np

from petseg_utils.classes import CAT
from petseg_utils.synthetic.breeds import Breed, Coat
from petseg_utils.synthetic.parts import (
    CHEST,
    COUNT,
    EAR,
    EYE,
    HEAD,
    INNER_EAR,
    LEG,
    MOUTH,
    MUZZLE,
    NECK,
    NOSE,
    PAW,
    TAIL,
    TONGUE,
    TORSO,
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
    """Colours of a head's parts.

    Attributes:
        eye, nose: RGB (3,).
        inner_ear: RGB (3,) that is added to the darkened fur; cats' skin shines through.
        pupil: half (width, height) in radii of the eye; cats have slits.
    """

    eye: np.ndarray
    nose: np.ndarray
    inner_ear: tuple[int, int, int]
    pupil: tuple[float, float]


def choose_face(rng: Rng, breed: Breed) -> FaceColours:
    """Draw the colours of a face."""
    is_cat = breed.species == CAT
    eyes = CAT_EYES if is_cat else DOG_EYES
    noses = ((188, 116, 110), (70, 48, 46), (140, 84, 76)) if is_cat else ((34, 30, 32), (44, 36, 36), (96, 64, 54))
    wide = float(rng.uniform(0.22, 0.62) if is_cat else rng.uniform(0.55, 0.75))
    return FaceColours(jittered(rng, eyes[rng.integers(len(eyes))], 0.2),
                       jittered(rng, noses[rng.integers(len(noses))], 0.15),
                       (112, 70, 66) if is_cat else (36, 26, 22), (wide, 0.92 if is_cat else wide))


def fur_colours(rng: Rng, surface: Surface, coat: Coat, cells: float, size: int) -> np.ndarray:
    """Return the unlit colours of the coat, float32 (N, 3) of 0..255, at the seen pixels.

    Args:
        cells: coat blobs along the picture's width; see :attr:`petseg_utils.synthetic.layers.View.coat_cells`.
        size: S, pixels along the picture's side.
    """
    part, dorsal = surface.part, surface.local[1]
    wobble = surface.pick(noise(rng, size, cells))
    base, second = jittered(rng, coat.base, 0.12), jittered(rng, coat.second, 0.12)
    colours = mix(base, second, _second_share(rng, surface, coat, wobble, cells, size))
    if coat.pattern == "patches":
        dark = smoothstep(0.15, 0.4, surface.pick(noise(rng, size, cells * 0.6)))
        colours = mix(colours, jittered(rng, (48, 42, 40), 0.1), dark)
    if coat.pattern in ("stripes", "solid", "saddle"):  # throat, belly and muzzle are paler
        pale = smoothstep(0.1, 1.1, -dorsal) * np.isin(part, (TORSO, CHEST, NECK)) + (part == MUZZLE) * 0.9
        colours = mix(colours, colours * 0.55 + 100, pale * 0.45)
    return colours


def paint_face(colours: np.ndarray, surface: Surface, face: FaceColours) -> None:
    """Paint the parts without fur over ``colours`` (N, 3), in place."""
    part = surface.part
    inner = part == INNER_EAR
    colours[inner] = colours[inner] * 0.45 + np.array(face.inner_ear, np.float32)
    colours[part == NOSE] = face.nose
    colours[part == MOUTH] = colours[part == MOUTH] * 0.1 + np.array([32, 22, 22], np.float32)
    colours[part == TONGUE] = (206, 110, 116)
    eyes = part == EYE
    colours[eyes] = _eye_colours(surface.local[:, eyes], face)


def _second_share(rng: Rng, surface: Surface, coat: Coat, wobble: np.ndarray, cells: float, size: int) -> np.ndarray:
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


def _eye_colours(local: np.ndarray, face: FaceColours) -> np.ndarray:
    """Return iris, pupil, lid and glint, float32 (N, 3), at the places ``local`` (3, N) on eyeballs."""
    front, up, across = local
    radius = up**2 + across**2
    colours = mix(face.eye, face.eye * 0.6, smoothstep(0.2, 0.9, radius))
    colours[(across / face.pupil[0]) ** 2 + (up / face.pupil[1]) ** 2 < 1] = (12, 10, 12)
    lid = (radius > 0.86) | (front < 0.2)
    colours[lid] = (36, 28, 26)
    glint = (up - 0.35) ** 2 + (across - 0.3) ** 2 < 0.07
    colours[glint & ~lid] = (245, 245, 245)
    return colours
