"""Results as tidy tables: one number a row in ``metrics.csv``, the same for groups of photos (a breed, a size) in
``groups.csv``, one run a row in ``runs.csv``. Notebook 07 adds what it measures: ``protocols.csv``, ``challenges.csv``,
``costs.csv``."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from petseg_utils.atomic import only_writer, write_text
from petseg_utils.comparison.image_counts import record_counts
from petseg_utils.corruptions import CORRUPTIONS
from petseg_utils.errors import UsageError
from petseg_utils.metrics import ImageStatistics, group_rows, robustness_rows, score_rows
from petseg_utils.metrics.robustness import CLEAN
from petseg_utils.prompts.protocol import PromptScores
from petseg_utils.prompts.table import prompt_rows
from petseg_utils.training.run import CLICKED, NATIVE, SPLITS, Run
from petseg_utils.training.spec import SEGMENTING

METRICS_COLUMNS = (
    "study", "notebook", "run", "model", "decoder", "variant", "encoder", "recipe", "augmentation", "label_fraction",
    "seed", "dataset", "split", "n_images", "image_size", "prompt", "perturbation", "level", "border", "reduction",
    "class", "metric", "value", "ci_low", "ci_high",
)
GROUPS_COLUMNS = (
    "study", "notebook", "run", "variant", "dataset", "split", "grouping", "group", "n_images", "border", "reduction",
    "class", "metric", "value", "ci_low", "ci_high",
)
RUNS_COLUMNS = (
    "study", "notebook", "run", "variant", "spec", "pretraining", "trainable_parameters", "macs", "epochs",
    "best_epoch", "best_val_miou", "best_val_loss", "seconds", "images_per_second", "peak_memory_mb", "device",
    "precision", "threads", "commit", "versions",
)
PROTOCOLS_COLUMNS = ("study", "notebook", "run", "variant", "dataset", "n_images", "protocol", "value")
CHALLENGES_COLUMNS = (
    "study", "notebook", "run", "variant", "dataset", "n_images", "challenge", "pixels", "metric", "value", "ci_low",
    "ci_high",
)
COSTS_COLUMNS = (
    "study", "notebook", "run", "variant", "image_size", "batch_size", "milliseconds", "images_per_second", "calls",
    "device", "precision", "threads", "clock",
)
COLUMNS = {
    "metrics": METRICS_COLUMNS, "groups": GROUPS_COLUMNS, "runs": RUNS_COLUMNS, "protocols": PROTOCOLS_COLUMNS,
    "challenges": CHALLENGES_COLUMNS, "costs": COSTS_COLUMNS,
}
ASIDE = ("_ablations", "_controls")  # how notebooks end whose rows change one thing at a time: no main rows
_NUMBERS = (
    "label_fraction", "seed", "n_images", "image_size", "level", "value", "ci_low", "ci_high", "trainable_parameters",
    "macs", "epochs", "best_epoch", "best_val_miou", "best_val_loss", "seconds", "images_per_second", "peak_memory_mb",
    "threads", "batch_size", "milliseconds", "calls",
)  # all other columns are text, whatever it looks like: a variant may be called 0.5 or None


Scored = dict[str, ImageStatistics]  # what a model's predictions are judged by, for each of SPLITS and maybe NATIVE


def metric_rows(run: Run) -> list[dict[str, Any]]:
    """All scores of a finished run, derived from its statistics: both splits, three border policies, both reductions,
    with 95 % bootstrap intervals over images."""
    scored = untrained_rows({split: run.statistics(split) for split in SPLITS})
    if run.spec.task == "prompt":
        clicked = untrained_rows({"test": run.statistics(CLICKED)})
        scored = [row | {"prompt": "none"} for row in scored] + [row | {"prompt": "random"} for row in clicked]
        for split in ("test", *filter(run.has_prompt_scores, (NATIVE,))):
            scored += dialogue_rows({split: run.prompt_scores(split)})
    return [_about(run) | row for row in scored]


def _about(run: Run) -> dict[str, Any]:
    spec = run.spec
    return {
        "run": run.name, "model": spec.model, "decoder": spec.options.get("decoder", ""),
        "encoder": spec.encoder, "recipe": spec.recipe,
        "augmentation": spec.augmentation, "label_fraction": spec.label_fraction, "seed": spec.seed,
        "image_size": spec.image_size,
    }


def perturbed_rows(run: Run, names: np.ndarray) -> list[dict[str, Any]]:
    """All scores of a finished run on these test photos, spoiled (:mod:`petseg_utils.robustness`)."""
    counts = {kind: run.perturbed(kind, names) for kind in (CLEAN, *CORRUPTIONS)}
    if missing := [kind for kind, found in counts.items() if found is None]:
        raise ValueError(f"run {run.name} was not asked about {missing[0]}: evaluate it first")
    whole = {kind: found for kind, found in counts.items() if found is not None}
    prompt = "random" if run.spec.task == "prompt" else ""
    about = _about(run) | {"split": "test", "n_images": len(names), "prompt": prompt}
    return [about | row for row in robustness_rows(whole.pop(CLEAN), whole)]


def untrained_rows(scored: Scored) -> list[dict[str, Any]]:
    """The same scores of a model that has no run."""
    return [{"split": split, "n_images": len(scored[split])} | row
            for split in SPLITS if split in scored for row in score_rows(scored[split])]


def dialogue_rows(scored: dict[str, PromptScores]) -> list[dict[str, Any]]:
    """How well regions followed prompts, by split."""
    return [{"split": split, "n_images": len(scores)} | row
            for split, scores in scored.items() for row in prompt_rows(scores)]


def run_group_rows(run: Run) -> list[dict[str, Any]]:
    """A finished run's test scores by groups of photos; see :func:`scored_group_rows`."""
    scored = {split: run.statistics(split) for split in ("test", NATIVE) if run.has_statistics(split)}
    return [{"run": run.name} | row for row in scored_group_rows(scored)]


