"""Where a study's files live: one root, one folder for each kind of thing."""

import os
from dataclasses import dataclass
from pathlib import Path

from petseg_utils.errors import UsageError

# Machines that go away: what is kept, and a disk for what can be made again. Drive takes thousands of small files
# badly, and Kaggle stores every file of its working folder with the notebook.
_MOUNTED = (
    (Path("/content/drive/MyDrive/petseg"), Path("/content/petseg-scratch")),  # Colab, with Drive mounted
    (Path("/kaggle/working"), Path("/tmp/petseg-scratch")),
)


@dataclass(frozen=True)
class Workspace:
    """Folders of one study after another: ``notebooks`` and ``data`` are read; ``cache``, ``runs``, ``executed``,
    ``results`` and ``figures`` are written.

    Attributes:
        root: holds them all.
        scratch: holds ``data`` and ``cache`` instead, where they are better kept apart from the root.
    """

    root: Path
    scratch: Path | None = None

    @classmethod
    def find(cls) -> "Workspace":
        """``PETSEG_ROOT`` from the environment, else the checkout around the current folder, else the folder that
        outlives the machine (on Colab ``MyDrive/petseg`` if Drive is mounted, on Kaggle ``/kaggle/working``), else the
        current folder. A root on such a mounted disk leaves data and caches to the machine's own."""
        root = cls._find_root()
        return cls(root, next((scratch for kept, scratch in _MOUNTED if root.is_relative_to(kept.parent)), None))

    @staticmethod
    def _find_root() -> Path:
        if os.environ.get("PETSEG_ROOT"):
            return Path(os.environ["PETSEG_ROOT"]).expanduser().resolve()
        here = Path.cwd().resolve()
        for folder in (here, *here.parents):
            if (folder / "petseg_utils").is_dir() and (folder / "notebooks").is_dir():
                return folder
        return next((kept for kept, _ in _MOUNTED if kept.parent.is_dir()), here)

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def data(self) -> Path:
        return (self.scratch or self.root) / "data"

    @property
    def cache(self) -> Path:
        return (self.scratch or self.root) / "cache"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def run_name(self, run: str) -> str:
        """The name of a finished run here, from its name, its folder or its checkpoint.

        Raises:
            UsageError: there is no such run in this workspace.
        """
        path = Path(run).expanduser()
        name = path.parent.name if path.suffix == ".safetensors" else path.name
        if not (self.runs / name / "run.json").is_file():
            raise UsageError(f"no finished run {run!r} in {str(self.runs)!r}: give the name of one, such as "
                             "unet-0123456789")
        return name

    def executed(self, study: str) -> Path:
        return self.root / "executed" / study

    def results(self, study: str) -> Path:
        return self.root / "results" / study

    def figures(self, study: str) -> Path:
        return self.root / "figures" / study
