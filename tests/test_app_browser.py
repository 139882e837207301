"""The app in a real browser, in JupyterLab and as voila's page: what a hand does, and what is then seen."""

import io

import numpy as np
import pytest
from driving_browser import PATIENCE, AppPage, find_chromium, serving, wait_for, write_notebook
from making_app import GREY, RADIUS, SIZE, grey_photo
from PIL import Image

from petseg_utils.classes import BACKGROUND, CAT, DISPLAY_COLOURS, DOG
from petseg_utils.data import decode_colours
from petseg_utils.widgets.pictures import paint_overlay

NO_PHOTO = (GREY, GREY, GREY)
LAB = ("jupyterlab", "--no-browser", "--allow-root", "--IdentityProvider.token=", "--ServerApp.password=")
VOILA = ("voila", "app.ipynb", "--no-browser")


def painted(label, inside):
    """What Python paints over the grey photo at the slider's first opacity; the browser has to agree."""
    alpha = np.full((1, 1), 255 * inside, np.uint8)
    return paint_overlay(np.full((1, 1, 3), GREY, np.uint8), alpha, label, 0.5)[0, 0]


def png(picture):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", compress_level=1)
    return file.getvalue()


def bring_back_grey(app):
    """The photo that the other tests begin with."""
    app.upload("grey.png", png(grey_photo()))
    app.page.get_by_label("1024 by 512 pixels").wait_for()


@pytest.fixture(scope="module")
def browser():
    chromium = find_chromium()
    with pytest.importorskip("playwright.sync_api").sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])


@pytest.fixture(scope="module")
def pages(browser, tmp_path_factory):
    """JupyterLab with both cells run, and the page; both servers start while the other one does."""
    lab_folder, voila_folder = tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("voila")
    app, plain = "from making_app import make_app\nmake_app()", "make_app(plain=True)"
    write_notebook(lab_folder / "app.ipynb", app, plain)
    write_notebook(voila_folder / "app.ipynb", app)
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, has_touch=True)
    with serving(lab_folder, *LAB) as lab_address, serving(voila_folder, *VOILA) as voila_address:
        wait_for(lab_address, lab_folder)
        lab, voila = context.new_page(), context.new_page()
        lab.goto(f"{lab_address}/lab/tree/app.ipynb")
        lab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(timeout=PATIENCE)
        lab.locator(".jp-CodeCell .cm-content").first.click()
        lab.keyboard.press("Shift+Enter")
        wait_for(voila_address, voila_folder)
        voila.goto(voila_address, timeout=PATIENCE)
        yield {"lab": AppPage(lab), "voila": AppPage(voila)}


@pytest.fixture(params=["lab", "voila"])
def app(pages, request):
    """Either page, its app without prompts on the grey photo."""
    page = pages[request.param]
    page.page.bring_to_front()
    page.start_over()
    page.sees(0.5, 0.9, NO_PHOTO)
    return page


def test_a_click_gives_a_mask_where_it_is_expected(app):
    app.click(0.25, 0.5)
    edge = RADIUS / SIZE[1]  # of the disc, as a share of the width
    for off, inside in ((0.02 - edge, True), (edge - 0.02, True), (edge + 0.02, False), (-edge - 0.02, False)):
        x = 0.25 + off
        app.sees(x, 0.5, painted("cat", inside))
        app.sees(x, 0.5, DISPLAY_COLOURS[CAT if inside else BACKGROUND], ".petseg-view")
    app.reads("cat", "97 %", "ms a click", "1 click")


def test_shift_click_takes_away_and_undo_brings_back(app):
    app.click(0.25, 0.5)
    app.sees(0.32, 0.5, painted("cat", True))
    app.click(0.35, 0.5, modifiers=["Shift"])
    app.sees(0.32, 0.5, painted("cat", False))
    app.reads("2 clicks")
    app.press("Undo")
    app.sees(0.32, 0.5, painted("cat", True))
    app.press("Reset")
    app.sees(0.32, 0.5, NO_PHOTO)


def test_the_toggle_makes_a_finger_click_out(app):
    app.tap(0.25, 0.5)
    app.sees(0.3, 0.5, painted("cat", True))
    app.press("− Click out")
    app.tap(0.25, 0.5)
    app.sees(0.3, 0.5, painted("cat", False))
    app.press("+ Click in")


