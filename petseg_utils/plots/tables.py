"""Figures drawn from a study's tables, and from runs' histories."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from petseg_utils.classes import BACKGROUND, CAT, DOG
from petseg_utils.plots.style import display_colour, in_lines, line_colours

BORDER_LABELS = {"ignore": "border ignored", "background": "border is background", "pet": "border is pet"}
SPLIT_LINES = [Line2D([], [], color="0.3", label="training"),
               Line2D([], [], color="0.3", linestyle="--", label="validation")]


def select(metrics: pd.DataFrame, **equals: str | float | Sequence[str]) -> pd.DataFrame:
    """Rows of ``metrics.csv`` whose columns have these values (a list: any of them); ``class_`` means ``class``."""
    chosen = pd.Series(True, index=metrics.index)
    for column, value in equals.items():
        values = [value] if isinstance(value, str | int | float) else list(value)
        chosen &= metrics[column.removesuffix("_")].isin(values)
    return metrics[chosen]


def _bars(rows: pd.DataFrame, hue: str, colours: dict[str, tuple[float, float, float]], labels: dict[str, str],
          title: str) -> Figure:
    """Horizontal bars of ``value`` with intervals: one group for each variant, one bar for each value of ``hue``."""
    variants = list(dict.fromkeys(rows["variant"]))
    height = 0.8 / len(colours)
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.34 * len(variants) * len(colours)))
    for j, (name, colour) in enumerate(colours.items()):
        of = rows[rows[hue] == name].set_index("variant").reindex(variants)
        y = np.arange(len(variants)) + (j - (len(colours) - 1) / 2) * height
        errors = np.clip([of["value"] - of["ci_low"], of["ci_high"] - of["value"]], 0, None)
        axes.barh(y, of["value"], height * 0.92, xerr=errors, color=colour, label=labels[name],
                  error_kw={"elinewidth": 1.2, "capsize": 2})
        for at, value, high in zip(y, of["value"], of["ci_high"], strict=True):
            axes.text(max(value, high) + 0.008, at, f"{value:.3f}", va="center", fontsize=9)
    axes.set_yticks(range(len(variants)), in_lines(variants), fontsize=9)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.02), xlabel=title)
    axes.grid(axis="y", visible=False)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.55 / figure.get_figheight()), ncols=len(colours),
                frameon=False)
    return figure


def plot_border_policies(metrics: pd.DataFrame, split: str = "test") -> Figure:
    """Dataset-level mIoU of each variant, in the table's order, under the three border policies: a marker for each,
    with 95 % intervals over images."""
    rows = select(metrics, split=split, reduction="dataset", metric="iou", class_="mean")
    variants = list(dict.fromkeys(rows["variant"]))
    figure, axes = plt.subplots(figsize=(10, 1.4 + 0.36 * len(variants)))
    palette = sns.color_palette("colorblind")
    for place, ((border, label), marker) in enumerate(zip(BORDER_LABELS.items(), "osD", strict=True)):
        of = rows[rows["border"] == border].set_index("variant").reindex(variants)
        errors = np.clip([of["value"] - of["ci_low"], of["ci_high"] - of["value"]], 0, None)
        beside = np.arange(len(variants)) + 0.2 * (place - 1)  # else two policies' markers may cover each other
        axes.errorbar(of["value"], beside, xerr=errors, fmt=marker, color=palette[place], label=label,
                      elinewidth=1.2, markersize=6)
        if border == "ignore":
            ends = rows.groupby("variant")["ci_high"].max().reindex(variants)  # right of all three
            for y, (value, end) in enumerate(zip(of["value"], ends, strict=True)):
                axes.annotate(f"{value:.3f}", (end, y), xytext=(9, 0), textcoords="offset points", va="center",
                              fontsize=9)
    axes.set_yticks(range(len(variants)), in_lines(variants), fontsize=9)
    axes.invert_yaxis()
    axes.set(xlim=(0, 1.05), xlabel=f"mIoU on {split}, dataset level, 95 % intervals")
    axes.grid(axis="y", visible=False)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def plot_class_iou(metrics: pd.DataFrame, split: str = "test", border: str = "ignore") -> Figure:
    """Dataset-level IoU of each variant and class, with 95 % intervals over images."""
    rows = select(metrics, split=split, reduction="dataset", metric="iou", border=border,
                  class_=["background", "cat", "dog"])
    colours = {"background": display_colour(BACKGROUND), "cat": display_colour(CAT), "dog": display_colour(DOG)}
    return _bars(rows, "class", colours, {name: name for name in colours},
                 f"IoU on {split}, dataset level, {BORDER_LABELS[border]}")


def plot_histories(histories: dict[str, pd.DataFrame], score: str = "validation mIoU, border ignored") -> Figure:
    """Training loss, validation loss and, at the right, the validation score by which an epoch is kept, over the
    epochs of runs; ``score`` is what it is called."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    colours = line_colours(histories)
    for name, history in histories.items():
        colour = colours[name]
        left.plot(history["epoch"], history["train_loss"], color=colour)
        left.plot(history["epoch"], history["val_loss"], color=colour, linestyle="--")
        right.plot(history["epoch"], history["val_miou"], color=colour, label=name)
        best = history.iloc[int(history["val_miou"].argmax())]
        right.plot(best["epoch"], best["val_miou"], "o", color=colour)
    left.set(xlabel="epoch", ylabel="cross-entropy (nats per pixel)", ylim=(0, None))
    right.set(xlabel="epoch", ylabel=score, ylim=(0, 1))
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend(handles=SPLIT_LINES, frameon=False, fontsize=9)
    right.legend(frameon=False, fontsize=9)
    return figure


