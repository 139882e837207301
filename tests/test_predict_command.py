"""The command that writes masks of anybody's photos: its files, its table, its prompts, and what it refuses."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from making_data import write_picture
from making_runs import assert_sentence, train_tiny
from PIL import Image

from petseg_utils.cli import main
from petseg_utils.prediction import Prediction, predict_files
from petseg_utils.prompts.prompter import DialoguePrompter, OneClickPrompter


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (50, 80, 3), np.uint8)


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


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(few, tmp_path, image):
    run = train_tiny(few, tmp_path / "runs", epochs=1)
    folder = tmp_path / "photos"
    folder.mkdir()
    write_picture(folder / "good.jpg", image)
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
    result = CliRunner().invoke(main, ["predict", str(run.best), str(write_picture(tmp_path / "wall.png", image)), "-o",
                                       str(tmp_path / "out")])
    assert result.exit_code == 0 and f"{tmp_path / 'wall.png'}: no pet found" in result.output


@pytest.fixture(scope="module")
def prompted(few, tmp_path_factory):
    """A run of a second whose model takes clicks."""
    return train_tiny(few, tmp_path_factory.mktemp("prompted"), model="prompt-unet", task="prompt", epochs=1)


@pytest.mark.parametrize("prompt", [["--click", "20,30"], ["--click", "20,30", "--click-out", "5,5"], ["--text", "dog"],
                                    ["--click", "20,30", "--text", "a siamese cat"], []])
def test_prompts_on_the_command_line(prompt, prompted, tmp_path, image):
    photo = write_picture(tmp_path / "rex.png", image)
    result = CliRunner().invoke(main, ["predict", str(prompted.best), str(photo), "-o", str(tmp_path / "out"), *prompt])
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "rex-mask.png", "rex-overlay.png", "rex-cutout.png", "predictions.csv"}


@pytest.mark.parametrize("order", [("--click 20,30", "--click-out 40,20", "--click 60,25"),
                                   ("--click-out=40,20", "--click=20,30", "--click=60,25")])
def test_clicks_count_in_the_order_in_which_they_are_given(order, prompted, tmp_path, image, monkeypatch):
    """A dialogue's answer depends on it: each click corrects what the ones before it have left."""
    asked = []
    monkeypatch.setattr(DialoguePrompter, "predict", lambda self, points, labels, text: asked.append((points, labels)))
    monkeypatch.setattr(OneClickPrompter, "predict", DialoguePrompter.predict)
    monkeypatch.setattr("petseg_utils.prediction.predict_region", lambda _: Prediction(
        np.zeros((50, 80), np.uint8), np.full((3, 50, 80), 1 / 3, np.float32), np.ones((50, 80), bool), 0.5))
    photo = write_picture(tmp_path / "rex.png", image)
    given = [part for click in order for part in click.split(" ")]
    result = CliRunner().invoke(main, ["predict", str(prompted.best), str(photo), "-o", str(tmp_path / "out"), *given])
    assert result.exit_code == 0, result.output
    first = [(20, 30), (40, 20)] if "=" not in order[0] else [(40, 20), (20, 30)]
    assert asked == [([*first, (60, 25)], [1, 0, 1] if "=" not in order[0] else [0, 1, 1])]


def test_a_text_that_the_clicks_contradict_is_said(prompted, tmp_path, image, monkeypatch):
    monkeypatch.setattr("petseg_utils.prediction.predict_region", lambda _: Prediction(
        np.full((50, 80), 2, np.uint8), np.full((3, 50, 80), 1 / 3, np.float32), np.ones((50, 80), bool), 0.5))
    photo = write_picture(tmp_path / "rex.png", image)
    result = CliRunner().invoke(main, ["predict", str(prompted.best), str(photo), "-o", str(tmp_path / "out"),
                                       "--click", "20,30", "--text", "cat"])
    assert result.exit_code == 0 and "the clicks select dog, the text says cat" in result.output


def test_a_folder_that_cannot_be_written_to_is_told_before_any_work(tmp_path, image):
    (tmp_path / "file").touch()  # no folder can be in it, whoever runs the test
    with pytest.raises(OSError, match="file"):
        predict_files(lambda _: pytest.fail("asked"), [write_picture(tmp_path / "rex.png", image)],
                      tmp_path / "file" / "out")


def test_photos_are_not_overwritten(prompted, tmp_path, image):
    photo = write_picture(tmp_path / "rex.png", image)
    for output in (tmp_path, tmp_path / "missing" / ".."):
        result = CliRunner().invoke(main, ["predict", str(prompted.best), str(photo), "-o", str(output)])
        assert result.exit_code == 2 and "where photos are" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["rex.png"]


def test_what_was_written_before_a_stop_is_in_the_table_and_a_call_for_nothing_leaves_it(tmp_path, image):
    photos = [write_picture(tmp_path / f"{name}.png", image) for name in ("one", "two")]
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


def test_a_second_call_adds_to_the_table_and_replaces_what_it_predicts_again(tmp_path, image):
    one, two = (write_picture(tmp_path / f"{name}.png", image) for name in ("one", "two"))
    out = tmp_path / "out"
    probabilities = np.full((3, *image.shape[:2]), 1 / 3, np.float32)
    empty, cat = (Prediction(np.full(image.shape[:2], code, np.uint8), probabilities) for code in (0, 1))
    for photos, found in (([one, two], empty), ([one], cat)):
        table, _ = predict_files(lambda _, found=found: found, photos, out)
        assert len(table) == len(photos)
    written = pd.read_csv(out / "predictions.csv")
    assert written["photo"].tolist() == [str(two), str(one)] and written["label"].tolist() == ["background", "cat"]
    for earlier in ("", "a,b\n1,2\n"):  # no table of ours
        (out / "predictions.csv").write_text(earlier)
        predict_files(lambda _: cat, [one], out)
        assert pd.read_csv(out / "predictions.csv")["photo"].tolist() == [str(one)]


def test_pictures_that_cannot_be_written_are_told_and_the_rest_goes_on(tmp_path, image):
    photos = [write_picture(tmp_path / f"{name}.png", image) for name in ("n" * 240, "two")]
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
    photo = write_picture(tmp_path / "rex.png", image)
    result = CliRunner().invoke(main, ["predict", str(prompted.best), str(photo), "-o", str(tmp_path / "out"), *prompt])
    assert result.exit_code == status and "Traceback" not in result.output
    assert_sentence(next(line for line in result.output.splitlines() if line.startswith("petseg:")), *parts)
    assert not (tmp_path / "out").exists()
