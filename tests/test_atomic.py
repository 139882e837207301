"""Writes that are there whole or not at all, whoever fails at whatever moment."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from petseg_utils.atomic import (
    read_arrays,
    remove_leftovers,
    replacing_file,
    replacing_folder,
    write_arrays,
    write_text,
)
from petseg_utils.errors import DataError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_name_only_when_the_block_has_ended(tmp_path):
    path = tmp_path / "deep" / "er" / "table.csv"
    with replacing_file(path) as temporary:
        temporary.write_text("new")
        assert not path.exists() and temporary.parent == path.parent  # one file system: the move is one step
    assert path.read_text() == "new" and names(path.parent) == ["table.csv"]


def test_a_failed_block_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing_file(path) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "old"
        raise ZeroDivisionError
    assert path.read_text() == "old" and names(tmp_path) == ["table.csv"]


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing_file(path):
        pass
    assert path.read_text() == "old" and names(tmp_path) == ["table.csv"]


def test_a_file_reaches_the_disk_before_its_name_does(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (events.append("fsync"), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("replace"), replace(a, b)))
    write_text(tmp_path / "a.json", "{}")
    assert events == ["fsync", "replace"] and (tmp_path / "a.json").read_text() == "{}"


def test_write_text_replaces_and_leaves_no_other_file(tmp_path):
    for text in ("one", "", "two\nlines\n"):
        write_text(tmp_path / "notes", text)
        assert (tmp_path / "notes").read_text() == text and names(tmp_path) == ["notes"]


def test_a_folder_takes_its_name_only_when_the_block_has_ended(tmp_path):
    folder = tmp_path / "deep" / "cache"
    with replacing_folder(folder) as new:
        (new / "a").write_text("a")
        assert not folder.exists()
        (new / "b").write_text("b")
    assert names(folder) == ["a", "b"] and names(folder.parent) == ["cache"]


def test_a_failed_folder_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing_folder(tmp_path / "cache") as new:
        (new / "a").write_text("half")
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_a_folder_that_another_process_finished_meanwhile_is_kept(tmp_path):
    folder = tmp_path / "cache"
    with replacing_folder(folder) as new:
        (new / "a").write_text("mine")
        folder.mkdir()
        (folder / "a").write_text("theirs")
    assert (folder / "a").read_text() == "theirs" and names(tmp_path) == ["cache"]


def test_a_file_in_the_folders_place_is_an_error_and_is_kept(tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OSError), replacing_folder(tmp_path / "cache") as new:
        (new / "a").write_text("a")
    assert (tmp_path / "cache").read_text() == "a file" and names(tmp_path) == ["cache"]


PROGRAM = """
import os, signal, sys
from pathlib import Path
from petseg_utils.atomic import replacing_file, replacing_folder
folder = Path(sys.argv[1])
with replacing_file(folder / "file") as file, replacing_folder(folder / "folder") as new:
    file.write_text("half")
    (new / "a").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs a signal that cannot be caught")
def test_a_killed_process_leaves_no_half_file_under_the_final_names(tmp_path):
    (tmp_path / "file").write_text("old")
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], check=False,
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "file").read_text() == "old" and not (tmp_path / "folder").exists()
    with replacing_folder(tmp_path / "folder") as new:  # and nobody is in the way of the next try
        (new / "a").write_text("whole")
    assert (tmp_path / "folder" / "a").read_text() == "whole"


def test_what_killed_processes_left_of_a_folder_is_removed_when_it_is_old(tmp_path):
    old, young, other = (tmp_path / name for name in (".a[1].00000000.tmp", ".a[1].11111111.tmp", ".b.00000000.tmp"))
    for leftover in (old, young, other):
        leftover.mkdir()
        (leftover / "images.npy").write_text("half")
        for path in (leftover / "images.npy", leftover):
            os.utime(path, (0, 0))
    (young / "images.npy").write_text("still written to")
    with replacing_folder(tmp_path / "a[1]") as new:
        (new / "images.npy").write_text("whole")
    assert names(tmp_path) == [young.name, other.name, "a[1]"]


def test_leftover_files_are_removed_and_no_others(tmp_path):
    for name in (".last.safetensors.0a1b2c3d.tmp", ".run.json.00000000.tmp", "last.safetensors", ".lock", "notes.tmp"):
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path)
    assert names(tmp_path) == [".lock", "last.safetensors", "notes.tmp"]
    remove_leftovers(tmp_path / "nowhere")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_file_may_be_read_by_whom_the_umask_lets(tmp_path):
    (tmp_path / "plain").touch()
    with replacing_file(tmp_path / "private") as temporary:
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    assert (tmp_path / "private").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("damage", [lambda whole: b"", lambda whole: whole[:100], lambda whole: whole[:-200],
                                    lambda whole: whole[:200] + bytes(40) + whole[240:], lambda whole: b"no arrays"])
def test_arrays_come_back_whole_or_their_file_is_named(tmp_path, damage):
    path = tmp_path / "statistics-test.npz"
    counts = np.random.default_rng(0).integers(0, 1000, (200, 3))
    write_arrays(path, counts=counts, of="pets")
    found = read_arrays(path)
    np.testing.assert_array_equal(found["counts"], counts)
    assert str(found["of"]) == "pets"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match="statistics-test.npz' is damaged .*: bring a whole copy, or make it again"):
        read_arrays(path)


def test_a_missing_file_of_arrays_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "none.npz")