def plot_losses(panels: dict[str, dict[str, pd.DataFrame]]) -> Figure:
    """Training (solid) and validation loss (dashed) of runs over their epochs, on a log scale; by the loss's name, a
    panel each, then by the run's, their histories."""
    figure, grid = plt.subplots(1, len(panels), figsize=(1 + 4.5 * len(panels), 3.6), squeeze=False)
    colours = line_colours(name for histories in panels.values() for name in histories)
    for axes, (loss, histories) in zip(grid[0], panels.items(), strict=True):
        for name, history in histories.items():
            axes.plot(history["epoch"], history["train_loss"], color=colours[name], label=name)
            axes.plot(history["epoch"], history["val_loss"], color=colours[name], linestyle="--")
        axes.set(xlabel="epoch", ylabel=loss, yscale="log")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        lines, labels = axes.get_legend_handles_labels()
        axes.legend([*lines, *SPLIT_LINES], [*labels, *(line.get_label() for line in SPLIT_LINES)], frameon=False,
                    loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=9)
    return figure


def plot_cost(metrics: pd.DataFrame, runs: pd.DataFrame, costs: pd.DataFrame) -> Figure:
    """Test mIoU (border ignored) against what an answer costs, on a log scale: multiply-accumulates a photo, which
    depend on no machine, and, where they were measured, milliseconds a photo. A marker and colour for each variant.

    Args:
        metrics, runs, costs: a study's tables; ``costs`` may be empty.
    """
    rows = select(metrics, split="test", reduction="dataset", metric="iou", class_="mean", border="ignore")
    rows = rows.merge(runs[["variant", "notebook", "macs"]], on=["variant", "notebook"])
    timed = costs[costs["batch_size"] == 1].drop_duplicates(["notebook", "variant"], keep="last")
    rows = rows.merge(timed[["notebook", "variant", "milliseconds"]], on=["notebook", "variant"], how="left")
    panels = {"macs": "million multiply-accumulates"}
    if rows["milliseconds"].notna().any():
        panels["milliseconds"] = "milliseconds a photo"
    figure, grid = plt.subplots(1, len(panels), figsize=(4.6 * len(panels) + 3.2, 4.4), sharey=True, squeeze=False)
    palette = sns.color_palette("colorblind")
    for axes, (column, label) in zip(grid[0], panels.items(), strict=True):
        for place, row in enumerate(rows.to_dict("records")):
            x = row[column] / 1e6 if column == "macs" else row[column]
            errors = np.clip([[row["value"] - row["ci_low"]], [row["ci_high"] - row["value"]]], 0, None)
            axes.errorbar(x, row["value"], yerr=errors, fmt="none", ecolor=palette[place % 10], elinewidth=1)
            axes.scatter(x, row["value"], s=60, label=row["variant"], edgecolor="0.2", linewidth=0.6,
                         color=palette[place % 10], marker="osD^vP*X<>"[(place + place // 10) % 10])
        axes.set(xlabel=f"{label}, log scale", xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    grid[0][0].set_ylabel("mIoU on test, border ignored")
    grid[0][-1].legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    return figure
