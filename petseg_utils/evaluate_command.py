"""``petseg evaluate``: a checkpoint on any data, and how scores are printed."""

import json
import math
from typing import TYPE_CHECKING, Any

import click

from petseg_utils.classes import BORDER_POLICIES
from petseg_utils.errors import UsageError
from petseg_utils.overrides import absolute
from petseg_utils.workspace import Workspace

if TYPE_CHECKING:  # slow to import; see petseg_utils.cli
    from petseg_utils.data.cache import PetData
    from petseg_utils.metrics import ImageStatistics
    from petseg_utils.prompts.protocol import PromptScores


@click.command()
@click.argument("checkpoint")
@click.option("--data-root", metavar="DIR", required=True, help="Folder in a known layout.")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True)
@click.option("--border", type=click.Choice(BORDER_POLICIES), default="ignore", show_default=True)
@click.option("--image-size", type=int, metavar="N", help="Only for the off-the-shelf model: photos are squeezed to "
              "N x N px, 128 if not given. A checkpoint knows its own.")
@click.option("--flips", is_flag=True, help="Ask about each photo and its mirror image, and average.")
@click.option("--scales", metavar="X,Y,...", help="Ask at these multiples of the photo's size (of the encoder's, "
              "where there is one), and average.")
@click.option("--one-species", is_flag=True, help="Let a photo's pixels vote: all pets in it are cats, or all dogs.")
@click.option("--allow-defects", is_flag=True, help="Leave defective photos out instead of stopping.")
def evaluate(checkpoint: str, data_root: str, split: str, border: str, image_size: int | None, flips: bool,
             scales: str | None, one_species: bool, allow_defects: bool) -> None:
    """Score a checkpoint on any data in a known layout; prints JSON.

    CHECKPOINT is a run's folder or its best.safetensors; prompt-mini, the small model that comes with the package; or
    torchvision:deeplabv3_mobilenet_v3_large, the off-the-shelf control.
    """
    from petseg_utils.data.cache import open_data
    from petseg_utils.evaluation import evaluate as evaluate_model
    from petseg_utils.models.offtheshelf import is_offtheshelf, load_offtheshelf
    from petseg_utils.precision import choose_precision
    from petseg_utils.prompts.shipped import find_checkpoint
    from petseg_utils.training.checkpoint import load_model, read_spec

    if offtheshelf := is_offtheshelf(checkpoint):
        model, size = load_offtheshelf(checkpoint), 128 if image_size is None else image_size
    elif image_size is None:
        path = find_checkpoint(checkpoint)
        size, model = read_spec(path).image_size, load_model(path)
        if (path.parent / "spec.json").is_file() and not (path.parent / "run.json").is_file():
            click.echo(f"petseg: run {path.parent.name} is not finished, this is its best epoch so far", err=True)
    else:
        raise UsageError(f"--image-size {image_size} is for the off-the-shelf model: leave it out for a checkpoint")
    model = _asked(model, flips, scales, one_species)
    precision = choose_precision()
    opened = open_data(absolute(data_root), size, Workspace.find().cache, allow_defects=allow_defects)
    tell_left_out(opened)
    # The off-the-shelf model works at 520 px inside: 64 photos at once would take gigabytes.
    scored = evaluate_model(precision.model(model), opened, split, precision, batch_size=8 if offtheshelf else 64)
    asked = {"flips": flips, "scales": scales, "one_species": one_species}
    print_scores(scored, border, {"checkpoint": checkpoint, "split": split, "loss": round(scored.mean_loss, 6)}
                 | {option: value for option, value in asked.items() if value})


def _asked(model: Any, flips: bool, scales: str | None, one_species: bool) -> Any:
    """The model as the options have it asked, from the inside out."""
    from petseg_utils.models.test_time import FlipAveraged, ScaleAveraged
    from petseg_utils.models.vote import OneSpecies

    if scales is not None:
        try:
            numbers = [float(scale) for scale in scales.split(",")]
        except ValueError:
            raise UsageError(f"--scales {scales!r}: give numbers with commas between, such as .75,1,1.25") from None
        model = ScaleAveraged(model, numbers)
    if flips:
        model = FlipAveraged(model)
    return OneSpecies(model) if one_species else model


def tell_left_out(data: "PetData") -> None:
    """Say on standard error how many photos were left out, if any: what is left may be another data set."""
    if data.defects:
        click.echo(f"petseg: {len(data.defects)} defective photos were left out, {len(data.manifest)} are used; petseg "
                   "data names the defects", err=True)


def print_scores(statistics: "ImageStatistics", border: str, about: dict[str, Any]) -> None:
    """Print IoU, Dice and accuracy with their intervals as JSON, after ``about``."""
    from petseg_utils.metrics import score_rows

    scores: dict[str, Any] = {}
    for row in score_rows(statistics):
        if row["border"] == border:
            by_class = scores.setdefault(row["reduction"], {}).setdefault(row["metric"], {})
            by_class[row["class"] or "all pixels"] = _as_json(row)
    click.echo(json.dumps(about | {"border": border, "n_images": len(statistics), "scores": scores}, indent=1))


def prompts_as_json(scores: "PromptScores") -> dict[str, dict[str, dict[str, float | None]]]:
    """Prompt scores, ``[prompt][metric]``, with their intervals."""
    from petseg_utils.prompts.table import prompt_rows

    found: dict[str, dict[str, dict[str, float | None]]] = {}
    for row in prompt_rows(scores):
        of = f"{row['metric']} of the {row['class']}" if row["metric"] == "iou" else row["metric"]
        found.setdefault(row["prompt"], {})[of] = _as_json(row)
    return found


def _as_json(row: dict[str, Any]) -> dict[str, float | None]:
    return {key: None if math.isnan(row[key]) else round(row[key], 4) for key in ("value", "ci_low", "ci_high")}
