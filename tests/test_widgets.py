"""The app without a browser: sessions, scripted clicks, what is refused, what Colab and papermill get."""

import base64
import io
import json
import os
import re
import sys
import types
from pathlib import Path

import nbformat
import numpy as np
import papermill
import pytest
from driving_browser import write_notebook
from making_app import GREY, RADIUS, SIZE, DiscPrompter, grey_photo, make_app
from making_runs import assert_sentence
from PIL import Image

from petseg_utils.classes import CAT, MASK_COLOURS
from petseg_utils.data import decode_colours
from petseg_utils.errors import UsageError
from petseg_utils.widgets import click_app, example_photo
from petseg_utils.widgets.examples import EXAMPLES
from petseg_utils.widgets.pictures import shown_size, shrink
from petseg_utils.widgets.state import ClickSession

WIDGETS = Path(__file__).parents[1] / "petseg_utils" / "widgets"


@pytest.fixture
def session():
    return ClickSession(DiscPrompter(), grey_photo())


def opened(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def test_clicks_select_and_undo_goes_back_step_by_step(session):
    assert session.now.selection is None and not session.can_undo
    session.click(400, 400)
    one = session.now.selection.mask
    session.click(400, 400 + RADIUS, inside=False)
    two = session.now.selection.mask
    assert one[400, 400] and two.sum() < one.sum()
    session.write("dog")
    assert session.now.selection.mask[10, 1500] and len(session.now.clicks) == 2
    for before in (two, one):
        session.undo()
        assert np.array_equal(session.now.selection.mask, before)
    session.undo()
    session.undo()
    assert session.now.selection is None


def test_the_same_click_twice_says_nothing_new(session):
    session.click(400, 400)
    before = session.now
    session.click(400, 400)
    assert session.now is before
    session.click(400, 400, inside=False)
    assert len(session.now.clicks) == 2


def test_only_the_present_step_holds_pictures(session):
    for x in (300, 400, 500):
        session.click(x, 400)
    assert [step.selection is None for step in session._steps] == [True, True, True, False]
    session.undo()
    assert session.now.selection is not None and session.now.clicks[-1].x == 400


def test_who_shares_a_prompter_does_not_share_its_photo():
    prompter = DiscPrompter()
    one, other = ClickSession(prompter, grey_photo()), ClickSession(prompter, grey_photo()[:300, :200])
    prompter.set_image(np.zeros((50, 60, 3), np.uint8))
    one.click(1500, 700)
    other.click(150, 250)
    assert (one.now.selection.mask.shape, other.now.selection.mask.shape) == (SIZE, (300, 200))


def test_a_refused_prompt_changes_nothing(session):
    session.click(400, 400)
    before = session.now
    for wrong in (lambda: session.click(-1, 5), lambda: session.write("kat")):
        with pytest.raises(UsageError):
            wrong()
        assert session.now is before
    session.reset()
    assert session.now.selection is None


def test_a_refused_photo_leaves_the_old_one(app):
    app.click(400, 400)
    with pytest.raises(UsageError) as error:
        app.open_photo(np.zeros((5, 5), np.uint8))
    assert_sentence(str(error.value))
    assert app.session.size == SIZE and app.selection is not None


def test_empty_words_take_the_text_away(session):
    session.write("cat")
    session.write("  ")
    assert session.now.text is None and session.now.selection is None
    session.undo()
    assert session.now.text == "cat"


def test_saved_pictures_have_the_photos_own_size_and_the_studys_colours(session):
    with pytest.raises(UsageError):
        session.mask_png()
    session.click(400, 400)
    mask, cutout = opened(session.mask_png()), opened(session.cutout_png())
    assert np.array_equal(decode_colours(mask) == CAT, session.now.selection.mask)
    assert tuple(mask[400, 400]) == MASK_COLOURS[CAT]
    assert cutout.shape == (*SIZE, 4) and np.array_equal(cutout[..., 3] == 255, session.now.selection.mask)
    assert (cutout[..., :3] == GREY).all()


@pytest.mark.parametrize("size, shown", [((800, 1600), (512, 1024)), ((4000, 3000), (1024, 768)), ((300, 451),) * 2,
                                         ((1, 5000), (1, 1024))])
def test_large_photos_are_shown_small_and_no_photo_is_enlarged(size, shown):
    assert shown_size(*size) == shown and shrink(np.zeros((*size, 3), np.uint8)).shape[:2] == shown


def test_a_click_as_shown_lands_on_the_photo_exactly(app):
    app._clicked(256, 128, True)  # as shown, at 1024 x 512
    assert app.clicks == ((400.0, 200.0, True),)
    assert app.selection.mask.shape == SIZE and app.selection.mask[200, 400]


def test_scripted_prompts_move_the_widgets(app):
    app.click(400, 400)
    assert "cat" in app.controls.result.value and "97 %" in app.controls.result.value
    assert "1 click<" in app.controls.result.value and re.search(r"\d ms a click", app.controls.result.value)
    app.click(500, 400, inside=False)
    assert "2 clicks" in app.controls.result.value and not app.controls.undo.disabled
    app.write("dog")
    assert app.controls.text.value == "dog" and "<b>dog</b>" in app.controls.result.value
    app.undo()
    assert app.controls.text.value == "" and len(app.clicks) == 2
    app.reset()
    assert app.selection is None and app.controls.undo.disabled and app.controls.save_mask.disabled


def test_scripted_mistakes_raise(app):
    with pytest.raises(UsageError, match="lies outside"):
        app.click(5000, 0)
    with pytest.raises(UsageError, match="try cat"):
        app.write("kat")
    assert not app.canvas.busy


def test_mistakes_by_hand_are_a_sentence_and_go_with_the_next_prompt(app):
    app.controls.text.value = "<kat>"
    assert 'role="alert"' in app.controls.message.value and "&lt;kat&gt;" in app.controls.message.value
    assert "try cat or dog" in app.controls.message.value and app.selection is None
    app.controls.text.value = "cat"
    assert app.controls.message.value == "" and app.selection.label == "cat"


def test_what_no_user_can_mend_goes_on_as_an_error_and_is_said(app):
    with pytest.raises(ZeroDivisionError):
        app.controls.text.value = "broken"
    assert "ZeroDivisionError" in app.controls.message.value
    with pytest.raises(ZeroDivisionError):
        app.write("broken")


def test_buttons_do_what_their_names_say(app):
    app.controls.sign.value = False
    assert app.canvas.inside is False
    app.click(400, 400)
    app.controls.undo.click()
    assert app.selection is None
    app.click(400, 400)
    app.controls.reset.click()
    assert app.clicks == ()
    app.controls.opacity.value, app.controls.view.value = 0.2, "cut-out"
    assert (app.canvas.opacity, app.canvas.view) == (0.2, "cut-out")


def test_canvas_messages_prompt(monkeypatch):
    app, sent = make_app(), []
    monkeypatch.setattr(app.canvas, "send", lambda *message: sent.append(message))
    serial = app.canvas.serial
    app.canvas._receive(None, {"kind": "click", "x": 256, "y": 256, "shift": True, "serial": serial}, [])
    assert app.clicks == ((400.0, 400.0, False),) and app.canvas.clicks == [[256.0, 256.0, False]]
    app.canvas._receive(None, {"kind": "undo", "serial": serial}, [])
    assert app.clicks == ()
    app.canvas._receive(None, {"kind": "click", "x": 1024.0001, "y": 512.0001, "shift": False, "serial": serial}, [])
    assert app.clicks == ((1600.0, 800.0, True),), "rounding at the edge puts no click outside"
    app.open_photo(grey_photo())
    app.canvas._receive(None, {"kind": "click", "x": 256, "y": 256, "shift": False, "serial": serial}, [])
    assert app.clicks == (), "it was made on the photo before"
    app.click(400, 400)
    app.controls.save_mask.click()
    ((message, (content,)),) = sent
    assert message == {"kind": "save", "name": "mask.png"} and opened(content).shape == (*SIZE, 3)
    assert opened(app.canvas.region)[256, 256].tolist() == [255, 255]


def test_only_the_canvas_says_what_to_do_without_it():
    def says(app):
        return any("plain=True" in str(getattr(part, "value", "")) for part in app.widget.children)

    assert says(make_app()) and not says(make_app(plain=True))


def test_plain_path_clicks_with_sliders_and_offers_files_as_links():
    app = make_app(plain=True)
    app.canvas.x.value, app.canvas.y.value = 256, 256
    app.canvas.button.click()
    assert app.clicks == ((400.0, 400.0, True),)
    app.controls.save_cutout.click()
    link = re.search(r'download="cutout.png" href="data:image/png;base64,([^"]+)"', app.canvas.files.value)
    assert opened(base64.b64decode(link[1])).shape == (*SIZE, 4)
    app.undo()
    assert app.canvas.files.value == ""
    assert opened(app.canvas._left.value).shape == (512, 1024, 3)


def test_app_begins_with_a_cat_and_every_example_is_a_photo():
    app = click_app(DiscPrompter())
    assert np.array_equal(app.session.photo, example_photo()) and app.session.size == (300, 451)
    for name in EXAMPLES:
        photo = example_photo(name)
        assert photo.dtype == np.uint8 and photo.ndim == 3 and min(photo.shape[:2]) >= 300
    with pytest.raises(UsageError, match="choose one of"):
        example_photo("Garfield")


def test_two_photos_of_one_name_and_one_named_like_an_example():
    app, (example, *_) = make_app(), EXAMPLES
    app.open_photo(grey_photo(), "rex.png")
    app.controls.photo.value = example
    app.open_photo(grey_photo(), "rex.png")
    assert app.controls.photo.value == "rex.png" and app.session.size == SIZE
    app.controls.photo.value = example
    assert app.session.size != SIZE, "the example can be chosen again"
    app.open_photo(grey_photo(), example)
    assert app.session.size == SIZE and app.controls.photo.value == example
    assert list(app.controls.photo.options).count(example) == 1


def test_colab_is_told_to_show_the_canvas(monkeypatch):
    calls = []
    for name in ("google", "google.colab", "google.colab.output"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    colab, output = sys.modules["google.colab"], sys.modules["google.colab.output"]
    colab.output, output.enable_custom_widget_manager = output, lambda: calls.append(True)
    make_app()
    assert calls == [True]


def test_page_is_one_cell_that_makes_the_app():
    (cell,) = [c for c in json.loads((WIDGETS / "app.ipynb").read_text())["cells"] if c["cell_type"] == "code"]
    assert "".join(cell["source"]) == "from petseg_utils.widgets import click_app\n\nclick_app()"
    assert cell["outputs"] == []


def test_scripted_clicks_run_headless_and_a_mistake_fails_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(WIDGETS.parents[1]), str(Path(__file__).parent)]))
    write_notebook(tmp_path / "app.ipynb", "from making_app import make_app\napp = make_app()\napp",
                   "app.click(400, 400)\nprint(app.selection.label)", "app.write('kat')")
    with pytest.raises(papermill.PapermillExecutionError, match="UsageError"):
        papermill.execute_notebook(tmp_path / "app.ipynb", tmp_path / "run.ipynb", progress_bar=False)
    cells = nbformat.read(tmp_path / "run.ipynb", 4).cells
    (printed,) = [cell for cell in cells if "app.click" in cell.source]
    assert printed.outputs[0]["text"] == "cat\n"
