"""The app: a session of clicks, the canvas and the controls, brought together."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ipywidgets
import numpy as np
from IPython.display import display

from petseg_utils.classes import BACKGROUND, CLASS_NAMES
from petseg_utils.errors import PetsegError
from petseg_utils.prediction import decode_photo
from petseg_utils.prompts.selection import Selection
from petseg_utils.widgets.canvas import ClickCanvas
from petseg_utils.widgets.controls import Controls
from petseg_utils.widgets.examples import EXAMPLES, FIRST_EXAMPLE
from petseg_utils.widgets.pictures import shown_size, shrink
from petseg_utils.widgets.plain import PlainCanvas
from petseg_utils.widgets.state import Click, ClickPrompter, ClickSession
from petseg_utils.widgets.uploads import forget_upload, uploaded_photo

_OWN = "Own photo"


class ClickApp:
    """Click on a photo, see the mask. A notebook shows it as the last value of a cell.

    What a hand does, a cell can do too: :meth:`click`, :meth:`write`, :meth:`undo`, :meth:`reset` and
    :meth:`open_photo` change the same session and the same widgets, and raise what goes wrong.

    Attributes:
        session: photo, clicks, selection; see :class:`petseg_utils.widgets.state.ClickSession`.
        controls: the buttons.
        canvas: the pictures.
    """

    def __init__(self, prompter: ClickPrompter, photo: np.ndarray | None = None, *, plain: bool = False):
        self._name = FIRST_EXAMPLE if photo is None else _OWN  # of the photo that is shown
        self._photos = EXAMPLES if photo is None else {_OWN: lambda: photo} | EXAMPLES
        self.session = ClickSession(prompter, self._photos[self._name]())
        self.controls = Controls(list(self._photos))
        self.canvas: Any = PlainCanvas(self._clicked) if plain else ClickCanvas(
            self._clicked, self._answering(self.undo), self._dropped)
        self.widget = self.controls.lay_out(self.canvas, plain=plain)
        self._connect()
        self._show_photo()

    def _ipython_display_(self) -> None:
        display(self.widget)

    @property
    def selection(self) -> Selection | None:
        """The present answer; None as long as nothing was prompted."""
        return self.session.now.selection

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The present clicks, in pixels of the photo."""
        return self.session.now.clicks

    def click(self, x: float, y: float, inside: bool = True) -> None:
        """Click at (x, y) in pixels of the photo, in or out. Raises :class:`UsageError` outside of the photo."""
        with self._showing():
            self.session.click(x, y, inside)

    def write(self, text: str) -> None:
        """Select by words. Raises :class:`UsageError` for an unknown word; near ones are named."""
        with self._showing():
            self.session.write(text)

    def undo(self) -> None:
        """Take the last click or text back."""
        with self._showing():
            self.session.undo()

    def reset(self) -> None:
        """Take all clicks and the text back."""
        with self._showing():
            self.session.reset()

    def open_photo(self, photo: np.ndarray, name: str = _OWN) -> None:
        """Begin with another photo, uint8 (H, W, 3) RGB, which ``name`` stands for among those to choose from. Raises
        :class:`UsageError` if it is no such array."""
        with self._busy():
            self.session.set_photo(photo)
        examples = {example: load for example, load in EXAMPLES.items() if example != name}
        self._photos, self._name = {name: lambda: photo} | examples, name
        self.controls.photo.options = list(self._photos)
        self.controls.photo.value = name  # equal options would leave what was chosen before
        self._show_photo()

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self.canvas.busy = True
        try:
            yield
        finally:
            self.canvas.busy = False

    @contextmanager
    def _showing(self) -> Iterator[None]:
        with self._busy():
            yield
        self.controls.say("")
        self._show_selection()

    def _connect(self) -> None:
        controls, canvas = self.controls, self.canvas
        ipywidgets.link((controls.opacity, "value"), (canvas, "opacity"))
        ipywidgets.link((controls.sign, "value"), (canvas, "inside"))
        ipywidgets.link((controls.view, "value"), (canvas, "view"))
        controls.undo.on_click(self._answering(self.undo))
        controls.reset.on_click(self._answering(self.reset))
        controls.save_mask.on_click(self._answering(lambda: canvas.save("mask.png", self.session.mask_png())))
        controls.save_cutout.on_click(self._answering(lambda: canvas.save("cutout.png", self.session.cutout_png())))
        controls.text.observe(self._answering(self._text_entered), "value")
        controls.photo.observe(self._answering(self._photo_chosen), "value")
        controls.upload.observe(self._answering(self._uploaded), "value")

    def _answering(self, action: Callable[[], None]) -> Callable[..., None]:
        """The same action for a hand: what the user can mend is a sentence in the app. Anything else is said to have
        happened and goes on its way with its traceback."""
        def act(*_: Any) -> None:
            try:
                action()
            except PetsegError as error:
                self.controls.say(str(error))
            except Exception as error:
                self.controls.say(f"the app failed ({type(error).__name__}: {error}): the kernel's log has the details")
                raise
        return act

    def _clicked(self, x: float, y: float, inside: bool) -> None:
        """A click in pixels as shown; at the very edge rounding may put it outside of the photo."""
        (scale_x, scale_y), (height, width) = self._scale(), self.session.size
        self._answering(lambda: self.click(min(x * scale_x, width), min(y * scale_y, height), inside))()

    def _dropped(self, name: str, content: bytes) -> None:
        """A file that was dropped on the canvas."""
        self._answering(lambda: self.open_photo(decode_photo(io.BytesIO(content), name), name))()

    def _text_entered(self) -> None:
        if self.controls.text.value.strip() != (self.session.now.text or ""):
            self.write(self.controls.text.value)

    def _photo_chosen(self) -> None:
        name = self.controls.photo.value
        if name != self._name:
            with self._busy():
                self.session.set_photo(self._photos[name]())
            self._name = name
            self._show_photo()

    def _uploaded(self) -> None:
        try:
            uploaded = uploaded_photo(self.controls.upload.value)
        finally:
            forget_upload(self.controls.upload)
        if uploaded is not None:
            self.open_photo(*uploaded)

    def _scale(self) -> tuple[float, float]:
        """Pixels of the photo in a pixel as shown, along x and y."""
        height, width = self.session.size
        shown_height, shown_width = shown_size(height, width)
        return width / shown_width, height / shown_height

    def _show_photo(self) -> None:
        self.controls.say("")
        self.canvas.show_photo(shrink(self.session.photo))
        self._show_selection()

    def _show_selection(self) -> None:
        step, (scale_x, scale_y) = self.session.now, self._scale()
        clicks = [Click(x / scale_x, y / scale_y, inside) for x, y, inside in step.clicks]
        if step.selection is None:
            self.canvas.show_selection(None, CLASS_NAMES[BACKGROUND], clicks)
        else:
            self.canvas.show_selection(shrink(step.selection.mask.astype(np.uint8) * 255), step.selection.label, clicks)
        self.controls.show(step, self.session.can_undo)


def click_app(prompter: ClickPrompter | None = None, photo: np.ndarray | None = None, *,
              plain: bool = False) -> ClickApp:
    """Make the app; the last value of a cell is shown.

    Args:
        prompter: answers the prompts; the one that comes with the package if None.
        photo: to begin with, uint8 (H, W, 3) RGB; an example if None.
        plain: use nothing but ipywidgets, where the canvas does not load.
    """
    if prompter is None:
        from petseg_utils.prompts.shipped import load_prompter

        prompter = load_prompter()
    return ClickApp(prompter, photo, plain=plain)
