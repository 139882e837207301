"""Figures of a few runs in detail: calibration, error along the outline, scores of groups of photos."""

import math
import textwrap
from collections.abc import Sequence
from itertools import cycle, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from petseg_utils.plots.style import line_colours
from petseg_utils.plots.tables import select


def plot_reliability(bins: dict[str, np.ndarray]) -> Figure:
    """Accuracy against confidence, and below it how many pixels have that confidence (log scale).

    Args:
        bins: by the run's name, float (15, 3) summed over photos, see
            :func:`petseg_utils.metrics.calibration_bins`. Empty bins are left out.
    """
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(5.4, 5.2), sharex=True, height_ratios=(3, 1))
    upper.plot([0, 1], [0, 1], color="0.6", linestyle=":", label="perfectly calibrated")
    colours = sns.color_palette("colorblind", len(bins))
    for colour, marker, (name, of_run) in zip(colours, cycle("os^Dv"), bins.items(), strict=False):
        number, confidence, right = of_run[of_run[:, 0] > 0].T
        upper.plot(confidence / number, right / number, marker=marker, markersize=4, color=colour, label=name)
        lower.plot(confidence / number, number / number.sum(), marker=marker, markersize=4, color=colour)
    upper.set(ylabel="share of them that is right", xlim=(0.3, 1.01), ylim=(0, 1.02))
    lower.set(xlabel="confidence of the predicted class", ylabel="share of\npixels", yscale="log")
    lower.set_yticks([0.02, 0.1, 0.5], ["2 %", "10 %", "50 %"])
    lower.yaxis.set_minor_formatter(NullFormatter())  # of a short axis the numbers would lie upon each other
    upper.legend(frameon=False, fontsize=9)
    return figure


def plot_error_by_distance(distances: np.ndarray, errors: dict[str, dict[str, np.ndarray]]) -> Figure:
    """Share of wrong pixels against the distance to the border band.

    Args:
        distances: (D,) pixels, negative inside the pet, positive outside.
        errors: by the run's name, then by the kind of error, (D,) shares in [0, 1]; one line style for each kind. NaN
            where there is no pixel.
    """
    figure, axes = plt.subplots(figsize=(7.5, 3.6))
    for colour, (name, kinds) in zip(sns.color_palette("colorblind"), errors.items(), strict=False):
        for style, (kind, shares) in zip(("-", "--", ":"), kinds.items(), strict=False):
            axes.plot(distances, shares, style, color=colour, label=f"{name}: {kind}")
    axes.axvspan(-0.5, 0.5, color="0.85", zorder=0)
    axes.text(0, 1.02, "band", ha="center", va="bottom", fontsize=9, color="0.4", transform=axes.get_xaxis_transform())
    axes.set(xlabel="distance to the border band in pixels: inside the pet (-), outside (+)",
             ylabel="share that is wrong", ylim=(0, None), xlim=(distances[0], distances[-1]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    columns = 2 if max(map(len, axes.get_legend_handles_labels()[1])) < 55 else 1
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.24), ncols=columns, frameon=False, fontsize=9)
    return figure


def plot_groups(groups: pd.DataFrame, grouping: str, variants: Sequence[str], metric: str = "iou") -> Figure:
    """The mean score of each group of photos, with 95 % intervals, one marker for each variant.

    Args:
        groups: rows of ``groups.csv``.
        grouping: ``breed`` (sorted by the first variant's score), ``size`` or ``defects`` (in the table's order).
        variants: whose rows are drawn.
        metric: ``iou`` or ``boundary_iou``.
    """
    rows = select(groups, grouping=grouping, metric=metric, class_="mean", variant=variants)
    rows = rows.drop_duplicates(["variant", "group"])
    first = rows[rows["variant"] == variants[0]].set_index("group")
    order = list(first["value"].sort_values(ascending=False).index if grouping == "breed" else first.index)
    figure, axes = plt.subplots(figsize=(7.5, 1.3 + len(order) * (0.24 if len(order) > 8 else 0.5)))
    for j, (colour, variant) in enumerate(zip(sns.color_palette("colorblind", len(variants)), variants, strict=True)):
        of = rows[rows["variant"] == variant].set_index("group").reindex(order)
        y = np.arange(len(order)) + (j - (len(variants) - 1) / 2) * 0.7 / len(variants)
        low, high = of["value"] - of["ci_low"], of["ci_high"] - of["value"]
        axes.errorbar(of["value"], y, xerr=np.clip([low, high], 0, None), fmt="os^D"[j % 4], markersize=4, color=colour,
                      elinewidth=1.2, label=variant)
    axes.set_yticks(range(len(order)), [f"{name}, {n:.0f}" for name, n in first.loc[order, "n_images"].items()])
    axes.set_ylim(len(order) - 0.4, -0.6)
    name = {"iou": "IoU", "boundary_iou": "boundary IoU"}[metric]
    axes.set_xlabel(f"{name} on test, mean of the group's classes, border ignored")
    axes.grid(axis="y", visible=False)
    columns = 2 if max(map(len, variants)) <= 44 else 1  # as many as the figure is wide
    figure.set_figheight(figure.get_figheight() + 0.2 * math.ceil(len(variants) / columns))
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=columns, frameon=False,
                  fontsize=9)
    return figure


