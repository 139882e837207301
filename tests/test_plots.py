"""Figures draw what they are given, also where a table lacks something; nothing here looks at pixels of a figure."""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from petseg_utils import plots
from petseg_utils.corruptions import CORRUPTIONS
from petseg_utils.metrics import PairedDifference
from petseg_utils.metrics.robustness import ALL_KINDS
from petseg_utils.plots.maps import ERROR_COLOURS
from petseg_utils.plots.style import line_colours
from petseg_utils.prompts.simulator import Click


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def texts(figure):
    return {text.get_text() for axes in figure.axes for text in axes.texts}


@pytest.mark.parametrize("model, part", [("unet", "max pool 2 x 2"), ("unet-resattn", "attention pool 2 x 2")])
def test_a_drawn_unet_has_every_maps_shape(model, part):
    drawn = texts(plots.draw_unet(4, 2, 64, model))
    assert part in drawn and "16 x 16 x 16\nbottleneck" in drawn
    for shape in ("4 x 64 x 64", "8 x 32 x 32"):
        assert any(text.startswith(shape + "\n") for text in drawn)


def test_errors_are_coloured_by_kind_and_the_border_is_never_wrong():
    mask = np.array([[0, 0, 1, 1, 2, 3]], dtype=np.uint8)
    prediction = np.array([[0, 2, 0, 2, 2, 1]], dtype=np.uint8)
    picture = plots.error_picture(np.full((1, 6, 3), 90, np.uint8), mask, prediction)
    kinds = {colour: name for name, colour in ERROR_COLOURS.items()}
    assert [kinds.get(tuple(pixel.tolist())) for pixel in picture[0]] == [
        None, "pet invented", "pet missed", "wrong species", None, None]
    plots.error_grid([np.zeros((1, 6, 3), np.uint8)], [mask], {"UNet": [prediction]})


def test_reliability_leaves_empty_bins_out():
    bins = np.zeros((15, 3))
    bins[[9, 14]] = [[10, 6.3, 5], [90, 88, 85]]
    upper, _ = plots.plot_reliability({"UNet": bins}).axes
    (line,) = [line for line in upper.lines if line.get_label() == "UNet"]
    assert np.allclose(line.get_xydata(), [[0.63, 0.5], [88 / 90, 85 / 90]])


def groups():
    rows = [("UNet", "pug", 0.6), ("UNet", "Birman", 0.8), ("UNet-ResAttn", "pug", 0.7)]
    return pd.DataFrame([{"variant": variant, "grouping": "breed", "group": group, "metric": "iou", "class": "mean",
                          "n_images": 10, "value": value, "ci_low": value - 0.1, "ci_high": value + 0.1}
                         for variant, group, value in rows])


def test_breeds_are_sorted_by_the_first_variant_and_may_be_missing_in_another():
    (axes,) = plots.plot_groups(groups(), "breed", ["UNet", "UNet-ResAttn"]).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Birman, 10", "pug, 10"]


def test_variants_are_drawn_the_best_first_and_a_line_marks_the_baseline():
    rows = groups().assign(split="test", reduction="dataset", border="ignore").drop_duplicates("variant")
    rows = rows.assign(variant=["UNet, baseline", "UNet-ResAttn"], value=[0.4, 0.6])
    (axes,) = plots.plot_variants(rows).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["UNet-ResAttn", "UNet, baseline"]
    assert [0.4, 0.4] in [list(line.get_xdata()) for line in axes.lines]


def test_what_all_variants_begin_with_is_said_once_and_long_names_get_room():
    rows = groups().assign(split="test", reduction="dataset", border="ignore").drop_duplicates("variant")
    rows = rows.assign(variant=["mini, baseline", "mini, " + "many words " * 9], value=[0.4, 0.6])
    (axes,) = plots.plot_variants(rows).axes
    first, second = (label.get_text() for label in axes.get_yticklabels())
    assert first.startswith("many words") and first.count("\n") == 2 and second == "baseline"
    assert axes.get_xlabel().startswith("mIoU of mini on test")
    assert np.diff(axes.get_yticks()) == pytest.approx([2.6])  # half of 3.6 and of 1.6


