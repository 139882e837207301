"""A prompter whose every pixel is known, for tests of the app; notebooks in a browser import it too."""

import numpy as np

from petseg_utils.errors import UsageError
from petseg_utils.prompts.selection import Selection
from petseg_utils.widgets import click_app

RADIUS = 200  # of a click's disc, in pixels of the photo
SIZE = (800, 1600)  # (H, W) of the grey photo, more than the app shows
GREY = 120


class DiscPrompter:
    """Selects a disc around each click in, without those around clicks out. ``cat`` is the left half, ``dog`` the right
    one; no other word is known. One click in is a cat, more are a dog."""

    def set_image(self, image):
        if image.ndim != 3:
            raise UsageError(f"the photo is {image.dtype} {image.shape}: give uint8 (H, W, 3), RGB")
        self.size = image.shape[:2]

    def predict(self, points, labels, text=None):
        height, width = self.size
        rows, columns = np.arange(height)[:, None] + 0.5, np.arange(width)[None] + 0.5
        mask = np.zeros(self.size, bool)
        if text == "broken":
            raise ZeroDivisionError("no sentence")
        if text not in (None, "cat", "dog"):
            raise UsageError(f"the word {text!r} is unknown: try cat or dog")
        if text:
            mask = np.repeat((columns < width / 2) == (text == "cat"), height, axis=0)
        for (x, y), inside in zip(points, labels, strict=True):
            if not (0 <= x <= width and 0 <= y <= height):
                raise UsageError(f"click ({x:g}, {y:g}) lies outside of the photo of {width} x {height} pixels")
            disc = (columns - x) ** 2 + (rows - y) ** 2 <= RADIUS**2
            mask = mask | disc if inside else mask & ~disc
        label = text or ("cat" if sum(labels) == 1 else "dog")
        return Selection(mask, mask.astype(np.float32), label, 0.97, np.zeros((2, 3), np.float32))


def grey_photo():
    return np.full((*SIZE, 3), GREY, np.uint8)


def make_app(**options):
    return click_app(DiscPrompter(), grey_photo(), **options)
