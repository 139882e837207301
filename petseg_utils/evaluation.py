"""From logits to counts: every model is scored here, at the photos' own resolution."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.classes import BORDER, IGNORE, NUM_CLASSES
from petseg_utils.data.cache import PetData
from petseg_utils.metrics import confusion_counts
from petseg_utils.precision import Precision


@dataclass(frozen=True)
class Evaluation:
    """Sufficient statistics of a model on a part of the data.

    Attributes:
        counts: int64 (N, 4, 3); rows true background, cat, dog, border; columns predicted background, cat, dog.
        loss: unweighted cross-entropy, mean over all pixels but the border's.
    """

    counts: np.ndarray
    loss: float


@torch.inference_mode()
def evaluate(model: nn.Module, data: PetData, part: str, precision: Precision, *, at_original_size: bool = True,
             batch_size: int = 64) -> Evaluation:
    """Score a model on one part.

    Args:
        model: images (B, 3, S, S) in [0, 1] -> logits (B, 3, S, S), already on ``precision.device``; its mode is left
            as it was found, after scoring in eval mode.
        data: the opened data set.
        part: ``train``, ``val`` or ``test``.
        precision: device and compute type.
        at_original_size: resize the logits to each photo's own size and compare with its original mask (what is
            reported); else score the square the model sees (what training watches).
        batch_size: photos at once; changes nothing but speed.
    """
    rows = data.indices(part)
    was_training = model.training
    model.eval()
    counts: list[np.ndarray] = []
    loss_sum, pixels = 0.0, 0
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        images = precision.images(torch.tensor(data.images[batch]).permute(0, 3, 1, 2))
        with precision.autocast():
            logits = model(images).float()
        for row, of_photo in zip(batch, logits, strict=True):
            truth = data.original_mask(row) if at_original_size else data.masks[row]
            resized = resize_logits(of_photo, (truth.shape[0], truth.shape[1]))
            counts.append(confusion_counts(truth, resized.argmax(0).to("cpu", torch.uint8).numpy()))
            target = torch.tensor(truth, device=resized.device).long()
            target[target == BORDER] = IGNORE
            loss_sum += F.cross_entropy(resized[None], target[None], ignore_index=IGNORE, reduction="sum").item()
            pixels += int((target != IGNORE).sum())
    model.train(was_training)
    return Evaluation(np.stack(counts), loss_sum / max(pixels, 1))


def resize_logits(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring logits (3, h, w) to a photo's own (H, W), bilinearly, before any argmax or softmax.

    Resizing the label map instead would leave its blocks, and averaging class numbers (background 0, cat 1, dog 2)
    would draw a cat between every dog and its background.
    """
    assert logits.shape[0] == NUM_CLASSES
    if logits.shape[-2:] == size:
        return logits
    return F.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]
