"""One synthetic photo: a pet in a scene, its trimap and its caption."""

from dataclasses import dataclass

import numpy as np

from petseg_utils.classes import CAT, SPECIES_NAMES
from petseg_utils.errors import UsageError
from petseg_utils.synthetic.backdrop import PLACES, darken_ground, draw_backdrop, light_up
from petseg_utils.synthetic.breeds import BREEDS, COATS, Breed, Coat
from petseg_utils.synthetic.clutter import draw_object, draw_occluder
from petseg_utils.synthetic.coat import choose_face, fur_colours, paint_face
from petseg_utils.synthetic.layers import Layer, View, draw_solids
from petseg_utils.synthetic.plush import draw_cushion, draw_toy
from petseg_utils.synthetic.posing import Framing, choose_framing, choose_posture, frame
from petseg_utils.synthetic.skeleton import Posture, build_animal
from petseg_utils.synthetic.solids import Surface
from petseg_utils.synthetic.textures import Rng, blurred
from petseg_utils.synthetic.trimap import BACKGROUND_CODE, trimap_from_coverage

MIN_SIZE = 32
# A pet must keep this share of what the frame shows of it; an occluder that hides more is taken away.
VISIBLE_SHARE = 0.62


@dataclass(frozen=True)
class SyntheticPet:
    """A picture with everything the data set's files say about it.

    Attributes:
        name: file name without suffix, ``BREED_NUMBER``.
        breed: breed's name; capital first letter for cats.
        species: 1 cat, 2 dog.
        breed_id: 1, 2, ... in the sorted names of the species' breeds.
        image: uint8 (S, S, 3), RGB.
        trimap: uint8 (S, S): 1 pet, 2 background, 3 border.
        caption: one sentence.
        toy: bool (S, S), where a plush toy, which is background, covers at least half of the pixel.
    """

    name: str
    breed: str
    species: int
    breed_id: int
    image: np.ndarray
    trimap: np.ndarray
    caption: str
    toy: np.ndarray


def check_size(size: int) -> int:
    """Return ``size`` if pictures can be that small, else raise :class:`UsageError`."""
    if size < MIN_SIZE:
        raise UsageError(f"synthetic pets cannot be drawn at {size} pixels: choose a size of {MIN_SIZE} or more")
    return size


def render_pet(seed: int, index: int, size: int) -> SyntheticPet:
    """Draw picture number ``index`` (0, 1, ...) of the data set ``seed`` at ``size`` x ``size`` pixels.

    The result depends on the three arguments only. The same seed and index give the same scene at every size.
    """
    check_size(size)
    rng = np.random.default_rng([seed, index])
    breed = BREEDS[index % len(BREEDS)]
    coat = COATS[breed.coats[rng.integers(len(breed.coats))]]
    posture, framing = choose_posture(rng, breed.species), choose_framing(rng)
    place = tuple(PLACES)[rng.choice(len(PLACES), p=(0.30, 0.20, 0.16, 0.18, 0.16))]

    light = np.array([rng.uniform(-0.8, 0.8), -rng.uniform(0.2, 0.9), rng.uniform(0.4, 0.9)], np.float32)
    light /= np.linalg.norm(light)
    pet, view = _draw_pet(rng, breed, coat, posture, framing, light, size)
    picture, toy = _draw_background(rng, place, coat, light, size)
    if framing.name == "body":
        radius = 0.9 * breed.body * view.scale
        darken_ground(picture, view.origin, (radius, 0.35 * radius), float(rng.uniform(0.25, 0.65)))
    picture = pet.over(picture)
    coverage = pet.coverage
    toy = toy * (1 - coverage)
    if rng.random() < 0.35:
        occluder = draw_occluder(rng, light, size, np.array(coat.base) if rng.random() < 0.3 else None)
        left = coverage * (1 - occluder.coverage)
        if left.sum() > VISIBLE_SHARE * coverage.sum():
            picture, coverage, toy = occluder.over(picture), left, toy * (1 - occluder.coverage)
    caption = _caption(rng, breed, coat, posture, framing, place)
    image = _photograph(rng, picture, light, size)  # last: it draws one random number per pixel, the only such step
    trimap = trimap_from_coverage(coverage, (0.0145 + 0.007 * breed.fur) * size)
    siblings = sorted(other.name for other in BREEDS if other.species == breed.species)
    return SyntheticPet(name=f"{breed.name}_{index // len(BREEDS) + 1}", breed=breed.name, species=breed.species,
                        breed_id=siblings.index(breed.name) + 1, image=image, trimap=trimap, caption=caption,
                        toy=(toy >= 0.5) & (trimap == BACKGROUND_CODE))


