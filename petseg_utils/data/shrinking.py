"""A small copy of a data set: what the measured study was measured on, made from the official archive."""

from pathlib import Path

import cv2
from PIL import Image
from tqdm import tqdm

from petseg_utils.atomic import replacing_folder
from petseg_utils.data.decode import BAD_PICTURE, read_mask_file, read_photo, squeeze_mask
from petseg_utils.data.layouts import read_layout
from petseg_utils.errors import DataError, UsageError

JPEG_QUALITY = 92  # with all colours kept (4:4:4)


def write_small_copy(root: str | Path, target: Path, size: int) -> int:
    """Squeeze a data set's photos and trimaps to squares and write them in the Oxford layout.

    As the copy that the committed results were measured on: photos bilinearly from four pixels each, without smoothing
    (so that fine texture aliases), trimaps by nearest pixel, JPEG of quality 92. That copy went through other
    libraries: on 120 photos that we have both ways all masks agree, and photos differ by 2.4 grey levels on average.

    Args:
        root: folder of the Oxford layout.
        target: folder that will contain ``oxford-iiit-pet``; it must not be there yet.
        size: side of the squares in pixels.

    Returns:
        How many photos were written.

    Raises:
        UsageError: the target is there, or the layout is another.
        DataError: a file is missing or cannot be read.
    """
    layout = read_layout(root)
    folder = target.expanduser().resolve() / "oxford-iiit-pet"
    if layout.kind != "oxford":
        raise UsageError(f"{str(root)!r} has the {layout.kind} layout: only the Oxford layout is copied")
    if folder.exists():
        raise UsageError(f"{str(folder)!r} is there already: give another folder, or remove it")
    with replacing_folder(folder) as new:
        trimaps = new / "annotations" / "trimaps"
        trimaps.mkdir(parents=True)
        (new / "images").mkdir()
        for sample in tqdm(layout.samples, desc="shrinking photos", unit="photo", mininterval=2):
            try:
                image, trimap = read_photo(sample.image_path), read_mask_file(sample.mask_path, layout.kind)
            except BAD_PICTURE as error:
                raise DataError(f"photo {sample.name!r} cannot be copied ({error}): mend or fetch the data set "
                                "again") from None
            small = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
            Image.fromarray(small).save(new / "images" / f"{sample.name}.jpg", quality=JPEG_QUALITY, subsampling=0)
            Image.fromarray(squeeze_mask(trimap, size)).save(trimaps / f"{sample.name}.png")
        for split in ("trainval", "test"):
            lines = (layout.root / "annotations" / f"{split}.txt").read_bytes()
            (new / "annotations" / f"{split}.txt").write_bytes(lines)
    return len(layout.samples)
