"""The uint8 cache: every photo decoded once, squeezed to the study's square once, read from memory ever after."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from petseg_utils.atomic import replacing_folder
from petseg_utils.data.decode import Defect, decode, read_mask, read_photo, refuse_errors, squeeze, squeeze_mask
from petseg_utils.data.duplicates import thumbnail
from petseg_utils.data.layouts import Layout, Sample, read_layout
from petseg_utils.data.manifest import build_manifest, fingerprint
from petseg_utils.errors import DataError, UsageError

_FORMAT = 3  # raise it when what a cache folder holds changes
Progress = Callable[[Iterable, str], Iterable]


@dataclass(frozen=True)
class PetData:
    """A data set in memory, at one image size. Arrays share one order: the manifest's.

    Attributes:
        images: uint8 (N, S, S, 3) RGB, memory-mapped.
        masks: uint8 (N, S, S) of {0 background, 1 cat, 2 dog, 3 border}, memory-mapped.
        species: uint8 (N,) of {1 cat, 2 dog}.
        manifest: one row a photo, see :func:`petseg_utils.data.manifest.build_manifest`.
        fingerprint: 16 hexadecimal digits that name the content (not the image size).
        sizes: int64 (N, 2), each photo's own height and width in pixels.
        defects: the defects found when the photos were decoded, as text.
    """

    images: np.ndarray
    masks: np.ndarray
    species: np.ndarray
    manifest: pd.DataFrame
    fingerprint: str
    sizes: np.ndarray
    defects: tuple[str, ...]
    layout: Layout

    def __getstate__(self) -> dict[str, Any]:
        # A worker process that is sent the data maps the same files; a memory map would travel as all its bytes.
        return {name: Path(str(value.filename)) if isinstance(value, np.memmap) else value
                for name, value in self.__dict__.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({name: np.load(value, mmap_mode="r") if isinstance(value, Path) else value
                              for name, value in state.items()})

    @property
    def image_size(self) -> int:
        return self.images.shape[1]

    @property
    def names(self) -> np.ndarray:
        """text (N,), the photos' names."""
        return self.manifest["name"].to_numpy(dtype=str)

    @property
    def repeats(self) -> np.ndarray:
        """bool (N,), whether the data set holds a near-duplicate of the photo."""
        first = self.manifest["duplicate_of"]
        return ((first != "") | self.manifest["name"].isin(first[first != ""])).to_numpy()

    def indices(self, part: str) -> np.ndarray:
        """Indices (int64) of the photos of one part: ``train``, ``val``, ``test`` or ``excluded``.

        Raises:
            DataError: the part is empty.
        """
        found = np.flatnonzero(self.manifest["part"] == part)
        if not len(found):
            counts = self.manifest["part"].value_counts().to_dict()
            if part == "test":
                raise DataError(f"there is no test photo, the data set has {counts}: put some into Test/color and "
                                "Test/label, or their names into test.txt")
            raise DataError(f"part {part!r} holds no photo, the data set has {counts}: choose a part that has some, or "
                            "give more photos (validation is a fifth of each breed)")
        return found

    def original_image(self, index: int) -> np.ndarray:
        """The photo at its own size, uint8 (H, W, 3) RGB."""
        if tuple(self.sizes[index]) == (self.image_size, self.image_size):
            return self.images[index]
        return read_photo(self.layout.samples[index].image_path)

    def original_mask(self, index: int) -> np.ndarray:
        """The mask at the photo's own size, uint8 (H, W) of {0, 1, 2, 3}."""
        if tuple(self.sizes[index]) == (self.image_size, self.image_size):
            return self.masks[index]
        return read_mask(self.layout, self.layout.samples[index])


