"""A study: settings, a data set, runs and tables, as a notebook or the command line uses them."""

from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from petseg_utils.atomic import write_text
from petseg_utils.data.cache import PetData, open_data
from petseg_utils.data.download import ensure_oxford
from petseg_utils.encoders.features import FeatureStore
from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import UsageError
from petseg_utils.evaluation import evaluate
from petseg_utils.hardware import cuda_works
from petseg_utils.models import FROZEN_ENCODER_NAMES, PROMPT_NAMES
from petseg_utils.precision import choose_precision
from petseg_utils.profiles import FOR_A_GPU, Settings
from petseg_utils.progress import bar
from petseg_utils.prompts.protocol import PromptScores
from petseg_utils.results import packaged_table, read_table, record_perturbed, record_runs, refuse_other_data
from petseg_utils.robustness import perturb_runs, robustness_photos
from petseg_utils.scoring import prompt_control, score_at_native_size, score_prompts_anew
from petseg_utils.synthetic import write_synthetic_pets
from petseg_utils.training.loop import train
from petseg_utils.training.recipes import FAMILY_LEARNING_RATES
from petseg_utils.training.run import NATIVE, SPLITS, Run
from petseg_utils.training.spec import SEGMENTING, RunSpec
from petseg_utils.workspace import Workspace

SYNTHETIC_SEED = 0  # of the embedded data set: one set of pets, whatever seed a run has


