"""prompt-mini, the small prompt model that comes with the package, so that app and lesson work out of the box."""

from importlib.resources import files
from pathlib import Path

from petseg_utils.precision import choose_precision
from petseg_utils.prompts.prompter import Prompter, build_prompter
from petseg_utils.prompts.text import build_texts
from petseg_utils.training.checkpoint import load_model, read_spec

PROMPT_MINI = "prompt-mini"


def find_checkpoint(name: str | Path) -> Path:
    """The file of ``prompt-mini``, of a run's folder its best checkpoint; any other name is a file's own."""
    if str(name) == PROMPT_MINI:
        return Path(str(files("petseg_utils") / "packaged" / f"{PROMPT_MINI}.safetensors"))
    path = Path(name).expanduser()
    return path / "best.safetensors" if path.is_dir() else path


def load_prompter(checkpoint: str | Path = PROMPT_MINI, device: str = "auto") -> Prompter:
    """A prompter that is ready for :meth:`petseg_utils.prompts.prompter.Prompter.set_image`, texts included.

    Args:
        checkpoint: of any segmentation run, or ``prompt-mini``.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        DataError: the file is missing or is no checkpoint of ours.
    """
    path, precision = find_checkpoint(checkpoint), choose_precision(device)
    return build_prompter(precision.model(load_model(path)), read_spec(path).image_size, precision, build_texts())
