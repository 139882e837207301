"""How figures look, and how they are shown: with alt text, and saved where a study keeps its figures."""

import base64
import io
import textwrap
from collections.abc import Iterable
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from IPython.display import display
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from petseg_utils.atomic import replacing_file
from petseg_utils.classes import BACKGROUND, BORDER, CAT, DISPLAY_COLOURS, DOG

_AUTOENCODERS = ("Simple AE", "Improved AE", "UNet-AE", "MAE")


def use_style() -> None:
    """Set matplotlib's defaults for this process: readable at half size, colour-blind-safe."""
    sns.set_theme(style="whitegrid", palette="colorblind", rc={
        "figure.dpi": 80, "savefig.dpi": 140, "font.size": 11, "axes.titlesize": 12, "axes.labelsize": 11,
        "legend.fontsize": 10, "axes.spines.top": False, "axes.spines.right": False,
        "figure.constrained_layout.use": True,
    })


def display_colour(code: int) -> tuple[float, float, float]:
    """The display colour of a class as matplotlib wants it: RGB in [0, 1]."""
    red, green, blue = DISPLAY_COLOURS[code]
    return red / 255, green / 255, blue / 255


def line_colours(names: Iterable[str]) -> dict[str, tuple[float, float, float]]:
    """Colour-blind-safe colours for lines, by name, in order; an autoencoder of notebook 03, whose name begins with one
    of theirs (``MAE, frozen``), has the same colour in every figure. Beyond ten names colours come again."""
    palette, names = sns.color_palette("colorblind"), list(names)
    own: dict[str, int] = {}
    for name in names:
        family = name.split(", ")[0]
        if family in _AUTOENCODERS and _AUTOENCODERS.index(family) not in own.values():
            own[name] = _AUTOENCODERS.index(family)
    free = cycle([place for place in range(len(palette)) if place not in own.values()])
    return {name: palette[own[name] if name in own else next(free)] for name in names}


def text_colour(ground: ArrayLike) -> str:
    """Black or white, whichever is easier to read on a ground of that colour, RGB in [0, 1]: by the contrast of their
    relative luminances (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in np.asarray(ground)[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "black" if (luminance + 0.05) / 0.05 > 1.05 / (luminance + 0.05) else "white"


def in_lines(names: Iterable[str]) -> list[str]:
    """Names for an axis, the long ones in two lines, which fit a row of a third of an inch at 9 points: else one long
    name takes the width of a figure from its numbers."""
    return [textwrap.fill(name, 52) for name in names]


def class_legend(figure: Figure, *, border: bool = True) -> None:
    """Put the classes' colours under a figure."""
    codes = {"background": BACKGROUND, "cat": CAT, "dog": DOG} | ({"border": BORDER} if border else {})
    figure.legend(handles=[Patch(color=display_colour(code), label=name) for name, code in codes.items()],
                  loc="outside lower center", ncols=len(codes), frameon=False)


def show(figure: Figure, alt: str, save_to: Path | None = None) -> None:
    """Display a figure in a notebook with alt text, close it, and save it if asked.

    Args:
        figure: a matplotlib figure.
        alt: what a reader who cannot see the figure should know: what is drawn, and what it shows.
        save_to: PNG path.
    """
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=figure.dpi)
    display({"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": alt},
            metadata={"image/png": {"alt": alt}}, raw=True)
    if save_to is not None:
        with replacing_file(save_to) as temporary:
            figure.savefig(temporary, format="png", metadata={"Description": alt})
    plt.close(figure)
