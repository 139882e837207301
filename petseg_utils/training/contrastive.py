"""Learning from captions as a task of the training loop."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from petseg_utils.data.cache import PetData
from petseg_utils.encoders.features import FeatureStore
from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import UsageError
from petseg_utils.petclip.data import CROP_SIZE, TEACHER_SIZE, CaptionDataset
from petseg_utils.petclip.network import TOWER_STRIDES, PetCLIP
from petseg_utils.petclip.scoring import correct_answers
from petseg_utils.precision import Precision
from petseg_utils.training.run import SPLITS, Run
from petseg_utils.training.spec import RunSpec

PLACES = 8  # of the teacher's features that are kept, on a side


class Contrastive:
    """Captions and crops find each other; the epoch that names most breeds of validation photos rightly is kept."""

    def __init__(self, spec: RunSpec, data: PetData, precision: Precision, features: FeatureStore | None):
        self.spec, self.data, self.precision, self.features = spec, data, precision, features
        self._rows, self._taught = np.empty(0), torch.empty(0)

    def dataset(self, model: PetCLIP) -> CaptionDataset:
        if self.spec.teacher:
            self._rows, self._taught = self._teach()
        return CaptionDataset(self.data, self.spec.seed)

    def _teach(self) -> tuple[np.ndarray, Tensor]:
        """The teacher's last map of each training photo, float16 (N, C, 8, 8), standardised in each channel."""
        teacher = build_encoder(self.spec.teacher, TEACHER_SIZE, keep=(-1,))
        self.precision.model(teacher)
        maps = self.features.open(teacher, self.data, "train", self.precision) if self.features else None
        if maps is None:
            raise UsageError("the teacher's features are read from the cache, which has no room for them: raise "
                             "CACHE_GB")
        pieces = [F.adaptive_avg_pool2d(maps.read(rows)[0].float(), PLACES).half()
                  for rows in np.array_split(maps.rows, max(1, len(maps.rows) // 64))]
        taught = torch.cat(pieces)
        sample = taught[:: max(1, len(taught) // 512)].float()
        mean, std = sample.mean((0, 2, 3), keepdim=True), sample.std((0, 2, 3), keepdim=True)
        for start in range(0, len(taught), 256):  # in place: twice the features would be a gigabyte more
            piece = taught[start : start + 256]
            piece.copy_((piece.float() - mean) / (std + 1e-3))
        return maps.rows, taught

    def loss(self, model: PetCLIP, images: Tensor, text: Tensor, labels: Tensor, crop: Tensor, rows: Tensor) -> Tensor:
        taught = None
        if len(self._taught):
            places = torch.tensor(np.searchsorted(self._rows, rows.cpu().numpy()))
            whole = self._taught[places].to(images.device).float()
            side = CROP_SIZE // TOWER_STRIDES[-1]
            grid = F.affine_grid(crop, [len(whole), 1, side, side], align_corners=False)
            taught = F.grid_sample(whole, grid, padding_mode="border", align_corners=False)
        with self.precision.autocast():
            return model.loss(images, text, labels, taught)

    def validate(self, model: PetCLIP) -> dict[str, float]:
        correct = correct_answers(model, self.data, "val", self.precision)
        shares = {f"val_{question}": float(right.mean()) for question, right in correct.items()}
        return {"val_loss": 1 - shares["val_breed"], **shares}

    def merit(self, epoch: Mapping[str, float]) -> float:
        return epoch["val_breed"]

    def score(self, run: Run, model: Any) -> None:
        """Write which photos were named rightly. The test part is touched here, once, to report."""
        for split in SPLITS:
            run.write_answers(split, correct_answers(model, self.data, split, self.precision))
