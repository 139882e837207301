"""Figures that put models side by side: all pairs, protocols, hard pixels."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from petseg_utils.metrics import PairedDifference
from petseg_utils.plots.style import in_lines, text_colour

_MARKERS = "os^DvP*X<>"


def plot_differences(pairs: Sequence[PairedDifference], level: float = 0.05) -> Figure:
    """A matrix of all pairs: by how much the row's model is better than the column's. Purple is better, orange worse;
    what is not told apart at the level after Holm's correction is grey and in brackets.

    Args:
        pairs: of models in the order in which they are drawn, from :func:`petseg_utils.metrics.compare_all_pairs`.
        level: of the family of comparisons.
    """
    names = list(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second)))
    values, told = (np.full((len(names), len(names)), np.nan) for _ in range(2))
    for pair in pairs:
        a, b = names.index(pair.first), names.index(pair.second)
        values[a, b], told[a, b] = pair.difference, pair.p_holm <= level
    side = 0.62 * len(names)
    figure, axes = plt.subplots(figsize=(3.2 + side, 1.8 + 0.72 * side))
    limit = max(0.05, float(np.nanmax(np.abs(values))))
    mesh = axes.pcolormesh(np.where(told == 1, values, np.nan), cmap="PuOr", vmin=-limit, vmax=limit)
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            sure = told[row, column] == 1
            text = f"{value:+.3f}" if sure else f"({value:+.3f})"
            axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=8,
                      color=text_colour(mesh.to_rgba(value)) if sure else "0.45")
    axes.set_xticks(np.arange(1, len(names)) + 0.5, in_lines(names[1:]), rotation=45, ha="right",
                    rotation_mode="anchor", fontsize=9)
    axes.set_yticks(np.arange(len(names) - 1) + 0.5, in_lines(names[:-1]), fontsize=9)
    axes.set(xlim=(1, len(names)), ylim=(len(names) - 1, 0))
    axes.grid(visible=False)
    axes.set_title("difference of mIoU: row minus column")
    return figure


def plot_protocols(protocols: pd.DataFrame, titles: Sequence[str] = ()) -> Figure:
    """Each model's score under each protocol; a panel for each study, a marker for each model.

    Args:
        protocols: rows of ``protocols.csv``, of one study or several.
        titles: of the panels.
    """
    studies = list(dict.fromkeys(protocols["study"]))
    names = list(dict.fromkeys(protocols["protocol"]))
    models = {variant: place for place, variant in enumerate(dict.fromkeys(protocols["variant"]))}  # one look a model
    figure, panels = plt.subplots(1, len(studies), figsize=(4.2 + 3.6 * len(studies), 1.9 + 0.55 * len(names)),
                                  sharey=True, squeeze=False)
    for place, (axes, study) in enumerate(zip(panels[0], studies, strict=True)):
        of_study = protocols[protocols["study"] == study]
        for variant, of in of_study.groupby("variant", sort=False):
            model = models[variant]
            values = of.set_index("protocol")["value"].reindex(names)
            colour = (model + model // 10) % 10  # the eleventh has the first one's marker in another colour
            heights = np.arange(len(names)) + (model - (len(models) - 1) / 2) * 0.7 / len(models)
            axes.plot(values, heights, _MARKERS[model % 10], markersize=5, label=variant,
                      color=sns.color_palette("colorblind")[colour])
        axes.axvline(0.5, color="0.5", linewidth=1, linestyle=":")
        axes.set(xlim=(0, 1.02), xlabel='"mIoU" of the same predictions; dotted: one half',
                 title=titles[place] if titles else study)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False, fontsize=9)
        axes.grid(axis="y", visible=False)
        for between in range(1, len(names)):
            axes.axhline(between - 0.5, color="0.85", linewidth=0.8, zorder=0)
    panels[0][0].set_yticks(range(len(names)), names)
    panels[0][0].set_ylim(len(names) - 0.5, -0.5)
    return figure


def plot_challenges(challenges: pd.DataFrame) -> Figure:
    """Shares of hard pixels beside those of easy ones, with 95 % intervals; a panel for each challenge.

    Args:
        challenges: rows of ``challenges.csv`` of one study.
    """
    kinds = list(dict.fromkeys(challenges["challenge"]))
    variants = list(dict.fromkeys(challenges["variant"]))
    rows = {kind: list(dict.fromkeys(zip(of["pixels"], of["metric"], strict=True)))
            for kind, of in challenges.groupby("challenge", sort=False)}
    figure, panels = plt.subplots(len(kinds), 1, figsize=(8.5, 1.2 + 0.5 * sum(map(len, rows.values()))), sharex=True,
                                  height_ratios=[len(rows[kind]) for kind in kinds], squeeze=False)
    for axes, kind in zip(panels[:, 0], kinds, strict=True):
        for j, variant in enumerate(variants):
            of = challenges[(challenges["challenge"] == kind) & (challenges["variant"] == variant)]
            of = of.set_index(["pixels", "metric"]).reindex(pd.MultiIndex.from_tuples(rows[kind]))
            y = np.arange(len(rows[kind])) + (j - (len(variants) - 1) / 2) * 0.7 / len(variants)
            errors = np.clip([of["value"] - of["ci_low"], of["ci_high"] - of["value"]], 0, None)
            axes.errorbar(of["value"], y, xerr=errors, fmt=_MARKERS[j % 10], markersize=5, elinewidth=1.2,
                          color=sns.color_palette("colorblind")[j % 10], label=variant)
        axes.set_yticks(range(len(rows[kind])), [f"{pixels}: {metric}" for pixels, metric in rows[kind]])
        axes.set_ylim(len(rows[kind]) - 0.4, -0.6)
        axes.set_title(kind, loc="left")
        axes.grid(axis="y", visible=False)
    panels[-1, 0].set(xlabel="share of these pixels (of photos, where the row says so)", xlim=(-0.02, 1.02))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False,
                  fontsize=9)
    return figure
