"""What notebook 07 measures of finished runs: times, and tables that are written once."""

import time

import pandas as pd
import pytest
import torch
from making_runs import FLOAT32, small_model
from torch import nn

from petseg_utils.comparison import measuring
from petseg_utils.comparison.main_table import (
    best_of_families,
    headline,
    main_rows,
    main_table,
    robustness_table,
    seed_scores,
    seed_spread,
)
from petseg_utils.comparison.timing import time_inference
from petseg_utils.errors import DataError
from petseg_utils.metrics import PROTOCOLS
from petseg_utils.profiles import resolve
from petseg_utils.results import COLUMNS, METRICS_COLUMNS, packaged_table, read_table
from petseg_utils.study import Study


class Sleeps(nn.Module):
    """Busy for two milliseconds a photo and ten a call."""

    def forward(self, images):
        end = time.process_time() + 0.010 + 0.002 * len(images)
        while time.process_time() < end:
            pass
        return images


def test_time_is_of_one_photo_and_leaves_out_what_is_before_the_first_answers():
    one, many = time_inference(Sleeps().eval(), 32, FLOAT32, batch_sizes=(1, 5), seconds=0.05)
    assert (one["batch_size"], many["batch_size"]) == (1, 5)
    assert 11.5 < one["milliseconds"] < 30 and 3.5 < many["milliseconds"] < 10
    assert one["images_per_second"] == pytest.approx(1000 / one["milliseconds"])
    assert one["clock"] == "cpu" and one["threads"] == 1 and one["precision"] == "float32" and one["calls"] >= 3


