"""Runs of several machines become one workspace's."""

import shutil

import pytest
from click.testing import CliRunner
from making_runs import assert_same_training, assert_sentence, train_tiny

from petseg_utils import merging
from petseg_utils.atomic import only_writer
from petseg_utils.cli import main
from petseg_utils.errors import DataError
from petseg_utils.training import Run
from petseg_utils.workspace import Workspace


@pytest.fixture
def elsewhere(few, whole, tmp_path):
    """Another workspace: a finished run, and one that was stopped."""
    other = tmp_path / "other"
    shutil.copytree(whole.folder, other / "runs" / whole.name)
    stopped = train_tiny(few, other / "runs", seed=1, epochs=1)
    (stopped.folder / "run.json").unlink()
    return other, stopped.name


def test_finished_runs_are_brought_once(elsewhere, whole, tmp_path):
    other, stopped = elsewhere
    here = Workspace(tmp_path / "here")
    merged = merging.merge_runs(other, here)
    assert (merged.brought, merged.known, merged.unfinished) == ([whole.name], [], [stopped])
    ours = Run(whole.spec, here.runs / whole.name)
    assert ours.finished and ours.record() == whole.record()
    assert_same_training(ours, whole)
    assert merging.merge_runs(other / "runs", here).known == [whole.name]
    assert not (here.runs / stopped).exists()


def test_a_brought_run_is_not_trained_again(elsewhere, few, whole, tmp_path):
    here = Workspace(tmp_path / "here")
    merging.merge_runs(elsewhere[0], here)
    before = (here.runs / whole.name / "best.safetensors").stat().st_mtime_ns
    assert train_tiny(few, here.runs).name == whole.name
    assert (here.runs / whole.name / "best.safetensors").stat().st_mtime_ns == before


def test_what_is_finished_here_stays(elsewhere, whole, tmp_path):
    here = Workspace(tmp_path / "here")
    shutil.copytree(whole.folder, here.runs / whole.name)
    (here.runs / whole.name / "mark").write_text("ours")
    merging.merge_runs(elsewhere[0], here)
    assert (here.runs / whole.name / "mark").read_text() == "ours"


def test_a_merge_that_was_stopped_is_gone_on_with(elsewhere, whole, tmp_path, monkeypatch):
    here, copied = Workspace(tmp_path / "here"), []
    real = shutil.copyfile

    def stopped(source, target):
        if len(copied) == 3:
            raise KeyboardInterrupt
        copied.append(source)
        return real(source, target)

    monkeypatch.setattr(merging.shutil, "copyfile", stopped)
    with pytest.raises(KeyboardInterrupt):
        merging.merge_runs(elsewhere[0], here)
    assert not Run(whole.spec, here.runs / whole.name).finished
    monkeypatch.undo()
    assert merging.merge_runs(elsewhere[0], here).brought == [whole.name]
    assert Run(whole.spec, here.runs / whole.name).record() == whole.record()


def test_a_folder_that_was_renamed_is_left_out_and_one_without_runs_is_refused(elsewhere, whole, tmp_path):
    other, here = elsewhere[0], Workspace(tmp_path / "here")
    shutil.copytree(other / "runs" / whole.name, other / "runs" / "unet-0000000000")
    merged = merging.merge_runs(other, here)
    assert (merged.brought, merged.strange) == ([whole.name], ["unet-0000000000"])
    assert not (here.runs / "unet-0000000000").exists()
    with pytest.raises(DataError) as error:
        merging.merge_runs(tmp_path / "nothing", here)
    assert_sentence(str(error.value), "nothing", "runs")


def test_a_run_that_is_being_trained_is_left_alone(elsewhere, whole, tmp_path):
    here = Workspace(tmp_path / "here")
    with only_writer(here.runs / whole.name):
        merged = merging.merge_runs(elsewhere[0], here)
    assert (merged.brought, merged.busy) == ([], [whole.name]) and not (here.runs / whole.name).exists()


def test_what_a_known_run_was_asked_elsewhere_is_brought_if_its_weights_are_the_same(elsewhere, whole, tmp_path):
    other, here = elsewhere[0], Workspace(tmp_path / "here")
    merging.merge_runs(other, here)
    theirs, ours = other / "runs" / whole.name, here.runs / whole.name
    (theirs / "perturbed-1-clean.npz").write_text("asked")
    (theirs / "history.csv").write_text("another")
    assert merging.merge_runs(other, here).known == [whole.name]
    assert (ours / "perturbed-1-clean.npz").is_file() and (ours / "history.csv").read_text() != "another"
    (theirs / "perturbed-1-blur.npz").write_text("asked")
    (theirs / "best.safetensors").write_bytes(b"trained on another machine")
    merging.merge_runs(other, here)
    assert not (ours / "perturbed-1-blur.npz").exists()


def test_a_finished_run_that_has_lost_its_weights_is_no_source_and_gets_them_back(elsewhere, whole, tmp_path):
    other, here = elsewhere[0], Workspace(tmp_path / "here")
    merging.merge_runs(other, here)
    theirs, ours = other / "runs" / whole.name, here.runs / whole.name
    (ours / "best.safetensors").unlink()
    assert merging.merge_runs(other, here).brought == [whole.name]
    assert (ours / "best.safetensors").read_bytes() == (theirs / "best.safetensors").read_bytes()
    (theirs / "best.safetensors").unlink()
    assert whole.name in merging.merge_runs(other, here).unfinished and (ours / "best.safetensors").is_file()


@pytest.mark.parametrize("text", ['{"model": "unet", "of_a_later_version": 1}', '{"model": "un'])
def test_a_spec_that_cannot_be_read_is_refused_before_anything_is_copied(text, elsewhere, whole, tmp_path):
    folder = elsewhere[0] / "runs" / "zz-0123456789"
    folder.mkdir()
    (folder / "spec.json").write_text(text)
    with pytest.raises(DataError) as error:
        merging.merge_runs(elsewhere[0], Workspace(tmp_path / "here"))
    assert_sentence(str(error.value), "zz-0123456789", "cannot read")
    assert not (tmp_path / "here" / "runs" / whole.name).exists()


def test_the_command_says_what_came(elsewhere, workspace_root):
    result = CliRunner().invoke(main, ["merge", str(elsewhere[0])])
    assert result.exit_code == 0 and "1 runs brought, 0 already here, 1 not finished there" in result.output
    assert len(list((workspace_root / "runs").glob("unet-*"))) == 1
