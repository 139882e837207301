"""A study keeps its data apart from other data, and its files in its own folders."""

import numpy as np
import pytest
from making_runs import assert_sentence, train_tiny

from petseg_utils.errors import UsageError
from petseg_utils.models.floor import ClassFrequencies
from petseg_utils.profiles import resolve
from petseg_utils.study import Study
from petseg_utils.training import run as run_module


def smoke(**changes):
    return Study(resolve("smoke", **({"n_trainval": 60, "n_test": 20} | changes)), "mine")


def test_a_notebooks_rows_carry_the_studys_name_and_data_set(tmp_path):
    study = smoke()
    study.record("02_unet", {"UNet": train_tiny(study.data, tmp_path, epochs=1)})
    metrics, runs = study.metrics(), study.runs()
    assert set(metrics["study"]) == {"mine"} and set(metrics["dataset"]) == {"synthetic"}
    assert runs["variant"].tolist() == ["UNet"]
    assert (study.workspace.results("mine") / "manifest.csv").is_file()


def test_results_on_other_data_are_not_mixed(tmp_path):
    study, other = smoke(), smoke(n_test=24)
    study.record("02_unet", {"UNet": train_tiny(study.data, tmp_path, epochs=1)})
    before = study.metrics()
    with pytest.raises(UsageError) as error:
        other.record("03_autoencoders", {"AE": train_tiny(other.data, tmp_path, epochs=1)})
    assert_sentence(str(error.value), "'mine'", "02_unet")
    assert study.metrics().equals(before)
    larger = smoke(image_size=96)
    assert larger.data.manifest.equals(study.data.manifest) and larger.data.fingerprint != study.data.fingerprint
    with pytest.raises(UsageError, match="on other data"):
        larger.record("03_autoencoders", {"AE": train_tiny(larger.data, tmp_path, epochs=1)})
    # The same notebook may be run again on other data: its rows are replaced, so nothing is mixed.
    other.record("02_unet", {"UNet": train_tiny(other.data, tmp_path, epochs=1)})
    assert set(study.metrics().query("split == 'test'")["n_images"]) == {24}


def test_rows_on_spoiled_photos_are_not_mixed_with_others(tmp_path):
    study, other = smoke(robustness_photos=1), smoke(n_test=24, robustness_photos=1)
    runs = {s: {"UNet": train_tiny(s.data, tmp_path, epochs=1)} for s in (study, other)}
    study.record("02_unet", runs[study])
    with pytest.raises(UsageError, match="on other data"):
        other.record_perturbed("06_robustness", runs[other])
    study.record_perturbed("06_robustness", runs[study])
    with pytest.raises(UsageError) as error:
        other.record("02_unet", runs[other])
    assert_sentence(str(error.value), "06_robustness")


def test_prompt_answers_are_scored_anew_when_the_rules_have_changed(tmp_path, monkeypatch):
    study = smoke(prompt_epochs=1, epochs=1)
    spec = study.spec("prompt-unet", augmentation="five", epochs=1)
    run = study.train(spec)
    before = run.prompt_scores("test")
    kept = (run.folder / "prompts-test.npz").stat().st_mtime_ns
    study.train(spec)
    assert (run.folder / "prompts-test.npz").stat().st_mtime_ns == kept
    monkeypatch.setattr(run_module, "RULES", run_module.RULES + 1)
    assert not run.has_prompt_scores("test")
    study.train(spec)
    assert run.has_prompt_scores("test", study.data.fingerprint)
    np.testing.assert_allclose(run.prompt_scores("test").centre, before.centre, atol=1e-6)


def test_a_lesson_shows_the_packaged_rows_until_the_study_trains_them_all(tmp_path, capsys):
    def shown(study, notebook):
        rows = study.rows_to_show("metrics", notebook)
        return set(rows["study"]), capsys.readouterr().out.strip()

    small, large = smoke(), smoke(rows="all")
    packaged = ({"oxford-128"}, "metrics of 02_unet: packaged, measured in study oxford-128")
    assert shown(small, "02_unet") == shown(large, "02_unet") == packaged
    run = train_tiny(small.data, tmp_path, epochs=1)
    for notebook in ("02_unet", "99_new"):
        small.record(notebook, {"UNet": run})
    assert shown(small, "02_unet") == packaged
    assert shown(large, "02_unet") == ({"mine"}, "metrics of 02_unet: this study's own")
    assert shown(small, "99_new") == ({"mine"}, "metrics of 99_new: this study's own")
    assert shown(small, "98_newer") == (set(), "metrics of 98_newer: not measured yet")


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", ".."])
def test_a_name_that_leaves_the_results_folder_is_refused(name):
    with pytest.raises(UsageError):
        Study(resolve("smoke"), name)


@pytest.mark.parametrize(("vit_dim", "heads"), [(64, 2), (192, 3), (320, 5), (768, 12)])
def test_a_transformer_of_any_width_that_can_be_is_built(vit_dim, heads):
    spec = Study(resolve("smoke", vit_dim=vit_dim, vit_depth=1)).spec("mae", task="reconstruction")
    assert spec.options["heads"] == heads
    spec.build()


def test_reconstructions_are_listed_and_models_without_a_run_are_scored(tmp_path):
    study = smoke()
    data = study.data
    plain = {"model": "ae-simple", "options": {"width": 2}, "epochs": 1}
    pretrained = train_tiny(data, tmp_path, **plain, task="reconstruction")
    run = train_tiny(data, tmp_path, **plain, encoder=pretrained.name, frozen=True, label_fraction=0.5)
    study.record("03_autoencoders", {"AE": pretrained, "AE, frozen": run},
                 untrained={"floor": ClassFrequencies(data.masks[data.indices("train")])})
    metrics, runs = study.metrics(), study.runs().set_index("variant")
    assert metrics["variant"].unique().tolist() == ["AE, frozen", "floor"]
    assert runs.index.tolist() == ["AE", "AE, frozen"]
    assert runs.loc["AE", "pretraining"] == "none" and runs.loc["AE, frozen", "pretraining"] == pretrained.name
    assert runs["best_val_loss"].gt(0).all() and runs["best_val_miou"].isna().tolist() == [True, False]
    frozen, floor = (metrics[metrics["variant"] == name] for name in ("AE, frozen", "floor"))
    assert len(frozen) == len(floor)
    assert frozen["encoder"].eq(pretrained.name).all() and frozen["label_fraction"].eq(0.5).all()
    assert floor["run"].eq("").all() and floor["seed"].isna().all()
    (score,) = floor.query("split == 'test' and border == 'ignore' and reduction == 'dataset' and metric == 'iou' "
                           "and `class` == 'cat'")["value"]
    assert score == 0
    groups = study.groups()
    assert len(groups.query("variant == 'floor'")) == len(groups.query("variant == 'AE, frozen'")) > 0


def test_models_without_a_run_are_scored_at_native_size_too(tmp_path):
    study = smoke()
    native = Study(resolve("smoke", native_root=str(study.data_root)), "native")
    native.record("03_autoencoders", {}, untrained={"floor": ClassFrequencies(study.data.masks[:4])})
    groups = native.groups()
    assert set(groups["group"]) > {"native size", "the same photos in the study's copy"}
    assert native.metrics()["split"].unique().tolist() == ["val", "test"]
