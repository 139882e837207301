"""Disk layouts: which photos a folder holds, where their masks are, and how those masks are coded.

Two layouts are read. *Oxford*, as torchvision's ``OxfordIIITPet`` keeps it (official archive, smaller mirrors,
synthetic pets)::

    ROOT/oxford-iiit-pet/images/NAME.jpg
    ROOT/oxford-iiit-pet/annotations/{trainval,test}.txt      NAME CLASS-ID SPECIES BREED-ID
    ROOT/oxford-iiit-pet/annotations/trimaps/NAME.png         1 pet, 2 background, 3 border

and *coursework*, as a university handed it to its students::

    ROOT/{TrainVal,Test}/color/NAME.jpg                       (or .jpeg, .png)
    ROOT/{TrainVal,Test}/label/NAME.png                       colours of ``petseg_utils.classes.MASK_COLOURS``

A photo's NAME is its breed and a number, ``Birman_12``; cats' begin with a capital letter.

Source: Parkhi, Vedaldi, Zisserman, Jawahar, "Cats and Dogs", CVPR 2012.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from petseg_utils.classes import BACKGROUND, BORDER, CAT, DOG, IGNORE, SPECIES_NAMES
from petseg_utils.data.colours import decode_colours
from petseg_utils.errors import DataError

_TRIMAP_VALUES = (1, 2, 3)
_PHOTOS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Sample:
    """One photo: its name, its two files, its species (1 cat, 2 dog), its breed, and its official split."""

    name: str
    image_path: Path
    mask_path: Path
    species: int
    breed: str
    split: str  # "trainval" or "test"


@dataclass(frozen=True)
class Layout:
    """A data set on disk: ``kind`` is ``oxford`` or ``coursework``; samples stand in the order of the lists."""

    kind: str
    root: Path
    samples: tuple[Sample, ...]

    def decode_mask(self, raw: np.ndarray, sample: Sample) -> np.ndarray:
        """Turn a mask file's pixels into our codes.

        Args:
            raw: uint8 (H, W) trimap or (H, W, 3) RGB colour mask, as :func:`petseg_utils.data.decode.read_mask_file`
                returns it.
            sample: the photo it belongs to; its species says what a trimap's pet is.

        Returns:
            uint8 (H, W) of {0 background, 1 cat, 2 dog, 3 border}.

        Raises:
            ValueError: a value or colour that the layout doesn't know, named in the message.
        """
        if self.kind == "coursework":
            return decode_colours(raw)
        table = np.full(256, IGNORE, dtype=np.uint8)
        table[list(_TRIMAP_VALUES)] = (sample.species, BACKGROUND, BORDER)
        mask = table[raw]
        if (mask == IGNORE).any():
            strange = sorted(set(np.unique(raw).tolist()) - set(_TRIMAP_VALUES))
            raise ValueError(f"trimap values {strange[:5]} outside {{1, 2, 3}}")
        return mask

    def contradiction(self, mask: np.ndarray, sample: Sample) -> str:
        """What a decoded mask, uint8 (H, W), says against the photo's species; empty if nothing.

        Only colour masks name a species; a trimap's pet is whatever the list says.
        """
        cats, dogs = int((mask == CAT).sum()), int((mask == DOG).sum())
        painted = CAT if cats > dogs else DOG
        if cats == dogs or painted == sample.species:
            return ""
        return (f"mask is painted {SPECIES_NAMES[painted]}, but the photo's name begins with a "
                f"{'capital' if sample.species == CAT else 'small'} letter, as those of "
                f"{SPECIES_NAMES[sample.species]}s do")


def read_layout(root: str | Path) -> Layout:
    """List the photos under ``root``, in either layout.

    Raises:
        DataError: the folder is missing, holds neither layout, or a list is empty or damaged.
    """
    root = Path(root).expanduser()
    if not root.is_dir():
        raise DataError(f"data root {str(root)!r} is not a folder: pass --data-root the folder that holds "
                        "oxford-iiit-pet/ or TrainVal/ and Test/")
    for base in (root / "oxford-iiit-pet", root):
        if (base / "annotations").is_dir():
            return Layout("oxford", base, _read_oxford(base))
    if (root / "TrainVal").is_dir() or (root / "Test").is_dir():
        return Layout("coursework", root, _read_coursework(root))
    raise DataError(f"data root {str(root)!r} holds neither oxford-iiit-pet/annotations nor TrainVal/ and Test/: "
                    "point it at one of them, or fetch the official archive with petseg data --download")


def _read_oxford(base: Path) -> tuple[Sample, ...]:
    samples = []
    for split in ("trainval", "test"):
        listed = set()
        listing = base / "annotations" / f"{split}.txt"
        if not listing.is_file():
            raise DataError(f"list {str(listing)!r} is missing: the Oxford layout needs trainval.txt and test.txt")
        for number, line in enumerate(listing.read_text("utf-8", "replace").splitlines(), start=1):
            fields = line.split()
            if not fields or fields[0].startswith("#"):
                continue
            if len(fields) != 4 or fields[2] not in ("1", "2"):
                raise DataError(f"line {number} of {str(listing)!r} reads {line!r}: expected NAME CLASS-ID SPECIES "
                                "BREED-ID with species 1 (cat) or 2 (dog)")
            if fields[0] in listed:
                raise DataError(f"line {number} of {str(listing)!r} names {fields[0]!r} once more: take one of the two "
                                "lines away")
            photo = base / "images" / f"{fields[0]}.jpg"
            listed.add(fields[0])
            samples.append(_sample(fields[0], photo, base / "annotations" / "trimaps", int(fields[2]), split))
    if not samples:
        raise DataError(f"the lists in {str(base / 'annotations')!r} name no photo: fetch the data set again")
    return tuple(samples)


def _read_coursework(root: Path) -> tuple[Sample, ...]:
    samples = []
    for folder, split in (("TrainVal", "trainval"), ("Test", "test")):
        color = root / folder / "color"
        photos: dict[str, Path] = {}
        files = sorted(color.glob("[!.]*"))  # a Mac adds hidden ones to archives
        for path in files:
            if path.suffix.lower() in _PHOTOS and photos.setdefault(path.stem, path) != path:
                raise DataError(f"{str(photos[path.stem])!r} and {path.name!r} would share one mask: take one away or "
                                "name it anew")
        labels = {path.stem for path in (root / folder / "label").glob("[!.]*.png")}
        # A name with only one of its two files is kept: verification reports the missing one by its path, or says what
        # is wrong with a file of that name and another suffix.
        others = {path.stem: path for path in files}
        for name in sorted(photos.keys() | labels):
            species = CAT if name[:1].isupper() else DOG  # the data set's own rule: cat breeds are capitalised
            photo = photos.get(name) or others.get(name, color / f"{name}.jpg")
            samples.append(_sample(name, photo, root / folder / "label", species, split))
    if not samples:
        raise DataError(f"{str(root)!r} holds no TrainVal/color/*.jpg and no Test/color/*.jpg: copy the photos there")
    return tuple(samples)


def _sample(name: str, photo: Path, masks: Path, species: int, split: str) -> Sample:
    if name != name.encode("utf-8", "replace").decode():
        raise DataError(f"the name of photo {name!r} is no UTF-8, which tables need: rename it and its mask")
    return Sample(name, photo, masks / f"{name}.png", species, name.rsplit("_", 1)[0], split)
