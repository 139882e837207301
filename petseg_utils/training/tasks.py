"""What a run learns: to segment, or to reconstruct. The loop is the same; loss, validation and what is kept differ."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from petseg_utils.data.cache import PetData
from petseg_utils.evaluation import batches_of, evaluate
from petseg_utils.metrics import apply_border, reduce_scores
from petseg_utils.models.autoencoders import Reconstructor
from petseg_utils.precision import Precision
from petseg_utils.training.recipes import Recipe, cross_entropy
from petseg_utils.training.run import SPLITS, Run


class Segmentation:
    """Cross-entropy on the masks; the epoch with the best validation mIoU (dataset level, border ignored) is kept."""

    def __init__(self, data: PetData, recipe: Recipe, precision: Precision):
        self.data, self.recipe, self.precision = data, recipe, precision

    def loss(self, model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
        with self.precision.autocast():
            logits = model(images)
        return cross_entropy(logits, targets, self.recipe.class_weights)

    def validate(self, model: nn.Module) -> dict[str, float]:
        statistics = evaluate(model, self.data, "val", self.precision, at_original_size=False)
        confusion = apply_border(statistics.counts, statistics.species, "ignore")
        return {"val_loss": statistics.mean_loss,
                "val_miou": float(reduce_scores(confusion, "iou", "dataset")["mean"])}

    def merit(self, epoch: Mapping[str, float]) -> float:
        """What the kept epoch has most of."""
        return epoch["val_miou"]

    def score(self, run: Run, model: nn.Module) -> None:
        """Write what the run's best model is judged by. The test part is touched here, once, to report."""
        for split in SPLITS:
            run.write_statistics(split, evaluate(model, self.data, split, self.precision))


class Reconstruction:
    """The model's own loss on the photos, whose masks are not looked at; the epoch with the lowest loss on validation
    photos is kept. Neither validation nor test photos teach the encoder."""

    def __init__(self, data: PetData, recipe: Recipe, precision: Precision):
        self.data, self.precision = data, precision

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


Task = Segmentation | Reconstruction
TASKS: dict[str, type[Task]] = {"segmentation": Segmentation, "reconstruction": Reconstruction}
