"""``counts.npz``: the test counts of a study's main models, photo by photo, so that any two of them can be compared
without their checkpoints."""

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np

from petseg_utils.atomic import only_writer, read_arrays, write_arrays
from petseg_utils.metrics import ImageStatistics, apply_border

FILE = "counts.npz"
Row = tuple[str, str]  # notebook, variant


@dataclass(frozen=True)
class ImageCounts:
    """Counts of several models on the same N photos.

    Attributes:
        names: text (N,), the test photos in the manifest's order.
        species: uint8 (N,) of {1 cat, 2 dog}.
        models: pixels (N, 4, 3) by notebook and variant, see :func:`petseg_utils.metrics.confusion_counts`.
    """

    names: np.ndarray
    species: np.ndarray
    models: dict[Row, np.ndarray] = field(default_factory=dict)

    def confusions(self, row: Row, border: str = "ignore") -> np.ndarray:
        """One model's pixels (N, 3, 3), rows truth, columns prediction, under a border policy."""
        return apply_border(self.models[row], self.species, border)


def read_counts(folder: Path) -> ImageCounts:
    """A study's counts from ``results/<study>``; of no photo and no model if nothing has been recorded yet."""
    path = folder / FILE
    if not path.is_file():
        return ImageCounts(np.zeros(0, dtype=str), np.zeros(0, dtype=np.uint8))
    arrays = read_arrays(path)
    models = {(notebook, variant): arrays[f"counts_{place}"].astype(np.int64)
              for place, (notebook, variant) in enumerate(arrays["rows"].tolist())}
    return ImageCounts(arrays["names"], arrays["species"], models)


def packaged_counts() -> ImageCounts:
    """The counts of the measured study, oxford-128, as they came with the package."""
    return read_counts(Path(str(files("petseg_utils") / "packaged")))


def record_counts(folder: Path, notebook: str, scored: dict[str, ImageStatistics]) -> None:
    """Write a notebook's counts, by variant, into a study's file, in place of earlier ones of the same variants.

    Counts of other models stay if they are of the same photos; on others they cannot be compared, and are dropped.
    """
    if not scored:
        return
    with only_writer(folder):
        _record_counts(folder, notebook, scored)


def _record_counts(folder: Path, notebook: str, scored: dict[str, ImageStatistics]) -> None:
    first = next(iter(scored.values()))
    old = read_counts(folder)
    kept = old.models if np.array_equal(old.names, first.names) else {}
    new: dict[Row, np.ndarray] = {(notebook, variant): statistics.counts for variant, statistics in scored.items()}
    models = dict(sorted((kept | new).items(), key=lambda item: item[0][0]))  # in the notebooks' order
    # The smallest type that holds a photo's pixels: two bytes up to 255 x 255.
    narrow = {f"counts_{place}": counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
              for place, counts in enumerate(models.values())}
    write_arrays(folder / FILE, names=first.names, species=first.species.astype(np.uint8),
                 rows=np.array(list(models), dtype=str), **narrow)
