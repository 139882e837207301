"""A study's models side by side, from its tables: which rows are compared, and in which words."""

import json
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


def headline(metrics: pd.DataFrame, split: str = "test") -> pd.DataFrame:
    """One row a model: mIoU on ``split``, dataset level, border ignored; the best first."""
    rows = select(main_rows(metrics), split=split, metric="iou", reduction="dataset", border="ignore", class_="mean")
    return rows.sort_values("value", ascending=False, kind="stable")


def best_of_families(metrics: pd.DataFrame) -> list[str]:
    """The variants that figures show: the best of each model and, where one is named, encoder, and what was never
    trained; of the remedies that were put on one model (``MODEL, remedy``) the best. Chosen on validation, since the
    best of several on test is too kind a number; in the order of their scores on test, the best first."""
    rows = headline(metrics, "val")
    encoders = rows["encoder"].where(rows["model"].isin(FROZEN_ENCODER_NAMES), "")
    trained = rows["variant"][rows["model"] != ""]
    remedied = rows["variant"].map(lambda variant: next((t for t in trained if variant.startswith(f"{t}, ")), variant))
    families = rows["model"] + "|" + encoders + "|" + remedied.where(rows["model"] == "", "")
    chosen = rows["variant"][~families.duplicated()]
    return [variant for variant in headline(metrics)["variant"] if variant in set(chosen)]


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


def seed_scores(results: Path, study: str) -> pd.DataFrame:
    """The main rows of ``study`` that other studies on the same split repeat with other seeds and the same spec else,
    and those repeats.

    Args:
        results: the folder that holds all studies' folders.

    Returns:
        ``notebook``, ``variant``, ``seed`` and ``value``, test mIoU (dataset level, border ignored); one row a variant
        and seed. Empty where no variant has two seeds.
    """
    columns, own = ["notebook", "variant", "seed", "value"], results / study
    split = _split_of(own)
    if split is None:
        return pd.DataFrame(columns=columns)
    others = [folder for folder in sorted(results.glob("*")) if folder != own and _split_of(folder) == split]
    tables = [_with_specs(folder) for folder in (own, *others)]
    alike = ["notebook", "variant", "spec but seed"]
    rows = pd.concat([table.merge(tables[0][alike]) for table in tables]).drop_duplicates([*alike, "seed"])
    rows["seeds"] = rows.groupby(alike)["seed"].transform("count")
    return rows.query("seeds > 1").filter(columns).sort_values(columns[:3]).reset_index(drop=True)


def _split_of(folder: Path) -> bytes | None:
    manifest = folder / "manifest.csv"
    return manifest.read_bytes() if manifest.is_file() else None


def _with_specs(folder: Path) -> pd.DataFrame:
    """The headline of a study's trained rows, with what their specs say besides the seed."""
    runs = read_table(folder, "runs")
    runs = runs.assign(**{"spec but seed": runs["spec"].map(_but_seed)})
    return headline(read_table(folder, "metrics")).merge(runs[["notebook", "variant", "spec but seed"]])


def _but_seed(spec: str) -> str:
    """A spec without its seed, and without the names of the runs that it begins with, which hold that seed, too."""
    facts = json.loads(spec)
    names_runs = {"seed", "start"} | ({"encoder"} if facts["model"] not in FROZEN_ENCODER_NAMES else set())
    return json.dumps({name: value for name, value in facts.items() if name not in names_runs}, sort_keys=True)


def seed_spread(scores: pd.DataFrame) -> pd.DataFrame:
    """What another seed changes: of each variant of :func:`seed_scores` the number of ``seeds``, their ``mean`` and
    standard deviation ``std``, and the ``lowest`` and ``highest``."""
    return scores.groupby(["notebook", "variant"]).agg(
        seeds=("value", "count"), mean=("value", "mean"), std=("value", "std"), lowest=("value", "min"),
        highest=("value", "max"))


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