class Study:
    """One study.

    Args:
        settings: see :func:`petseg_utils.profiles.resolve`.
        name: names the folders of results and figures; the profile's name if ``None``.
    """

    def __init__(self, settings: Settings, name: str | None = None):
        self.settings = settings
        self.name = settings.profile if name is None else name
        if not self.name or Path(self.name).name != self.name or self.name == "..":
            raise UsageError(f"study name {self.name!r} is no plain folder name: give one without slashes")
        self.workspace = Workspace.find()

    def __repr__(self) -> str:
        s = self.settings
        said = f"study {self.name!r}: profile {s.profile}, dataset {s.dataset}, {s.image_size} px, {s.epochs} epochs"
        slow = s.profile in FOR_A_GPU and s.device == "auto" and not cuda_works()
        return said + f"; no CUDA card that torch {torch.__version__} can use: on the CPU this takes days" * slow

    @cached_property
    def data_root(self) -> Path:
        """The data set's folder; synthetic pets are rendered and the official archive is fetched if need be."""
        s = self.settings
        if s.dataset == "synthetic":
            root = self.workspace.data / f"synthetic-{s.image_size}-{s.n_trainval}-{s.n_test}"
            return write_synthetic_pets(root, n_trainval=s.n_trainval, n_test=s.n_test, size=s.image_size,
                                        seed=SYNTHETIC_SEED)
        if s.profile == "oxford-128" and not s.data_root:
            raise UsageError("profile 'oxford-128' is of a copy of Oxford-IIIT Pet at 128 px: make it with petseg data "
                             "--shrink 128 -o DIR, and give DIR as --data-root")
        return Path(s.data_root).expanduser() if s.data_root else ensure_oxford(self.workspace.data / "oxford")

    @cached_property
    def data(self) -> PetData:
        """The opened data set (decoded once, see :func:`petseg_utils.data.cache.open_data`)."""
        return open_data(self.data_root, self.settings.image_size, self.workspace.cache,
                         allow_defects=self.settings.allow_defects,
                         progress=bar("photo"))

    @cached_property
    def native_data(self) -> PetData:
        """Photos of native size, where the settings name a folder of them."""
        if self.settings.native_root is None:
            raise UsageError("native_root is None: give the folder of a data set whose photos have their own sizes")
        return open_data(self.settings.native_root, self.settings.image_size, self.workspace.cache,
                         allow_defects=self.settings.allow_defects)

    @property
    def figures(self) -> Path:
        """The study's folder of figures, made if need be."""
        folder = self.workspace.figures(self.name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def spec(self, model: str, **changes: Any) -> RunSpec:
        """The spec of a model as the settings have it, but for ``changes``, fields of
        :class:`petseg_utils.training.spec.RunSpec`. The settings' learning rate wins over the family's own."""
        s = self.settings
        family_rate = FAMILY_LEARNING_RATES.get((model, changes.get("recipe", s.recipe)))
        plain: dict[str, Any] = {
            "model": model, "data": self.data.fingerprint, "image_size": s.image_size, "epochs": s.epochs,
            "options": self._options(model), "recipe": s.recipe,
            "learning_rate": family_rate if s.learning_rate is None else s.learning_rate,
            "batch_size": s.batch_size, "seed": s.seed,
        }
        if model in PROMPT_NAMES:
            plain["task"] = "prompt"
        if model in FROZEN_ENCODER_NAMES:
            encoder = changes.get("encoder", s.encoder)
            size = changes.get("options", {}).get("image_size", s.encoder_size)
            weights, code, _ = self._encoder_facts(encoder, size)
            plain |= {"encoder": encoder, "encoder_weights": weights, "encoder_code": code, "frozen": True,
                      "epochs": s.prompt_epochs if model in PROMPT_NAMES else s.decoder_epochs}
            if changes.get("augmentation", "none") != "none":
                plain["views"] = s.views
        return RunSpec(**(plain | changes))

    @cache  # noqa: B019 (a study lives as long as its notebook)
    def _encoder_facts(self, spec: str, image_size: int) -> tuple[str, str, int]:
        encoder = build_encoder(spec, image_size)  # a ViT's table of positions, and so its hash, depends on the size
        return encoder.weights_hash, encoder.trunk.code, max(encoder.strides)

    def encoder_stride(self, spec: str) -> int:
        """Pixels of the encoder's input to a place in its last map."""
        return self._encoder_facts(spec, self.settings.encoder_size)[2]

    def _options(self, model: str) -> dict[str, Any]:
        s = self.settings
        if model == "mae":
            heads = next(heads for heads in range(max(3, s.vit_dim // 64), 0, -1) if s.vit_dim % heads == 0)
            return {"patch": s.patch, "dim": s.vit_dim, "depth": s.vit_depth, "heads": heads}
        if model in FROZEN_ENCODER_NAMES:
            return {"image_size": s.encoder_size}
        if model == "ae-unet":
            return {"width": s.width}
        return {} if model.startswith("ae-") else {"width": s.width, "depth": s.depth}

    def train(self, spec: RunSpec) -> Run:
        """The spec's finished run: see :func:`petseg_utils.training.loop.train`."""
        run = train(spec, self.data, self.workspace.runs, features=self.features, device=self.settings.device)
        score_prompts_anew(run, self.data, choose_precision(self.settings.device))
        return run

    def finished(self, specs: dict[str, RunSpec]) -> dict[str, Run]:
        """Those of some specs, by variant, whose runs are finished in this workspace."""
        runs = {variant: Run(spec, self.workspace.runs / spec.run_name) for variant, spec in specs.items()}
        return {variant: run for variant, run in runs.items() if run.finished}

    @cached_property
    def features(self) -> FeatureStore:
        """Where frozen encoders' maps are cached."""
        return FeatureStore(self.workspace.cache / "features", self.settings.cache_gb, bar("chunk"))

    def prompt_control(self, run: Run, *, components: bool) -> dict[str, PromptScores]:
        """What prompts get from a run's model that takes none, by split; see
        :func:`petseg_utils.scoring.prompt_control`."""
        datasets = {"test": self.data} | ({NATIVE: self.native_data} if self.settings.native_root else {})
        return prompt_control(run, datasets, choose_precision(self.settings.device), components=components)

    def perturb(self, runs: dict[str, Run]) -> np.ndarray:
        """Ask finished segmentation runs, by variant, about spoiled test photos; see
        :func:`petseg_utils.robustness.perturb_runs`. What a run was asked before is not asked again.

        Returns:
            The photos' names, text (N,), as :meth:`petseg_utils.training.run.Run.perturbed` takes them.
        """
        rows = robustness_photos(self.data.manifest, self.settings.robustness_photos)
        perturb_runs(runs, self.data, rows, choose_precision(self.settings.device), bar("batch"))
        return self.data.names[rows]

    def record_perturbed(self, notebook: str, runs: dict[str, Run]) -> None:
        """Put runs' scores on spoiled photos into ``metrics.csv``, and the photos' names beside it."""
        folder = self._results_on_this_data(notebook, runs)
        names = self.perturb(runs)
        record_perturbed(folder, self.name, notebook, self._dataset, runs, names)
        write_text(folder / "robustness_photos.csv", "name\n" + "\n".join(names) + "\n")

    def _results_on_this_data(self, notebook: str, runs: dict[str, Run]) -> Path:
        """The folder of tables, which now says of what split they are; refused if others than these rows are of other
        photos."""
        folder = self.workspace.results(self.name)
        manifest = self.data.manifest.to_csv(index=False, lineterminator="\n")
        refuse_other_data(folder, notebook, set(runs), manifest, self.data.fingerprint)
        write_text(folder / "manifest.csv", manifest)
        return folder

    @property
    def _dataset(self) -> str:
        return "synthetic" if self.settings.dataset == "synthetic" else self.data.layout.kind

    def record(self, notebook: str, runs: dict[str, Run], untrained: dict[str, nn.Module] | None = None,
               prompted: dict[str, dict[str, PromptScores]] | None = None) -> None:
        """Put a notebook's finished runs, by variant, into the study's tables, and the split beside them. Rows of the
        notebook's other variants stay.

        Args:
            untrained: models that have no run, by variant: they are scored, too.
            prompted: prompt scores of models that take no prompts, by variant, from :meth:`prompt_control`.

        Raises:
            UsageError: the tables hold other results on other data, which must not be mixed.
        """
        folder, precision = self._results_on_this_data(notebook, runs), choose_precision(self.settings.device)
        for run in runs.values():
            if run.spec.task in SEGMENTING and self.settings.native_root is not None:
                score_at_native_size(run, self.native_data, precision)
        parts = {split: (self.data, split) for split in SPLITS}
        if untrained and self.settings.native_root is not None:
            parts[NATIVE] = self.native_data, "test"
        scored = {variant: {split: evaluate(precision.model(model), data, part, precision)
                            for split, (data, part) in parts.items()}
                  for variant, model in (untrained or {}).items()}
        record_runs(folder, self.name, notebook, self._dataset, runs, scored, prompted)

    def rows_to_show(self, table: str, notebook: str) -> pd.DataFrame:
        """A notebook's rows of ``metrics``, ``groups`` or ``runs``, for a lesson: the study's own where its profile
        trains them all, else those of the measured study that came with the package. Prints whose they are."""
        own, packaged = (t[t["notebook"] == notebook] for t in (getattr(self, table)(), packaged_table(table)))
        rows = own if len(own) and (self.settings.rows != "families" or packaged.empty) else packaged
        measured = f"packaged, measured in study {', '.join(rows['study'].unique())}"
        whose = "this study's own" if rows is own else measured
        print(f"{table} of {notebook}: {whose if len(rows) else 'not measured yet'}")
        return rows

    def groups(self) -> pd.DataFrame:
        """The study's ``groups.csv``: one number a row, for a group of photos."""
        return read_table(self.workspace.results(self.name), "groups")

    def metrics(self) -> pd.DataFrame:
        """The study's ``metrics.csv``: one number a row."""
        return read_table(self.workspace.results(self.name), "metrics")

    def runs(self) -> pd.DataFrame:
        """The study's ``runs.csv``: one run a row."""
        return read_table(self.workspace.results(self.name), "runs")
