"""Masks of anybody's photos: sizes, files, the table, and what is refused."""

import numpy as np
import pytest
import torch
from making_data import write_picture
from making_runs import FLOAT32, assert_sentence
from PIL import Image, ImageOps
from torch import nn

from petseg_utils.classes import CAT, MASK_COLOURS
from petseg_utils.data import decode_colours
from petseg_utils.errors import DataError, UsageError
from petseg_utils.prediction import (
    Prediction,
    find_photos,
    open_photo,
    predict_photo,
    predict_region,
    write_prediction,
)
from petseg_utils.prompts.selection import Selection


class LeftIsDog(nn.Module):
    """Dog on the left half, background on the right, whatever the photo."""

    def forward(self, images):
        logits = torch.zeros(len(images), 3, *images.shape[-2:])
        half = images.shape[-1] // 2
        logits[:, 2, :, :half], logits[:, 0, :, half:] = 5.0, 5.0
        return logits


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (50, 80, 3), np.uint8)


def test_mask_has_the_photos_own_size_and_the_models_answer(image):
    prediction = predict_photo(LeftIsDog(), image, 32, FLOAT32)
    assert prediction.mask.shape == (50, 80) and prediction.mask.dtype == np.uint8
    assert (prediction.mask[:, :39] == 2).all() and (prediction.mask[:, 41:] == 0).all()
    np.testing.assert_allclose(prediction.probabilities.sum(0), 1, atol=1e-5)


def test_label_is_the_species_with_more_pixels():
    def label(*pixels):
        return Prediction(np.array([pixels], np.uint8), np.zeros((3, 1, len(pixels)), np.float32)).label

    assert [label(0, 0, 0), label(0, 1, 0), label(2, 1, 2), label(0, 0, 2)] == ["background", "cat", "dog", "dog"]


def test_written_pictures_agree_with_the_mask(tmp_path, image):
    prediction = predict_photo(LeftIsDog(), image, 32, FLOAT32)
    row = write_prediction(tmp_path, "rex", image, prediction)
    mask = np.asarray(Image.open(tmp_path / "rex-mask.png"))
    cutout = np.asarray(Image.open(tmp_path / "rex-cutout.png"))
    assert np.array_equal(decode_colours(mask), prediction.mask)
    assert tuple(mask[0, 0]) == MASK_COLOURS[2]
    assert np.array_equal(cutout[..., :3], image) and np.array_equal(cutout[..., 3] == 255, prediction.mask == 2)
    assert np.asarray(Image.open(tmp_path / "rex-overlay.png")).shape == image.shape
    assert row["label"] == "dog" and row["dog_share"] == 0.5 and row["cat_share"] == 0
    assert row["probability"] > 0.9


def test_folders_are_replaced_by_their_photos(tmp_path):
    for name in ("b.jpg", "a.PNG", "notes.txt"):
        (tmp_path / name).touch()
    assert [p.name for p in find_photos([tmp_path])] == ["a.PNG", "b.jpg"]


def test_what_is_no_photo_of_the_folders_own_is_left_where_it_is(tmp_path):
    (tmp_path / "album.jpg").mkdir()
    for name in ("b.jpg", "._b.jpg"):
        (tmp_path / name).touch()
    assert find_photos([tmp_path]) == [tmp_path / "b.jpg"]
    assert find_photos([tmp_path, tmp_path / "b.jpg"]) == [tmp_path / "b.jpg"], "named twice, it is one photo"


@pytest.mark.parametrize("other", ["a.png", "A.jpeg"])
def test_photos_that_would_write_the_same_files_are_refused(other, tmp_path):
    for name in ("a.jpg", other):
        (tmp_path / name).touch()
    with pytest.raises(UsageError) as error:
        find_photos([tmp_path])
    assert_sentence(str(error.value), "a.jpg", other)


def test_missing_empty_and_broken_are_refused_in_a_sentence(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    (tmp_path / "empty").mkdir()
    for call, part in ((lambda: find_photos([tmp_path / "none.jpg"]), "none.jpg"),
                       (lambda: find_photos([tmp_path / "empty"]), "empty"),
                       (lambda: open_photo(tmp_path / "broken.jpg"), "broken.jpg")):
        with pytest.raises(DataError) as error:
            call()
        assert_sentence(str(error.value), part)


@pytest.mark.parametrize("orientation", range(10))
def test_phone_photos_are_turned_upright(orientation, tmp_path, image):
    exif = Image.Exif()
    exif[0x0112] = orientation  # 6: stored lying on its side; 0 and 9 mean nothing
    Image.fromarray(image).save(tmp_path / "phone.png", exif=exif)
    with Image.open(tmp_path / "phone.png") as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))
    assert np.array_equal(open_photo(tmp_path / "phone.png"), upright)
    assert (upright.shape == image.shape) == (orientation not in (5, 6, 7, 8))