def plot_label_efficiency(metrics: pd.DataFrame, split: str = "test") -> Figure:
    """mIoU (dataset level, border ignored) against the share of labelled training photos, with 95 % intervals: a colour
    for each model, a line style for each way to train it.

    Args:
        metrics: rows of ``metrics.csv`` of variants named ``MODEL, WAY`` or ``MODEL, WAY, SHARE of the labels``.
    """
    rows = select(metrics, split=split, reduction="dataset", metric="iou", border="ignore", class_="mean")
    rows = rows.assign(family=rows["variant"].str.split(", ").str[0], way=rows["variant"].str.split(", ").str[1])
    colours = line_colours(dict.fromkeys(rows["family"]))
    styles = dict(zip(sorted(set(rows["way"])), ("o-", "s--", "^:", "D-."), strict=False))  # whatever the rows' order
    figure, axes = plt.subplots(figsize=(7.5, 4))
    for (family, colour), (way, style) in product(colours.items(), styles.items()):
        line = rows[(rows["family"] == family) & (rows["way"] == way)].sort_values("label_fraction")
        if line.empty:
            continue
        errors = np.clip([line["value"] - line["ci_low"], line["ci_high"] - line["value"]], 0, None)
        axes.errorbar(100 * line["label_fraction"], line["value"], yerr=errors, fmt=style, markersize=5, color=colour,
                      elinewidth=1, label=f"{family}, {way}")
    shares = sorted(set(100 * rows["label_fraction"]))
    axes.set(xlabel="% of the training photos whose masks are used", xscale="log",
             ylabel=f"mIoU on {split}, border ignored")
    axes.set_xticks(shares, [f"{share:g}" for share in shares])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    return figure


def plot_variants(metrics: pd.DataFrame, metric: str = "iou", split: str = "test") -> Figure:
    """The mean score of each variant (dataset level, border ignored), the best first, as a point with its 95 %
    interval; a dashed line marks the score of a variant that is called a baseline or a floor."""
    rows = select(metrics, split=split, reduction="dataset", metric=metric, border="ignore", class_=["mean", ""])
    rows = rows.sort_values("value", ascending=False, kind="stable")
    family, names = _common_family(list(rows["variant"]))
    names = [textwrap.fill(name, 40) for name in names]
    heights = np.array([1.6 + name.count("\n") for name in names])  # a row is as high as its name has lines
    places = heights.cumsum() - heights / 2
    figure, axes = plt.subplots(figsize=(8.5, 1 + 0.2 * heights.sum()))
    errors = np.clip([rows["value"] - rows["ci_low"], rows["ci_high"] - rows["value"]], 0, None)
    for name, value in zip(names, rows["value"], strict=True):
        if name.endswith("baseline") or name.startswith("floor"):
            axes.axvline(value, color="0.25", linewidth=1, linestyle="--", zorder=0)
            axes.annotate(name.split(":")[0], (value, 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
                          textcoords="offset points", ha="center", fontsize=9, color="0.25")
    axes.errorbar(rows["value"], places, xerr=errors, fmt="o", color=sns.color_palette("colorblind")[0],
                  elinewidth=1.2, capsize=2)
    for y, value, high in zip(places, rows["value"], rows["ci_high"], strict=True):
        axes.annotate(f"{value:.3f}", (high, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})  # lines must not cross numbers
    axes.set_yticks(places, names)
    axes.set_ylim(heights.sum() + 0.2, -0.2)
    title = {"iou": "mIoU", "boundary_iou": "mean boundary IoU"}.get(metric, metric)
    axes.set_xlabel(f"{title}{family} on {split}, dataset level, border ignored")
    axes.margins(x=0.15)
    axes.grid(axis="y", visible=False)
    return figure


def _common_family(variants: list[str]) -> tuple[str, list[str]]:
    """What all names begin with, for a title (empty if they do not), and the names without it."""
    families = {variant.partition(", ")[0] for variant in variants}
    if len(variants) < 2 or len(families) > 1 or not all(", " in variant for variant in variants):
        return "", variants
    return f" of {families.pop()}", [variant.partition(", ")[2] for variant in variants]
