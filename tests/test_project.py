"""What the project's files promise each other: versions, names, packaged tables."""

import re
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from petseg_utils.comparison.image_counts import packaged_counts
from petseg_utils.comparison.main_table import headline
from petseg_utils.metrics import Predicted, protocol_rows, reduce_scores
from petseg_utils.results import packaged_table
from petseg_utils.robustness import robustness_photos
from petseg_utils.training.recipes import FAMILY_LEARNING_RATES, RECIPES
from petseg_utils.training.spec import RunSpec

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "results" / "oxford-128" / "README.md")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normalised(requirement):
    return re.split(r"[<>=!~ \[;]", requirement)[0].lower().replace("_", "-")


def declared():
    extras = PROJECT["optional-dependencies"].values()
    return {normalised(r) for r in PROJECT["dependencies"] + [r for extra in extras for r in extra]}


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {normalised(line): line.split("==")[1] for line in lines if line and not line.startswith("#")}


def test_every_dependency_is_pinned_exactly():
    assert declared() <= set(pins())


def test_environment_names_the_same_packages_and_says_what_each_is_for():
    lines = (ROOT / "environment.yml").read_text().split("- pip:\n")[1].splitlines()
    named = [line.strip().removeprefix("- ") for line in lines if "--" not in line]
    assert {normalised(line) for line in named} == declared()
    assert all(re.search(r"  # \w", line) for line in named)


def test_ranges_admit_the_pins():
    for requirement in PROJECT["dependencies"]:
        least = re.search(r">=([\d.]+)", requirement)
        if least:
            pinned = [int(part) for part in re.findall(r"\d+", pins()[normalised(requirement)])]
            assert pinned >= [int(part) for part in least[1].split(".")], requirement


def test_packaged_tables_are_those_of_the_measured_study():
    for name in ("metrics.csv", "groups.csv", "runs.csv", "recipe_trials.csv", "petclip.csv", "counts.npz",
                 "protocols.csv", "challenges.csv", "costs.csv", "repeats.csv", "published.csv",
                 "seeds.csv"):
        packaged, measured = ROOT / "petseg_utils" / "packaged" / name, ROOT / "results" / "oxford-128" / name
        assert packaged.read_bytes() == measured.read_bytes(), f"copy {measured} to {packaged}"


def test_packaged_counts_are_those_of_the_packaged_scores():
    """Each model's counts give the score of its row in metrics.csv: a run that was made again has other ones."""
    metrics, counts = packaged_table("metrics"), packaged_counts()
    scores = metrics[(metrics["split"] == "test") & (metrics["metric"] == "iou") & (metrics["class"] == "mean")
                     & (metrics["reduction"] == "dataset") & metrics["prompt"].isin(["", "none"])
                     & (metrics["perturbation"] == "")].set_index(["notebook", "variant", "border"])["value"]
    assert len(counts.models) >= 15 and len(counts.names) == 3669
    for row in counts.models:
        for border in ("ignore", "background", "pet"):
            score = reduce_scores(counts.confusions(row, border), "iou", "dataset")["mean"]
            assert score == pytest.approx(scores[(*row, border)], abs=6e-7), (row, border)


def test_packaged_seeds_begin_with_the_packaged_scores():
    seeds = packaged_table("seeds")
    first = seeds[seeds["seed"] == 0].merge(headline(packaged_table("metrics")), on=["notebook", "variant", "value"])
    assert len(first) == seeds.groupby(["notebook", "variant"]).ngroups and not seeds["value"].duplicated().any()


def test_packaged_protocols_begin_with_the_packaged_scores():
    protocols, counts = packaged_table("protocols"), packaged_counts()
    for key, of in protocols[protocols["notebook"] != ""].groupby(["notebook", "variant"]):
        expected = {r["protocol"]: r["value"] for r in protocol_rows(Predicted(counts.models[key], counts.species))}
        for protocol, value in zip(of["protocol"], of["value"], strict=True):
            if "nearest" not in protocol:
                assert value == pytest.approx(expected[protocol], abs=6e-7), (key, protocol)