def test_photos_are_of_the_models_size():
    shapes = []
    model = small_model("unet")
    model.register_forward_pre_hook(lambda module, inputs: shapes.append(tuple(inputs[0].shape)))
    time_inference(model.eval(), 48, FLOAT32, batch_sizes=(2,), seconds=0)
    assert set(shapes) == {(2, 3, 48, 48)}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """A study with two runs, one of them of an ablation."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PETSEG_ROOT", str(tmp_path_factory.mktemp("study")))
        study = Study(resolve("smoke", epochs=1, device="cpu"))
        run = study.train(study.spec("unet"))
        study.record("02_unet", {"UNet": run})
        study.record("02_unet_ablations", {"aside": run})
        yield study


def test_only_main_rows_with_a_checkpoint_are_measured(smoke):
    assert list(measuring.main_runs(smoke)) == [("02_unet", "UNet")]
    (run,) = measuring.main_runs(smoke).values()
    moved = run.best.rename(run.best.with_suffix(".away"))
    try:
        assert measuring.main_runs(smoke) == {}
    finally:
        moved.rename(run.best)


def test_the_best_of_each_notebook_is_chosen_on_validation(smoke):
    rows = {("02_unet", "UNet"): None}
    assert measuring.best_on_validation(smoke, rows) == rows


def test_what_is_measured_is_written_once(smoke, monkeypatch):
    runs, folder = measuring.main_runs(smoke), smoke.workspace.results(smoke.name)
    measuring.measure_costs(smoke, runs, seconds=0)
    measuring.measure_predictions(smoke, runs)
    costs, protocols, challenges = (read_table(folder, name) for name in ("costs", "protocols", "challenges"))
    assert costs["batch_size"].tolist() == [1, 32] and costs["threads"].unique() == [torch.get_num_threads()]
    assert protocols.groupby("variant").size().to_dict() == {"UNet": len(PROTOCOLS), measuring.FLOOR: len(PROTOCOLS)}
    ours = protocols.query("variant == 'UNet'")["value"].iloc[0]
    assert ours == pytest.approx(headline(smoke.metrics())["value"].iloc[0], abs=2e-6)
    assert "look-alike toys" in set(challenges["challenge"]) and challenges["dataset"].eq("synthetic").all()
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(measuring, "time_inference", None)  # would fail if it were called
    monkeypatch.setattr(measuring, "examine", None)
    measuring.measure_costs(smoke, runs)
    measuring.measure_predictions(smoke, runs)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


def test_data_are_the_runs_own_or_refused(smoke):
    (run,) = measuring.main_runs(smoke).values()
    assert measuring.data_of(smoke, run).fingerprint == run.spec.data
    real = Study(smoke.settings, "real")
    folder = real.workspace.results("real")
    folder.mkdir(parents=True)
    for name in ("manifest.csv", "metrics.csv"):
        text = (smoke.workspace.results(smoke.name) / name).read_text().replace("synthetic", "oxford")
        (folder / name).write_text(text)
    with pytest.raises(DataError, match="give DATA_ROOT"):
        measuring.data_of(real, run)


# ------------------------------------------------------------------------------------------------ tables side by side


def rows(*made):
    plain = dict.fromkeys(METRICS_COLUMNS, "") | {
        "notebook": "02_unet", "model": "unet", "split": "test", "border": "ignore", "reduction": "dataset",
        "class": "mean", "metric": "iou", "seed": 0.0, "image_size": 64, "n_images": 9, "level": float("nan")}
    table = pd.DataFrame([plain | {"variant": variant, "value": value, "ci_low": value - 0.1, "ci_high": value + 0.1}
                          | changes for variant, value, changes in made])
    return table


def on_both_splits(table):
    return pd.concat([table, table.assign(split="val")], ignore_index=True)


def test_main_rows_leave_out_what_is_not_compared():
    table = rows(("a", 0.5, {}), ("b", 0.9, {"notebook": "02_unet_ablations"}), ("c", 0.9, {"prompt": "random"}),
                 ("d", 0.9, {"perturbation": "blur", "level": 3}), ("e", 0.6, {"prompt": "none"}),
                 ("f", 0.9, {"notebook": "06_robustness", "perturbation": "clean"}))
    assert main_rows(table)["variant"].tolist() == ["a", "e"]
    assert headline(table)["variant"].tolist() == ["e", "a"]


def test_a_family_is_shown_by_its_best_and_encoders_apart():
    table = rows(("unet", 0.5, {}), ("better unet", 0.6, {}), ("floor", 0.2, {"model": ""}),
                 ("text", 0.3, {"model": ""}),
                 ("small", 0.7, {"model": "clip", "encoder": "petclip-mini"}),
                 ("large", 0.8, {"model": "clip", "encoder": "FILE.py"}),
                 ("ae", 0.4, {"model": "ae-unet", "encoder": "ae-unet-12"}), ("ae 2", 0.45, {"model": "ae-unet"}))
    assert best_of_families(on_both_splits(table)) == ["large", "small", "better unet", "ae 2", "text", "floor"]


def test_a_family_is_chosen_on_validation_and_ordered_by_test():
    table = on_both_splits(rows(("unet", 0.8, {}), ("better on validation", 0.6, {}), ("floor", 0.7, {"model": ""})))
    table.loc[(table["split"] == "val") & (table["variant"] == "better on validation"), "value"] = 0.9
    assert best_of_families(table) == ["floor", "better on validation"]


def test_of_the_remedies_for_one_model_the_best_is_shown():
    table = rows(("multi", 0.5, {"model": "clip", "encoder": "petclip-mini"}), ("multi, flips", 0.6, {"model": ""}),
                 ("multi, vote", 0.7, {"model": ""}), ("multistorey", 0.3, {"model": ""}))
    assert best_of_families(on_both_splits(table)) == ["multi, vote", "multi", "multistorey"]


def test_main_table_has_a_row_a_model_and_says_what_was_not_measured():
    table = main_table(packaged_table("metrics"), packaged_table("runs"), packaged_table("costs"))
    assert not table.index.duplicated().any() and len(table) == len(headline(packaged_table("metrics")))
    row = table.loc["03_autoencoders", "MAE, frozen"]
    assert row["mIoU, border ignore"].startswith("0.658 [") and row["ms a photo"] > 0
    assert pd.isna(table.loc["02_unet_at_128", "UNet, strong, 128 px"]["ms a photo"])


def test_seeds_are_found_in_other_studies_on_the_same_split(tmp_path):
    for name, seed, value, manifest in (("mine", 0, 0.5, "one"), ("a-trial", 0, 0.3, "one"),
                                        ("seed1", 1, 0.6, "one"), ("other", 2, 0.9, "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.csv").write_text(manifest)
        rows(("a", value, {"seed": seed}), ("b", value, {"seed": seed})).to_csv(tmp_path / name / "metrics.csv",
                                                                                index=False)
        specs = [f'{{"model": "unet", "seed": {seed}}}', f'{{"model": "unet", "seed": {seed}, "epochs": {seed + 1}}}']
        runs = pd.DataFrame({"notebook": "02_unet", "variant": ["a", "b"], "spec": specs})
        runs.reindex(columns=list(COLUMNS["runs"])).to_csv(tmp_path / name / "runs.csv", index=False)
    scores = seed_scores(tmp_path, "mine")
    assert scores[["variant", "seed", "value"]].to_numpy().tolist() == [["a", 0, 0.5], ["a", 1, 0.6]]
    (row,) = seed_spread(scores).to_dict("records")
    assert (row["seeds"], row["mean"]) == (2, 0.55) and row["std"] == pytest.approx(0.1 / 2**0.5)
    assert (row["lowest"], row["highest"]) == (0.5, 0.6)
    for study in ("other", "missing"):
        assert len(seed_scores(tmp_path, study)) == len(seed_spread(seed_scores(tmp_path, study))) == 0


def test_robustness_is_the_mean_share_kept_and_the_worst_cell():
    table = rows(("a", 0.8, {"metric": "retained", "perturbation": "all kinds"}),
                 ("a", 0.3, {"perturbation": "blur", "level": 9}), ("a", 0.4, {"perturbation": "noise", "level": 2}),
                 ("a", 0.5, {"perturbation": "clean", "level": 0}), ("a", 0.6, {}))
    (row,) = robustness_table(table).to_dict("records")
    assert row == {"clean mIoU": 0.5, "kept on average": 0.8, "worst mIoU": 0.3, "worst cell": "blur, level 9"}
    assert len(robustness_table(rows(("a", 0.6, {})))) == 0