def scored_group_rows(scored: Scored) -> list[dict[str, Any]]:
    """Test scores by groups of photos (:func:`petseg_utils.metrics.group_rows`) and, where there are scores of photos
    of native size too, those and the ones of the same photos in the study's own copy."""
    test = scored["test"]
    rows = group_rows(test)
    if NATIVE in scored:
        native = scored[NATIVE]
        same = test.select(np.isin(test.names, native.names))
        for group, statistics in (("native size", native), ("the same photos in the study's copy", same)):
            rows += [row | {"grouping": "resolution", "group": group}
                     for row in group_rows(statistics) if row["grouping"] == "all"]
    return [{"split": "test"} | row for row in rows]


def refuse_other_data(folder: Path, notebook: str, variants: set[str], manifest: str, fingerprint: str) -> None:
    """Refuse to put rows into tables that hold others on other data: they could not be compared.

    Args:
        folder: ``results/<study>``.
        notebook, variants: the rows that are about to be replaced; they do not count.
        manifest: the data set's, as CSV.
        fingerprint: of its content.

    Raises:
        UsageError: the tables hold rows on another split or of other photos.
    """
    rows, path = read_table(folder, "runs"), folder / "manifest.csv"
    moved = path.is_file() and path.read_text(encoding="utf-8") != manifest
    if moved:  # rows on spoiled photos are of the split as well, and no runs of their own
        rows = pd.concat([rows, read_table(folder, "metrics").query("perturbation != ''")])
    rows = rows[(rows["notebook"] != notebook) | ~rows["variant"].isin(variants)]
    if len(rows) and (moved or {json.loads(spec)["data"] for spec in rows["spec"]} != {fingerprint}):
        raise UsageError(f"study {folder.name!r} holds results of {', '.join(sorted(set(rows['notebook'])))} on other "
                         f"data: give this study another name, or remove {str(folder)!r}")


