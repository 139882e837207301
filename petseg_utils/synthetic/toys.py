"""Where the toys are: no file of the data set says so, but a picture is drawn again from its name."""

from collections.abc import Iterable

import numpy as np

from petseg_utils.synthetic.breeds import BREEDS
from petseg_utils.synthetic.scene import render_pet


def toy_masks(names: Iterable[str], *, size: int, seed: int) -> np.ndarray:
    """The pixels of plush toys in synthetic pictures.

    Args:
        names: of pictures, ``BREED_NUMBER``.
        size: side of the pictures in pixels.
        seed: of the data set.

    Returns:
        bool (N, S, S), background pixels that a toy covers at least by half; all False where a picture has none.

    Raises:
        ValueError: a name is not one that the renderer gives.
    """
    order = {breed.name: place for place, breed in enumerate(BREEDS)}
    masks = []
    for name in names:
        breed, _, number = name.rpartition("_")
        if breed not in order or not number.isdigit():
            raise ValueError(f"{name!r} is no synthetic picture: expected BREED_NUMBER with a breed of the renderer")
        masks.append(render_pet(seed, (int(number) - 1) * len(BREEDS) + order[breed], size).toy)
    return np.stack(masks)
