"""Drawings of architectures."""

from typing import NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle


class _Parts(NamedTuple):
    """What a drawing calls a model's parts."""

    block: str
    pooling: str
    skip: str


_PARTS = {
    "unet": _Parts("conv, conv", "max pool 2 x 2", "skip: concatenate"),
    "unet-resattn": _Parts("residual block", "attention pool 2 x 2", "skip: attention gate, concatenate"),
}
_ENCODER, _DECODER = "#9db8d2", "#d9c3a5"  # no colour of a class: the boxes are maps of features, not of classes


def draw_unet(width: int, depth: int, image_size: int, model: str = "unet") -> Figure:
    """Draw a UNet's levels as boxes, each with the channels, height and width of its map and what makes it.

    Args:
        width, depth, image_size: as in :class:`petseg_utils.models.unet.UNet`; sizes in pixels.
        model: ``unet`` or ``unet-resattn``.
    """
    parts = _PARTS[model]
    figure, axes = plt.subplots(figsize=(10, 0.9 + 0.82 * depth))
    right_end = 1.6 * depth + 1.2
    for level in range(depth + 1):
        text = f"{width * 2**level} x {image_size // 2**level} x {image_size // 2**level}\n"
        y, left, right = -level, 0.8 * level, right_end - 0.8 * level
        if level == depth:
            _box(axes, (left + right) / 2, y, text + "bottleneck", "0.8")
            continue
        _box(axes, left, y, text + parts.block, _ENCODER)
        _box(axes, right, y, text + parts.block, _DECODER)
        _arrow(axes, (left + 0.75, y), (right - 0.75, y), parts.skip if level == 0 else "", "--")
        last = level == depth - 1
        down = ((left + right) / 2 - 0.5 if last else left + 0.8, y - 0.72)
        up = ((left + right) / 2 + 0.5 if last else right - 0.8, y - 0.72)
        _arrow(axes, (left, y - 0.28), down, parts.pooling if level == 0 else "", "-", side=-1)
        _arrow(axes, up, (right, y - 0.28), "1 x 1 conv, bilinear x 2" if level == 0 else "", "-", side=1)
    for x, side, text in ((-0.75, -1, "photo"), (right_end + 0.75, 1, "logits, by a\n1 x 1 conv")):
        axes.text(x + 0.15 * side, 0, f"3 x {image_size} x {image_size}\n{text}", ha="right" if side < 0 else "left",
                  va="center", fontsize=9)
    axes.set(xlim=(-2.2, right_end + 2.2), ylim=(-depth - 0.4, 0.4))
    axes.set_axis_off()
    return figure


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    axes.add_patch(Rectangle((x - 0.75, y - 0.27), 1.5, 0.54, facecolor=colour, edgecolor="0.2", alpha=0.5))
    axes.text(x, y, text, ha="center", va="center", fontsize=8)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], text: str, line: str,
           side: int = 0) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=10, linestyle=line, color="0.3"))
    if text:
        x, y = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
        axes.text(x + 0.34 * side, y - 0.04 if side else y + 0.08, text, fontsize=8, color="0.3",
                  va="center" if side else "bottom", ha={-1: "right", 0: "center", 1: "left"}[side])
