"""What the app knows, without a widget: the photo, what was prompted, what is selected, and the way back."""

import io
import time
from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from petseg_utils.data.colours import encode_colours
from petseg_utils.errors import UsageError
from petseg_utils.prompts.selection import Selection

_FAST = 1  # zlib's level: a tenth of the default's time on a phone's photo, a tenth more bytes


class ClickPrompter(Protocol):
    """What the app asks: :class:`petseg_utils.prompts.prompter.Prompter`, or anything with its two methods."""

    def set_image(self, image: np.ndarray) -> None: ...

    def predict(self, points: np.ndarray, labels: np.ndarray, text: str | None = None) -> Selection: ...


class Click(NamedTuple):
    """A click at (x, y) in pixels of the photo, (0, 0) being its upper left corner; in, or out."""

    x: float
    y: float
    inside: bool


@dataclass(frozen=True)
class Step:
    """All prompts up to a moment, and their answer.

    Attributes:
        selection: None as long as nothing was prompted.
        seconds: what the answer took.
        clicked: the last prompt was a click.
    """

    clicks: tuple[Click, ...] = ()
    text: str | None = None
    selection: Selection | None = None
    seconds: float = 0.0
    clicked: bool = False


class ClickSession:
    """A photo and the prompts on it. A prompt that is refused changes nothing.

    Args:
        prompter: answers the prompts; its model is shared with whoever holds it, its photo is not.
        photo: see :meth:`set_photo`.
    """

    def __init__(self, prompter: ClickPrompter, photo: np.ndarray):
        self.prompter = copy(prompter)
        self.set_photo(photo)

    def set_photo(self, photo: np.ndarray) -> None:
        """Begin with another photo, uint8 (H, W, 3) RGB of any size; if it is refused, the old one stays."""
        self.prompter.set_image(photo)
        self.photo = photo
        self._steps = [Step()]

    @property
    def now(self) -> Step:
        """The present prompts and their answer."""
        return self._steps[-1]

    @property
    def size(self) -> tuple[int, int]:
        """The photo's own (H, W), in pixels."""
        return self.photo.shape[0], self.photo.shape[1]

    @property
    def can_undo(self) -> bool:
        return len(self._steps) > 1

    def click(self, x: float, y: float, inside: bool = True) -> None:
        """Add a click at (x, y) in pixels of the photo; the last one once more, as of a double click, says nothing new.

        Raises:
            UsageError: it lies outside of the photo.
        """
        click = Click(float(x), float(y), inside)
        if click not in self.now.clicks[-1:]:
            self._prompt((*self.now.clicks, click), self.now.text, clicked=True)

    def write(self, text: str) -> None:
        """Say in words what is meant, instead of what was said before; clicks stay. Empty words take the text away.

        Raises:
            UsageError: a word is unknown; near ones are named.
        """
        words = text.strip() or None
        if words != self.now.text:
            self._prompt(self.now.clicks, words, clicked=False)

    def undo(self) -> None:
        """Take the last click or text back; on an unprompted photo, nothing happens."""
        if self.can_undo:
            self._steps.pop()
            clicks, text = self.now.clicks, self.now.text
            if clicks or text is not None:
                self._steps[-1] = replace(self.now, selection=self._ask(clicks, text))

    def reset(self) -> None:
        """Take every prompt back."""
        self._steps = [Step()]

    def _prompt(self, clicks: tuple[Click, ...], text: str | None, *, clicked: bool) -> None:
        step = Step()
        if clicks or text is not None:
            start = time.perf_counter()
            selection = self._ask(clicks, text)
            step = Step(clicks, text, selection, time.perf_counter() - start, clicked)
        # A selection of a large photo is tens of megabytes: an earlier one is asked for again, which is quick.
        self._steps[-1] = replace(self.now, selection=None)
        self._steps.append(step)

    def _ask(self, clicks: tuple[Click, ...], text: str | None) -> Selection:
        points, labels = np.array([click[:2] for click in clicks]).reshape(-1, 2), np.array([c.inside for c in clicks])
        return self.prompter.predict(points, labels.astype(int), text)

    def mask_png(self) -> bytes:
        """A PNG file of the photo's own size in the study's mask colours: the region's class in the region, background
        elsewhere. Raises :class:`UsageError` if nothing is selected."""
        return encode_png(encode_colours(self._selected().codes))

    def cutout_png(self) -> bytes:
        """A PNG file of the photo's own size, RGBA: the region on nothing. Raises :class:`UsageError` if nothing is
        selected."""
        alpha = self._selected().mask.astype(np.uint8) * 255
        return encode_png(np.dstack([self.photo, alpha]))

    def _selected(self) -> Selection:
        if self.now.selection is None:
            raise UsageError("nothing is selected yet: click on the photo or write a text first")
        return self.now.selection


def encode_png(picture: np.ndarray) -> bytes:
    """A picture, uint8 (H, W, 2 to 4) grey with alpha, RGB or RGBA, as the bytes of a PNG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", compress_level=_FAST)
    return file.getvalue()
