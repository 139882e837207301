"""Google Colab shows widgets that are not its own only after they have been allowed."""

import importlib


def enable_colab_widgets() -> bool:
    """Allow them if this is Colab. Returns whether it is."""
    try:
        output = importlib.import_module("google.colab.output")
    except ImportError:
        return False
    output.enable_custom_widget_manager()
    return True
