"""A run's folder: what it holds and how it is read."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from petseg_utils.atomic import read_arrays, write_arrays, write_text
from petseg_utils.corruptions import VERSION
from petseg_utils.metrics import ImageStatistics, PerturbedCounts
from petseg_utils.prompts.protocol import PromptScores
from petseg_utils.prompts.selection import RULES
from petseg_utils.training.checkpoint import load_model
from petseg_utils.training.spec import RunSpec

SPLITS = ("val", "test")  # what a finished run was scored on
NATIVE = "native"  # the test part again, of a copy whose photos have their own sizes
CLICKED = "test-clicked"  # the test part again, each pet clicked once
_PIXELS = ("counts", "boundary")
_DATA, _RULES = "of-data", "of-rules"  # what scores were made on, and when: beside the arrays in their file


@dataclass(frozen=True)
class Run:
    """One run. Its folder holds ``spec.json``, ``last.safetensors`` (to go on; removed at the end),
    ``best.safetensors`` (best mIoU on validation), ``history.csv``, ``statistics-{val,test}.npz`` (of a segmentation;
    with ``prompts-test.npz`` and ``statistics-test-clicked.npz`` where prompts were learned; ``answers-{val,test}.npz``
    of a run on captions), and ``run.json``, which is written last: a run with it is finished. What it is asked later
    lies there, too: ``statistics-native.npz``, ``prompts-native.npz``, ``prompts-*-{components,clicks-ignored}.npz``
    and ``perturbed-*.npz``.
    """

    spec: RunSpec
    folder: Path

    @property
    def name(self) -> str:
        return self.spec.run_name

    @property
    def finished(self) -> bool:
        return (self.folder / "run.json").is_file()

    @property
    def last(self) -> Path:
        return self.folder / "last.safetensors"

    @property
    def best(self) -> Path:
        return self.folder / "best.safetensors"

    def load_model(self) -> nn.Module:
        """The best model on validation, in eval mode on the CPU."""
        return load_model(self.best, (self.spec.task,))

    def history(self) -> pd.DataFrame:
        """One row an epoch: ``epoch, train_loss, val_loss, val_miou`` (of a segmentation), ``learning_rate, seconds,
        images_per_second, data_wait_share``."""
        return pd.read_csv(self.folder / "history.csv")

    def write_history(self, rows: list[dict[str, float]]) -> None:
        write_text(self.folder / "history.csv", pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))

    def has_statistics(self, split: str, data: str = "") -> bool:
        """Whether the run was scored on ``split``; of the data set of that fingerprint, if one is given."""
        return _is_of(self.folder / f"statistics-{split}.npz", data)

    def statistics(self, split: str) -> ImageStatistics:
        """What the best model's predictions on ``val`` or ``test`` (or another part that was scored) are judged by."""
        arrays = _read(self.folder / f"statistics-{split}.npz")
        wide = {name: arrays[name].astype(np.int64) for name in _PIXELS}
        return ImageStatistics(**(arrays | wide))

    def write_statistics(self, split: str, statistics: ImageStatistics, data: str) -> None:
        """Keep statistics of photos of the data set of that fingerprint."""
        narrow = {name: getattr(statistics, name).astype(np.int32) for name in _PIXELS}  # a photo has fewer pixels
        write_arrays(self.folder / f"statistics-{split}.npz", **(vars(statistics) | narrow | {_DATA: data}))

    def prompt_scores(self, split: str) -> PromptScores:
        """How well the best model's regions followed prompts, of a run whose task is ``prompt``."""
        return PromptScores(**_read(self.folder / f"prompts-{split}.npz"))

    def has_prompt_scores(self, split: str, data: str = "") -> bool:
        """Whether the run was scored on ``split``, by what prompts mean today; of the data set of that fingerprint, if
        one is given."""
        return _is_of(self.folder / f"prompts-{split}.npz", data, rules=RULES)

    def write_prompt_scores(self, split: str, scores: PromptScores, data: str) -> None:
        """Keep scores on photos of the data set of that fingerprint."""
        write_arrays(self.folder / f"prompts-{split}.npz", **(vars(scores) | {_DATA: data, _RULES: RULES}))

    def perturbed(self, kind: str, names: np.ndarray) -> PerturbedCounts | None:
        """What the best model said of these photos, text (N,), spoiled in one way; ``None`` if it was not asked."""
        path = self._perturbed(kind)
        if not path.is_file():
            return None
        found = PerturbedCounts(**read_arrays(path))
        return found.select(names) if set(names) <= set(found.names) else None

    def write_perturbed(self, kind: str, counts: PerturbedCounts) -> None:
        write_arrays(self._perturbed(kind), **vars(counts))

    def _perturbed(self, kind: str) -> Path:
        version = f"{VERSION}.{RULES}" if self.spec.task == "prompt" else VERSION
        return self.folder / f"perturbed-{version}-{kind.replace(' ', '-')}.npz"

    def answers(self, split: str) -> dict[str, np.ndarray]:
        """Which photos the best model of the task ``captions`` named rightly, bool (N,) for each question; see
        :func:`petseg_utils.petclip.scoring.correct_answers`."""
        return read_arrays(self.folder / f"answers-{split}.npz")

    def write_answers(self, split: str, correct: dict[str, Any]) -> None:
        write_arrays(self.folder / f"answers-{split}.npz", **correct)

    def record(self) -> dict[str, Any]:
        """What ``runs.csv`` says of the run."""
        return json.loads((self.folder / "run.json").read_text())

    def write_spec(self) -> None:
        write_text(self.folder / "spec.json", self.spec.to_json() + "\n")

    def write_record(self, record: dict[str, Any]) -> None:
        write_text(self.folder / "run.json", json.dumps(record, indent=1))


def _read(path: Path) -> dict[str, np.ndarray]:
    return {name: array for name, array in read_arrays(path).items() if name not in (_DATA, _RULES)}


def _is_of(path: Path, data: str, rules: int | None = None) -> bool:
    if not path.is_file():
        return False
    arrays = read_arrays(path)
    return (not data or str(arrays.get(_DATA)) == data) and (rules is None or int(arrays.get(_RULES, -1)) == rules)
