"""Pictures of photos, masks and predictions."""

import textwrap
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from petseg_utils.data.colours import overlay
from petseg_utils.plots.style import class_legend


def show_image(axes: Axes, image: np.ndarray, title: str = "") -> None:
    """Draw a picture, uint8 (H, W, 3) RGB, without ticks.

    It is rounded to 64 grey levels a channel: nobody sees the two bits below, and they are a third of the bytes of a
    notebook that stores its figures.
    """
    rounded = np.minimum((image.astype(np.uint16) + 2) // 4 * 4, 255).astype(np.uint8)
    axes.imshow(rounded, interpolation="nearest")
    axes.set_title(_wrapped(title))
    axes.set_axis_off()


def _wrapped(title: str) -> str:
    return "\n".join(textwrap.fill(line, 20) for line in title.split("\n"))  # a variant has a long name


def photo_grid(rows: Sequence[Sequence[np.ndarray]], column_titles: Sequence[str], *, row_titles: Sequence[str] = (),
               cell: float = 1.9, legend: bool = True) -> Figure:
    """Draw pictures in rows and columns.

    Args:
        rows: uint8 pictures (H, W, 3) RGB, as many in each row as there are titles.
        column_titles: over the first row.
        row_titles: left of each row.
        cell: side of a picture in inches.
        legend: tell the classes' colours below.
    """
    lines = max(_wrapped(title).count("\n") + 1 for title in column_titles)
    height = cell * len(rows) + 0.2 * lines + (0.6 if legend else 0.3)
    width = cell * len(column_titles)
    figure, axes = plt.subplots(len(rows), len(column_titles), squeeze=False, figsize=(width, height))
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            show_image(axes[i, j], image, column_titles[j] if i == 0 else "")
        if row_titles:
            axes[i, 0].text(-0.06, 0.5, row_titles[i], rotation=90, ha="right", va="center", fontsize=9,
                            transform=axes[i, 0].transAxes)
    if legend:
        class_legend(figure)
    return figure


def prediction_grid(images: Sequence[np.ndarray], masks: Sequence[np.ndarray],
                    predictions: dict[str, Sequence[np.ndarray]], row_titles: Sequence[str] = ()) -> Figure:
    """Photos, their masks, and what models predict, side by side.

    Args:
        images: uint8 (H, W, 3) RGB each.
        masks: uint8 (H, W) of {0, 1, 2, 3} each.
        predictions: by the model's name, uint8 (H, W) of {0, 1, 2} for each photo.
        row_titles: left of each row, such as each photo's IoU.
    """
    rows = [
        [image, overlay(image, mask), *(overlay(image, masks_of[i]) for masks_of in predictions.values())]
        for i, (image, mask) in enumerate(zip(images, masks, strict=True))
    ]
    return photo_grid(rows, ["photo", "truth", *predictions], row_titles=row_titles)
