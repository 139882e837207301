"""Drawings of architectures."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from petseg_utils.plots.style import display_colour


def draw_unet(width: int, depth: int, image_size: int) -> Figure:
    """Draw the UNet's levels as boxes: as tall as the map, its channels and size written on it.

    Args:
        width, depth, image_size: as in :class:`petseg_utils.models.unet.UNet`; sizes in pixels.
    """
    figure, axes = plt.subplots(figsize=(10, 4.6))
    step = 1.0
    for level in range(depth + 1):
        channels, size = width * 2**level, image_size // 2**level
        y = -level
        left, right = level * step * 0.8, (2 * depth - level) * step * 0.8 + 1.2
        if level == depth:
            _box(axes, (left + right) / 2, y, f"{channels} x {size} x {size}\nbottleneck", "0.85")
            continue
        _box(axes, left, y, f"{channels} x {size} x {size}", display_colour(0))
        _box(axes, right, y, f"{channels} x {size} x {size}", display_colour(2))
        _arrow(axes, (left + 0.75, y), (right - 0.75, y), "skip: concatenate" if level == 0 else "", "--")
        last = level == depth - 1
        down = ((left + right) / 2 - 0.5 if last else left + 0.8 * step, y - 0.72)
        up = ((left + right) / 2 + 0.5 if last else right - 0.8 * step, y - 0.72)
        _arrow(axes, (left, y - 0.28), down, "max pool 2 x 2" if level == 0 else "", "-", side=-1)
        _arrow(axes, up, (right, y - 0.28), "1 x 1 conv, bilinear x 2" if level == 0 else "", "-", side=1)
    axes.text(-0.85, 0, f"3 x {image_size} x {image_size}\nphoto", ha="right", va="center", fontsize=9)
    axes.text((2 * depth) * step * 0.8 + 2.05, 0, f"3 x {image_size} x {image_size}\nlogits", ha="left", va="center",
              fontsize=9)
    axes.set(xlim=(-2.2, 2 * depth * step * 0.8 + 3.6), ylim=(-depth - 0.6, 0.6))
    axes.set_axis_off()
    return figure


def _box(axes: Axes, x: float, y: float, text: str, colour: str | tuple[float, float, float]) -> None:
    axes.add_patch(Rectangle((x - 0.75, y - 0.26), 1.5, 0.52, facecolor=colour, edgecolor="0.2", alpha=0.35))
    axes.text(x, y, text, ha="center", va="center", fontsize=8)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str, line: str,
           side: int = 0) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, linestyle=line, color="0.3"))
    if text:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        axes.text(x + 0.2 * side, y + (0 if side else 0.08), text, fontsize=8, color="0.3",
                  va="center" if side else "bottom", ha={-1: "right", 0: "center", 1: "left"}[side])
