"""The click-to-segment app: ipywidgets around a canvas that takes clicks from mouse, touch and keyboard."""

from petseg_utils.widgets.app import ClickApp, click_app
from petseg_utils.widgets.examples import example_photo

__all__ = ["ClickApp", "click_app", "example_photo"]