def open_data(
    root: str | Path,
    image_size: int,
    cache_folder: Path,
    *,
    allow_defects: bool = False,
    progress: Progress = lambda items, _: items,
) -> PetData:
    """Open a data set, decoding it only if the cache has not seen these very files at this size.

    Args:
        root: folder of either layout.
        image_size: side S of the square that photos and masks are squeezed to, in pixels.
        cache_folder: where caches are kept, one folder each.
        allow_defects: leave defective photos out instead of refusing the data set.
        progress: wraps the loop over photos, as ``progress(items, description)``.

    Raises:
        DataError: the folder or a file is not as it should be; every defective file is listed.
        UsageError: the image size is not usable.
    """
    if image_size < 32:
        raise UsageError(f"image size {image_size} is too small: use 32 pixels or more")
    layout = read_layout(root)
    folder = cache_folder / _cache_key(layout, image_size, allow_defects)
    if folder.is_dir():
        try:
            return _read(folder, layout)
        except (OSError, ValueError, EOFError, KeyError):  # cut off by a full disk, say: all of it can be made again
            shutil.rmtree(folder)
    _build(layout, image_size, folder, allow_defects, progress)
    return _read(folder, layout)


def _read(folder: Path, layout: Layout) -> PetData:
    facts = json.loads((folder / "facts.json").read_text())
    manifest = pd.read_csv(folder / "manifest.csv", dtype=str, keep_default_na=False)
    samples = {(sample.name, sample.split): sample for sample in layout.samples}
    keys = zip(manifest["name"], manifest["split"], strict=True)
    images, masks = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("images", "masks"))
    sizes = np.load(folder / "sizes.npy")
    if not len(images) == len(masks) == len(sizes) == len(manifest):
        raise ValueError("the files of a cache are of different photos")
    return PetData(
        images=images,
        masks=masks,
        species=np.where(manifest["species"] == "cat", 1, 2).astype(np.uint8),
        manifest=manifest,
        fingerprint=facts["fingerprint"],
        sizes=sizes,
        defects=tuple(facts["defects"]),
        layout=Layout(layout.kind, layout.root, tuple(samples[key] for key in keys)),
    )


def _cache_key(layout: Layout, image_size: int, allow_defects: bool) -> str:
    """Names, sizes and times of all files: a touched file makes a new cache, so a stale one is never read."""
    digest = hashlib.sha256(f"{_FORMAT} {layout.kind} {image_size} {allow_defects}\n".encode())
    for sample in layout.samples:
        digest.update(f"{sample.name} {sample.split} {sample.species}".encode())
        for path in (sample.image_path, sample.mask_path):
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # decode() reports it by name
            digest.update(f" {path} {stat.st_size} {stat.st_mtime_ns}".encode())
    return f"{image_size}-{digest.hexdigest()[:16]}"


def _build(layout: Layout, image_size: int, folder: Path, allow_defects: bool, progress: Progress) -> None:
    # Room for all photos at once: lists of arrays, stacked at the end, would need it twice.
    images = np.empty((len(layout.samples), image_size, image_size, 3), dtype=np.uint8)
    masks = np.empty(images.shape[:3], dtype=np.uint8)
    thumbnails, sizes, digests, samples, defects = [], [], [], list[Sample](), list[Defect]()
    for sample in progress(layout.samples, "decoding photos"):
        decoded, found = decode(layout, sample)
        defects += found
        if decoded is None:
            continue
        images[len(samples)] = squeeze(decoded.image, image_size)
        masks[len(samples)] = squeeze_mask(decoded.mask, image_size)
        samples.append(sample)
        thumbnails.append(thumbnail(decoded.image))
        sizes.append(decoded.mask.shape)
        digests.append(np.frombuffer(decoded.digest, dtype=np.uint8))
    if not allow_defects:
        refuse_errors(defects)
    if not samples:
        raise DataError(f"none of the {len(layout.samples)} photos under {str(layout.root)!r} can be read")
    manifest = build_manifest(samples, np.stack(thumbnails))
    with replacing_folder(folder) as new:
        np.save(new / "images.npy", images[: len(samples)])
        np.save(new / "masks.npy", masks[: len(samples)])
        np.save(new / "sizes.npy", np.array(sizes))
        manifest.to_csv(new / "manifest.csv", index=False)
        facts = {"fingerprint": fingerprint(manifest, np.stack(digests)), "defects": [str(d) for d in defects]}
        (new / "facts.json").write_text(json.dumps(facts, indent=1))
