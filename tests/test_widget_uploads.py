"""Photos that are uploaded into the app: both shapes of the button's value, broken files, the list of photos."""

import datetime
import io
import types

import numpy as np
import pytest
from ipywidgets import FileUpload
from making_app import SIZE
from making_runs import assert_sentence
from PIL import Image

from petseg_utils.errors import DataError
from petseg_utils.widgets import example_photo
from petseg_utils.widgets.uploads import forget_upload, uploaded_photo


def png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG")
    return file.getvalue()


def upload(app, value):
    """As ipywidgets 8 has it after a hand has chosen a file."""
    app.controls.upload.value = ({"name": "rex.png", "type": "image/png", "size": len(value), "content": value,
                                  "last_modified": datetime.datetime(2026, 1, 1)},)


@pytest.mark.parametrize("shape", [
    lambda name, content: {name: {"metadata": {"name": name}, "content": content}},  # ipywidgets 7
    lambda name, content: ({"name": name, "content": memoryview(content)},),  # ipywidgets 8
], ids=["7", "8"])
def test_uploads_of_either_shape_are_read_or_refused_in_a_sentence(shape):
    photo, name = uploaded_photo(shape("rex.png", png(example_photo())))
    assert np.array_equal(photo, example_photo()) and name == "rex.png"
    for wrong, content in (("rex.png", b"no picture"), ("rex.png", png(example_photo())[:500]), ("rex.png", b""),
                           ("rex.heic", b"")):
        with pytest.raises(DataError, match=wrong) as error:
            uploaded_photo(shape(wrong, content))
        assert_sentence(str(error.value))
    assert uploaded_photo(type(shape("", b""))()) is None


def test_an_uploaded_photo_joins_those_to_choose_from_and_a_broken_one_changes_nothing(app):
    app.click(400, 400)
    upload(app, b"no picture")
    assert "rex.png" in app.controls.message.value and app.session.size == SIZE and app.selection is not None
    upload(app, png(np.zeros((20, 30, 3), np.uint8)))
    assert app.session.size == (20, 30) and app.selection is None and app.controls.message.value == ""
    assert app.controls.photo.value == "rex.png" and app.controls.upload.value == ()
    app.controls.photo.value = "Chelsea, a cat"
    assert app.session.size == (300, 451)
    app.controls.photo.value = "rex.png"
    assert app.session.size == (20, 30)


def test_only_the_newer_upload_button_can_be_emptied():
    button = FileUpload()
    forget_upload(button)
    assert button.value == ()
    older = types.SimpleNamespace(value={"rex.png": {}})
    forget_upload(older)
    assert older.value
