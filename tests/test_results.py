"""The study's tables: their columns, whose rows are replaced, and that every number comes from the statistics."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from making_runs import subset, train_tiny

from petseg_utils.classes import BORDER_POLICIES
from petseg_utils.metrics import apply_border, bootstrap_intervals, reduce_scores
from petseg_utils.results import (
    GROUPS_COLUMNS,
    METRICS_COLUMNS,
    RUNS_COLUMNS,
    metric_rows,
    read_table,
    record_runs,
    replace_rows,
)
from petseg_utils.training.run import NATIVE

# As DESIGN.md has it, word for word.
CONTRACT = ("study, notebook, run, model, decoder, variant, encoder, recipe, augmentation, label_fraction, seed, "
            "dataset, split, n_images, image_size, prompt, perturbation, level, border, reduction, class, metric, "
            "value, ci_low, ci_high")
NUMBERS = ["label_fraction", "seed", "n_images", "image_size", "level", "value", "ci_low", "ci_high"]


@pytest.fixture(scope="module")
def runs(synthetic_data, tmp_path_factory):
    """Two runs of one epoch."""
    data, folder = subset(synthetic_data, train=8, val=5, test=7), tmp_path_factory.mktemp("runs")
    return {"plain": train_tiny(data, folder, epochs=1), "another seed": train_tiny(data, folder, epochs=1, seed=1)}


@pytest.fixture
def study(tmp_path, runs):
    """A study with one notebook's rows."""
    record_runs(tmp_path, "mine", "02_unet", "synthetic", runs)
    return tmp_path


def test_two_who_write_at_once_lose_nothing(tmp_path):
    def write(variant):
        replace_rows(tmp_path / "mine", "runs", "02_unet", {variant}, [{"notebook": "02_unet", "variant": variant}])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, map(str, range(12))))
    assert set(read_table(tmp_path / "mine", "runs")["variant"]) == set(map(str, range(12)))


def test_the_columns_are_the_contracts(study):
    assert ", ".join(METRICS_COLUMNS) == CONTRACT
    assert (study / "metrics.csv").read_text().splitlines()[0] == CONTRACT.replace(", ", ",")
    assert (study / "runs.csv").read_text().splitlines()[0] == ",".join(RUNS_COLUMNS)
    for name, columns in (("metrics", METRICS_COLUMNS), ("groups", GROUPS_COLUMNS), ("runs", RUNS_COLUMNS)):
        assert tuple(read_table(study, name).columns) == columns
        assert tuple(read_table(study / "nothing", name).columns) == columns
        assert len(read_table(study / "nothing", name)) == 0


def test_every_score_is_there_once(study, runs):
    table = read_table(study, "metrics")
    assert len(table) == len(runs) * 2 * (78 + 12 + 2)  # runs, splits; counts, outlines, loss and calibration
    names = ["run", "variant", "split", "border", "reduction", "class", "metric"]
    assert not table.duplicated(names).any()
    assert set(table["metric"]) == {"iou", "dice", "accuracy", "boundary_iou", "loss", "ece"}
    assert set(table["border"]) == set(BORDER_POLICIES)
    assert table["perturbation"].eq("").all() and table["prompt"].eq("").all()
    for variant, run in runs.items():
        own = table[table["variant"] == variant]
        assert own["run"].eq(run.name).all() and own["seed"].eq(run.spec.seed).all()
    about = {"study": "mine", "notebook": "02_unet", "model": "unet", "dataset": "synthetic", "image_size": 64,
             "recipe": "strong", "augmentation": "five", "label_fraction": 1.0}
    for column, value in about.items():
        assert table[column].eq(value).all(), column
    assert table.groupby("split")["n_images"].unique().to_dict() == {"val": [5], "test": [7]}


def test_the_values_are_derived_from_the_counts(study, runs):
    table = read_table(study, "metrics")
    for variant, run in runs.items():
        own = table[table["variant"] == variant]
        for split in ("val", "test"):
            statistics = run.statistics(split)
            part = own[own["split"] == split].set_index(["border", "reduction", "class", "metric"])
            for policy in BORDER_POLICIES:
                confusions = apply_border(statistics.counts, statistics.species, policy)
                for reduction in ("dataset", "image"):
                    for metric in ("iou", "dice", "accuracy"):
                        intervals = bootstrap_intervals(confusions, metric, reduction)
                        for name, value in reduce_scores(confusions, metric, reduction).items():
                            row = part.loc[(policy, reduction, name, metric)]
                            assert row["value"] == pytest.approx(value, abs=6e-7, nan_ok=True)
                            assert row["ci_low"] == pytest.approx(intervals[name].ci_low, abs=6e-7, nan_ok=True)
                            assert row["ci_high"] == pytest.approx(intervals[name].ci_high, abs=6e-7, nan_ok=True)
            loss = part.loc[("ignore", "dataset", "", "loss")]
            assert loss["value"] == pytest.approx(statistics.mean_loss, abs=6e-7)
            assert loss["ci_low"] <= loss["value"] <= loss["ci_high"]


