"""A study's models side by side, from its tables: which rows are compared, and in which words."""

from pathlib import Path
from typing import Any

import pandas as pd

from petseg_utils.classes import BORDER_POLICIES
from petseg_utils.metrics.robustness import ALL_KINDS, CLEAN
from petseg_utils.models import FROZEN_ENCODER_NAMES
from petseg_utils.plots.tables import select
from petseg_utils.results import ASIDE, read_table

PERTURBED = "06_robustness"  # the notebook whose rows are of spoilt photos


def main_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of any table that are compared: no ablation and no control, photos as they are, and of prompt models
    what they say without a prompt, as all others do."""
    chosen = ~table["notebook"].str.endswith(ASIDE) & (table["notebook"] != PERTURBED)
    if "perturbation" in table:
        chosen &= (table["perturbation"] == "") & table["prompt"].isin(["", "none"])
    return table[chosen]


def headline(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row a model: test mIoU, dataset level, border ignored; the best first."""
    rows = select(main_rows(metrics), split="test", metric="iou", reduction="dataset", border="ignore", class_="mean")
    return rows.sort_values("value", ascending=False, kind="stable")


def best_of_families(metrics: pd.DataFrame) -> list[str]:
    """The variants that figures show: the best of each model and, where one is named, encoder, and what was never
    trained; of the remedies that were put on one model (``MODEL, remedy``) the best. The best first."""
    rows = headline(metrics)
    encoders = rows["encoder"].where(rows["model"].isin(FROZEN_ENCODER_NAMES), "")
    trained = rows["variant"][rows["model"] != ""]
    remedied = rows["variant"].map(lambda variant: next((t for t in trained if variant.startswith(f"{t}, ")), variant))
    families = rows["model"] + "|" + encoders + "|" + remedied.where(rows["model"] == "", "")
    return rows["variant"][~families.duplicated()].tolist()


def with_interval(row: Any) -> str:
    """``value [low, high]`` of a table's row."""
    return f"{row.value:.3f} [{row.ci_low:.3f}, {row.ci_high:.3f}]"


def main_table(metrics: pd.DataFrame, runs: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Models x metrics: one row a model, the best first; test, dataset level, with 95 % intervals over photos.

    Args:
        metrics, runs, costs: a study's tables; ``costs`` may be empty.

    Returns:
        Text and numbers, indexed by notebook and variant; what was not measured is empty or NaN.
    """
    rows = headline(metrics).set_index(["notebook", "variant"])
    table = pd.DataFrame({"px": rows["image_size"], "seed": rows["seed"]}, index=rows.index)
    scores = select(main_rows(metrics), split="test", reduction="dataset", class_="mean")
    for metric, border in [*(("iou", border) for border in BORDER_POLICIES), ("boundary_iou", "ignore")]:
        of = select(scores, metric=metric, border=border).set_index(["notebook", "variant"])
        title = f"mIoU, border {border}" if metric == "iou" else "boundary IoU"
        table[title] = pd.Series({row.Index: with_interval(row) for row in of.itertuples()})
    own = main_rows(runs).set_index(["notebook", "variant"])
    table["pre-training"] = own["pretraining"]
    table["trained weights (M)"] = own["trainable_parameters"] / 1e6
    table["MACs (M)"] = own["macs"] / 1e6
    for column, batch_size, title in (("milliseconds", 1, "ms a photo"), ("images_per_second", 32, "photos/s by 32")):
        timed = costs[costs["batch_size"] == batch_size].drop_duplicates(["notebook", "variant"], keep="last")
        table[title] = timed.set_index(["notebook", "variant"])[column].astype(float)
    table["epochs"] = own["epochs"]
    table["training (min)"] = own["seconds"] / 60
    table["trained on"] = own["device"] + ", " + own["threads"].map("{:.0f} threads".format)
    return table.astype({column: "Int64" for column in ("px", "seed", "epochs")})  # whole numbers that may be missing


def seed_spread(results: Path, study: str) -> pd.DataFrame:
    """What another seed changes: rows of ``study`` that other studies on the same split repeat with other seeds.

    Args:
        results: the folder that holds all studies' folders.

    Returns:
        One row a variant with two or more seeds: ``seeds``, their ``mean`` and standard deviation ``std`` of test mIoU
        (dataset level, border ignored). Empty where no variant has two.
    """
    manifest = results / study / "manifest.csv"
    split = manifest.read_bytes() if manifest.is_file() else None
    same = [folder for folder in sorted(results.glob("*")) if split is not None
            and (folder / "manifest.csv").is_file() and (folder / "manifest.csv").read_bytes() == split]
    if not same:
        return pd.DataFrame(columns=["seeds", "mean", "std"])
    rows = pd.concat([headline(read_table(folder, "metrics")) for folder in same])
    alike = ["notebook", "variant", "model", "recipe", "augmentation", "label_fraction", "image_size", "n_images"]
    rows = rows[rows["seed"].notna()].drop_duplicates([*alike, "seed"])
    found = rows.groupby(alike, dropna=False)["value"].agg(seeds="count", mean="mean", std="std")
    return found[found["seeds"] > 1].reset_index(level=alike[2:], drop=True)


def robustness_table(metrics: pd.DataFrame) -> pd.DataFrame:
    """What notebook 06 left, in one row a model: the score on the clean photos, the mean share of it that is kept under
    perturbations, and the worst single cell. Empty if it left nothing.

    Returns:
        ``clean mIoU``, ``kept on average``, ``worst mIoU`` and ``worst cell`` (perturbation and level) by variant.
    """
    perturbed = metrics[(metrics["perturbation"] != "") & metrics["prompt"].isin(["", "none"])]
    kept = select(perturbed, metric="retained", perturbation=ALL_KINDS)
    kept = kept.drop_duplicates("variant", keep="last")
    cells = select(perturbed, metric="iou", class_="mean", border="ignore", reduction="dataset")
    clean = cells[cells["perturbation"] == CLEAN].drop_duplicates("variant", keep="last").set_index("variant")["value"]
    cells = cells[cells["level"] > 0]
    worst = cells.loc[cells.groupby("variant")["value"].idxmin()].set_index("variant")
    table = pd.DataFrame({"clean mIoU": clean, "kept on average": kept.set_index("variant")["value"]})
    table["worst mIoU"] = worst["value"]
    table["worst cell"] = worst["perturbation"] + ", level " + worst["level"].map("{:.0f}".format)
    return table.sort_values("kept on average", ascending=False)
