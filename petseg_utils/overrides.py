"""NAME=VALUE on the command line: values as Python literals, files and folders from where the user stands."""

import ast
from pathlib import Path
from typing import Any

from petseg_utils.encoders.naming import in_folder
from petseg_utils.errors import UsageError


def parse_sets(sets: tuple[str, ...]) -> dict[str, Any]:
    """``("EPOCHS=3", "recipe=paper")`` to ``{"EPOCHS": 3, "RECIPE": "paper"}``."""
    parsed = {}
    for item in sets:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UsageError(f"--set got {item!r}: write NAME=VALUE, such as EPOCHS=3")
        try:
            parsed[name.upper()] = ast.literal_eval(value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            parsed[name.upper()] = absolute(value) if name.upper() in ("DATA_ROOT", "NATIVE_ROOT") else value
    if isinstance(spec := parsed.get("ENCODER"), str):
        parsed["ENCODER"] = _absolute_encoder(spec)
    return parsed


def absolute(folder: str) -> str:
    """A folder from where the user stands: a notebook's kernel runs elsewhere.

    Raises:
        UsageError: the name is empty, as that of a shell variable that is not set.
    """
    if not folder.strip():
        raise UsageError(f"a folder was named {folder!r}: give its path (is a shell variable not set?)")
    return str(Path(folder).expanduser().resolve())


def _absolute_encoder(spec: str) -> str:
    """The same for an encoder's spec that names a local file that is there."""
    return in_folder(spec, lambda file: absolute(str(file)) if file.expanduser().is_file() else file)
