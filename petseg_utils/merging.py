"""Bring finished runs of other machines into this workspace: a study that was split among machines becomes one."""

import filecmp
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from filelock import Timeout

from petseg_utils.atomic import only_writer, replacing_file
from petseg_utils.errors import DataError
from petseg_utils.training.checkpoint import parse_spec
from petseg_utils.training.run import Run
from petseg_utils.workspace import Workspace


@dataclass
class Merged:
    """Names of runs: brought here, already here, not finished there (or without their weights), being trained here; and
    folders that are not named after the spec in them: renamed or edited, or named by another version."""

    brought: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)


def merge_runs(other: Path, workspace: Workspace) -> Merged:
    """Copy the finished runs of another workspace that are not finished here.

    A run is named by the hash of its spec, so the same name is the same work, wherever it was done; what is finished
    here stays as it is, but what a run was only asked there, about spoiled photos, say, is brought too. ``run.json``,
    which says that a run is finished, is copied last: a merge that is stopped is gone on with by merging again. A run
    that is being trained here is left to who trains it.

    Args:
        other: root of the other workspace, or its folder ``runs``.
        workspace: this one.

    Raises:
        DataError: there are no runs, or a spec that cannot be read; nothing has been copied then.
    """
    source = other / "runs" if (other / "runs").is_dir() else other
    specs = sorted(source.glob("*/spec.json"))
    if not specs:
        raise DataError(f"there are no runs in {str(source)!r}: give the root of another workspace, or its "
                        "folder 'runs'")
    merged = Merged()
    for theirs in [_run_in(path.parent) for path in specs]:
        ours = Run(theirs.spec, workspace.runs / theirs.name)
        if theirs.name != theirs.folder.name:
            merged.strange.append(theirs.folder.name)
        elif not (theirs.finished and theirs.best.is_file()):
            merged.unfinished.append(theirs.name)
        else:
            try:
                with only_writer(ours.folder).acquire(timeout=0):
                    _bring(theirs, ours, merged)
            except Timeout:
                merged.busy.append(theirs.name)
    return merged


def _run_in(folder: Path) -> Run:
    return Run(parse_spec((folder / "spec.json").read_text(encoding="utf-8"), folder), folder)


def _bring(theirs: Run, ours: Run, merged: Merged) -> None:
    if not (ours.finished and ours.best.is_file()):
        _copy(theirs.folder, ours.folder)
        merged.brought.append(theirs.name)
        return
    if filecmp.cmp(theirs.best, ours.best, shallow=False):  # else the answers are another model's
        _copy(theirs.folder, ours.folder, only_missing=True)
    merged.known.append(theirs.name)


def _copy(source: Path, target: Path, *, only_missing: bool = False) -> None:
    files = [path for path in source.iterdir() if path.is_file() and not path.name.startswith(".")]
    for path in sorted(files, key=lambda path: path.name == "run.json"):
        if not (only_missing and (target / path.name).is_file()):
            with replacing_file(target / path.name) as temporary:
                shutil.copyfile(path, temporary)