def test_every_family_had_the_same_number_of_trials_and_uses_the_best():
    trials = pd.read_csv(ROOT / "results" / "oxford-128" / "recipe_trials.csv")
    assert trials.groupby("model").size().tolist() == [3, 3]
    alike = trials.groupby("model")[["learning_rate", "augmentation", "image_size", "epochs", "seed"]]
    (one, other) = (rows.sort_values("learning_rate").to_numpy().tolist() for _, rows in alike)
    assert one == other
    for model, rows in trials.groupby("model"):
        best = rows.loc[rows["best_val_miou"].idxmax(), "learning_rate"]
        assert FAMILY_LEARNING_RATES.get((model, "strong"), RECIPES["strong"].learning_rate) == best


def test_measured_study_stands_on_the_whole_data_set():
    manifest = pd.read_csv(ROOT / "results" / "oxford-128" / "manifest.csv", keep_default_na=False)
    metrics = measured_metrics()
    assert manifest["split"].value_counts().to_dict() == {"trainval": 3680, "test": 3669}
    clean = metrics["perturbation"].isna()
    assert set(metrics.loc[clean & (metrics["split"] == "test"), "n_images"]) == {3669}


def test_the_spoiled_photos_are_the_protocols():
    folder = ROOT / "results" / "oxford-128"
    manifest = pd.read_csv(folder / "manifest.csv", keep_default_na=False)
    listed = pd.read_csv(folder / "robustness_photos.csv")["name"].tolist()
    assert listed == manifest["name"].to_numpy()[robustness_photos(manifest, 20)].tolist()
    chosen = manifest[manifest["name"].isin(listed) & (manifest["part"] == "test")]
    assert len(listed) == 740 and set(chosen["breed"].value_counts()) == {20}
    metrics = measured_metrics()
    of_levels = metrics[metrics["perturbation"].notna() & metrics["level"].notna() & (metrics["metric"] == "iou") &
                        (metrics["class"] == "mean")]
    assert of_levels.groupby("variant").size().eq(73).all(), "8 kinds in 9 levels, and the clean photos"


def test_files_are_short():
    for path in [*ROOT.glob("petseg_utils/**/*.py"), *ROOT.glob("benchmarks/*.py")]:
        assert len(path.read_text().splitlines()) <= 250, path


def measured_metrics():
    return pd.read_csv(ROOT / "results" / "oxford-128" / "metrics.csv", low_memory=False)


def formatted(row):
    return f"{row.value:.3f} [{row.ci_low:.3f}, {row.ci_high:.3f}]"


def test_readme_quotes_the_headline_of_every_main_row():
    readme = "".join(page.read_text() for page in PAGES)
    metrics = measured_metrics()
    headline = metrics.query("split == 'test' and metric == 'iou' and `class` == 'mean' and border == 'ignore' and "
                             "reduction == 'dataset' and perturbation.isna()", engine="python")
    main = headline[~headline["notebook"].str.endswith(("_ablations", "_controls"))]
    assert len(main) >= 10
    tables = [line for line in readme.splitlines() if line.startswith("| ")]
    for row in main.itertuples():
        name = row.variant.split(", frozen")[0]  # families of frozen encoders stand in rows, their controls beside them
        assert any(line.startswith(f"| {name}") and formatted(row) in line for line in tables), formatted(row)


def test_every_number_with_an_interval_in_the_readmes_tables_is_of_the_measured_study():
    metrics = measured_metrics()
    measured = {formatted(row) for row in metrics[metrics["split"] == "test"].itertuples()}
    lines = [line for page in PAGES for line in page.read_text().splitlines() if line.startswith("| ")]
    quoted = {quote for line in lines for quote in re.findall(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", line)}
    assert len(quoted) >= 40 and quoted <= measured, quoted - measured


def test_packaged_runs_are_named_after_their_specs():
    """So a row can be traced to what made it, and the same command finds the same run."""
    runs = packaged_table("runs")
    named = {row.run: RunSpec.from_json(row.spec).run_name for row in runs.itertuples()}
    assert len(named) >= 80 and named == {run: run for run in named}