def test_runs_table_has_one_row_a_run(study, runs):
    table = read_table(study, "runs").set_index("variant")
    assert list(table.index) == list(runs)
    for variant, run in runs.items():
        row = table.loc[variant]
        assert row["run"] == run.name and row["spec"] == run.spec.to_json()
        assert row["epochs"] == row["best_epoch"] == 1
        assert row["best_val_miou"] == pytest.approx(run.history()["val_miou"].iloc[0])
        assert row["trainable_parameters"] == sum(p.numel() for p in run.load_model().parameters())
        assert row["macs"] > 0 and row["peak_memory_mb"] > 0 and row["threads"] > 0 and row["seconds"] >= 0
        assert all(row[column] for column in ("device", "precision", "versions", "pretraining"))


@pytest.mark.parametrize("notebook", ["02_unet", "02", "None"])
def test_a_notebooks_rows_are_replaced_and_not_doubled(notebook, tmp_path, runs):
    for _ in range(3):
        record_runs(tmp_path, "mine", notebook, "synthetic", runs)
        files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    record_runs(tmp_path, "mine", notebook, "synthetic", runs)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert len(read_table(tmp_path, "metrics")) == len(runs) * 2 * (78 + 12 + 2)
    assert len(read_table(tmp_path, "runs")) == len(runs)
    record_runs(tmp_path, "mine", notebook, "synthetic", {"plain": runs["plain"]})  # in parts: the others' rows stay
    for table in ("metrics.csv", "groups.csv", "runs.csv"):
        assert sorted((tmp_path / table).read_bytes().splitlines()) == sorted(files[table].splitlines())


def test_other_notebooks_rows_are_kept_to_the_letter(study, runs):
    first = {name: (study / name).read_text().splitlines() for name in ("metrics.csv", "groups.csv", "runs.csv")}
    record_runs(study, "mine", "01_data_preparation", "synthetic", {"later": runs["plain"]})
    record_runs(study, "mine", "03_autoencoders", "synthetic", {"later": runs["plain"]})
    for name, lines in first.items():
        now = (study / name).read_text().splitlines()
        assert [line for line in now[1:] if line.startswith("mine,02_unet,")] == lines[1:]
    for name in ("metrics", "groups", "runs"):  # in the notebooks' order, whichever ran first
        assert read_table(study, name)["notebook"].drop_duplicates().tolist() == [
            "01_data_preparation", "02_unet", "03_autoencoders"]


def test_text_stays_text_and_numbers_numbers(tmp_path, runs):
    """A variant may be called 0.5 or None, a column may be empty, in the first notebook or in all of them."""
    strange = {"0.5": runs["plain"], "None": runs["another seed"]}
    record_runs(tmp_path, "2026", "03", "synthetic", strange)
    table = read_table(tmp_path, "metrics")
    assert table["variant"].drop_duplicates().tolist() == ["0.5", "None"]
    for column in METRICS_COLUMNS:
        if column in NUMBERS:
            assert table[column].dtype.kind in "if", column
        else:
            assert table[column].map(type).eq(str).all(), column
    assert table["level"].isna().all() and table["decoder"].eq("").all()
    assert table["study"].eq("2026").all() and table["notebook"].eq("03").all()
    assert read_table(tmp_path, "runs")["variant"].tolist() == ["0.5", "None"]


def test_reading_what_was_written_gives_it_back(study):
    for name in ("metrics", "groups", "runs"):
        table = read_table(study, name)
        assert table.to_csv(index=False) == (study / f"{name}.csv").read_text()


def test_metric_rows_know_the_contracts_columns_only(runs):
    for row in metric_rows(runs["plain"]):
        assert set(row) <= set(METRICS_COLUMNS)


def test_groups_hold_the_scores_of_the_photos_they_name(study, runs):
    table = read_table(study, "groups")
    statistics = runs["plain"].statistics("test")
    own = table[table["variant"] == "plain"]
    assert set(own[own["grouping"] == "breed"]["group"]) == set(statistics.breeds)
    for breed in set(statistics.breeds.tolist()):
        chosen = statistics.select(statistics.breeds == breed)
        expected = reduce_scores(apply_border(chosen.counts, chosen.species, "ignore"), "iou", "dataset")["mean"]
        (row,) = own.query("group == @breed and metric == 'iou' and `class` == 'mean'").itertuples()
        assert row.value == pytest.approx(expected, abs=6e-7) and row.n_images == len(chosen)


def test_scores_at_native_size_stand_beside_those_of_the_same_photos(runs, tmp_path):
    run = runs["another seed"]
    test = run.statistics("test")
    assert "resolution" not in set(pd_groups(tmp_path / "without", run)["grouping"])
    run.write_statistics(NATIVE, test.select(np.arange(3)), "0123")
    try:
        assert run.has_statistics(NATIVE) and run.has_statistics(NATIVE, "0123")
        assert not run.has_statistics(NATIVE, "4567"), "scores of other photos would be taken for these"
        groups = pd_groups(tmp_path / "with", run).query("grouping == 'resolution'")
    finally:
        (run.folder / "statistics-native.npz").unlink()
    assert groups["group"].unique().tolist() == ["native size", "the same photos in the study's copy"]
    assert set(groups["n_images"]) == {3}
    one, other = (rows["value"].to_numpy() for _, rows in groups.groupby("group"))
    np.testing.assert_array_equal(one, other)  # here the two are the same predictions


def pd_groups(folder, run):
    record_runs(folder, "mine", "02_unet", "synthetic", {"run": run})
    return read_table(folder, "groups")
