"""Decoding: pictures of any mode, every defect reported by its file, and resizing that keeps photo and mask aligned."""

import os

import cv2
import numpy as np
import pytest
from making_data import (
    HEIGHT,
    WIDTH,
    centre_of_mass,
    colour_mask,
    photo,
    trimap,
    write_coursework,
    write_oxford,
    write_picture,
)
from PIL import ExifTags, Image

from petseg_utils.data import open_data
from petseg_utils.data.decode import decode, read_mask_file, read_photo, squeeze, squeeze_mask
from petseg_utils.data.layouts import read_layout
from petseg_utils.errors import DataError


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def repaint(array, value):
    """A copy of the mask with pixel (5, 7) set to the given value."""
    changed = array.copy()
    changed[5, 7] = value
    return changed


# What is done to pug_1's photo or mask, and what the report must say about that file.
OXFORD_DEFECTS = {
    "truncated JPEG": ("images/pug_1.jpg", truncate, "cannot be read .*truncated"),
    "no picture": ("images/pug_1.jpg", lambda p: p.write_text("<html>404</html>"), "cannot be read"),
    "empty photo": ("images/pug_1.jpg", lambda p: p.write_bytes(b""), "cannot be read"),
    "missing photo": ("images/pug_1.jpg", lambda p: p.unlink(), "is missing"),
    "missing mask": ("annotations/trimaps/pug_1.png", lambda p: p.unlink(), "is missing"),
    "truncated mask": ("annotations/trimaps/pug_1.png", truncate, "cannot be read"),
    "turned mask": ("annotations/trimaps/pug_1.png", lambda p: write_picture(p, trimap().T.copy()),
                    f"mask is {HEIGHT} x {WIDTH}, its photo {WIDTH} x {HEIGHT}"),
    "foreign values": ("annotations/trimaps/pug_1.png", lambda p: write_picture(p, repaint(trimap(), 77)),
                       r"trimap values \[77\] outside"),
    "RGB trimap": ("annotations/trimaps/pug_1.png", lambda p: write_picture(p, colour_mask("pug_1")),
                   "trimap has mode RGB"),
}
COURSEWORK_DEFECTS = {
    "unknown colour": ("TrainVal/label/pug_1.png", lambda p: write_picture(p, repaint(colour_mask("pug"), (1, 2, 3))),
                       r"mask colour \(1, 2, 3\) is none of"),
    "missing photo": ("TrainVal/color/pug_1.jpg", lambda p: p.unlink(), "is missing"),
    "missing mask": ("TrainVal/label/pug_1.png", lambda p: p.unlink(), "is missing"),
}
CASES = [pytest.param(write, *case, id=f"{write.__name__[6:]}: {name}")
         for write, defects in ((write_oxford, OXFORD_DEFECTS), (write_coursework, COURSEWORK_DEFECTS))
         for name, case in defects.items()]


def defect_lines(error) -> list[str]:
    return str(error.value).splitlines()[1:]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("write", "file", "spoil", "problem"), CASES)
def test_a_defective_file_stops_the_study_or_is_left_out_where_defects_are_allowed(
        tmp_path, write, file, spoil, problem):
    base = write(tmp_path)
    clean = open_data(tmp_path, 32, tmp_path / "cache")
    spoil(base / file)
    with pytest.raises(DataError, match=problem) as caught:
        open_data(tmp_path, 32, tmp_path / "cache")
    (line,) = defect_lines(caught)
    assert line.startswith(f"  {base / file}: ") and " at 0x" not in line

    data = open_data(tmp_path, 32, tmp_path / "cache", allow_defects=True)
    (defect,) = data.defects
    assert defect == f"error: {line.strip()}"
    assert sorted(data.manifest["name"]) == ["Birman_1", "Birman_2", "Birman_3", "pug_2", "pug_3"]
    kept = clean.manifest["name"] != "pug_1"
    np.testing.assert_array_equal(data.images, clean.images[kept])
    np.testing.assert_array_equal(data.masks, clean.masks[kept])
    np.testing.assert_array_equal(data.species, clean.species[kept])
    assert [s.name for s in data.layout.samples] == data.manifest["name"].tolist()


