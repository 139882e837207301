"""Every model on spoiled photos: each photo is spoiled once, encoded once by each encoder, decoded by every decoder.

Nothing is trained again and nothing is kept of the photos: counts leave, from which all scores come. Models that take
prompts get one click on the pet, the random one of :mod:`petseg_utils.prompts.protocol`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from petseg_utils.classes import BACKGROUND, NUM_CLASSES
from petseg_utils.corruptions import CORRUPTIONS, LEVELS, corrupt
from petseg_utils.data.cache import PetData, Progress
from petseg_utils.data.decode import squeeze
from petseg_utils.encoders.base import Encoder
from petseg_utils.encoders.features import encode
from petseg_utils.errors import UsageError
from petseg_utils.evaluation import resize_logits
from petseg_utils.metrics import PerturbedCounts, confusion_counts
from petseg_utils.metrics.robustness import CLEAN
from petseg_utils.models.frozen import OnEncoder
from petseg_utils.models.prompt import PromptModel
from petseg_utils.parallel import answers
from petseg_utils.precision import Precision
from petseg_utils.prompts.heatmap import prompt_maps
from petseg_utils.prompts.protocol import draw_single_clicks
from petseg_utils.prompts.selection import as_logits, cut_in_two, label_region, lean_on_seen
from petseg_utils.prompts.simulator import Click
from petseg_utils.training.run import Run

BATCH = 32


def robustness_photos(manifest: pd.DataFrame, per_breed: int) -> np.ndarray:
    """The photos that are spoiled: so many of each breed's test photos (all, where there are fewer), drawn by a fixed
    seed, so that a smaller number's photos are among a larger one's. Rows of the manifest, int64 (N,), ascending.

    Raises:
        UsageError: fewer than one photo of a breed.
    """
    if per_breed < 1:
        raise UsageError(f"{per_breed} photos of a breed were asked for: give 1 or more")
    rows = np.flatnonzero(manifest["part"] == "test")
    shuffled = np.random.default_rng(0).permutation(rows)
    breeds = manifest["breed"].to_numpy()[shuffled]
    return np.sort(np.concatenate([shuffled[breeds == breed][:per_breed] for breed in np.unique(breeds)]))


def perturb_runs(runs: Mapping[str, Run], data: PetData, rows: np.ndarray, precision: Precision,
                 progress: Progress = lambda items, _: items) -> None:
    """Ask finished segmentation runs, by variant, about spoiled photos, kind by kind, and keep what they say beside
    them. What a run was asked before is not asked again.

    Args:
        rows: of the manifest.
        progress: wraps the loop over batches of photos, as ``progress(batches, description)``.
    """
    names = data.names[rows]
    loaded: dict[str, tuple[nn.Module, int]] = {}
    for kind in (CLEAN, *CORRUPTIONS):
        missing = [variant for variant, run in runs.items() if run.perturbed(kind, names) is None]
        for variant in missing:
            if variant not in loaded:
                loaded[variant] = precision.model(runs[variant].load_model()), runs[variant].spec.image_size
        levels = [0] if kind == CLEAN else list(LEVELS)
        found = perturbed_counts({variant: loaded[variant] for variant in missing}, data, rows, kind, levels, precision,
                                 progress) if missing else {}
        for variant, counts in found.items():
            runs[variant].write_perturbed(kind, PerturbedCounts(names, data.species[rows], counts))


def perturbed_counts(models: Mapping[str, tuple[nn.Module, int]], data: PetData, rows: np.ndarray, kind: str,
                     levels: Sequence[int], precision: Precision,
                     progress: Progress = lambda items, _: items) -> dict[str, np.ndarray]:
    """What models say of spoiled photos, at the photos' own resolution.

    Args:
        models: by name, each with the square that it was trained on, in pixels; in eval mode on ``precision.device``.
        data: the opened data set.
        rows: of the manifest.
        kind: see :func:`petseg_utils.corruptions.corrupt`, or ``clean``.
        levels: of the kind, 0 being the clean photo.
        progress: wraps the loop over batches of photos.

    Returns:
        By name, int32 (L, N, 4, 3): see :func:`petseg_utils.metrics.confusion_counts`.
    """
    spoil = next(iter(CORRUPTIONS)) if kind == CLEAN else kind  # level 0 is the same photo for all kinds
    contenders = {name: _Contender(model, size, precision) for name, (model, size) in models.items()}
    encoders = _shared_encoders([contender.model for contender in contenders.values()])

    @torch.inference_mode()
    def ask(batch: np.ndarray) -> dict[str, np.ndarray]:
        photos = [np.asarray(data.original_image(row)) for row in batch]
        truths = [np.asarray(data.original_mask(row)) for row in batch]
        clicks = _clicks_on_pets(data, batch, truths)
        found: dict[str, list[list[np.ndarray]]] = {name: [] for name in contenders}
        for level in levels:
            spoiled = [corrupt(photo, spoil, level, data.names[row]) for photo, row in zip(photos, batch, strict=True)]
            squares: dict[int, Tensor] = {}
            maps: dict[Any, list[Tensor]] = {}
            for name, contender in contenders.items():
                size = contender.image_size
                if size not in squares:
                    stacked = np.stack([squeeze(photo, size) for photo in spoiled])
                    squares[size] = precision.images(torch.from_numpy(stacked).permute(0, 3, 1, 2))
                key = (size, _encoder_key(contender.model))
                if key[1] is not None and key not in maps:
                    maps[key] = encode(encoders[key[1]], squares[size])
                decisions = contender.decide(squares[size], maps.get(key), encoders.get(key[1]), truths, clicks)
                found[name].append([confusion_counts(truth, decision)
                                    for truth, decision in zip(truths, decisions, strict=True)])
        return {name: np.array(counts, np.int32) for name, counts in found.items()}

    batches = np.array_split(rows, math.ceil(len(rows) / BATCH))
    found = list(progress(answers(ask, batches, precision.device), f"{kind}, {len(contenders)} models"))
    return {name: np.concatenate([of_batch[name] for of_batch in found], axis=1) for name in contenders}


@torch.inference_mode()
def predict_spoiled(run: Run, data: PetData, rows: Sequence[int], photos: Sequence[np.ndarray],
                    precision: Precision) -> list[np.ndarray]:
    """A run's classes {0, 1, 2} (H, W) of photos uint8 (H, W, 3), such as spoiled ones, of these rows of the manifest;
    a prompt model's with its click."""
    contender = _Contender(precision.model(run.load_model()), run.spec.image_size, precision)
    truths = [np.asarray(data.original_mask(row)) for row in rows]
    clicks = _clicks_on_pets(data, rows, truths)
    squares = np.stack([squeeze(photo, contender.image_size) for photo in photos])
    images = precision.images(torch.from_numpy(squares).permute(0, 3, 1, 2))
    return contender.decide(images, None, None, truths, clicks)