def test_error_by_distance_leaves_gaps_where_there_is_no_pixel():
    shares = np.array([0.1, np.nan, 0.2])
    (axes,) = plots.plot_error_by_distance(np.arange(-1, 2), {"UNet": {"pet or background": shares}}).axes
    assert np.isnan(axes.lines[0].get_ydata()[1])


def test_maps_of_any_size_are_stretched_to_the_photo():
    figure = plots.map_grid([np.zeros((8, 8, 3), np.uint8)], {"4 x 4": [np.ones((4, 4))]}, label="attention",
                            pixel=(3, 4), squares={"4 x 4": [5]})
    (image,) = figure.axes[1].images
    assert list(image.get_extent()) == [-0.5, 7.5, 7.5, -0.5]


def labelled(rows):
    return pd.DataFrame([{"variant": variant, "label_fraction": fraction, "split": "test", "reduction": "dataset",
                          "metric": "iou", "border": "ignore", "class": "mean", "value": value, "ci_low": value - 0.05,
                          "ci_high": value + 0.05} for variant, fraction, value in rows])


def test_label_efficiency_draws_a_line_for_each_model_and_way():
    rows = [("MAE, frozen", 1.0, 0.7), ("MAE, frozen, 10% of the labels", 0.1, 0.5), ("MAE, from scratch", 1.0, 0.6),
            ("UNet-AE, frozen, 5% of the labels", 0.05, 0.3)]
    (axes,) = plots.plot_label_efficiency(labelled(rows)).axes
    lines = {container.get_label(): container.lines[0] for container in axes.containers}
    assert set(lines) == {"MAE, frozen", "MAE, from scratch", "UNet-AE, frozen"}
    assert np.allclose(lines["MAE, frozen"].get_xydata(), [[10, 0.5], [100, 0.7]])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["5", "10", "100"]


def test_losses_are_drawn_solid_in_training_and_dashed_in_validation():
    history = pd.DataFrame({"epoch": [1, 2], "train_loss": [0.4, 0.2], "val_loss": [0.5, 0.3]})
    first, axes = plots.plot_losses({"error": {"AE": history}, "mean squared error": {"MAE": history}}).axes
    assert first.lines[0].get_color() != axes.lines[0].get_color()
    assert [text.get_text() for text in axes.get_legend().texts] == ["MAE", "training", "validation"]
    assert [(line.get_linestyle(), list(line.get_ydata())) for line in axes.lines] == [
        ("-", [0.4, 0.2]), ("--", [0.5, 0.3])]
    assert axes.get_yscale() == "log" and axes.get_ylabel() == "mean squared error"


def test_clicks_are_drawn_where_they_are_and_numbered():
    clicks = [Click(3.5, 2.5, True), Click(7.5, 1.5, False)]
    rows = [[(np.zeros((10, 12, 3), np.uint8), clicks)], []]
    figure = plots.click_grid(rows, ["photo", "more"], row_titles=["a", "b"])
    first = figure.axes[0]
    assert {tuple(line.get_xydata()[0]) for line in first.lines} == {(3, 2), (7, 1)}
    assert {"1", "2"} <= {text.get_text() for text in first.texts}
    assert not any(axes.lines for axes in figure.axes[1:])


def test_dialogues_are_means_over_the_photos_that_have_one():
    ious = np.array([[0.5, 0.9, 0.9], [0.7, 0.7, 0.9], [np.nan] * 3])
    (axes,) = plots.plot_dialogues({"ours": ious}).axes
    line = next(line for line in axes.lines if line.get_label() == "ours")
    np.testing.assert_allclose(line.get_xydata(), [[1, 0.6], [2, 0.8], [3, 0.9]])


def test_no_dialogue_is_left_out():
    (axes,) = plots.plot_dialogues({str(n): np.full((2, 3), n / 20) for n in range(12)}).axes
    drawn = [(line.get_color(), line.get_marker()) for line in axes.lines if line.get_marker() != "None"]
    assert len(drawn) == len(set(drawn)) == 12


