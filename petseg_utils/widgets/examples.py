"""Photos to try the app on; none has to be downloaded."""

from collections.abc import Callable

import numpy as np
from skimage.data import chelsea

from petseg_utils.errors import UsageError
from petseg_utils.synthetic import render_pet

_DRAWN_SIZE = 512
EXAMPLES: dict[str, Callable[[], np.ndarray]] = {
    "Chelsea, a cat": chelsea,
    "A drawn cat": lambda: render_pet(0, 6, _DRAWN_SIZE).image,
    "A drawn dog": lambda: render_pet(0, 1, _DRAWN_SIZE).image,
}
FIRST_EXAMPLE = "Chelsea, a cat"


def example_photo(name: str = FIRST_EXAMPLE) -> np.ndarray:
    """A photo, uint8 (H, W, 3) RGB: the cat that comes with scikit-image, or a synthetic pet.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in EXAMPLES:
        raise UsageError(f"there is no example photo {name!r}: choose one of {', '.join(map(repr, EXAMPLES))}")
    return EXAMPLES[name]()
