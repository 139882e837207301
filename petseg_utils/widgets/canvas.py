"""The canvas: the photo that is clicked on, and beside it what is selected; painted in the browser by ``canvas.js``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets

from petseg_utils.classes import BACKGROUND, CLASS_NAMES
from petseg_utils.widgets.pictures import VIEWS, class_colour, photo_file, region_file
from petseg_utils.widgets.state import Click

_FOLDER = Path(__file__).parent


class ClickCanvas(anywidget.AnyWidget):
    """Shows a photo and tells where it is clicked.

    The wire carries small things only: the shown photo once, then the region as one channel. Colours, opacity and marks
    are painted where they are seen, so that moving the opacity asks nobody.

    Attributes:
        opacity: of the colours over the photo, in [0, 1].
        inside: what a plain click means; a click with shift held is out.
        view: ``mask`` or ``cut-out``, what is shown beside the photo.
        busy: a prompt is being answered.
    """

    _esm = _FOLDER / "canvas.js"
    _css = _FOLDER / "canvas.css"

    photo = traitlets.Bytes(b"").tag(sync=True)
    region = traitlets.Bytes(b"").tag(sync=True)  # empty: nothing is selected
    size = traitlets.List([1, 1]).tag(sync=True)  # [W, H] as shown
    serial = traitlets.Int(0).tag(sync=True)  # of the photo; a click comes back with that of the photo it was made on
    clicks = traitlets.List(traitlets.List()).tag(sync=True)  # [x, y, inside], in pixels as shown
    label = traitlets.Unicode(CLASS_NAMES[BACKGROUND]).tag(sync=True)
    colours = traitlets.Dict({name: class_colour(name) for name in CLASS_NAMES}).tag(sync=True)
    opacity = traitlets.Float(0.5).tag(sync=True)
    inside = traitlets.Bool(True)  # not the browser's: a quick click would come with what was chosen before
    view = traitlets.Enum(VIEWS, VIEWS[0]).tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)

    def __init__(self, on_click: Callable[[float, float, bool], None], on_undo: Callable[[], None],
                 on_file: Callable[[str, bytes], None]):
        """
        Args:
            on_click: gets x and y in pixels of the photo as shown, and whether the click is in.
            on_undo: what Ctrl+Z on the canvas does.
            on_file: gets name and content of a file that is dropped on the canvas.
        """
        super().__init__()
        self._on_click, self._on_undo, self._on_file = on_click, on_undo, on_file
        self._parts: list[bytes] = []
        self.on_msg(self._receive)

    def _receive(self, _: Any, message: dict[str, Any], buffers: Sequence[Any]) -> None:
        if message["kind"] != "file" and message["serial"] != self.serial:
            return  # made while another photo was on its way
        if message["kind"] == "click":
            self._on_click(message["x"], message["y"], self.inside and not message["shift"])
        elif message["kind"] == "undo":
            self._on_undo()
        elif message["kind"] == "file":
            # Jupyter's servers hang up at messages of more than 10 MB, without a word.
            self._parts = [*(self._parts if message["part"] else []), bytes(buffers[0])]
            if message["part"] == message["parts"] - 1:
                content, self._parts = b"".join(self._parts), []
                self._on_file(message["name"], content)

    def show_photo(self, shown: np.ndarray) -> None:
        """Show another photo, uint8 (H, W, 3), and nothing selected."""
        with self.hold_sync():
            self.size, self.photo = [shown.shape[1], shown.shape[0]], photo_file(shown)
            self.serial += 1
            self.show_selection(None, CLASS_NAMES[BACKGROUND], [])

    def show_selection(self, alpha: np.ndarray | None, label: str, clicks: Sequence[Click]) -> None:
        """Show what is selected.

        Args:
            alpha: uint8 (H, W) of [0, 255] at the shown size, or None.
            label: its class.
            clicks: in pixels as shown.
        """
        with self.hold_sync():
            self.region = b"" if alpha is None else region_file(alpha)
            self.label, self.clicks = label, [list(click) for click in clicks]

    def save(self, name: str, content: bytes) -> None:
        """Let the browser save a file."""
        self.send({"kind": "save", "name": name}, [content])
