"""The parts of an encoder's spec; imports nothing slow, for the command line reads specs, too."""

from collections.abc import Callable
from pathlib import Path

WEIGHTS_SUFFIXES = (".pt", ".pth", ".bin", ".safetensors")


def encoder_name(spec: str) -> str:
    """A spec without folders and file endings: what tables show."""
    prefix = "random:" if spec.startswith("random:") else ""
    source, colon, model = spec.removeprefix("random:").rpartition(":")
    if not colon:
        return prefix + Path(model).stem
    return f"{prefix}{Path(source).stem}:{model}"


def in_folder(spec: str, move: Callable[[Path], Path | str]) -> str:
    """A spec that names a local file, ``FILE.py`` or ``CHECKPOINT:MODEL``, with ``move(file)`` in the file's place; any
    other spec as it is. A tag of open_clip has no folders and none of these endings."""
    prefix = "random:" if spec.startswith("random:") else ""
    rest = spec.removeprefix(prefix)
    file, colon, model = (rest, "", "") if rest.endswith(".py") else rest.rpartition(":")
    if not file.endswith((".py", *WEIGHTS_SUFFIXES)) and len(Path(file).parts) < 2:
        return spec
    return f"{prefix}{move(Path(file))}{colon}{model}"
