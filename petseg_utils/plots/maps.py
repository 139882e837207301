"""Pictures of what happens inside a network, and of where its masks are wrong."""

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from petseg_utils.classes import BACKGROUND, BORDER
from petseg_utils.plots.photos import show_image

# Okabe and Ito's palette again, its colours that no class has.
ERROR_COLOURS = {"pet missed": (230, 159, 0), "pet invented": (204, 121, 167), "wrong species": (86, 180, 233)}


def error_picture(image: np.ndarray, mask: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """The photo in pale grey, the border band lighter, wrong pixels in the colours of :data:`ERROR_COLOURS`.

    Args:
        image: uint8 (H, W, 3) RGB.
        mask: uint8 (H, W) of {0, 1, 2, 3}.
        prediction: uint8 (H, W) of {0, 1, 2}.

    Returns:
        uint8 (H, W, 3).
    """
    grey = 60 + image.mean(axis=2, keepdims=True) * 0.5
    picture = np.repeat(grey, 3, axis=2)
    picture[mask == BORDER] = picture[mask == BORDER] * 0.4 + 150
    wrong = (mask != BORDER) & (mask != prediction)
    picture[wrong & (prediction == BACKGROUND)] = ERROR_COLOURS["pet missed"]
    picture[wrong & (mask == BACKGROUND)] = ERROR_COLOURS["pet invented"]
    picture[wrong & (mask != BACKGROUND) & (prediction != BACKGROUND)] = ERROR_COLOURS["wrong species"]
    return picture.astype(np.uint8)


def error_grid(images: Sequence[np.ndarray], masks: Sequence[np.ndarray],
               predictions: dict[str, Sequence[np.ndarray]], *, margin: int = 4) -> Figure:
    """Close-ups: each photo cut to its pet, and the errors of each model on it.

    Args:
        images, masks, predictions: as in :func:`petseg_utils.plots.photos.prediction_grid`; each mask has a pet.
        margin: pixels around the pet.
    """
    titles = ["photo", *predictions]
    figure, axes = plt.subplots(len(images), len(titles), squeeze=False, figsize=(2.6 * len(titles), 2.6 * len(images)))
    for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
        ys, xs = np.nonzero(mask != BACKGROUND)
        cut = (slice(max(ys.min() - margin, 0), ys.max() + margin + 1),
               slice(max(xs.min() - margin, 0), xs.max() + margin + 1))
        pictures = [image, *(error_picture(image, mask, of_model[i]) for of_model in predictions.values())]
        for j, picture in enumerate(pictures):
            show_image(axes[i, j], picture[cut], titles[j] if i == 0 else "")
    handles = [Patch(color=(red / 255, green / 255, blue / 255), label=name)
               for name, (red, green, blue) in ERROR_COLOURS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def map_grid(images: Sequence[np.ndarray], maps: dict[str, Sequence[np.ndarray]], *, label: str,
             stretch: bool = False, pixel: tuple[int, int] | None = None,
             squares: dict[str, Sequence[int]] | None = None) -> Figure:
    """Photos, and maps of numbers in [0, 1] beside them, stretched to the photo.

    Args:
        images: uint8 (H, W, 3) RGB each.
        maps: by title, a float (h, w) in [0, 1] for each photo; h and w may be smaller than the photo.
        label: what the numbers are.
        stretch: let the colours of each column run from its lowest to its highest number, and write them above it.
        pixel: (row, column) of the photos to mark.
        squares: by title, the side in pixels of a square to draw around ``pixel``, for each photo.
    """
    figure, axes = plt.subplots(len(images), 1 + len(maps), squeeze=False, layout="constrained",
                                figsize=(2.3 * (1 + len(maps)) + 0.6, 2.3 * len(images) + 0.3))
    for i, image in enumerate(images):
        height, width = image.shape[:2]
        show_image(axes[i, 0], image, "photo" if i == 0 else "")
        for j, (title, of_photos) in enumerate(maps.items(), start=1):
            low, high = (np.min(of_photos), np.max(of_photos)) if stretch else (0, 1)
            drawn = axes[i, j].imshow(of_photos[i], vmin=low, vmax=high, cmap="magma", interpolation="nearest",
                                      extent=(-0.5, width - 0.5, height - 0.5, -0.5))
            if i == 0:
                wrapped = textwrap.fill(title, 20)
                axes[i, j].set_title(f"{wrapped}\n{low:.2f} to {high:.2f}" if stretch else wrapped)
            axes[i, j].set_axis_off()
            if squares and pixel:
                side = squares[title][i]
                axes[i, j].add_patch(Rectangle((pixel[1] - side / 2, pixel[0] - side / 2), side, side, fill=False,
                                               edgecolor="white", linestyle="--"))
        if pixel:
            axes[i, 0].plot(pixel[1], pixel[0], "+", color="white", markersize=14, markeredgewidth=2)
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, label=label)
    if stretch:
        bar.set_ticks([*drawn.get_clim()], labels=["lowest", "highest"])
    return figure