def _draw_pet(rng: Rng, breed: Breed, coat: Coat, posture: Posture, framing: Framing, light: np.ndarray,
              size: int) -> tuple[Layer, View]:
    solids = build_animal(breed, posture)
    view = frame(rng, solids, framing)
    face = choose_face(rng, breed)

    def paint(surface: Surface, fine: int) -> np.ndarray:
        colours = fur_colours(rng, surface, coat, view.coat_cells, fine)
        paint_face(colours, surface, face)
        return colours

    return draw_solids(rng, solids, paint, view=view, light=light, size=size, fur=breed.fur), view


def _draw_background(rng: Rng, place: str, coat: Coat, light: np.ndarray,
                     size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the scene without the pet, float32 (S, S, 3), more than half of them share a colour with its coat; and
    how much of each pixel a toy covers, float32 (S, S).

    Things that may end up outside of the picture, where nothing is drawn of them, have generators of their own:
    how much they draw at random must not change what comes after them.
    """
    camouflage = np.array(coat.base if rng.random() < 0.7 else coat.second) if rng.random() < 0.55 else None
    picture, toy = draw_backdrop(rng, place, size, camouflage), np.zeros((size, size), np.float32)
    for _ in range(rng.integers(0, 6)):
        picture = draw_object(rng, light, size, camouflage if rng.random() < 0.4 else None).over(picture)
    if rng.random() < 0.22:
        other = coat if rng.random() < 0.6 else tuple(COATS.values())[rng.integers(len(COATS))]
        centre = (float(rng.uniform(0, 1)), float(rng.uniform(0, 1)))
        picture = draw_cushion(rng.spawn(1)[0], other, centre=centre, width=float(rng.uniform(0.25, 0.7)),
                               light=light, size=size).over(picture)
    if rng.random() < 0.30:
        side = rng.choice((-1, 1)) * rng.uniform(0.18, 0.5)
        layer = draw_toy(rng.spawn(1)[0], centre=(0.5 + side, float(rng.uniform(0.35, 0.85))),
                         width=float(rng.uniform(0.22, 0.6)), light=light, size=size)
        picture, toy = layer.over(picture), layer.coverage
    if rng.random() < 0.6:  # out of focus
        picture = blurred(picture, float(rng.uniform(0.002, 0.014)) * size)
    return np.ascontiguousarray(picture, np.float32), toy


def _photograph(rng: Rng, picture: np.ndarray, light: np.ndarray, size: int) -> np.ndarray:
    """Return the picture, uint8 (S, S, 3), as a camera takes it: uneven light, a slight blur, sensor noise."""
    picture = light_up(picture, rng, light)
    picture = blurred(picture, float(rng.uniform(0.0015, 0.0055)) * size)
    grain = rng.integers(-128, 128, (size, size, 3), np.int8).astype(np.float32)
    return np.clip(picture + grain * float(rng.uniform(0.01, 0.07)) + 0.5, 0, 255).astype(np.uint8)


def _caption(rng: Rng, breed: Breed, coat: Coat, posture: Posture, framing: Framing, place: str) -> str:
    """Return one sentence; the species is always named, breed, coat and place mostly."""
    species = SPECIES_NAMES[breed.species]
    colour = coat.cat_name if breed.species == CAT else coat.dog_name
    who = (f"{colour} {species}", f"{colour} {breed.name.lower()} {species}", f"{breed.name.lower()} {species}",
           f"{breed.name.lower()}, a {colour} {species},")[rng.integers(4)]
    where = f" {PLACES[place]}" if rng.random() < 0.7 else ""
    if framing.name == "body":
        return (f"a photo of a {posture.pose} {who}{where}", f"a {who} {posture.pose}{where}",
                f"a picture of a {who} that is {posture.pose}{where}")[rng.integers(3)]
    near = {"portrait": "a portrait of", "head": "a close-up of the face of"}[framing.name]
    return (f"{near} a {who}{where}", f"a photo: {near} a {who}{where}")[rng.integers(2)]