def test_all_defects_are_listed_together_one_line_a_file(tmp_path):
    base = write_oxford(tmp_path)
    spoilt = [base / "images/Birman_1.jpg", base / "annotations/trimaps/Birman_1.png", base / "images/pug_3.jpg",
              base / "annotations/trimaps/pug_2.png"]
    truncate(spoilt[0])
    spoilt[1].unlink()
    spoilt[2].unlink()
    write_picture(spoilt[3], repaint(trimap(), 9))
    with pytest.raises(DataError, match=r"^4 defective file\(s\).*--allow-defects\n") as caught:
        open_data(tmp_path, 32, tmp_path / "cache")
    assert sorted(line.split(": ")[0].strip() for line in defect_lines(caught)) == sorted(map(str, spoilt))
    assert caught.value.exit_code == 1
    data = open_data(tmp_path, 32, tmp_path / "cache", allow_defects=True)
    assert len(data.defects) == 4
    assert data.manifest["name"].tolist() == ["Birman_2", "pug_1", "Birman_3"]


def test_where_no_photo_can_be_read_even_allow_defects_refuses(tmp_path):
    base = write_oxford(tmp_path)
    for path in (base / "images").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="none of the 6 photos"):
        open_data(tmp_path, 32, tmp_path / "cache", allow_defects=True)


def test_an_all_background_mask_is_a_warning_and_is_kept(tmp_path):
    path = write_oxford(tmp_path) / "annotations/trimaps/pug_2.png"
    write_picture(path, np.full((HEIGHT, WIDTH), 2, np.uint8))
    data = open_data(tmp_path, 32, tmp_path / "cache")
    assert data.defects == (f"warning: {path}: mask is all background",)
    assert (data.masks[data.manifest["name"].tolist().index("pug_2")] == 0).all()


def test_opencv_would_have_trained_on_half_a_photo(tmp_path):
    """Why PIL reads the photos: OpenCV decodes a truncated JPEG without an error, its last row all grey."""
    path = write_picture(tmp_path / "photo.jpg", photo("pug_1", 160, 160))
    truncate(path)
    half = cv2.imread(str(path))
    assert half.shape == (160, 160, 3) and np.ptp(half[0], axis=0).max() > 50 and np.ptp(half[-1], axis=0).max() == 0
    with pytest.raises(OSError, match="truncated"):
        read_photo(path)


@pytest.mark.parametrize(("mode", "suffix"), [("RGB", "png"), ("L", "jpg"), ("P", "png"), ("RGBA", "png"),
                                              ("CMYK", "jpg"), ("1", "png")])
def test_a_photo_of_any_mode_becomes_rgb(tmp_path, mode, suffix):
    Image.fromarray(photo("pug_1")).convert(mode).save(tmp_path / f"photo.{suffix}")
    array = read_photo(tmp_path / f"photo.{suffix}")
    assert array.shape == (HEIGHT, WIDTH, 3) and array.dtype == np.uint8
    if mode in ("RGB", "RGBA"):
        np.testing.assert_array_equal(array, photo("pug_1"))


def test_a_trimap_with_a_palette_keeps_its_indices(tmp_path):
    base = write_oxford(tmp_path)
    layout = read_layout(tmp_path)
    expected, _ = decode(layout, layout.samples[0])
    picture = Image.fromarray(trimap(), mode="P")
    picture.putpalette([9, 9, 9, 255, 0, 0, 0, 0, 255, 2, 2, 2])
    picture.save(base / "annotations/trimaps/Birman_1.png")
    np.testing.assert_array_equal(read_mask_file(base / "annotations/trimaps/Birman_1.png", "oxford"), trimap())
    decoded, defects = decode(layout, layout.samples[0])
    np.testing.assert_array_equal(decoded.mask, expected.mask)
    assert defects == [] and decoded.digest != expected.digest


# -------------------------------------------------------------------------------------------------- squeezing

SHAPES = [(120, 96), (97, 333), (500, 375), (20, 24), (33, 31), (20, 200)]  # larger, smaller, and one of each


def disc(height, width):
    y, x = np.mgrid[:height, :width] + 0.5
    return np.hypot((y / height - 0.4) / 0.3, (x / width - 0.55) / 0.3) < 1


@pytest.mark.parametrize("shape", SHAPES)
def test_a_squeezed_mask_stays_on_its_squeezed_photo(shape):
    mask = disc(*shape).astype(np.uint8)
    image = squeeze(np.repeat(mask[..., None] * np.uint8(255), 3, axis=2), 64)
    squeezed = squeeze_mask(mask, 64)
    assert image.shape == (64, 64, 3) and squeezed.shape == (64, 64)
    np.testing.assert_allclose(centre_of_mass(squeezed), centre_of_mass(image[..., 0].astype(float)), atol=0.35)
    agree = (image[..., 0] > 127) == (squeezed > 0)
    assert agree.mean() > 0.97