def test_the_keyboard_does_what_a_mouse_does(app):
    app.photo.focus()
    for key in ("Shift+ArrowLeft", "Shift+ArrowLeft", "ArrowDown", "Enter"):
        app.photo.press(key)
    app.sees(0.3 - 0.1, 0.5, painted("cat", True))
    app.sees(0.5, 0.5, painted("cat", False))
    app.photo.press("ArrowRight")
    app.photo.press("Shift+Enter")
    app.reads("2 clicks")
    app.photo.press("Control+z")
    app.reads("1 click")
    app.photo.press("Backspace")
    app.reads("Click on the photo")


def test_text_selects_and_an_unknown_word_does_nothing(app):
    app.write("dog")
    app.sees(0.75, 0.5, painted("dog", True))
    app.sees(0.75, 0.5, DISPLAY_COLOURS[DOG], ".petseg-view")
    app.sees(0.25, 0.5, painted("dog", False))
    app.write("kat")
    app.message.get_by_text("the word 'kat' is unknown: try cat or dog").wait_for()
    app.sees(0.75, 0.5, painted("dog", True))


def test_opacity_and_cut_out_change_what_is_seen(app):
    app.click(0.25, 0.5)
    app.press("Cut-out")
    app.sees(0.3, 0.5, (*NO_PHOTO, 255), ".petseg-view")
    app.sees(0.9, 0.5, (0, 0, 0, 0), ".petseg-view")
    app.press("Mask")
    app.slide_opacity("Home")
    app.sees(0.3, 0.5, NO_PHOTO)
    app.slide_opacity("End")
    app.sees(0.3, 0.5, DISPLAY_COLOURS[CAT])
    app.slide_opacity(*["ArrowLeft"] * 10)
    app.sees(0.3, 0.5, painted("cat", True))


def test_saved_mask_has_the_photos_own_size(app):
    app.click(0.25, 0.5)
    app.reads("1 click")
    saved = {}
    for button, name in (("Save mask", "mask.png"), ("Save cut-out", "cutout.png")):
        with app.page.expect_download() as download:
            app.press(button)
        assert download.value.suggested_filename == name
        saved[name] = np.asarray(Image.open(download.value.path()))
    selected = decode_colours(saved["mask.png"]) == CAT
    assert selected.shape == SIZE and selected[400, 400] and not selected[400, 800]
    assert selected.sum() == pytest.approx(np.pi * RADIUS**2, rel=0.01)
    assert np.array_equal(saved["cutout.png"][..., 3] == 255, selected)


def test_a_broken_upload_is_a_sentence_and_a_good_one_is_shown(app):
    app.click(0.25, 0.5)
    app.reads("1 click")
    app.upload("rex.png", b"no picture")
    app.message.get_by_text("'rex.png' cannot be read").wait_for()
    app.reads("1 click")
    app.upload("rex.png", png(np.full((500, 300, 3), (200, 30, 30), np.uint8)))
    app.sees(0.5, 0.5, (200, 30, 30))
    app.message.wait_for(state="detached")
    box = app.photo.bounding_box()
    assert box["width"] / box["height"] == pytest.approx(300 / 500, rel=0.01)
    bring_back_grey(app)


def test_a_photo_of_more_than_one_message_can_be_dropped(app):
    noise = png(np.random.default_rng(0).integers(0, 256, (1800, 2000, 3), np.uint8))
    assert len(noise) > 10 * 2**20
    app.drop("noise.png", noise)
    app.page.get_by_label("1024 by 922 pixels").wait_for()
    app.drop("notes.txt", b"no picture")
    app.message.get_by_text("'notes.txt' cannot be read").wait_for()
    bring_back_grey(app)


def test_without_the_canvas_two_sliders_say_where(pages):
    page = pages["lab"].page
    page.bring_to_front()
    page.get_by_text("make_app(plain=True)").click()
    page.keyboard.press("Shift+Enter")
    page.get_by_role("button", name="Click here").click()
    plain = page.locator(".petseg-app").filter(has_text="Click here")
    plain.get_by_text("97 %").wait_for()
    pixels = """image => {
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
        canvas.getContext("2d").drawImage(image, 0, 0);
        return Array.from(canvas.getContext("2d").getImageData(image.naturalWidth / 2 + 60, 256, 1, 1).data);
    }"""
    found = [plain.locator("img").nth(i).evaluate(pixels)[:3] for i in (0, 1)]
    np.testing.assert_allclose(found, [painted("cat", True), DISPLAY_COLOURS[CAT]], atol=4)
    plain.get_by_role("button", name="Save mask").click()
    with page.expect_download() as download:
        plain.get_by_text("Save mask.png").click()
    assert download.value.suggested_filename == "mask.png"


def test_nothing_went_wrong_in_the_browser(pages):
    for page in pages.values():
        assert page.errors == []