def record_runs(folder: Path, study: str, notebook: str, dataset: str, runs: dict[str, Run],
                untrained: dict[str, Scored] | None = None,
                prompted: dict[str, dict[str, PromptScores]] | None = None) -> None:
    """Write the rows of a notebook's runs to a study's three tables, in place of earlier rows of the same notebook and
    variant; others stay, so that a notebook's runs can be made in parts. The test counts of main rows go to
    ``counts.npz``.

    Args:
        folder: ``results/<study>``.
        study, notebook, dataset: what the rows are labelled with.
        runs: finished runs by ``variant``, a few words that tell them apart within the notebook. Those that learned to
            reconstruct have no scores; they are in ``runs.csv`` only.
        untrained: scores of models that have no run, by variant.
        prompted: prompt scores of models that take no prompts, by variant and split.
    """
    labels = {"study": study, "notebook": notebook}
    segmenters = {variant: run for variant, run in runs.items() if run.spec.task in SEGMENTING}
    scores = ({variant: metric_rows(run) for variant, run in segmenters.items()}
              | {variant: untrained_rows(scored) for variant, scored in (untrained or {}).items()}
              | {variant: dialogue_rows(scored) for variant, scored in (prompted or {}).items()})
    metrics = [labels | {"variant": variant, "dataset": dataset} | row
               for variant, rows in scores.items() for row in rows]
    by_groups = ({variant: run_group_rows(run) for variant, run in segmenters.items()}
                 | {variant: scored_group_rows(scored) for variant, scored in (untrained or {}).items()})
    groups = [labels | {"variant": variant, "dataset": dataset} | row
              for variant, rows in by_groups.items() for row in rows]
    records = [labels | {"variant": variant} | run.record() for variant, run in runs.items()]
    for table, rows in (("metrics", metrics), ("groups", groups), ("runs", records)):
        replace_rows(folder, table, notebook, {*runs, *scores}, rows)
    if not notebook.endswith(ASIDE):
        record_counts(folder, notebook, {variant: run.statistics("test") for variant, run in segmenters.items()}
                      | {variant: scored["test"] for variant, scored in (untrained or {}).items()})


def record_perturbed(folder: Path, study: str, notebook: str, dataset: str, runs: dict[str, Run],
                     names: np.ndarray) -> None:
    """Write the rows of a notebook's runs on spoiled photos, in place of earlier ones of the same variants; see
    :func:`record_runs`. ``names``, text (N,), are the photos."""
    about = {"study": study, "notebook": notebook, "dataset": dataset}
    rows = [about | {"variant": variant} | row for variant, run in runs.items() for row in perturbed_rows(run, names)]
    replace_rows(folder, "metrics", notebook, set(runs), rows)


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """One of a study's tables, a key of :data:`COLUMNS`; empty, with its columns, if nothing has been recorded yet.

    Text that does not apply is ``""``, a number that does not apply is NaN.
    """
    columns = COLUMNS[name]
    path = folder / f"{name}.csv"
    if not path.is_file():
        return pd.DataFrame(columns=list(columns))
    return _read(path, columns)


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    text = {column: object for column in columns if column not in _NUMBERS}
    numbers = {column: [""] for column in columns if column in _NUMBERS}
    # The C engine of pandas 2 may read a float one bit off; pandas 3 warns of the option that mends it.
    return pd.read_csv(path, dtype=text, keep_default_na=False, na_values=numbers, engine="python")


def replace_rows(folder: Path, table: str, notebook: str, variants: set[str], rows: list[dict[str, Any]]) -> None:
    """Write rows to one of a study's tables, a key of :data:`COLUMNS`, in place of all earlier ones of the notebook's
    variants."""
    path, columns = folder / f"{table}.csv", COLUMNS[table]
    new = pd.DataFrame(rows).reindex(columns=list(columns))
    with only_writer(folder):
        if path.is_file():
            old = _read(path, columns)
            kept = old[(old["notebook"] != notebook) | ~old["variant"].isin(variants)]
            new = pd.concat([kept, new], ignore_index=True) if len(kept) else new
        new = new.sort_values("notebook", kind="stable")
        digits = {"value": 6, "ci_low": 6, "ci_high": 6}
        write_text(path, new.round(digits).to_csv(index=False, lineterminator="\n"))


def packaged_table(name: str) -> pd.DataFrame:
    """A table of the measured study, oxford-128, as it came with the package.

    Args:
        name: a key of :data:`COLUMNS`; ``recipe_trials``, one row a run that was trained to choose a rate
            of learning on validation; ``petclip``, what petclip-mini and its controls know by text, one row a question;
            ``published``, what published studies claim and which of our models stand beside them; ``repeats``, the
            test mIoU of runs that were trained twice with one seed, on other machines and in another precision; or
            ``seeds``, that of rows which were trained with several, as
            :func:`petseg_utils.comparison.main_table.seed_scores` gives them.
    """
    folder = Path(str(files("petseg_utils") / "packaged"))
    if name in ("recipe_trials", "petclip", "published", "repeats", "seeds"):
        return pd.read_csv(folder / f"{name}.csv")
    return read_table(folder, name)