@pytest.mark.parametrize("shape", SHAPES)
def test_masks_are_squeezed_by_the_pixel_at_each_cells_centre(shape):
    mask = np.random.default_rng(0).integers(0, 4, shape, dtype=np.uint8)
    squeezed = squeeze_mask(mask, 64)
    rows, columns = (((np.arange(64) + 0.5) * side / 64).astype(int) for side in shape)
    assert np.mean(squeezed == mask[np.ix_(rows, columns)]) > 0.95  # a centre on an edge may go to either side
    np.testing.assert_array_equal(squeezed, cv2.resize(mask, (64, 64), interpolation=cv2.INTER_NEAREST_EXACT))
    assert not np.array_equal(squeezed, cv2.resize(mask, (64, 64), interpolation=cv2.INTER_NEAREST))


def test_plain_nearest_would_shift_the_mask_by_half_a_pixel():
    shifts = []
    for interpolation in (cv2.INTER_NEAREST, cv2.INTER_NEAREST_EXACT):
        mask = cv2.resize(disc(640, 640).astype(np.uint8), (64, 64), interpolation=interpolation)
        shifts.append(np.subtract(centre_of_mass(mask), (0.55 * 64, 0.4 * 64)))
    np.testing.assert_allclose(shifts[0], 0.5, atol=0.1)  # it samples up and left, so the disc lies down and right
    np.testing.assert_allclose(shifts[1], 0, atol=0.1)


def test_a_square_of_the_right_size_is_left_alone():
    image, mask = photo("pug_1", 48, 48), trimap(48, 48)
    np.testing.assert_array_equal(squeeze(image, 48), image)
    np.testing.assert_array_equal(squeeze_mask(mask, 48), mask)


def test_shrinking_averages_so_that_fine_stripes_do_not_alias():
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[:, ::4] = 200  # one column of each four that become one pixel
    assert (squeeze(stripes, 32) == 50).all()


def test_a_colour_mask_that_contradicts_the_photos_name_is_a_defect(tmp_path):
    write_coursework(tmp_path)
    label = tmp_path / "TrainVal" / "label"
    for name, others in (("pug_1", "Birman_1"), ("Birman_2", "pug_2")):
        write_picture(label / f"{name}.png", colour_mask(others))
    layout = read_layout(tmp_path)
    found = {sample.name: [defect.message for defect in decode(layout, sample)[1]] for sample in layout.samples}
    assert {name for name, messages in found.items() if messages} == {"pug_1", "Birman_2"}
    assert "painted cat" in found["pug_1"][0] and "small letter" in found["pug_1"][0]
    assert "painted dog" in found["Birman_2"][0] and "capital letter" in found["Birman_2"][0]


def test_a_photo_of_ones_own_that_is_stored_turned_is_a_defect(tmp_path):
    """Its mask was painted on what a viewer showed. Oxford's trimaps follow the stored pixels."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    for write, kind in ((write_coursework, "coursework"), (write_oxford, "oxford")):
        write(tmp_path / kind)
        layout = read_layout(tmp_path / kind)
        path = layout.samples[0].image_path
        with Image.open(path) as picture:
            picture.copy().save(path, exif=exif)
        decoded, defects = decode(layout, layout.samples[0])
        if kind == "oxford":
            assert decoded is not None and not defects
        else:
            assert decoded is None and "store it upright" in str(defects[0]) and str(path) in str(defects[0])


def test_sixteen_bits_of_grey_are_not_cut_off(tmp_path):
    grey = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "deep.png")
    read = read_photo(tmp_path / "deep.png")
    assert read.shape == (16, 16, 3) and np.abs(read[..., 0].astype(int) - grey // 256).max() <= 1


def test_a_name_that_no_table_can_hold_is_refused(tmp_path):
    write_coursework(tmp_path)
    photo = next((tmp_path / "Test" / "color").glob("*.jpg"))
    try:
        os.rename(os.fsencode(photo), os.fsencode(photo.parent) + b"/Caf\xe9_1.jpg")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    with pytest.raises(DataError, match="is no UTF-8"):
        read_layout(tmp_path)


def test_what_a_mac_adds_is_no_photo(tmp_path):
    write_coursework(tmp_path)
    before = read_layout(tmp_path).samples
    (tmp_path / "Test" / "color" / "._Birman_3.jpg").write_bytes(b"resource fork")
    (tmp_path / "Test" / "label" / "._Birman_3.png").write_bytes(b"resource fork")
    assert read_layout(tmp_path).samples == before
