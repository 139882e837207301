"""The task of the segmenters, and how their frozen encoders' maps are come by."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from petseg_utils.data.cache import PetData
from petseg_utils.data.datasets import SegmentationDataset
from petseg_utils.encoders.features import FeatureMaps, FeatureStore, View
from petseg_utils.evaluation import evaluate, watch
from petseg_utils.metrics import reduce_scores
from petseg_utils.models import FROZEN_ENCODER_NAMES
from petseg_utils.precision import Precision
from petseg_utils.training.recipes import cross_entropy
from petseg_utils.training.run import SPLITS, Run
from petseg_utils.training.spec import RunSpec


class Segmentation:
    """Cross-entropy on the masks; the epoch with the best validation mIoU (dataset level, border ignored) is kept.

    A frozen encoder's maps come from the cache, if there is room and the number of augmented views is fixed.
    """

    def __init__(self, spec: RunSpec, data: PetData, precision: Precision, features: FeatureStore | None):
        self.spec, self.data, self.precision, self.features = spec, data, precision, features
        self.class_weights = spec.get_recipe().class_weights
        self._opened: dict[tuple[str, View], FeatureMaps | None] = {}

    def dataset(self, model: nn.Module) -> SegmentationDataset:
        spec = self.spec
        # Where nothing is drawn, no seed counts: each would keep a copy of its own.
        views = [View(spec.augmentation, spec.seed, number) if spec.augmentation != "none" else View()
                 for number in range(max(1, spec.views))]
        fixed = spec.augmentation == "none" or spec.views > 0
        maps = [self._maps(model, "train", view) for view in views] if fixed and self._fit(model, views) else []
        return SegmentationDataset(
            self.data, augmentation=spec.augmentation, border=spec.border, seed=spec.seed, views=spec.views,
            label_fraction=spec.label_fraction, maps=[m for m in maps if m] if all(maps) else [])

    @property
    def _cache(self) -> FeatureStore | None:
        """Where the encoder's maps are kept; ``None`` where it learns, or there is none."""
        frozen = self.spec.frozen and self.spec.model in FROZEN_ENCODER_NAMES
        return self.features if frozen else None

    def _fit(self, model: Any, views: list[View]) -> bool:
        """Whether all views can be cached: some of them would be of no use."""
        return self._cache is not None and self._cache.has_room(model.encoder, self.data, "train", self.precision,
                                                                views)

    def _maps(self, model: Any, part: str, view: View | None = None) -> FeatureMaps | None:
        if self._cache is None:
            return None
        key = (part, view or View())
        if key not in self._opened:  # once a run: opening reads all of a cache to check it
            self._opened[key] = self._cache.open(model.encoder, self.data, part, self.precision, key[1])
        return self._opened[key]

    def loss(self, model: Any, images: Tensor, targets: Tensor, *maps: Tensor) -> Tensor:
        with self.precision.autocast():
            logits = model.decode(maps, images) if maps else model(images)
        return cross_entropy(logits, targets.long(), self.class_weights)

    def validate(self, model: nn.Module) -> dict[str, float]:
        loss, confusion = watch(model, self.data, "val", self.precision, maps=self._maps(model, "val"))
        return {"val_loss": loss, "val_miou": float(reduce_scores(confusion[None], "iou", "dataset")["mean"])}

    def merit(self, epoch: Mapping[str, float]) -> float:
        """What the kept epoch has most of."""
        return epoch["val_miou"]

    def score(self, run: Run, model: nn.Module) -> None:
        """Write what the run's best model is judged by. The test part is touched here, once, to report."""
        for split in SPLITS:
            statistics = evaluate(model, self.data, split, self.precision, maps=self._maps(model, split))
            run.write_statistics(split, statistics, self.data.fingerprint)
