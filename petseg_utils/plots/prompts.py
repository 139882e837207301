"""Figures of prompts: clicks on photos, dialogues, and how models follow them."""

import textwrap
from collections.abc import Mapping, Sequence
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from petseg_utils.plots.photos import show_image
from petseg_utils.plots.tables import select
from petseg_utils.prompts.simulator import Click

SINGLE_PROMPTS = {"centre": "click centre", "random": "click random", "near border": "click near border",
                  "none": "no prompt", "text": "species as text"}


def draw_clicks(axes: Axes, clicks: Sequence[Click]) -> None:
    """Mark clicks on a picture, in its pixels: a plus in a disc for a click in, a minus for a click out, numbered."""
    for number, click in enumerate(clicks, start=1):
        face, sign = ("white", "+") if click.positive else ("black", "_")
        edge = "black" if click.positive else "white"
        axes.plot(click.x - 0.5, click.y - 0.5, "o", color=face, markeredgecolor=edge, markersize=11)
        axes.plot(click.x - 0.5, click.y - 0.5, sign, color=edge, markersize=7, markeredgewidth=1.6)
        if len(clicks) > 1:
            side = -1 if click.x > 0.8 * axes.get_xlim()[1] else 1  # beside the disc, where the picture goes on
            down = -12 if click.y < 0.15 * axes.get_ylim()[0] else 5
            axes.annotate(str(number), (click.x, click.y), xytext=(8 * side, down), textcoords="offset points",
                          color="white", fontsize=9, fontweight="bold", ha="left" if side > 0 else "right",
                          path_effects=[patheffects.withStroke(linewidth=2, foreground="black")])


def click_grid(rows: Sequence[Sequence[tuple[np.ndarray, Sequence[Click]]]], column_titles: Sequence[str], *,
               row_titles: Sequence[str] = (), cell: float = 2.0) -> Figure:
    """Pictures with clicks on them, in rows and columns.

    Args:
        rows: in each row, pictures uint8 (H, W, 3) RGB with their clicks; a short row is filled with nothing.
        column_titles: over the columns.
        row_titles: left of each row.
        cell: side of a picture in inches.
    """
    figure, axes = plt.subplots(len(rows), len(column_titles), squeeze=False,
                                figsize=(cell * len(column_titles), cell * len(rows) + 0.4))
    for i, row in enumerate(rows):
        for j, title in enumerate(column_titles):
            if j < len(row):
                show_image(axes[i, j], row[j][0], title if i == 0 else "")
                draw_clicks(axes[i, j], row[j][1])
            else:
                axes[i, j].set_axis_off()
        if row_titles:
            axes[i, 0].text(-0.06, 0.5, textwrap.fill(row_titles[i], 22), rotation=90, ha="right", va="center",
                            fontsize=9, transform=axes[i, 0].transAxes)
    return figure


def plot_dialogues(dialogues: Mapping[str, np.ndarray], goals: Sequence[float] = (0.85, 0.9), most: int = 10) -> Figure:
    """Mean IoU after each simulated click.

    Args:
        dialogues: by the model's name, IoUs (N, K) after 1 .. K clicks; photos without a dialogue are NaN.
        goals: IoUs to mark.
        most: clicks to draw.
    """
    figure, axes = plt.subplots(figsize=(7.5, 3.8))
    colours = sns.color_palette("colorblind", len(dialogues))  # begun again after ten, where the markers differ
    for colour, marker, (name, ious) in zip(colours, cycle("os^Dvp*XP"), dialogues.items(), strict=False):
        means = np.nanmean(ious, axis=0)[:most]
        axes.plot(range(1, len(means) + 1), means, marker=marker, markersize=5, color=colour, label=name)
    for goal in goals:
        axes.axhline(goal, color="0.7", linewidth=1, linestyle=":")
        axes.text(most + 0.2, goal, f"{goal:.2f}", va="center", fontsize=9, color="0.4")
    axes.set(xlabel="simulated clicks", ylabel="mean IoU of the pet's region", ylim=(None, 1))
    axes.set_xticks(range(1, most + 1))
    axes.legend(loc="center left", bbox_to_anchor=(1.06, 0.5), frameon=False, fontsize=9)
    return figure


def plot_prompts(metrics: pd.DataFrame, split: str = "test") -> Figure:
    """The mean IoU of the pet's region after one click of each kind, without a prompt and by text, for each variant,
    with 95 % intervals over photos; who does best with any of them first.

    Args:
        metrics: rows of ``metrics.csv`` with prompts.
        split: ``test``, or ``native`` where there are photos of native size.
    """
    rows = select(metrics, split=split, metric="iou", class_="pet", prompt=list(SINGLE_PROMPTS))
    variants = list(rows.groupby("variant")["value"].max().sort_values(ascending=False, kind="stable").index)
    figure, axes = plt.subplots(figsize=(7.5, 1.2 + 0.5 * len(variants)))
    styles = zip(sns.color_palette("colorblind"), "os^Dv", strict=False)
    for j, ((colour, marker), (prompt, name)) in enumerate(zip(styles, SINGLE_PROMPTS.items(), strict=False)):
        of = rows[rows["prompt"] == prompt].set_index("variant").reindex(variants)
        y = np.arange(len(variants)) + (j - 2) * 0.13
        low, high = of["value"] - of["ci_low"], of["ci_high"] - of["value"]
        axes.errorbar(of["value"], y, xerr=np.clip([low, high], 0, None), fmt=marker, markersize=5, color=colour,
                      elinewidth=1.2, label=name)
    axes.set_yticks(range(len(variants)), [textwrap.fill(variant, 34) for variant in variants])
    axes.invert_yaxis()
    axes.set_xlabel(f"mean IoU of the pet's region on {split}, border ignored")
    axes.grid(axis="y", visible=False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure
