"""Bring finished runs of other machines into this workspace: a study that was split among machines becomes one."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from petseg_utils.atomic import replacing_file
from petseg_utils.errors import DataError
from petseg_utils.training.run import Run
from petseg_utils.training.spec import RunSpec
from petseg_utils.workspace import Workspace


@dataclass
class Merged:
    """Names of runs: brought here, already here, not finished there."""

    brought: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)


def merge_runs(other: Path, workspace: Workspace) -> Merged:
    """Copy the finished runs of another workspace that are not finished here.

    A run is named by the hash of its spec, so the same name is the same work, wherever it was done; what is finished
    here stays as it is. ``run.json``, which says that a run is finished, is copied last: a merge that is stopped is
    gone on with by merging again.

    Args:
        other: root of the other workspace, or its folder ``runs``.
        workspace: this one.

    Raises:
        DataError: there are no runs, or a folder whose spec is not the one that it is named after.
    """
    source = other / "runs" if (other / "runs").is_dir() else other
    specs = sorted(source.glob("*/spec.json"))
    if not specs:
        raise DataError(f"there are no runs in {str(source)!r}: give the root of another workspace, or its "
                        "folder 'runs'")
    merged = Merged()
    for path in specs:
        theirs = Run(RunSpec.from_json(path.read_text(encoding="utf-8")), path.parent)
        if theirs.name != path.parent.name:
            raise DataError(f"{str(path.parent)!r} holds the spec of run {theirs.name}: it was renamed or edited, "
                            "remove it or make it again")
        ours = Run(theirs.spec, workspace.runs / theirs.name)
        if not theirs.finished:
            merged.unfinished.append(theirs.name)
        elif ours.finished:
            merged.known.append(theirs.name)
        else:
            _copy(theirs.folder, ours.folder)
            merged.brought.append(theirs.name)
    return merged


def _copy(source: Path, target: Path) -> None:
    files = [path for path in source.iterdir() if path.is_file() and not path.name.startswith(".")]
    for path in sorted(files, key=lambda path: path.name == "run.json"):
        with replacing_file(target / path.name) as temporary:
            shutil.copyfile(path, temporary)
