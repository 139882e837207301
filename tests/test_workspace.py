"""Where files go: the environment's root, a checkout, a folder that outlives the machine, the current folder."""

import pytest

from petseg_utils import workspace
from petseg_utils.workspace import Workspace


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """An empty machine whose Drive and Kaggle folders lie below ``tmp_path``; we stand in its ``content``."""
    monkeypatch.delenv("PETSEG_ROOT")
    monkeypatch.setattr(workspace, "_MOUNTED", (
        (tmp_path / "content/drive/MyDrive/petseg", tmp_path / "content/petseg-scratch"),
        (tmp_path / "kaggle/working", tmp_path / "tmp/petseg-scratch")))
    (tmp_path / "content").mkdir()
    monkeypatch.chdir(tmp_path / "content")
    return tmp_path


def test_the_current_folder_is_the_last_resort(machine):
    assert Workspace.find() == Workspace(machine / "content")


def test_drive_is_the_root_only_when_it_is_mounted(machine):
    (machine / "content/drive").mkdir()  # before mounting, or when that was refused
    assert Workspace.find().root == machine / "content"
    (machine / "content/drive/MyDrive").mkdir()
    found = Workspace.find()
    assert found.root == machine / "content/drive/MyDrive/petseg"
    assert found.runs.parent == found.results("a").parents[1] == found.figures("a").parents[1] == found.root
    # What can be made again stays on the machine's own disk.
    assert found.data == machine / "content/petseg-scratch/data" and found.cache.parent == found.data.parent


def test_on_kaggle_the_working_folder_is_the_root(machine):
    (machine / "kaggle/working").mkdir(parents=True)
    found = Workspace.find()
    assert (found.runs, found.data) == (machine / "kaggle/working/runs", machine / "tmp/petseg-scratch/data")


def test_a_checkout_and_the_environment_come_first(machine, monkeypatch):
    (machine / "kaggle").mkdir()
    for folder in ("content/project/petseg_utils", "content/project/notebooks/deeper"):
        (machine / folder).mkdir(parents=True)
    monkeypatch.chdir(machine / "content/project/notebooks/deeper")
    assert Workspace.find() == Workspace(machine / "content/project")
    monkeypatch.setenv("PETSEG_ROOT", str(machine / "mine"))
    found = Workspace.find()
    assert found == Workspace(machine / "mine") and found.data == machine / "mine/data"


@pytest.mark.parametrize(("root", "scratch"), [
    ("kaggle/working/petseg", "tmp/petseg-scratch"), ("kaggle/working", "tmp/petseg-scratch"),
    ("content/drive/MyDrive/course/petseg", "content/petseg-scratch"),
])
@pytest.mark.parametrize("how", ["checkout", "environment"])
def test_a_root_on_a_mounted_disk_leaves_what_can_be_made_again_to_the_machines_own(machine, monkeypatch, root, scratch,
                                                                                   how):
    """Drive takes thousands of small files badly, and Kaggle's folder holds 20 GB. A study hands its root to its
    notebooks' kernels through the environment."""
    for folder in ("petseg_utils", "notebooks"):
        (machine / root / folder).mkdir(parents=True)
    if how == "environment":
        monkeypatch.setenv("PETSEG_ROOT", str(machine / root))
    else:
        monkeypatch.chdir(machine / root)
    assert Workspace.find() == Workspace(machine / root, machine / scratch)