class _Contender:
    """A model, asked for its decisions."""

    def __init__(self, model: Any, image_size: int, precision: Precision):
        self.model, self.image_size, self.precision = model, image_size, precision

    def decide(self, images: Tensor, maps: list[Tensor] | None, encoder: Encoder | None, truths: Sequence[np.ndarray],
               clicks: Sequence[tuple[int, int] | None]) -> list[np.ndarray]:
        """Classes {0, 1, 2} (H, W) of each photo at its own size.

        Args:
            images: float (B, 3, S, S).
            maps: of ``encoder``, which is the model's own or one that keeps more maps.
            truths: the photos' masks, whose sizes count only.
            clicks: pixels (row, column) of the photos, ``None`` where there is no pet.
        """
        sizes = [(truth.shape[0], truth.shape[1]) for truth in truths]
        if maps is not None and encoder is not None:
            maps = [maps[encoder.keep.index(place)] for place in self.model.encoder.keep]
        if isinstance(self.model, PromptModel):
            return self._clicked(images, maps, sizes, clicks)
        with self.precision.autocast():
            logits = self.model(images) if maps is None else self.model.decode(maps, images)
        return [resize_logits(of_photo, size).argmax(0).cpu().numpy()
                for of_photo, size in zip(logits.float(), sizes, strict=True)]

    def _clicked(self, images: Tensor, maps: list[Tensor] | None, sizes: Sequence[tuple[int, int]],
                 clicks: Sequence[tuple[int, int] | None]) -> list[np.ndarray]:
        side, model = self.image_size, self.model
        said = [[] if at is None else [Click((at[1] + 0.5) * side / width, (at[0] + 0.5) * side / height, True)]
                for at, (height, width) in zip(clicks, sizes, strict=True)]
        nothing = torch.zeros(side, side)
        prompts = torch.stack([prompt_maps(of_photo, nothing, model.planes, model.sigma) for of_photo in said])
        with self.precision.autocast():
            embedding = model.embed(maps or model.encode(images), images)
            logits = model.select(embedding, prompts.to(images.device)).float()
            # A dialogue's first click leans on what is seen without it; else only a photo without a click needs that.
            dialogue = model.planes > 1
            empty = torch.zeros_like(prompts).to(images.device)
            unprompted = model.select(embedding, empty).float() if dialogue else logits
        pets = 1 - unprompted[:, :NUM_CLASSES].softmax(1)[:, BACKGROUND]
        decisions = []
        for of_photo, pet, clicked, size in zip(logits, pets, said, sizes, strict=True):
            classes, region = of_photo[:NUM_CLASSES].softmax(0), of_photo[NUM_CLASSES]
            if not clicked:  # without a prompt, the region is the pet
                region = as_logits(pet)
            elif dialogue:
                region = lean_on_seen(region, pet, clicked[0].x, clicked[0].y)
            parts = label_region(region.sigmoid(), classes)
            decisions.append(cut_in_two(resize_logits(region[None], size)[0].sigmoid(), parts).argmax(0).cpu().numpy())
        return decisions


def _clicks_on_pets(data: PetData, rows: Iterable[int], truths: Sequence[np.ndarray]) -> list[tuple[int, int] | None]:
    """The random click of each photo, the same for all kinds, levels and models; ``None`` where there is no pet."""
    return [draw_single_clicks(truth, int(data.species[row]), int(row)).pet
            for row, truth in zip(rows, truths, strict=True)]


def _encoder_key(model: Any) -> Any:
    """Equal for models whose encoders say the same of a photo; ``None`` where there is no encoder to share."""
    if not isinstance(model, OnEncoder) or not model.frozen:
        return None
    encoder = model.encoder
    statistics = [tuple(values.flatten().tolist()) for values in (encoder.mean, encoder.std)]
    return encoder.weights_hash, encoder.trunk.code, encoder.image_size, *statistics


def _shared_encoders(models: Iterable[Any]) -> dict[Any, Encoder]:
    """Of models that share an encoder, the one that keeps most maps. A model keeps all of them or the last one, so the
    longest list holds the others'."""
    shared: dict[Any, Encoder] = {}
    for model in models:
        key = _encoder_key(model)
        if key is not None and (key not in shared or len(model.encoder.keep) > len(shared[key].keep)):
            shared[key] = model.encoder
    return shared
