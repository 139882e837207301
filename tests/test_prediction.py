"""Masks of anybody's photos: sizes, files, the table, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from making_runs import FLOAT32, assert_sentence, train_tiny
from PIL import Image, ImageOps
from torch import nn

from petseg_utils.classes import CAT, MASK_COLOURS
from petseg_utils.cli import main
from petseg_utils.data import decode_colours
from petseg_utils.errors import DataError, UsageError
from petseg_utils.prediction import (
    Prediction,
    find_photos,
    open_photo,
    predict_files,
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


def test_command_writes_three_pictures_and_a_row_for_each_photo(synthetic_data, tmp_path, image):
    run = train_tiny(synthetic_data, tmp_path / "runs", epochs=1)
    Image.fromarray(image).save(tmp_path / "one.png")
    Image.fromarray(image[:, ::-1]).save(tmp_path / "two.png")
    result = CliRunner().invoke(main, ["predict", str(run.best), str(tmp_path / "one.png"), str(tmp_path / "two.png"),
                                       "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert [path.rsplit("/", 1)[1] for path in table["photo"]] == ["one.png", "two.png"]
    assert len(list((tmp_path / "out").glob("*.png"))) == 6
    refused = CliRunner().invoke(main, ["predict", str(tmp_path / "no.safetensors"), str(tmp_path / "one.png")])
    assert refused.exit_code == 1 and "Traceback" not in refused.output


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


def saved(path, array, mode=None, **options):
    Image.fromarray(array, mode).save(path, **options) if mode else Image.fromarray(array).save(path, **options)
    return path


def test_every_kind_of_file_becomes_rgb(tmp_path, image):
    grey = image[..., 0]
    as_rgb = np.repeat(grey[..., None], 3, 2)
    assert np.array_equal(open_photo(saved(tmp_path / "grey.png", grey)), as_rgb)
    deep = grey.astype(np.uint16) * 257
    assert np.array_equal(open_photo(saved(tmp_path / "deep.png", deep)), as_rgb), "16 bits, not cut at 255"
    floats = saved(tmp_path / "float.tiff", (grey / 255).astype(np.float32))
    assert np.array_equal(open_photo(floats), as_rgb), "floats from 0 to 1"
    palette = Image.fromarray(image).quantize(16)
    palette.save(tmp_path / "palette.png")
    assert np.array_equal(open_photo(tmp_path / "palette.png"), np.asarray(palette.convert("RGB")))
    transparent = np.dstack([image, np.where(np.arange(80)[None] < 40, 255, 0).repeat(50, 0).astype(np.uint8)])
    opened = open_photo(saved(tmp_path / "cut.png", transparent))
    assert np.array_equal(opened[:, :40], image[:, :40])
    assert (opened[:, 40:] == 255).all(), "nothing is white, not black"
    assert open_photo(saved(tmp_path / "tiny.png", image[:1, :1])).shape == (1, 1, 3)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3000, 4000)])
def test_any_size_is_predicted(shape, tmp_path):
    photo = np.full((*shape, 3), 90, np.uint8)
    prediction = predict_photo(LeftIsDog(), photo, 32, FLOAT32)
    assert prediction.mask.shape == shape
    write_prediction(tmp_path, "any", photo, prediction)
    assert np.asarray(Image.open(tmp_path / "any-mask.png")).shape == (*shape, 3)


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(few, tmp_path, image):
    run = train_tiny(few, tmp_path / "runs", epochs=1)
    folder = tmp_path / "photos"
    folder.mkdir()
    saved(folder / "good.jpg", image)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no photo")
    (folder / "phone.HEIC").write_bytes(b"ftypheic")
    (folder / "text.png").write_text("this is no picture")
    (folder / "notes.txt").write_text("nor this, and it does not say so")
    result = CliRunner().invoke(main, ["predict", str(run.best), str(folder), "-o", str(tmp_path / "out")])
    assert result.exit_code == 1 and "Traceback" not in result.output
    for name in ("broken.jpg", "phone.HEIC", "text.png"):
        (line,) = [line for line in result.output.splitlines() if line.startswith("petseg:") and name in line]
        assert_sentence(line, name)
    assert "3 of 4 photos were left out" in result.output and "notes.txt" not in result.output
    assert pd.read_csv(tmp_path / "out" / "predictions.csv")["photo"].tolist() == [str(folder / "good.jpg")]


def test_no_pet_found_is_said(few, tmp_path, image, monkeypatch):
    run = train_tiny(few, tmp_path / "runs", epochs=1)
    empty = Prediction(np.zeros((50, 80), np.uint8), np.full((3, 50, 80), 1 / 3, np.float32))
    monkeypatch.setattr("petseg_utils.prediction.predict_photo", lambda *_: empty)
    result = CliRunner().invoke(main, ["predict", str(run.best), str(saved(tmp_path / "wall.png", image)), "-o",
                                       str(tmp_path / "out")])
    assert result.exit_code == 0 and f"{tmp_path / 'wall.png'}: no pet found" in result.output


def test_a_region_of_a_few_pixels_is_found(tmp_path):
    region = np.zeros((2000, 3000), bool)
    region[:10, :10] = True
    cat = Prediction(np.where(region, CAT, 0).astype(np.uint8), np.full((3, 2000, 3000), 1 / 3, np.float32))
    row = write_prediction(tmp_path, "far", np.zeros((2000, 3000, 3), np.uint8), cat)
    assert row["selected_share"] == pytest.approx(100 / 6e6, rel=1e-3), "not 0, which would say: no pet found"


# ---------------------------------------------------------------------------------------------- with prompts


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
def test_a_regions_probability_is_of_its_own_pixels(code, tmp_path, image):
    region = np.zeros((50, 80), bool)
    region[10:20, 30:60] = True
    classes = np.full((3, 50, 80), 0.05, np.float32)
    classes[:, region] = 0.1
    classes[code, region] = 0.8
    codes = np.where(region, code, 0).astype(np.uint8)
    row = write_prediction(tmp_path, "own", image, Prediction(codes, classes, region))
    assert row["probability"] == 0.8
    empty = Prediction(np.zeros_like(codes), classes, np.zeros_like(region))
    assert 0 <= write_prediction(tmp_path, "none", image, empty)["probability"] <= 1


@pytest.fixture(scope="module")
def prompted(few, tmp_path_factory):
    """A run of a second whose model takes clicks."""
    return train_tiny(few, tmp_path_factory.mktemp("prompted"), model="prompt-unet", task="prompt", epochs=1)


@pytest.mark.parametrize("prompt", [["--click", "20,30"], ["--click", "20,30", "--click-out", "5,5"], ["--text", "dog"],
                                    ["--click", "20,30", "--text", "a siamese cat"], []])
def test_prompts_on_the_command_line(prompt, prompted, tmp_path, image):
    photo = saved(tmp_path / "rex.png", image)
    result = CliRunner().invoke(main, ["predict", str(prompted.best), str(photo), "-o", str(tmp_path / "out"), *prompt])
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "rex-mask.png", "rex-overlay.png", "rex-cutout.png", "predictions.csv"}


def test_a_text_that_the_clicks_contradict_is_said(prompted, tmp_path, image, monkeypatch):
    monkeypatch.setattr("petseg_utils.prediction.predict_region", lambda _: Prediction(
        np.full((50, 80), 2, np.uint8), np.full((3, 50, 80), 1 / 3, np.float32), np.ones((50, 80), bool)))
    photo = saved(tmp_path / "rex.png", image)
    result = CliRunner().invoke(main, ["predict", str(prompted.best), str(photo), "-o", str(tmp_path / "out"),
                                       "--click", "20,30", "--text", "cat"])
    assert result.exit_code == 0 and "the clicks select dog, the text says cat" in result.output


def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(tmp_path, image):
    (tmp_path / "file").touch()  # no folder can be in it, whoever runs the test
    with pytest.raises(OSError, match="file"):
        predict_files(lambda _: pytest.fail("asked"), [saved(tmp_path / "rex.png", image)], tmp_path / "file" / "out")


def test_photos_are_not_overwritten(prompted, tmp_path, image):
    photo = saved(tmp_path / "rex.png", image)
    for output in (tmp_path, tmp_path / "missing" / ".."):
        result = CliRunner().invoke(main, ["predict", str(prompted.best), str(photo), "-o", str(output)])
        assert result.exit_code == 2 and "where photos are" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["rex.png"]


def test_what_was_written_before_a_stop_is_in_the_table_and_a_call_for_nothing_leaves_it(tmp_path, image):
    photos = [saved(tmp_path / f"{name}.png", image) for name in ("one", "two")]
    out = tmp_path / "out"
    half = Prediction(np.zeros(image.shape[:2], np.uint8), np.full((3, *image.shape[:2]), 1 / 3, np.float32))
    asked = []

    def stopped(_):
        asked.append(1)
        if len(asked) == 2:
            raise KeyboardInterrupt
        return half

    with pytest.raises(KeyboardInterrupt):
        predict_files(stopped, photos, out)
    assert len(pd.read_csv(out / "predictions.csv")) == 1
    (tmp_path / "three.png").write_bytes(b"no photo")
    table, refused = predict_files(lambda _: half, [tmp_path / "three.png"], out)
    assert not len(table) and len(refused) == 1 and len(pd.read_csv(out / "predictions.csv")) == 1, "nothing is lost"


def test_pictures_that_cannot_be_written_are_told_and_the_rest_goes_on(tmp_path, image):
    photos = [saved(tmp_path / f"{name}.png", image) for name in ("n" * 240, "two")]
    half = Prediction(np.zeros(image.shape[:2], np.uint8), np.full((3, *image.shape[:2]), 1 / 3, np.float32))
    table, refused = predict_files(lambda _: half, photos, tmp_path / "out")
    assert len(table) == 1 and table["photo"][0].endswith("two.png")
    assert_sentence(str(refused[0]), "n" * 240, "shorter name")


@pytest.mark.parametrize(("prompt", "status", "parts"), [
    (["--click", "20"], 2, ["'20'", "--click 120,85"]),
    (["--click", "200,30"], 1, ["(200, 30)", "80 x 50"]),
    (["--text", "dgo"], 2, ["dgo", "dog"]),
])
def test_a_prompt_that_cannot_be_is_refused(prompt, status, parts, prompted, tmp_path, image):
    photo = saved(tmp_path / "rex.png", image)
    result = CliRunner().invoke(main, ["predict", str(prompted.best), str(photo), "-o", str(tmp_path / "out"), *prompt])
    assert result.exit_code == status and "Traceback" not in result.output
    assert_sentence(next(line for line in result.output.splitlines() if line.startswith("petseg:")), *parts)
    assert not (tmp_path / "out").exists()
