"""Runs of several machines become one workspace's."""

import shutil

import pytest
from click.testing import CliRunner
from making_runs import assert_same_training, assert_sentence, train_tiny

from petseg_utils import merging
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


def test_a_folder_that_was_renamed_and_one_without_runs_are_refused(elsewhere, whole, tmp_path):
    other, _ = elsewhere
    (other / "runs" / whole.name).rename(other / "runs" / "unet-0000000000")
    for folder, parts in ((other, ("unet-0000000000", whole.name)), (tmp_path / "nothing", ("nothing", "runs"))):
        with pytest.raises(DataError) as error:
            merging.merge_runs(folder, Workspace(tmp_path / "here"))
        assert_sentence(str(error.value), *parts)


def test_the_command_says_what_came(elsewhere, workspace_root):
    result = CliRunner().invoke(main, ["merge", str(elsewhere[0])])
    assert result.exit_code == 0 and "1 runs brought, 0 already here, 1 not finished there" in result.output
    assert len(list((workspace_root / "runs").iterdir())) == 1
