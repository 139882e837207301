"""How prompts are judged: one protocol for every model, with the simulated user and with single clicks.

Region scores are IoUs of one photo's region with its pet, border ignored. In the dialogue, the first click falls on an
empty mask. Single clicks ask how much the place matters, a click beside the pet whether the model listens at all.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from petseg_utils.classes import BACKGROUND, BORDER, CLASS_NAMES
from petseg_utils.data.cache import PetData, Progress
from petseg_utils.data.datasets import Maps
from petseg_utils.evaluation import stack_statistics
from petseg_utils.metrics import ImageStatistics, image_statistics
from petseg_utils.parallel import answers
from petseg_utils.prompts.prompter import Prompter
from petseg_utils.prompts.selection import Selection
from petseg_utils.prompts.simulator import MAX_CLICKS, Click, deepest, rim, simulate

_SEED = 0  # of the random clicks
ENOUGH_CLICKS, ENOUGH_IOU = 5, 0.9  # what is reported looks no further


@dataclass(frozen=True)
class PromptScores:
    """IoUs of N photos, float64; NaN where a photo's mask has nothing to click on.

    Attributes:
        names: text (N,).
        dialogue: (N, 20), after so many simulated clicks. A photo that has reached .9 after five or more clicks is not
            asked further, and keeps its IoU.
        centre, random, rim: (N,), of the pet, after a click on its deepest pixel, on any pixel, near its border.
        background: (N,), of the background, after a click on any pixel of it.
        astray: (N,), of the pet, after that same click beside it: 0 if the model goes where it is pointed.
        none: (N,), of the pet, without a prompt.
        text: (N,), of the pet, when its species is named.
        other_text: (N,), the share of the photo that is selected when the other species is named: 0 is right.
    """

    names: np.ndarray
    dialogue: np.ndarray
    centre: np.ndarray
    random: np.ndarray
    rim: np.ndarray
    background: np.ndarray
    astray: np.ndarray
    none: np.ndarray
    text: np.ndarray
    other_text: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


def evaluate_prompts(prompter: Prompter, data: PetData, part: str, *, maps: Maps | None = None,
                     progress: Progress = lambda items, _: items) -> tuple[PromptScores, ImageStatistics]:
    """Judge a model by its prompts, at each photo's own size.

    Args:
        prompter: of the model; understands texts.
        data: the opened data set.
        part: ``train``, ``val`` or ``test``.
        maps: the part's maps of the model's frozen encoder, if they have been computed.
        progress: wraps the loop over photos.

    Returns:
        The regions' scores; and what the three classes' scores come from, after one random click on the pet (without a
        prompt, where a mask has no pet).
    """
    def ask(row: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        truth, species = np.asarray(data.original_mask(row)), int(data.species[row])
        prompter.set_squeezed(np.asarray(data.images[row]), (truth.shape[0], truth.shape[1]),
                              maps.read(np.array([row])) if maps else None)
        scores, clicked = _one_photo(prompter, truth, species, draw_single_clicks(truth, species, int(row)))
        return scores, image_statistics(truth, np.log(clicked.classes + 1e-9), species)

    rows = data.indices(part)
    found = progress(answers(ask, rows, prompter.precision.device), f"prompts, {part}")
    regions, classes = zip(*found, strict=True)
    scores = {name: np.stack([one[name] for one in regions]) for name in regions[0]}
    return PromptScores(data.names[rows], **scores), stack_statistics(data, part, classes)


class SingleClicks(NamedTuple):
    """Random pixels (row, column) of one photo, ``None`` where there is none: on the background, on the pet, near the
    pet's border (anywhere on it, where it fills the photo)."""

    background: tuple[int, int] | None
    pet: tuple[int, int] | None
    rim: tuple[int, int] | None


def draw_single_clicks(truth: np.ndarray, species: int, row: int) -> SingleClicks:
    """The random clicks of a photo, drawn for it alone: every model gets the same.

    Args:
        truth: integers (H, W) of {0, 1, 2, 3}, its mask.
        species: 1 cat or 2 dog.
        row: the photo's in the manifest.
    """
    rng = np.random.default_rng((_SEED, row))
    background, pet = truth == BACKGROUND, truth == species
    return SingleClicks(_draw(background, rng), _draw(pet, rng), _draw(rim(pet), rng))


def _one_photo(prompter: Prompter, truth: np.ndarray, species: int,
               clicks: SingleClicks) -> tuple[dict[str, np.ndarray], Selection]:
    pet, background, counted = truth == species, truth == BACKGROUND, truth != BORDER

    def iou(selection: Selection, target: np.ndarray) -> float:
        mask = selection.mask & counted
        return float((mask & target).sum() / max(1, (mask | target).sum()))

    def click(pixel: tuple[int, int]) -> Selection:
        return prompter.predict([(pixel[1] + 0.5, pixel[0] + 0.5)], [1])

    nothing = prompter.predict()
    found = dict.fromkeys(("centre", "random", "rim", "background", "astray", "none", "text", "other_text"), np.nan)
    dialogue, on_pet = np.full(MAX_CLICKS, np.nan), nothing
    other = prompter.predict(text=CLASS_NAMES[3 - species])
    found["other_text"] = float(other.mask.mean())
    if clicks.background is not None:
        beside = click(clicks.background)
        found["background"] = iou(beside, background)
        if pet.any():
            found["astray"] = iou(beside, pet)
    if clicks.pet is not None and clicks.rim is not None:
        on_pet = click(clicks.pet)
        found |= {"random": iou(on_pet, pet), "rim": iou(click(clicks.rim), pet), "none": iou(nothing, pet),
                  "centre": iou(click(deepest(pet)), pet),
                  "text": iou(prompter.predict(text=CLASS_NAMES[species]), pet)}
        dialogue = _dialogue(prompter, pet, counted)
    return {"dialogue": dialogue} | {name: np.array(value) for name, value in found.items()}, on_pet


def _dialogue(prompter: Prompter, pet: np.ndarray, counted: np.ndarray) -> np.ndarray:
    def ask(clicks: list[Click]) -> np.ndarray:
        return prompter.predict([(c.x, c.y) for c in clicks], [int(c.positive) for c in clicks]).mask

    def enough(ious: np.ndarray) -> bool:
        return len(ious) >= ENOUGH_CLICKS and ious.max() >= ENOUGH_IOU

    return simulate(pet, ask, counted, MAX_CLICKS, enough)[1]


def _draw(region: np.ndarray, rng: np.random.Generator) -> tuple[int, int] | None:
    rows, columns = np.nonzero(region)
    if not len(rows):
        return None
    i = int(rng.integers(len(rows)))
    return int(rows[i]), int(columns[i])
