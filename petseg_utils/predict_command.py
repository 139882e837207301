"""``petseg predict``: anybody's photos to masks, with and without prompts."""

from pathlib import Path

import click
import numpy as np

from petseg_utils.classes import CLASS_NAMES
from petseg_utils.errors import DataError, UsageError

_SIGNS = {"--click": 1, "--click-out": 0}


class _Dialogue(click.Command):
    """Notes in which order clicks in and clicks out come: each answers what the ones before it have left, and click's
    options forget it."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        names = [arg.partition("=")[0] for arg in args]
        context.meta["labels"] = [_SIGNS[name] for name in names if name in _SIGNS]
        return super().parse_args(context, args)


@click.command(cls=_Dialogue)
@click.argument("checkpoint")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--click", "inside", multiple=True, metavar="X,Y", help="Select what lies under this pixel of the photo. "
              "Several clicks, in and out, count in the order in which they are given.")
@click.option("--click-out", "outside", multiple=True, metavar="X,Y", help="Carve away what lies under this pixel.")
@click.option("--text", metavar="WORDS", help="Select a class by name, such as cat, or by words that speak of it.")
@click.option("-o", "--output", default="predictions", show_default=True, metavar="DIR",
              type=click.Path(file_okay=False, path_type=Path), help="Where the pictures and predictions.csv go.")
def predict(checkpoint: str, photos: tuple[Path, ...], inside: tuple[str, ...], outside: tuple[str, ...],
            text: str | None, output: Path) -> None:
    """Segment photos, or all photos in folders: mask, overlay and cut-out PNGs, and a CSV.

    CHECKPOINT is a run's folder or its best.safetensors, or prompt-mini, the small model that comes with the package.
    Without a prompt the pet is looked for. A photo that cannot be read is named and left out; the exit status then
    is 1.
    """
    photos, output = tuple(photo.expanduser() for photo in photos), output.expanduser()
    labels: list[int] = click.get_current_context().meta["labels"]
    given = {1: iter(inside), 0: iter(outside)}
    points = [_point(next(given[label])) for label in labels]
    prompted = bool(points) or text is not None
    from petseg_utils.precision import choose_precision
    from petseg_utils.prediction import Prediction, find_photos, predict_files, predict_photo, predict_region, printable
    from petseg_utils.prompts.prompter import build_prompter
    from petseg_utils.prompts.shipped import find_checkpoint
    from petseg_utils.prompts.text import build_texts
    from petseg_utils.training.checkpoint import load_model, read_spec

    found = find_photos(photos)
    if any(path.resolve().parent == output.resolve() for path in found):
        raise UsageError(f"output folder {str(output)!r} is where photos are: their masks could take the place of "
                         "photos, and the next call would take masks for photos: give another folder")
    texts = None if text is None else build_texts()
    if texts is not None and text is not None:
        code, _ = texts.name_class(text)  # an unknown word is refused once, not for every photo
    path = find_checkpoint(checkpoint)
    image_size, precision = read_spec(path).image_size, choose_precision()
    model = precision.model(load_model(path))
    prompter = build_prompter(model, image_size, precision, texts)

    def segment(image: np.ndarray) -> Prediction:
        if not prompted:
            return predict_photo(model, image, image_size, precision)
        prompter.set_image(image)
        return predict_region(prompter.predict(points, labels, text))

    table, refused = predict_files(segment, found, output)
    if len(table):
        click.echo(table.to_string(index=False))
        for photo, label, share in table[["photo", "label", "selected_share"]].itertuples(index=False):
            if not share:
                wanted = CLASS_NAMES[code] if texts is not None and not points else "pet"
                click.echo(f"{photo}: no {wanted} found{' there' if points else ''}")
            elif texts is not None and points and label != CLASS_NAMES[code]:
                click.echo(f"{photo}: the clicks select {label}, the text says {CLASS_NAMES[code]}")
            elif label == "background":
                click.echo(f"{photo}: background selected, {share:.0%} of the photo")
        click.echo(f"{3 * len(table)} pictures and predictions.csv in {printable(output)}")
    for refusal in refused:
        click.echo(f"petseg: {refusal}", err=True)
    if refused:
        raise DataError(f"{len(refused)} of {len(found)} photos were left out, see above: convert them, click inside, "
                        "or take them away")


def _point(pair: str) -> tuple[float, float]:
    """``120,85`` as numbers."""
    try:
        x, y = (float(value) for value in pair.split(","))
    except ValueError:
        raise UsageError(f"the click {pair!r} is no pair of pixels: write X,Y, such as --click 120,85") from None
    return x, y