def test_prompts_have_a_marker_for_each_kind_that_was_measured():
    rows = [{"variant": "ours", "split": "test", "metric": "iou", "class": "pet", "prompt": prompt, "value": value,
             "ci_low": value - 0.1, "ci_high": value + 0.1} for prompt, value in (("centre", 0.8), ("text", 0.6))]
    figure = plots.plot_prompts(pd.DataFrame(rows))
    drawn = {float(line.get_xdata()[0]) for line in figure.axes[0].lines if len(line.get_xdata()) == 1}
    assert {0.8, 0.6} <= drawn


def spoiled(variants, n_images=740, prompt=""):
    levels = [("clean", 0), *((kind, level) for kind in CORRUPTIONS for level in range(1, 10))]
    rows = []
    for (variant, start), (kind, level), metric in product(variants.items(), levels, ("iou", "dice")):
        score = start - 0.02 * level
        rows.append({"variant": variant, "perturbation": kind, "level": level, "metric": metric, "class": "mean",
                     "value": score, "ci_low": score - 0.01, "ci_high": score + 0.01})
    rows += [{"variant": variant, "perturbation": kind, "level": np.nan, "metric": "retained", "class": "mean",
              "value": start} for variant, start in variants.items() for kind in (*CORRUPTIONS, ALL_KINDS)]
    return pd.DataFrame(rows).assign(n_images=n_images, prompt=prompt)


def test_every_kind_has_a_panel_and_its_curves_begin_at_the_clean_score():
    figure = plots.plot_robustness_curves(spoiled({"a": 0.9, "b": 0.7, "c": 0.5}), ["b", "a"])
    assert [axes.get_title().split("\n")[0] for axes in figure.axes] == list(CORRUPTIONS)
    with pytest.raises(ValueError, match="9 variants"):
        plots.plot_robustness_curves(spoiled({"a": 0.9}), list("abcdefghi"))
    for axes in figure.axes:
        lines = {line.get_label(): line.get_ydata() for line in axes.lines}
        assert list(lines) == ["b", "a"] and all(len(y) == 10 for y in lines.values())
        assert lines["a"][0] == 0.9 and lines["a"][9] == pytest.approx(0.72)
    told = plots.plot_robustness_curves(spoiled({"a": 0.9}, prompt="random"), ["a"])
    assert told.axes[0].lines[0].get_label() == "a, with a click"


def test_dice_has_a_line_a_kind_and_the_threshold():
    (axes,) = plots.plot_dice_by_level(spoiled({"a": 0.9}), 0.8).axes
    assert [line.get_label() for line in axes.lines[:8]] == list(CORRUPTIONS)
    assert list(axes.lines[8].get_ydata()) == [0.8, 0.8]


def test_what_is_retained_is_sorted_and_says_the_clean_score():
    """Rows of fewer photos do not rank with the others."""
    metrics = pd.concat([spoiled({"few": 0.9}, 185), spoiled({"low": 0.5}), spoiled({"high": 0.8}, prompt="random")])
    axes = plots.plot_retained(metrics).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "high, with a click (0.800)", "low (0.500)", "few (0.900; 185 photos)"]
    assert len(axes.texts) == 3 * 9 and axes.texts[0].get_text() == ".80"


def test_numbers_on_colours_can_be_read():
    """4.5 is the least contrast that WCAG 2.2 asks for."""
    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    of_all_heights = {f"{score:.2f}": score for score in np.arange(0.3, 1.05, 0.03)}
    axes = plots.plot_retained(spoiled(of_all_heights)).axes[0]
    for text, ground in zip(axes.texts, axes.collections[0].get_facecolor(), strict=True):
        dark, light = sorted([luminance(text.get_color()), luminance(ground[:3])])
        assert (light + 0.05) / (dark + 0.05) > 4.5


def test_differences_in_the_matrix_are_row_minus_column_and_doubtful_ones_in_brackets():
    pairs = [PairedDifference("a", "b", 0.1, 0.05, 0.15, 0.001, 0.003),
             PairedDifference("a", "c", 0.2, 0.1, 0.3, 0.001, 0.003),
             PairedDifference("b", "c", -0.01, -0.05, 0.03, 0.3, 0.3)]
    figure = plots.plot_differences(pairs)
    placed = {tuple(text.get_position()): text.get_text() for text in figure.axes[0].texts}
    assert placed == {(1.5, 0.5): "+0.100", (2.5, 0.5): "+0.200", (2.5, 1.5): "(-0.010)"}
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["b", "c"]


