"""The app's buttons and lines of text, and how they are laid out."""

import html
from pathlib import Path

import ipywidgets

from petseg_utils.classes import CLASS_NAMES
from petseg_utils.widgets.pictures import VIEWS, class_colour
from petseg_utils.widgets.state import Step

_INSTEAD = ("The picture does not load here. Use <code>click_app(plain=True)</code>, which needs no more than "
            "ipywidgets.")
_STYLE = (Path(__file__).parent / "app.css").read_text(encoding="utf-8")


class Controls:
    """Everything around the pictures; :class:`petseg_utils.widgets.app.ClickApp` gives it a meaning.

    Args:
        photos: names of the photos to choose from; the first is shown.
    """

    def __init__(self, photos: list[str]) -> None:
        auto = ipywidgets.Layout(width="auto")
        self.photo = ipywidgets.Dropdown(options=photos, description="Photo", style={"description_width": "auto"},
                                         layout=ipywidgets.Layout(width="220px"))
        self.upload = ipywidgets.FileUpload(accept="image/*", multiple=False, description="Your photo", layout=auto,
                                             tooltip="up to 10 MB; a larger one can be dropped on the picture")
        self.upload.add_class("petseg-upload")
        self.sign = ipywidgets.ToggleButtons(options=[("+ Click in", True), ("− Click out", False)],
                                             tooltips=["A click adds what is under it",
                                                       "A click takes what is under it away, as does shift-click"])
        self.undo = ipywidgets.Button(description="Undo", icon="undo", layout=auto, tooltip="Ctrl+Z on the photo")
        self.reset = ipywidgets.Button(description="Reset", icon="trash", layout=auto)
        self.text = ipywidgets.Text(placeholder="or write: cat, dog, a breed …", continuous_update=False,
                                    layout=ipywidgets.Layout(flex="1 1 180px", max_width="260px"))
        self.opacity = ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.05, description="Opacity", readout=False,
                                              style={"description_width": "auto"},
                                              layout=ipywidgets.Layout(width="210px"))
        self.view = ipywidgets.ToggleButtons(options=[(view.capitalize(), view) for view in VIEWS])
        self.save_mask = ipywidgets.Button(description="Save mask", icon="download", layout=auto)
        self.save_cutout = ipywidgets.Button(description="Save cut-out", icon="download", layout=auto)
        for first_of_right in (self.opacity, self.save_mask):
            first_of_right.add_class("petseg-right")
        self.message, self.result = _line("petseg-message"), _line("petseg-result")

    def lay_out(self, canvas: ipywidgets.Widget, *, plain: bool) -> ipywidgets.VBox:
        """The whole app, with the pictures in it; unless they are the plain ones, it says what to do without them."""
        instead = [] if plain else [_line("petseg-instead", _INSTEAD)]
        legend = _line("petseg-legend", "".join(f'<span><i style="background: {class_colour(name)}"></i>{name}</span>'
                                                for name in CLASS_NAMES))
        app = ipywidgets.VBox([
            ipywidgets.HTML(f"<style>{_STYLE}</style>", layout=ipywidgets.Layout(display="none")),
            _row(self.photo, self.upload, self.opacity, self.view),
            _row(self.sign, self.undo, self.reset, self.text),
            self.message,
            canvas,
            *instead,
            self.result,
            _row(legend, self.save_mask, self.save_cutout),
        ])
        app.add_class("petseg-app")
        self.say("")
        return app

    def say(self, sentence: str) -> None:
        """Show what was wrong, or with an empty sentence nothing; screen readers read it out."""
        self.message.value = f'<div role="alert">{html.escape(sentence)}</div>' if sentence else ""
        self.message.layout.display = None if sentence else "none"

    def show(self, step: Step, can_undo: bool) -> None:
        """Show an answer in words, and which buttons mean something now."""
        self.result.value = f'<div role="status">{describe(step)}</div>'
        self.undo.disabled = self.reset.disabled = not can_undo
        self.save_mask.disabled = self.save_cutout.disabled = step.selection is None
        self.text.value = step.text or ""


def describe(step: Step) -> str:
    """An answer in a line of HTML: class and probability, what a click took, how many there were."""
    if step.selection is None:
        return "Click on the photo: a click takes in what is under it, shift-click takes it out."
    prompts = [f"“{html.escape(step.text)}”"] if step.text else []
    if step.clicks:
        prompts.append(f"{len(step.clicks)} click{'' if len(step.clicks) == 1 else 's'}")
    found = f"<b>{step.selection.label}</b>, {step.selection.score:.0%}".replace("%", " %")
    if not step.selection.mask.any():
        found = "<b>nothing</b> selected: click elsewhere"
    return " · ".join([found, _duration(step.seconds) + (" a click" if step.clicked else ""), *prompts])


def _duration(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _line(name: str, content: str = "") -> ipywidgets.HTML:
    line = ipywidgets.HTML(content)
    line.add_class(name)
    return line


def _row(*widgets: ipywidgets.Widget) -> ipywidgets.HBox:
    row = ipywidgets.HBox(widgets, layout=ipywidgets.Layout(flex_flow="row wrap"))
    row.add_class("petseg-row")
    return row
