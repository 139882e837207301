"""From logits to statistics: every model is scored here, at the photos' own resolution."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from petseg_utils.classes import BORDER, IGNORE, NUM_CLASSES
from petseg_utils.data.cache import PetData
from petseg_utils.data.datasets import Maps
from petseg_utils.errors import TrainingError
from petseg_utils.metrics import ImageStatistics, image_statistics
from petseg_utils.precision import Precision


@torch.inference_mode()
def evaluate(model: Any, data: PetData, part: str, precision: Precision, *, maps: Maps | None = None,
             batch_size: int = 64) -> ImageStatistics:
    """Score a model on one part: what is reported. The logits are resized to each photo's own size and compared with
    its original mask.

    Args:
        model: images (B, 3, S, S) in [0, 1] -> logits (B, 3, S, S), already on ``precision.device``; its mode is left
            as it was found, after scoring in eval mode.
        data: the opened data set.
        part: ``train``, ``val`` or ``test``.
        precision: device and compute type.
        maps: the part's maps of the model's frozen encoder, if they have been computed.
        batch_size: photos at once; changes nothing but speed.

    Raises:
        DataError: the part is empty.
        TrainingError: a logit is no finite number.
    """
    found: list[dict[str, np.ndarray]] = []
    for row, logits in logits_of(model, data, part, precision, maps=maps, batch_size=batch_size):
        truth = np.asarray(data.original_mask(row))
        resized = resize_logits(logits, (truth.shape[0], truth.shape[1]))
        found.append(image_statistics(truth, resized.cpu().numpy(), int(data.species[row])))
    return stack_statistics(data, part, found)


@torch.inference_mode()
def watch(model: Any, data: PetData, part: str, precision: Precision, *,
          maps: Maps | None = None) -> tuple[float, np.ndarray]:
    """What training watches after each epoch: the squares that the model sees, border ignored, all counted on the
    device. Arguments and errors are those of :func:`evaluate`.

    Returns:
        The mean cross-entropy of a pixel, in nats, and the part's confusion matrix, pixels, int64 (3, 3): rows truth,
        columns prediction.
    """
    confusion = torch.zeros(NUM_CLASSES**2, dtype=torch.int64, device=precision.device)
    loss = torch.zeros((), dtype=torch.float64, device=precision.device)
    for rows, logits in _batches_of_logits(model, data, part, precision, maps, 64):
        truth = torch.tensor(data.masks[rows]).to(precision.device).long()
        counted = truth < BORDER
        cells = NUM_CLASSES * truth + logits.argmax(1)
        confusion += torch.bincount(cells[counted], minlength=len(confusion))
        loss += F.cross_entropy(logits.double(), truth.where(counted, IGNORE), ignore_index=IGNORE, reduction="sum")
    pixels = int(confusion.sum())
    return loss.item() / max(pixels, 1), confusion.reshape(NUM_CLASSES, NUM_CLASSES).cpu().numpy()


def stack_statistics(data: PetData, part: str, found: Sequence[dict[str, np.ndarray]]) -> ImageStatistics:
    """Statistics of a part's photos from those of each photo (:func:`petseg_utils.metrics.image_statistics`), in
    order."""
    rows = data.indices(part)
    manifest = data.manifest.iloc[rows]
    return ImageStatistics(
        names=manifest["name"].to_numpy(dtype=str), breeds=manifest["breed"].to_numpy(dtype=str),
        species=data.species[rows], repeats=data.repeats[rows],
        **{name: np.stack([statistics[name] for statistics in found]) for name in found[0]},
    )


@torch.inference_mode()
def logits_of(model: Any, data: PetData, part: str, precision: Precision, *, maps: Maps | None = None,
              batch_size: int = 64) -> Iterator[tuple[int, Tensor]]:
    """A part's photos in order: row of the manifest, and the model's logits, float (3, S, S) on the device.

    Arguments and errors are those of :func:`evaluate`.
    """
    for rows, logits in _batches_of_logits(model, data, part, precision, maps, batch_size):
        yield from zip(rows.tolist(), logits, strict=True)


def _batches_of_logits(model: Any, data: PetData, part: str, precision: Precision, maps: Maps | None,
                       batch_size: int) -> Iterator[tuple[np.ndarray, Tensor]]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        for batch, images in batches_of(data, part, precision, batch_size):
            with precision.autocast():
                if maps is None:
                    logits = model(images).float()
                else:
                    logits = model.decode([m.to(precision.device) for m in maps.read(batch)], images).float()
            if not torch.isfinite(logits).all():
                raise TrainingError("the model's logits are not all finite numbers: train it again with a lower "
                                    "learning rate")
            yield batch, logits
    finally:
        for module, mode in modes.items():  # a model in a wrapper may be in another mode than the wrapper
            module.training = mode


def batches_of(data: PetData, part: str, precision: Precision,
               batch_size: int = 64) -> Iterator[tuple[np.ndarray, Tensor]]:
    """A part's photos in order, as they are: indices int64 (B,) and images float (B, 3, S, S) on the device."""
    rows = data.indices(part)
    for start in range(0, len(rows), batch_size):
        batch = rows[start : start + batch_size]
        yield batch, precision.images(torch.tensor(data.images[batch]).permute(0, 3, 1, 2))


def resize_logits(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring logits (C, h, w) to a photo's own (H, W), bilinearly, before any argmax or softmax.

    Resizing the label map instead would leave its blocks, and averaging class numbers (background 0, cat 1, dog 2)
    would draw a cat between every dog and its background.
    """
    if logits.shape[-2:] == size:
        return logits
    return F.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]
