"""A study keeps its data apart from other data, and its files in its own folders."""

import pytest
from making_runs import assert_sentence, train_tiny

from petseg_utils.errors import UsageError
from petseg_utils.profiles import resolve
from petseg_utils.study import Study


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
    # The same notebook may be run again on other data: its rows are replaced, so nothing is mixed.
    other.record("02_unet", {"UNet": train_tiny(other.data, tmp_path, epochs=1)})
    assert set(study.metrics().query("split == 'test'")["n_images"]) == {24}


@pytest.mark.parametrize("name", ["../x", "a/b", "/x", ".."])
def test_a_name_that_leaves_the_results_folder_is_refused(name):
    with pytest.raises(UsageError):
        Study(resolve("smoke"), name)
