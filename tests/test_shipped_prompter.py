"""The small prompt model that comes with the package, on a real photo that it has never seen."""

import numpy as np
import pytest
from skimage.data import chelsea

from petseg_utils.errors import DataError, UsageError
from petseg_utils.prompts.shipped import find_checkpoint, load_prompter
from petseg_utils.training.checkpoint import read_spec
from petseg_utils.widgets import click_app

FACE, CORNER = (110, 130), (440, 20)  # (x, y): the cat's forehead; the room behind its ear


@pytest.fixture(scope="module")
def prompter():
    made = load_prompter(device="cpu")
    made.set_image(chelsea())
    return made


def test_a_click_on_the_cat_selects_the_cat(prompter):
    cat = prompter.predict([FACE], [1])
    assert cat.label == "cat" and cat.mask.shape == (300, 451)
    assert cat.mask[130, 110] and not cat.mask[20, 440] and 0.3 < cat.mask.mean() < 0.95


def test_a_click_beside_it_selects_the_background(prompter):
    behind = prompter.predict([CORNER], [1])
    assert behind.mask[20, 440] and not behind.mask[130, 110] and behind.mask.mean() < 0.5


def test_a_click_out_carves_away(prompter):
    before, after = prompter.predict([FACE], [1]), prompter.predict([FACE, (200, 240)], [1, 0])
    assert after.mask.sum() < before.mask.sum() and not after.mask[240, 200]


def test_a_word_selects_its_class(prompter):
    assert prompter.predict(text="a tabby cat" if "tabby" in prompter.texts.language.words else "cat").label == "cat"
    with pytest.raises(UsageError, match="'catt'.*cat"):
        prompter.predict(text="catt")


def test_the_app_works_out_of_the_box():
    app = click_app()
    app.click(*FACE)
    assert app.selection.label == "cat" and np.array_equal(app.session.photo, chelsea())
    app.write("dog")
    app.undo()
    app.reset()
    assert app.selection is None


def test_the_file_says_what_it_is(tmp_path):
    path = find_checkpoint("prompt-mini")
    assert path.stat().st_size < 2_000_000
    spec = read_spec(path)
    assert (spec.model, spec.encoder, spec.frozen) == ("prompt", "petclip-mini", True)
    with pytest.raises(DataError, match="none.safetensors"):
        load_prompter(tmp_path / "none.safetensors")
