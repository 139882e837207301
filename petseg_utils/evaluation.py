"""From logits to statistics: every model is scored here, at the photos' own resolution."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from petseg_utils.data.cache import PetData
from petseg_utils.data.datasets import Maps
from petseg_utils.errors import TrainingError
from petseg_utils.metrics import ImageStatistics, image_statistics
from petseg_utils.precision import Precision


@torch.inference_mode()
def evaluate(model: Any, data: PetData, part: str, precision: Precision, *, at_original_size: bool = True,
             maps: Maps | None = None, batch_size: int = 64) -> ImageStatistics:
    """Score a model on one part.

    Args:
        model: images (B, 3, S, S) in [0, 1] -> logits (B, 3, S, S), already on ``precision.device``; its mode is left
            as it was found, after scoring in eval mode.
        data: the opened data set.
        part: ``train``, ``val`` or ``test``.
        precision: device and compute type.
        at_original_size: resize the logits to each photo's own size and compare with its original mask (what is
            reported); else score the square the model sees (what training watches).
        maps: the part's maps of the model's frozen encoder, if they have been computed.
        batch_size: photos at once; changes nothing but speed.

    Raises:
        DataError: the part is empty.
        TrainingError: a logit is no finite number.
    """
    found: list[dict[str, np.ndarray]] = []
    for row, logits in logits_of(model, data, part, precision, maps=maps, batch_size=batch_size):
        truth = data.original_mask(row) if at_original_size else data.masks[row]
        resized = resize_logits(logits, (truth.shape[0], truth.shape[1]))
        found.append(image_statistics(np.asarray(truth), resized.cpu().numpy(), int(data.species[row])))
    return stack_statistics(data, part, found)


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
            yield from zip(batch.tolist(), logits, strict=True)
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
