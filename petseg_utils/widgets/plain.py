"""The app's pictures from ipywidgets alone, for where the canvas does not load: two sliders say where to click."""

import base64
from collections.abc import Callable, Sequence

import cv2
import ipywidgets
import numpy as np
import traitlets

from petseg_utils.classes import BACKGROUND, CLASS_NAMES
from petseg_utils.widgets.pictures import VIEWS, paint_overlay, paint_view, photo_file
from petseg_utils.widgets.state import Click

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_ARM = 12  # of cross and marks, in pixels as shown


class PlainCanvas(ipywidgets.VBox):
    """Stands in for :class:`petseg_utils.widgets.canvas.ClickCanvas`: the same attributes and ways to show."""

    opacity = traitlets.Float(0.5)
    inside = traitlets.Bool(True)
    view = traitlets.Enum(VIEWS, VIEWS[0])
    busy = traitlets.Bool(False)

    def __init__(self, on_click: Callable[[float, float, bool], None]):
        wide = ipywidgets.Layout(flex="1 1 280px", width="auto", min_width="0", object_fit="contain")
        self._left, self._right = ipywidgets.Image(layout=wide), ipywidgets.Image(layout=wide)
        self.x, self.y = (ipywidgets.FloatSlider(description=name, step=1, readout_format=".0f",
                                                 layout=ipywidgets.Layout(flex="1 1 240px")) for name in "xy")
        self.button = ipywidgets.Button(description="Click here", button_style="primary")
        self.files = ipywidgets.HTML()
        self._shown = np.zeros((1, 1, 3), np.uint8)
        self._alpha: np.ndarray | None = None
        self._label, self._clicks = CLASS_NAMES[BACKGROUND], list[Click]()
        row = ipywidgets.Layout(flex_flow="row wrap", grid_gap="12px", align_items="flex-start")
        super().__init__([ipywidgets.HBox([self._left, self._right], layout=row),
                          ipywidgets.HBox([self.x, self.y, self.button], layout=row), self.files])
        self.button.on_click(lambda _: on_click(self.x.value, self.y.value, self.inside))
        for slider in (self.x, self.y):
            slider.observe(self._paint, "value")
        self.observe(self._paint, ["opacity", "view"])

    def show_photo(self, shown: np.ndarray) -> None:
        self._shown, self._alpha, self._clicks = shown, None, []
        for slider, side in ((self.x, shown.shape[1]), (self.y, shown.shape[0])):
            slider.max, slider.value = side, side // 2
        self.show_selection(None, CLASS_NAMES[BACKGROUND], [])

    def show_selection(self, alpha: np.ndarray | None, label: str, clicks: Sequence[Click]) -> None:
        self._alpha, self._label, self._clicks = alpha, label, list(clicks)
        self.files.value = ""  # those that were offered were another selection's
        self._paint()

    def save(self, name: str, content: bytes) -> None:
        """Offer a file as a link: without JavaScript of our own, nothing can be saved unasked."""
        data = base64.b64encode(content).decode("ascii")
        self.files.value = f'<a download="{name}" href="data:image/png;base64,{data}">Save {name}</a>'

    def _paint(self, _: object = None) -> None:
        nothing = np.zeros(self._shown.shape[:2], np.uint8)
        if self._alpha is None:
            left, right = self._shown.copy(), paint_view("cut-out", self._shown, nothing, self._label)
        else:
            left = paint_overlay(self._shown, self._alpha, self._label, self.opacity)
            right = paint_view(self.view, self._shown, self._alpha, self._label)
        for x, y, inside in self._clicks:
            _draw_mark(left, round(x), round(y), inside)
        here = round(self.x.value), round(self.y.value)
        for colour, width in ((_BLACK, 3), (_WHITE, 1)):
            cv2.drawMarker(left, here, colour, cv2.MARKER_CROSS, 2 * _ARM, width)
        self._left.value, self._right.value = photo_file(left), photo_file(right)


def _draw_mark(picture: np.ndarray, x: int, y: int, inside: bool) -> None:
    """In is a plus on white, out a minus on black, as on the canvas."""
    ground, ink = (_WHITE, _BLACK) if inside else (_BLACK, _WHITE)
    cv2.circle(picture, (x, y), _ARM - 4, ground, cv2.FILLED, cv2.LINE_AA)
    cv2.circle(picture, (x, y), _ARM - 4, ink, 2, cv2.LINE_AA)
    cv2.line(picture, (x - 4, y), (x + 4, y), ink, 2)
    if inside:
        cv2.line(picture, (x, y - 4), (x, y + 4), ink, 2)
