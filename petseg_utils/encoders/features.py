"""Feature maps of a frozen encoder on disk: what never changes is computed once.

Maps are kept in float16, one memory-mapped file a map, written in chunks of photos. A list of finished chunks with a
checksum each lies beside them: interrupted work goes on at the next chunk, a damaged chunk is computed again. The
folder is named after all that decides what is in it (the encoder's weights and, of a file of the user's, its code, its
size and maps, the photos, the part, the view), so a stale folder is never read.
"""

import hashlib
import json
import math
import re
import shutil
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from petseg_utils.atomic import write_text
from petseg_utils.data.augment import Augmentation
from petseg_utils.data.cache import PetData, Progress
from petseg_utils.encoders.base import Encoder
from petseg_utils.errors import DataError
from petseg_utils.precision import Precision

CHUNK = 128  # photos that are encoded and written at once
_LEFT_FREE = 1e9  # bytes that a disk keeps: writing to a mapped file on a full one would kill the process
_FORMAT = 1  # raise it when what a folder holds changes


@dataclass(frozen=True)
class View:
    """Which picture of each photo is encoded: as it is, or augmented in one of a few fixed ways.

    Attributes:
        augmentation: a name of :data:`petseg_utils.data.augment.AUGMENTATION_NAMES`.
        seed, number: what the augmentation is drawn from, besides the photo.
    """

    augmentation: str = "none"
    seed: int = 0
    number: int = 0


class FeatureMaps:
    """The maps of one part's photos, read by row of the manifest.

    Attributes:
        rows: int64 (N,), the photos that are here, ascending.
    """

    def __init__(self, rows: np.ndarray, arrays: list[np.memmap]):
        self.rows, self._arrays = rows, arrays

    def __getstate__(self) -> tuple[np.ndarray, list[str]]:
        return self.rows, [str(array.filename) for array in self._arrays]  # a worker process maps the same files

    def __setstate__(self, state: tuple[np.ndarray, list[str]]) -> None:
        self.rows, self._arrays = state[0], [np.load(path, mmap_mode="r") for path in state[1]]

    def read(self, rows: np.ndarray) -> list[Tensor]:
        """The maps of some photos, float16 (len(rows), C_i, h_i, w_i) each, copied."""
        places = np.searchsorted(self.rows, rows)
        assert (self.rows[places] == rows).all(), "a photo of another part"
        return [torch.tensor(array[places]) for array in self._arrays]


