"""Scoring spoiled photos beside scoring them as they are, image for image: the two kinds that draw random fields, which
takes longest, in all their levels, as notebook 06 asks."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from timing import Row, time_in_turns

from petseg_utils.corruptions import LEVELS
from petseg_utils.data.cache import open_data
from petseg_utils.evaluation import evaluate
from petseg_utils.models import build_model
from petseg_utils.precision import choose_precision
from petseg_utils.robustness import perturbed_counts
from petseg_utils.synthetic import write_synthetic_pets

KINDS = ("gaussian noise", "salt and pepper")


def measure(n_test: int = 64, size: int = 128) -> list[Row]:
    """The UNet of profile ``oxford-128``, and ``multi`` on petclip-mini, ``size`` px."""
    with tempfile.TemporaryDirectory() as folder:
        root = write_synthetic_pets(Path(folder) / "pets", n_trainval=12, n_test=n_test, size=size)
        data = open_data(root, size, Path(folder) / "cache")
        precision = choose_precision("cpu")
        rows = data.indices("test")

        def spoiled(model: Any) -> None:
            for kind in KINDS:
                perturbed_counts({"model": (model, size)}, data, rows, kind, LEVELS, precision)

        def plain(model: Any) -> None:
            for _ in range(len(KINDS) * len(LEVELS)):
                evaluate(model, data, "test", precision)

        found = []
        for name, about, options in (("unet", "UNet 16", {"width": 16, "depth": 4}),
                                     ("clip", "petclip-mini, multi", {"image_size": size})):
            model = precision.model(build_model(name, **options)).eval()
            timings = time_in_turns({"spoiled": partial(spoiled, model), "plain": partial(plain, model)}, rounds=3)
            rate = {way: len(KINDS) * len(LEVELS) * len(rows) / timings.median(way) for way in ("spoiled", "plain")}
            found.append(Row(f"scoring spoiled photos, {about}, {size} px", f"{rate['spoiled']:.0f} images/s",
                             f"scoring them as they are, {rate['plain']:.0f} images/s",
                             timings.ratio("plain", "spoiled")))
    return found
