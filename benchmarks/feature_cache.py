"""A frozen encoder's maps: computing them beside reading them, and an epoch of a decoder on each."""

import tempfile
from pathlib import Path
from typing import Any

import torch
from timing import Row, time_in_turns
from torch.utils.data import DataLoader

from petseg_utils.data.cache import open_data
from petseg_utils.data.datasets import SegmentationDataset
from petseg_utils.encoders.features import FeatureStore, encode
from petseg_utils.models import build_model
from petseg_utils.precision import choose_precision
from petseg_utils.synthetic import write_synthetic_pets
from petseg_utils.training.recipes import cross_entropy


def measure(n_trainval: int = 320, size: int = 128) -> list[Row]:
    """petclip-mini and the ``multi`` decoder, ``size`` px, batch 32."""
    with tempfile.TemporaryDirectory() as folder:
        root = write_synthetic_pets(Path(folder) / "pets", n_trainval=n_trainval, n_test=12, size=size)
        data = open_data(root, size, Path(folder) / "cache")
        precision = choose_precision("cpu")
        model: Any = precision.model(build_model("clip", image_size=size))
        model.train()
        model.encoder.eval()
        rows = data.indices("train")
        images = precision.images(torch.tensor(data.images[rows]).permute(0, 3, 1, 2))
        maps = FeatureStore(Path(folder) / "features", 10.0).open(model.encoder, data, "train", precision)
        assert maps is not None

        def epoch(dataset: SegmentationDataset) -> None:
            for batch, targets, *of_batch in DataLoader(dataset, 32, drop_last=True):
                photos = precision.images(batch)
                with precision.autocast():
                    logits = model.decode(of_batch, photos) if of_batch else model(photos)
                cross_entropy(logits, targets.long()).backward()

        timings = time_in_turns({
            "encoding": lambda: encode(model.encoder, images), "reading": lambda: maps.read(rows),
            "uncached epoch": lambda: epoch(SegmentationDataset(data)),
            "cached epoch": lambda: epoch(SegmentationDataset(data, maps=[maps])),
        }, rounds=5)

    def each(way: str) -> str:
        return f"{timings.median(way) / len(rows) * 1e3:.2f} ms a photo"

    about = f"petclip-mini's four maps, {size} px, {precision.name}"
    return [Row(f"reading {about}", each("reading"), f"encoding, {each('encoding')}",
                timings.ratio("encoding", "reading")),
            Row(f"an epoch of multi on {about}, cached", each("cached epoch"), f"not cached, {each('uncached epoch')}",
                timings.ratio("uncached epoch", "cached epoch"))]