def test_an_odd_entry_beside_the_orientation_stops_nothing(tmp_path, image, monkeypatch):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image).save(tmp_path / "phone.png", exif=exif)
    monkeypatch.setattr(Image.Exif, "tobytes", lambda *_: "fill" + 1)  # what writes the entries anew stumbles
    assert np.array_equal(open_photo(tmp_path / "phone.png"), np.rot90(image, -1))
    monkeypatch.setattr(Image.Exif, "get", lambda *_: 1 / 0)
    assert np.array_equal(open_photo(tmp_path / "phone.png"), image), "unreadable: as it lies"


def test_every_kind_of_file_becomes_rgb(tmp_path, image):
    grey = image[..., 0]
    as_rgb = np.repeat(grey[..., None], 3, 2)
    assert np.array_equal(open_photo(write_picture(tmp_path / "grey.png", grey)), as_rgb)
    deep = grey.astype(np.uint16) * 257
    assert np.array_equal(open_photo(write_picture(tmp_path / "deep.png", deep)), as_rgb), "16 bits, not cut at 255"
    floats = write_picture(tmp_path / "float.tiff", (grey / 255).astype(np.float32))
    assert np.array_equal(open_photo(floats), as_rgb), "floats from 0 to 1"
    palette = Image.fromarray(image).quantize(16)
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(open_photo(tmp_path / "palette.png"), np.asarray(palette.convert("RGB")))
    transparent = np.dstack([image, np.where(np.arange(80)[None] < 40, 255, 0).repeat(50, 0).astype(np.uint8)])
    opened = open_photo(write_picture(tmp_path / "cut.png", transparent))
    assert np.array_equal(opened[:, :40], image[:, :40])
    assert (opened[:, 40:] == 255).all(), "nothing is white, not black"
    assert open_photo(write_picture(tmp_path / "tiny.png", image[:1, :1])).shape == (1, 1, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3000, 4000)])
def test_any_size_is_predicted(shape, tmp_path):
    photo = np.full((*shape, 3), 90, np.uint8)
    prediction = predict_photo(LeftIsDog(), photo, 32, FLOAT32)
    assert prediction.mask.shape == shape
    write_prediction(tmp_path, "any", photo, prediction)
    assert np.asarray(Image.open(tmp_path / "any-mask.png")).shape == (*shape, 3)


def test_a_region_of_a_few_pixels_is_found(tmp_path):
    region = np.zeros((2000, 3000), bool)
    region[:10, :10] = True
    cat = Prediction(np.where(region, CAT, 0).astype(np.uint8), np.full((3, 2000, 3000), 1 / 3, np.float32))
    row = write_prediction(tmp_path, "far", np.zeros((2000, 3000, 3), np.uint8), cat)
    assert row["selected_share"] == pytest.approx(100 / 6e6, rel=1e-3), "not 0, which would say: no pet found"


def test_a_selected_region_is_cut_out_whatever_its_class(tmp_path, image):
    region = np.zeros((50, 80), bool)
    region[10:20, 30:60] = True
    parts = np.full((2, 3), 1 / 3, np.float32)
    for label, code in (("background", 0), ("cat", 1)):
        prediction = predict_region(Selection(region, region.astype(np.float32), label, 0.9, parts))
        row = write_prediction(tmp_path, label, image, prediction)
        cutout = np.asarray(Image.open(tmp_path / f"{label}-cutout.png"))
        assert row["label"] == label and np.array_equal(cutout[..., 3] == 255, region)
        assert np.array_equal(decode_colours(np.asarray(Image.open(tmp_path / f"{label}-mask.png"))), region * code)


@pytest.mark.parametrize("code", [0, 2])
def test_a_regions_probability_is_that_of_its_class(code, tmp_path, image):
    region = np.zeros((50, 80), bool)
    region[10:20, 30:60] = True
    classes = np.full((3, 50, 80), 0.05, np.float32)
    classes[:, region] = 0.1
    classes[code, region] = 0.8
    codes = np.where(region, code, 0).astype(np.uint8)
    row = write_prediction(tmp_path, "own", image, Prediction(codes, classes, region, score=0.9))
    assert row["probability"] == 0.9
    row = write_prediction(tmp_path, "pets", image, Prediction(codes, classes))
    assert row["probability"] == pytest.approx(0.8 if code else classes[0].mean(), abs=1e-4), "of its own pixels"
    empty = Prediction(np.zeros_like(codes), classes, np.zeros_like(region), score=0.6)
    assert 0 <= write_prediction(tmp_path, "none", image, empty)["probability"] <= 1
