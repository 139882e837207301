"""What notebook 07 measures of a study's finished runs, where their checkpoints are at hand: the time that an answer
takes, the scores of other protocols, and what becomes of hard pixels. It goes into tables of the study; what is there
already is not measured again."""

import dataclasses
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from petseg_utils.comparison.examination import examine
from petseg_utils.comparison.image_counts import Row
from petseg_utils.comparison.main_table import headline
from petseg_utils.comparison.timing import time_inference
from petseg_utils.data.cache import PetData
from petseg_utils.errors import DataError, PetsegError
from petseg_utils.hardware import device_name
from petseg_utils.metrics import Predicted, background_everywhere, challenge_rows, protocol_rows
from petseg_utils.precision import Precision, choose_precision
from petseg_utils.results import ASIDE, read_table, replace_rows
from petseg_utils.study import SYNTHETIC_SEED, Study
from petseg_utils.synthetic.toys import toy_masks
from petseg_utils.training.run import Run
from petseg_utils.training.spec import SEGMENTING, RunSpec

FLOOR = "background everywhere"


def main_runs(study: Study) -> dict[Row, Run]:
    """The finished runs of a study's main rows that learned to segment and whose checkpoint is in the workspace."""
    table = study.runs()
    found = {}
    for row in table[~table["notebook"].str.endswith(ASIDE)].to_dict("records"):
        run = Run(RunSpec.from_json(row["spec"]), study.workspace.runs / row["run"])
        if run.spec.task in SEGMENTING and run.finished and run.best.is_file():
            found[row["notebook"], row["variant"]] = run
    return found


def best_on_validation(study: Study, runs: dict[Row, Run]) -> dict[Row, Run]:
    """Of each notebook's runs the one with the best mIoU on validation; of prompt models where nobody clicks."""
    scores = headline(study.metrics(), "val").set_index(["notebook", "variant"])["value"]
    best: dict[str, Row] = {}
    for row in runs:
        if row[0] not in best or scores[row] > scores[best[row[0]]]:
            best[row[0]] = row
    return {row: runs[row] for row in best.values()}


def measure_costs(study: Study, runs: dict[Row, Run], seconds: float = 0.3) -> None:
    """Time the runs' models on this machine, for ``costs.csv``; rows of the same machine, threads and precision stay.

    Args:
        seconds: see :func:`petseg_utils.comparison.timing.time_inference`.
    """
    folder, precision = study.workspace.results(study.name), choose_precision(study.settings.device)
    table = read_table(folder, "costs")
    same = table[(table["device"] == device_name(precision.device)) & (table["threads"] == torch.get_num_threads())
                 & (table["precision"] == precision.name)]
    for (notebook, variant), run in runs.items():
        if not ((same["run"] == run.name) & (same["variant"] == variant)).any() and (model := _load(run, precision)):
            about = _labels(study, notebook, variant, run) | {"image_size": run.spec.image_size}
            rows = time_inference(model, run.spec.image_size, precision, seconds=seconds)
            replace_rows(folder, "costs", notebook, {variant}, [about | row for row in rows])


def measure_predictions(study: Study, runs: dict[Row, Run], data_root: str | None = None) -> None:
    """Predict the test part with the runs' models, for ``protocols.csv`` and ``challenges.csv``, beside the predictor
    that says background everywhere.

    Args:
        data_root: folder of the data set; ``None``: where the study's profile has it.
    """
    folder, precision = study.workspace.results(study.name), choose_precision(study.settings.device)
    known = set(read_table(folder, "challenges")["run"])
    for (notebook, variant), run in runs.items():
        if run.name in known or (model := _load(run, precision)) is None:
            continue
        try:
            data = data_of(study, run, data_root)
        except PetsegError as error:
            print(f"{variant}: not examined, {error}")
            continue
        seen = examine(model, data, "test", precision, toys=_toys(study, data))
        record_examination(folder, _labels(study, notebook, variant, run) | {"dataset": _dataset(study)},
                           seen.predicted, seen.challenges)


def record_examination(folder: Path, about: dict[str, Any], predicted: Predicted,
                       challenges: dict[str, np.ndarray]) -> None:
    """Write what was seen of one model to a study's tables.

    Args:
        folder: ``results/<study>``.
        about: study, notebook, run, variant and dataset.
        predicted, challenges: see :class:`petseg_utils.comparison.examination.Examination`.
    """
    notebook, variant, number = about["notebook"], about["variant"], {"n_images": len(predicted.counts)}
    replace_rows(folder, "challenges", notebook, {variant}, [about | row for row in challenge_rows(challenges)])
    replace_rows(folder, "protocols", notebook, {variant}, [about | number | row for row in protocol_rows(predicted)])
    nothing = background_everywhere(predicted.counts)  # a label map of one value is resized to one value
    floor = about | number | {"notebook": "", "run": "", "variant": FLOOR}
    replace_rows(folder, "protocols", "", {FLOOR},
                 [floor | row for row in protocol_rows(Predicted(nothing, predicted.species, nothing))])


def data_of(study: Study, run: Run, data_root: str | None = None) -> PetData:
    """The data set that a run of a study was scored on, at the run's image size. Nothing is fetched for it.

    Raises:
        DataError: it is not here, or is another one.
    """
    manifest = pd.read_csv(study.workspace.results(study.name) / "manifest.csv", keep_default_na=False)
    sizes = manifest["split"].value_counts()
    changes: dict[str, Any] = {"dataset": "synthetic", "data_root": None, "n_trainval": int(sizes["trainval"]),
                               "n_test": int(sizes["test"])}
    if _dataset(study) != "synthetic":
        root = Path(data_root).expanduser() if data_root else study.workspace.data / "oxford"
        if not root.is_dir():
            raise DataError("its photos are not here: give DATA_ROOT, their folder")
        changes = {"dataset": "oxford", "data_root": str(root), "allow_defects": True}
    data = Study(dataclasses.replace(study.settings, image_size=run.spec.image_size, **changes)).data
    if data.fingerprint != run.spec.data:
        raise DataError(f"the run was made on data {run.spec.data}, here is {data.fingerprint}: give DATA_ROOT, the "
                        "folder of the former")
    return data


def _dataset(study: Study) -> str:
    names = study.metrics()["dataset"].unique()
    return str(names[0]) if len(names) else study.settings.dataset


def _toys(study: Study, data: PetData) -> np.ndarray | None:
    if _dataset(study) != "synthetic":
        return None
    rows = data.indices("test")
    return _drawn_toys(tuple(data.manifest.iloc[rows]["name"]), int(data.sizes[rows[0]][0]))


@lru_cache(maxsize=1)  # the same pictures for every run of a study
def _drawn_toys(names: tuple[str, ...], size: int) -> np.ndarray:
    return toy_masks(names, size=size, seed=SYNTHETIC_SEED)


def _load(run: Run, precision: Precision) -> nn.Module | None:
    try:
        return precision.model(run.load_model())
    except PetsegError as error:  # an encoder's file may be missing here
        print(f"{run.name}: not measured, {error}")
        return None


def _labels(study: Study, notebook: str, variant: str, run: Run) -> dict[str, Any]:
    return {"study": study.name, "notebook": notebook, "run": run.name, "variant": variant}
