"""The task of the autoencoders."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from petseg_utils.data.cache import PetData
from petseg_utils.data.datasets import SegmentationDataset
from petseg_utils.encoders.features import FeatureStore
from petseg_utils.evaluation import batches_of
from petseg_utils.models.autoencoders import Reconstructor
from petseg_utils.precision import Precision
from petseg_utils.training.run import Run
from petseg_utils.training.spec import RunSpec


class Reconstruction:
    """The model's own loss on the photos, whose masks are not looked at; the epoch with the lowest loss on validation
    photos is kept. Neither validation nor test photos teach the encoder."""

    def __init__(self, spec: RunSpec, data: PetData, precision: Precision, features: FeatureStore | None):
        self.spec, self.data, self.precision = spec, data, precision

    def dataset(self, model: Reconstructor) -> SegmentationDataset:
        return SegmentationDataset(self.data, augmentation=self.spec.augmentation, seed=self.spec.seed)

    def loss(self, model: Reconstructor, images: Tensor, targets: Tensor) -> Tensor:
        with self.precision.autocast():
            return model.loss(images)

    @torch.inference_mode()
    def validate(self, model: Reconstructor) -> dict[str, float]:
        generator = torch.Generator().manual_seed(0)  # every epoch, and every run, hides the same patches
        model.eval()
        total, n = 0.0, 0
        for rows, images in batches_of(self.data, "val", self.precision):
            with self.precision.autocast():
                total += float(model.loss(images, generator)) * len(rows)
            n += len(rows)
        return {"val_loss": total / n}

    def merit(self, epoch: Mapping[str, float]) -> float:
        return -epoch["val_loss"]

    def score(self, run: Run, model: nn.Module) -> None:
        """Nothing: what a reconstruction is worth, its encoder's segmentation runs tell."""
