"""From what an upload button holds to a photo."""

import io
from typing import Any

import numpy as np
from ipywidgets import FileUpload

from petseg_utils.prediction import decode_photo


def uploaded_file(value: Any) -> tuple[str, bytes] | None:
    """Name and content of the file that a ``FileUpload`` holds, None if it holds none.

    Args:
        value: of ipywidgets 7, ``{name: {"content": bytes, ...}}``; of ipywidgets 8, ``({"name": ..., "content":
            memoryview, ...},)``. Colab has the one, a fresh JupyterLab the other.
    """
    if not value:
        return None
    if isinstance(value, dict):
        name, file = next(iter(value.items()))
        return name, bytes(file["content"])
    return value[0]["name"], bytes(value[0]["content"])


def forget_upload(button: FileUpload) -> None:
    """Empty an upload button, so that the same file can be chosen again; that of ipywidgets 7 only its user can."""
    if isinstance(button.value, tuple):
        button.value = ()


def uploaded_photo(value: Any) -> tuple[np.ndarray, str] | None:
    """The uploaded photo, uint8 (H, W, 3) RGB, upright, and its name; None if there is no file.

    Raises:
        DataError: the file is no photo that can be read.
    """
    file = uploaded_file(value)
    return None if file is None else (decode_photo(io.BytesIO(file[1]), file[0]), file[0])
