"""What finished runs are asked after training, and kept beside them: about photos of native size, what prompts get from
models that take none, and anew where the meaning of a prompt has changed since."""

from typing import Any

from petseg_utils.data.cache import PetData
from petseg_utils.evaluation import evaluate
from petseg_utils.metrics import ImageStatistics
from petseg_utils.precision import Precision
from petseg_utils.progress import bar
from petseg_utils.prompts.prompter import build_prompter
from petseg_utils.prompts.protocol import PromptScores, evaluate_prompts
from petseg_utils.prompts.text import build_texts
from petseg_utils.training.run import CLICKED, NATIVE, Run


def score_at_native_size(run: Run, native: PetData, precision: Precision) -> None:
    """Score a run on the test photos of a data set whose photos have their own sizes, unless it was scored on it."""
    if not run.has_statistics(NATIVE, native.fingerprint):
        run.write_statistics(NATIVE, evaluate(precision.model(run.load_model()), native, "test", precision),
                             native.fingerprint)
    if run.spec.task == "prompt" and not run.has_prompt_scores(NATIVE, native.fingerprint):
        run.write_prompt_scores(NATIVE, _ask_with_prompts(run, native, precision)[0], native.fingerprint)


def score_prompts_anew(run: Run, data: PetData, precision: Precision) -> None:
    """Score a finished prompt model's answers again if they were scored when a prompt meant something else."""
    if run.spec.task == "prompt" and not run.has_prompt_scores("test", data.fingerprint):
        scores, statistics = _ask_with_prompts(run, data, precision)
        run.write_statistics(CLICKED, statistics, data.fingerprint)
        run.write_prompt_scores("test", scores, data.fingerprint)


def prompt_control(run: Run, datasets: dict[str, PetData], precision: Precision, *,
                   components: bool) -> dict[str, PromptScores]:
    """What prompts get from a run's model that takes none: the part under the click, or (with ``components`` off) the
    pet wherever the click is.

    Args:
        datasets: by the split's name.

    Returns:
        Scores by split.
    """
    kind = "components" if components else "clicks-ignored"
    found = {}
    for split, data in datasets.items():
        if not run.has_prompt_scores(f"{split}-{kind}", data.fingerprint):
            scores, _ = _ask_with_prompts(run, data, precision, components=components)
            run.write_prompt_scores(f"{split}-{kind}", scores, data.fingerprint)
        found[split] = run.prompt_scores(f"{split}-{kind}")
    return found


def _ask_with_prompts(run: Run, data: PetData, precision: Precision,
                      **options: Any) -> tuple[PromptScores, ImageStatistics]:
    model = precision.model(run.load_model())
    prompter = build_prompter(model, run.spec.image_size, precision, build_texts(), **options)
    return evaluate_prompts(prompter, data, "test", progress=bar("photo"))