class FeatureStore:
    """A folder of cached maps.

    Args:
        folder: one folder a cache is made in it.
        limit_gb: gigabytes (1e9 bytes) that all caches together may take; what does not fit is not cached.
        progress: wraps the loop over chunks, as ``progress(items, description)``.
    """

    def __init__(self, folder: Path, limit_gb: float, progress: Progress = lambda items, _: items):
        self.folder, self.limit_gb, self.progress = folder, limit_gb, progress

    def open(self, encoder: Encoder, data: PetData, part: str, precision: Precision,
             view: View = View()) -> FeatureMaps | None:  # noqa: B008 (View is frozen)
        """The maps of a part's photos, encoded if the folder does not hold them yet.

        Args:
            encoder: on ``precision.device``.
            data: the opened data set.
            part: ``train``, ``val`` or ``test``.
            view: what is done to a photo before it is encoded.

        Returns:
            ``None`` if they would not fit in the limit or on the disk: encode as you go, then.

        Raises:
            DataError: a feature is too large for float16, or no number.
        """
        if not self.has_room(encoder, data, part, precision, [view]):
            return None
        rows = data.indices(part)
        shapes = _shapes(encoder, len(rows))
        folder = self.folder / self._key(encoder, data, part, precision, view)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            arrays = [_open_array(folder / f"map{i}.npy", shape) for i, shape in enumerate(shapes)]
            self._fill(folder, arrays, encoder, data, rows, precision, view)
        return FeatureMaps(rows, [np.load(folder / f"map{i}.npy", mmap_mode="r") for i in range(len(arrays))])

    def has_room(self, encoder: Encoder, data: PetData, part: str, precision: Precision, views: Iterable[View]) -> bool:
        """Whether a part's maps in all these views are here, or would fit in the limit and on the disk; arguments as
        for :meth:`open`."""
        folders = {self.folder / self._key(encoder, data, part, precision, view) for view in views}
        missing = sum(not folder.is_dir() for folder in folders)
        each = 2 * sum(map(math.prod, _shapes(encoder, len(data.indices(part)))))
        to_write = len(folders) * each - sum(map(_bytes_on_disk, folders))
        disk = next(folder for folder in (self.folder, *self.folder.parents) if folder.is_dir())
        return ((not missing or self._bytes_used() + missing * each <= self.limit_gb * 1e9)
                and (to_write <= 0 or to_write + _LEFT_FREE <= shutil.disk_usage(disk).free))

    def _fill(self, folder: Path, arrays: list[np.memmap], encoder: Encoder, data: PetData, rows: np.ndarray,
              precision: Precision, view: View) -> None:
        """Compute the chunks that are not there, or not as they were written."""
        listed = folder / "chunks.json"
        sums: dict[str, list[int]] = json.loads(listed.read_text()) if listed.is_file() else {}
        starts = range(0, len(rows), CHUNK)
        missing = [start for start in starts
                   if sums.get(str(start)) != _checksums(arrays, start)]
        augment = Augmentation(view.augmentation)
        for start in self.progress(missing, f"{encoder.name} features") if missing else ():
            chunk = rows[start : start + CHUNK]
            pictures = [augment(data.images[row], data.masks[row], (view.seed, view.number, int(row)))[0]
                        for row in chunk]
            maps = encode(encoder, precision.images(torch.tensor(np.stack(pictures)).permute(0, 3, 1, 2)))
            for array, of_chunk in zip(arrays, maps, strict=True):
                array[start : start + CHUNK] = of_chunk.cpu().numpy()
                array.flush()
            sums[str(start)] = _checksums(arrays, start)
            write_text(listed, json.dumps(sums))

    def _bytes_used(self) -> int:
        return sum(path.stat().st_size for path in self.folder.glob("*/map*.npy"))

    @staticmethod
    def _key(encoder: Encoder, data: PetData, part: str, precision: Precision, view: View) -> str:
        statistics = [values.flatten().tolist() for values in (encoder.mean, encoder.std)]
        text = (f"{_FORMAT} {encoder.weights_hash} {encoder.image_size} {encoder.keep} {statistics} {data.fingerprint} "
                f"{data.image_size} {part} {precision.name} {view}{encoder.trunk.code}")
        name = re.sub(r"[^\w.-]", "-", encoder.name)
        return f"{name}-{part}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@torch.no_grad()
def encode(encoder: Encoder, images: Tensor, batch_size: int = 32) -> list[Tensor]:
    """Feature maps in float16, as the cache keeps them, so that what is cached and what is not give the same numbers.

    Args:
        images: float (B, 3, H, W), RGB in [0, 1], on the encoder's device.
        batch_size: photos at once.

    Raises:
        DataError: a feature is too large for float16, or no number.
    """
    with torch.autocast(images.device.type, enabled=False):  # it would choose types for what is only copied
        pieces = [[m.half() for m in encoder(images[start : start + batch_size])]
                  for start in range(0, len(images), batch_size)]
        maps = [torch.cat(of_layer) for of_layer in zip(*pieces, strict=True)]
    for place, of_layer in zip(encoder.keep, maps, strict=True):
        if not torch.isfinite(of_layer).all():
            raise DataError(f"map {place} of encoder {encoder.name!r} holds numbers beyond float16's 65504: choose "
                            "another layer")
    return maps


def _shapes(encoder: Encoder, photos: int) -> list[tuple[int, ...]]:
    return [(photos, channels, *2 * (encoder.image_size // stride,))
            for channels, stride in zip(encoder.channels, encoder.strides, strict=True)]


def _bytes_on_disk(folder: Path) -> int:
    """What a cache's files take so far: a file is made at its full size, and filled chunk by chunk."""
    found = [path.stat() for path in folder.glob("map*.npy")]
    return sum(min(512 * of.st_blocks, of.st_size) if hasattr(of, "st_blocks") else of.st_size for of in found)


def _checksums(arrays: list[np.memmap], start: int) -> list[int]:
    return [zlib.crc32(array[start : start + CHUNK].data) for array in arrays]


def _open_array(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """A float16 file of that shape to read and write, the one that is there if it has the shape."""
    if path.is_file():
        try:
            array = np.load(path, mmap_mode="r+")
            if array.shape == shape and array.dtype == np.float16:
                return array
        except (ValueError, EOFError, OSError):
            pass  # cut off, or no array: begun again
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
