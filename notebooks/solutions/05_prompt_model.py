"""Solutions of the exercises in 05_prompt_model.ipynb, with the reasons."""

import numpy as np
from scipy.ndimage import distance_transform_edt


def deepest_pixel(region: np.ndarray) -> tuple[int, int]:
    # Padded, because nobody sees beyond the photo's edge: without it a pet that is cut off has no edge there, and the
    # deepest pixel would lie on the frame.
    depth = distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    return int(row), int(column)


def noc(ious: np.ndarray, threshold: float) -> float:
    reached = ious >= threshold
    # argmax finds the first True; a row without one would give 0 and so the best score of all.
    first = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, ious.shape[1])
    return float(first.mean())


def listens(on_pet: np.ndarray, on_background: np.ndarray, pet: np.ndarray) -> bool:
    def iou(one: np.ndarray, other: np.ndarray) -> float:
        return (one & other).sum() / max(1, (one | other).sum())

    # Both halves are needed: a model with shut ears passes the first.
    return bool(iou(on_pet, pet) > 0.5 and iou(on_background, ~pet) > 0.5)
