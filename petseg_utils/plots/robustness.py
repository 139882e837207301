"""Figures of scores on spoiled photos."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from petseg_utils.corruptions import CORRUPTIONS
from petseg_utils.metrics.robustness import ALL_KINDS, CLEAN
from petseg_utils.plots.style import in_lines, text_colour
from petseg_utils.plots.tables import select

_MARKERS = "osD^vP*X"
_LINES = [colour for i, colour in enumerate(sns.color_palette("colorblind")) if i != 6]  # a pink too pale for a line


def plot_robustness_curves(metrics: pd.DataFrame, variants: Sequence[str]) -> Figure:
    """mIoU over the levels of each kind, a panel a kind, a line a variant, with 95 % bands over photos.

    Args:
        metrics: rows of ``metrics.csv`` on spoiled photos.
        variants: which to draw, up to eight.

    Raises:
        ValueError: more than eight.
    """
    if len(variants) > len(_MARKERS):
        raise ValueError(f"{len(variants)} variants are more than the {len(_MARKERS)} that can be told apart: choose")
    rows = select(metrics, metric="iou", class_="mean", variant=variants)
    figure, axes = plt.subplots(2, 4, figsize=(12, 6), sharey=True, sharex=True)
    colours, names = dict(zip(variants, _LINES, strict=False)), _with_clicks(rows)
    for panel, kind in zip(axes.flat, CORRUPTIONS, strict=True):
        for (variant, colour), marker in zip(colours.items(), _MARKERS, strict=False):
            line = _curve(rows[rows["variant"] == variant], kind)
            panel.plot(line["level"], line["value"], marker=marker, markersize=3.5, linewidth=1.3, color=colour,
                       label=names[variant])
            panel.fill_between(line["level"], line["ci_low"], line["ci_high"], color=colour, alpha=0.15, linewidth=0)
        corruption = CORRUPTIONS[kind]
        panel.set_title(f"{kind}\n{corruption.unit}: to {corruption.strengths[9]:g}", fontsize=10)
        panel.set_xticks(range(0, 10, 3))
    for panel in axes[1]:
        panel.set_xlabel("level")
    for panel in axes[:, 0]:
        panel.set_ylabel("mIoU, border ignored")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    return figure


def plot_dice_by_level(metrics: pd.DataFrame, threshold: float) -> Figure:
    """Mean Dice of one variant over the levels, one line a kind, and a threshold; a 95 % band around the lowest line
    only, eight of them would hide each other."""
    rows = select(metrics, metric="dice", class_="mean")
    figure, axes = plt.subplots(figsize=(7.5, 4))
    lowest = rows.sort_values("value")["perturbation"].iloc[0]
    for colour, marker, kind in zip([*_LINES[:7], "black"], _MARKERS, CORRUPTIONS, strict=True):
        line = _curve(rows, kind)
        axes.plot(line["level"], line["value"], marker=marker, markersize=4, color=colour, label=kind)
        if kind == lowest:
            axes.fill_between(line["level"], line["ci_low"], line["ci_high"], color=colour, alpha=0.12, linewidth=0)
    axes.axhline(threshold, color="0.3", linestyle="--", linewidth=1)
    axes.annotate(f"{threshold:g}", (9, threshold), xytext=(3, 3), textcoords="offset points", fontsize=9)
    axes.set(xlabel="level", ylabel="mean Dice, dataset level, border ignored")
    axes.set_xticks(range(10))
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return figure


def plot_retained(metrics: pd.DataFrame) -> Figure:
    """A heat map of what each variant retains of its own clean mIoU under each kind: the mean over levels 1 to 9; the
    best on clean photos first, those asked about fewer photos last, in the same colours for every study."""
    rows = select(metrics, metric="retained")
    kinds = [*CORRUPTIONS, ALL_KINDS]
    clean = select(metrics, metric="iou", class_="mean", perturbation=CLEAN).set_index("variant").sort_values(
        ["n_images", "value"], ascending=False)
    table = rows.pivot(index="variant", columns="perturbation", values="value").loc[clean.index, kinds]
    figure, axes = plt.subplots(figsize=(10.2, 1.6 + 0.34 * len(table)))
    written = table.map(lambda share: f"{share:.2f}".removeprefix("0"))  # narrow columns
    sns.heatmap(table, annot=written, fmt="", cmap="cividis", vmin=0.3, vmax=1.05, ax=axes,
                annot_kws={"fontsize": 9}, cbar_kws={"label": "share of the clean mIoU"}, linewidths=0.5)
    for text, ground in zip(axes.texts, axes.collections[0].get_facecolor(), strict=True):
        text.set_color(text_colour(ground))
    most = clean["n_images"].max()
    told = _with_clicks(rows)
    few = {variant: f"; {n:.0f} photos" for variant, n in clean["n_images"].items() if n < most}
    names = [f"{told[str(variant)]} ({value:.3f}{few.get(variant, '')})"
             for variant, value in clean["value"].items()]
    axes.set_yticklabels(in_lines(names), rotation=0, fontsize=9)
    axes.set(xlabel="", ylabel="")
    axes.set_xticks(axes.get_xticks(), kinds, rotation=40, ha="right", rotation_mode="anchor")
    return figure


def _with_clicks(rows: pd.DataFrame) -> dict[str, str]:
    """What figures call the variants: those that are told where the pet is, as such."""
    told = set(rows.loc[rows["prompt"] == "random", "variant"])
    return {variant: f"{variant}, with a click" if variant in told else variant for variant in rows["variant"].unique()}


def _curve(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Levels 0 to 9 of a kind: level 0 is the clean photos', of all kinds."""
    line = rows[rows["perturbation"].isin([CLEAN, kind])].sort_values("level")
    return line[np.isfinite(line["level"])]
