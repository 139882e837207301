"""Solutions of the exercises in 01_data_preparation.ipynb, with the reasons."""

from collections.abc import Callable

import numpy as np


def decode_trimap(trimap: np.ndarray, species: int, border: str) -> np.ndarray:
    # Every value is looked up in the trimap as it was. Replacing values one after the other in a single array,
    # 1 by the species and then 2 by 0, turns a dog (2) into background as soon as it is painted.
    target = np.zeros_like(trimap)
    target[trimap == 1] = species
    target[trimap == 3] = {"ignore": 255, "background": 0, "pet": species}[border]
    return target


def class_iou(confusion: np.ndarray) -> np.ndarray:
    hit = np.diag(confusion)
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    # The union counts the pixels that are in both only once.
    union = true + predicted - hit
    # Whether a class is absent is asked of the truth alone: a union of 0 would let a single stray pixel make a class
    # "present", with an IoU of 0. Dividing only where it is present also spares us a warning.
    return np.divide(hit, union, out=np.full(3, np.nan), where=true > 0)


def draw_validation(breeds: np.ndarray, groups: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    # A generator of our own: numpy's global one gives other numbers as soon as somebody draws before us.
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(breeds), dtype=bool)
    for breed in np.unique(breeds):  # sorted: the order of the photos does not change what is drawn
        own = np.unique(groups[breeds == breed])
        # We draw groups and only then look up their photos, so no group can be cut in two.
        drawn = rng.choice(own, size=round(fraction * len(own)), replace=False)
        chosen |= np.isin(groups, drawn)
    return chosen


def agreement(augment: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]], mask: np.ndarray) -> float:
    # The photo is painted from the mask, so after augmentation both must tell the same story. The four grey levels lie
    # 80 apart, so rounding does no harm; but a pixel interpolated between two of them may read as a third, which is why
    # only moves by whole pixels agree to the last one.
    painted = np.repeat(mask[..., None] * np.uint8(80), 3, axis=2)
    image, moved = augment(painted, mask)
    read = np.rint(image.mean(axis=2) / 80)
    # Invented pixels (255) belong to no code; nothing can be right or wrong there.
    counted = moved != 255
    return float(np.mean(read[counted] == moved[counted]))
