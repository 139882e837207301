"""NAME=VALUE on the command line: values as Python literals, files and folders from where the user stands."""

import ast
import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from petseg_utils.encoders.naming import in_folder
from petseg_utils.errors import UsageError
from petseg_utils.profiles import Settings, resolve

# What a run depends on without its spec's saying so, or by the data's fingerprint only.
_BESIDE_THE_SPEC = {"DATASET", "DATA_ROOT", "ALLOW_DEFECTS", "DEVICE", "CACHE_GB"}
_OF_SYNTHETIC_PETS = {"N_TRAINVAL", "N_TEST"}


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


def refuse_idle(values: dict[str, Any], settings: Settings, spec_of: Callable[[Any], Any], model: str) -> None:
    """Refuse values that change nothing in what is about to be trained: who gave one believes that it does.

    Args:
        values: from :func:`parse_sets`.
        settings: with these values.
        spec_of: the run's spec in a :class:`petseg_utils.study.Study`; the data is not opened for it.
        model: the run's.

    Raises:
        UsageError: the spec would be the same with the profile's own value, which is another.
    """
    from petseg_utils.models import FROZEN_ENCODER_NAMES, PROMPT_NAMES
    from petseg_utils.study import Study

    def spec(of: Settings) -> Any:
        study = Study(of)
        study.data = SimpleNamespace(fingerprint="")  # type: ignore[assignment]
        return spec_of(study)

    plain = resolve(settings.profile)
    beside = _BESIDE_THE_SPEC | (_OF_SYNTHETIC_PETS if settings.dataset == "synthetic" else set())
    for name in values.keys() - beside:
        own = {name.lower(): getattr(plain, name.lower())}
        without = dataclasses.replace(settings, **own)
        if without != settings and spec(without) == spec(settings):
            length = "EPOCHS"
            if model in FROZEN_ENCODER_NAMES:
                length = "PROMPT_EPOCHS" if model in PROMPT_NAMES else "DECODER_EPOCHS"
            mend = f"set {length}" if name.endswith("EPOCHS") else "leave it out"
            raise UsageError(f"{name}={values[name]} says nothing of {model}: {mend}")


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
