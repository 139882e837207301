"""Figures: of photos and masks, and of a study's tables. Plots read data; they never compute scores."""

from petseg_utils.plots.comparison import plot_challenges, plot_differences, plot_protocols
from petseg_utils.plots.diagrams import draw_unet
from petseg_utils.plots.maps import error_grid, error_picture, map_grid
from petseg_utils.plots.photos import photo_grid, prediction_grid, show_image
from petseg_utils.plots.prompts import click_grid, draw_clicks, plot_dialogues, plot_prompts
from petseg_utils.plots.robustness import plot_dice_by_level, plot_retained, plot_robustness_curves
from petseg_utils.plots.scores import (
    plot_error_by_distance,
    plot_groups,
    plot_label_efficiency,
    plot_reliability,
    plot_variants,
)
from petseg_utils.plots.style import class_legend, display_colour, show, use_style
from petseg_utils.plots.tables import (
    plot_border_policies,
    plot_class_iou,
    plot_cost,
    plot_histories,
    plot_losses,
    select,
)

__all__ = [
    "class_legend",
    "click_grid",
    "display_colour",
    "draw_clicks",
    "draw_unet",
    "error_grid",
    "error_picture",
    "map_grid",
    "photo_grid",
    "plot_border_policies",
    "plot_challenges",
    "plot_class_iou",
    "plot_cost",
    "plot_dialogues",
    "plot_dice_by_level",
    "plot_differences",
    "plot_error_by_distance",
    "plot_groups",
    "plot_histories",
    "plot_label_efficiency",
    "plot_losses",
    "plot_prompts",
    "plot_protocols",
    "plot_reliability",
    "plot_retained",
    "plot_robustness_curves",
    "plot_variants",
    "prediction_grid",
    "select",
    "show",
    "show_image",
    "use_style",
]
