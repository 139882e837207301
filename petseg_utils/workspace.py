"""Where a study's files live: one root, one folder for each kind of thing."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workspace:
    """Folders under one root: ``notebooks`` and ``data`` are read; ``cache``, ``runs``, ``executed``, ``results`` and
    ``figures`` are written."""

    root: Path

    @classmethod
    def find(cls) -> "Workspace":
        """``PETSEG_ROOT`` from the environment, else the checkout around the current folder, else that folder."""
        if os.environ.get("PETSEG_ROOT"):
            return cls(Path(os.environ["PETSEG_ROOT"]).expanduser().resolve())
        here = Path.cwd().resolve()
        for folder in (here, *here.parents):
            if (folder / "petseg_utils").is_dir() and (folder / "notebooks").is_dir():
                return cls(folder)
        return cls(here)

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def executed(self, study: str) -> Path:
        return self.root / "executed" / study

    def results(self, study: str) -> Path:
        return self.root / "results" / study

    def figures(self, study: str) -> Path:
        return self.root / "figures" / study