def test_protocols_have_a_panel_a_study_and_the_same_rows():
    rows = [{"study": study, "variant": variant, "protocol": protocol, "value": value}
            for study in ("quick", "real") for variant in ("UNet", "floor")
            for protocol, value in (("ours", 0.3), ("kind", 0.6))]
    left, right = plots.plot_protocols(pd.DataFrame(rows), ["pets", "photos"]).axes
    assert (left.get_title(), right.get_title()) == ("pets", "photos")
    assert [label.get_text() for label in left.get_yticklabels()] == ["ours", "kind"]
    assert [list(line.get_xdata()) for line in right.lines if line.get_label() == "UNet"] == [[0.3, 0.6]]


def test_challenges_have_a_panel_each_and_a_model_may_lack_one():
    rows = [(variant, challenge, pixels, value) for variant, challenge, pixels, value in (
        ("UNet", "thin parts", "thin parts", 0.4), ("UNet", "thin parts", "rest", 0.8),
        ("MAE", "thin parts", "rest", 0.7), ("UNet", "toys", "toys", 0.1))]
    table = pd.DataFrame([{"variant": variant, "challenge": challenge, "pixels": pixels, "metric": "called pet",
                           "value": value, "ci_low": value - 0.1, "ci_high": value + 0.1}
                          for variant, challenge, pixels, value in rows])
    thin, toys = plots.plot_challenges(table).axes
    assert [label.get_text() for label in thin.get_yticklabels()] == ["thin parts: called pet", "rest: called pet"]
    assert (thin.get_title("left"), toys.get_title("left")) == ("thin parts", "toys")


def test_cost_has_a_second_panel_where_time_was_measured():
    about = {"notebook": "02", "split": "test", "reduction": "dataset", "metric": "iou", "class": "mean",
             "border": "ignore"}
    metrics = pd.DataFrame([about | {"variant": variant, "value": value, "ci_low": value - 0.1, "ci_high": value + 0.1}
                            for variant, value in (("small", 0.5), ("large", 0.7))])
    runs = pd.DataFrame([{"notebook": "02", "variant": variant, "macs": macs, "trainable_parameters": 1e5}
                         for variant, macs in (("small", 2e6), ("large", 9e9))])
    costs = pd.DataFrame([{"notebook": "02", "variant": "small", "batch_size": 1, "milliseconds": 4.0},
                          {"notebook": "02", "variant": "small", "batch_size": 32, "milliseconds": 1.0}])
    macs, milliseconds = plots.plot_cost(metrics, runs, costs).axes
    for axes, place in ((macs, [2.0, 0.5]), (milliseconds, [4.0, 0.5])):
        assert place in [points.get_offsets()[0].tolist() for points in axes.collections]
    assert len(plots.plot_cost(metrics, runs, costs.iloc[:0]).axes) == 1


def test_border_policies_are_three_markers_a_variant_in_the_tables_order():
    rows = [{"variant": variant, "border": border, "split": "test", "reduction": "dataset", "metric": "iou",
             "class": "mean", "value": value, "ci_low": value - 0.1, "ci_high": value + 0.1}
            for variant, base in (("b", 0.5), ("a", 0.6)) for border, value in
            (("ignore", base), ("background", base - 0.1), ("pet", base - 0.2))]
    (axes,) = plots.plot_border_policies(pd.DataFrame(rows)).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    assert {text.get_text() for text in axes.texts} == {"0.500", "0.600"}
    assert len(axes.containers) == 3


def test_an_autoencoder_has_its_colour_whatever_stands_beside_it():
    alone, among = line_colours(["MAE, frozen"]), line_colours(["UNet", "Simple AE", "UNet-AE with skips", "MAE"])
    assert alone["MAE, frozen"] == among["MAE"] and len(set(among.values())) == 4
    assert len(set(line_colours(["MAE, frozen", "MAE, random"]).values())) == 2
    assert len(line_colours(map(str, range(12)))) == 12
