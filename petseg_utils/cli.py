"""The command line: ``petseg data | study | report | merge | train | petclip | evaluate | predict``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from petseg_utils import __version__
from petseg_utils.classes import BORDER_POLICIES
from petseg_utils.comparison.report import report
from petseg_utils.errors import DataError, PetsegError, UsageError
from petseg_utils.evaluate_command import evaluate, print_scores, prompts_as_json, tell_left_out
from petseg_utils.overrides import absolute, parse_sets, refuse_idle
from petseg_utils.petclip.command import petclip
from petseg_utils.predict_command import predict
from petseg_utils.profiles import DATASETS, OVERRIDABLE, PROFILES, Settings, resolve
from petseg_utils.workspace import Workspace

PARTS = ("train", "val", "test")  # without photos in one of them, nothing can be trained and scored

# Modules that import torch's or the notebooks' machinery are imported by the commands that need them: --help and a
# wrong call answer at once.


class _Group(click.Group):
    """Prints a user's mistake as one sentence and exits with its code, never with a traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except PetsegError as error:
            click.echo(f"petseg: {error}", err=True)
            context.exit(error.exit_code)
        except OSError as error:
            if error.filename is None:  # no file's: nothing that a user could mend
                raise
            click.echo(f"petseg: {error.strerror}: {str(error.filename)!r}: give another place", err=True)
            context.exit(1)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="petseg")
def main() -> None:
    """Semantic segmentation of pets (background, cat, dog): a study in seven notebooks."""


def _data_options(command: Callable) -> Callable:
    for option in (
        click.option("--allow-defects", is_flag=True, help="Leave defective photos out instead of stopping."),
        click.option("--data-root", metavar="DIR", help="Folder that holds oxford-iiit-pet/, or TrainVal/ and Test/."),
        click.option("--dataset", metavar="NAME", help=f"{' or '.join(DATASETS)}; the profile's if not given."),
        click.option("--profile", default="auto", metavar="NAME", show_default=True,
                     help=f"Size of the study: auto, {', '.join(PROFILES)}."),
    ):
        command = option(command)
    return command


def _set_option(command: Callable) -> Callable:
    option = click.option("--set", "sets", multiple=True, metavar="NAME=VALUE", help="Override a number, by name.")
    return option(command)


def _settings(profile: str, dataset: str | None, data_root: str | None, allow_defects: bool,
              sets: dict[str, Any] | None = None) -> Settings:
    options = {"dataset": dataset, "data_root": absolute(data_root) if data_root is not None else None,
               "allow_defects": allow_defects}
    return resolve(profile, **options, **(sets or {}))


@main.command()
@_data_options
@click.option("--download", is_flag=True, help="Fetch the official archive (800 MB) if it is not there.")
@click.option("--shrink", type=click.IntRange(min=32), metavar="PIXELS", help="Only write a copy with square photos of "
              "that side to -o DIR, in the Oxford layout.")
@click.option("-o", "--output", metavar="DIR", type=click.Path(file_okay=False, path_type=Path),
              help="Where --shrink writes.")
def data(profile: str, dataset: str | None, data_root: str | None, allow_defects: bool, download: bool,
         shrink: int | None, output: Path | None) -> None:
    """Render or fetch a data set, verify every file, print its counts, defects and audit."""
    settings = _settings(profile, dataset, None if download else data_root, allow_defects)
    if (shrink is None) != (output is None):
        raise UsageError("--shrink and -o belong together: write --shrink 128 -o DIR")
    if shrink is not None and allow_defects:
        raise UsageError("--shrink copies a data set whole: --allow-defects means nothing to it: leave it out")
    from petseg_utils.data.audit import audit, describe
    from petseg_utils.data.download import ensure_oxford
    from petseg_utils.data.shrinking import write_small_copy
    from petseg_utils.study import Study

    if download:
        if dataset == "synthetic":
            raise UsageError("--download fetches Oxford-IIIT Pet, --dataset says 'synthetic': drop one of the two")
        target = Path(absolute(data_root)) if data_root is not None else Workspace.find().data / "oxford"
        settings = _settings(profile, "oxford", str(ensure_oxford(target)), allow_defects)
    study = Study(settings)
    if shrink is not None and output is not None:
        click.echo(f"{write_small_copy(study.data_root, output, shrink)} photos of {shrink} px in {output}")
        return
    opened = study.data
    click.echo(f"{study.data_root}: {len(opened.manifest)} photos, {opened.layout.kind} layout, "
               f"fingerprint {opened.fingerprint}")
    found = audit(opened)
    click.echo(found.photos.to_string())
    for defect in opened.defects:
        click.echo(defect)
    if not opened.defects:
        click.echo("no defects")
    click.echo(describe(found))
    for part in PARTS:
        try:
            opened.indices(part)
        except DataError as error:  # a test part alone can be evaluated on, so this is no refusal
            click.echo(f"petseg: {error}", err=True)


@main.command()
@_data_options
@click.option("--only", multiple=True, metavar="NN", help="Run these notebooks only, by number.")
@click.option("--name", metavar="STUDY", help="Name of the folders of results and figures; the profile's if not given.")
@_set_option
@click.argument("more", nargs=-1, metavar="")
def study(profile: str, dataset: str | None, data_root: str | None, allow_defects: bool, only: tuple[str, ...],
          name: str | None, sets: tuple[str, ...], more: tuple[str, ...]) -> None:
    """Run the study's notebooks headless and leave tables and figures.

    Several values may follow one option: --only 02 04 --set EPOCHS=3 SEED=1.
    """
    values = parse_sets(sets + tuple(item for item in more if "=" in item))
    numbers = only + tuple(item for item in more if "=" not in item)
    if (len(numbers) > len(only) and not only) or (len(values) > len(sets) and not sets):
        raise UsageError(f"petseg study got {' '.join(more)!r}: say --only for notebooks, --set for values")
    # A notebook's own parameters are no settings; the profile and the study's name have options, so these are refused.
    known = {name: value for name, value in values.items() if name.lower() in (*OVERRIDABLE, "profile", "study")}
    settings = _settings(profile, dataset, data_root, allow_defects, known)
    from petseg_utils import runner
    from petseg_utils.encoders.specs import build_encoder
    from petseg_utils.precision import choose_precision
    from petseg_utils.study import Study
    from petseg_utils.training.recipes import get_recipe

    chosen, workspace = Study(settings, name), Workspace.find()
    notebooks = runner.select_notebooks(workspace, numbers)
    runner.check_parameters(notebooks, values)
    click.echo(repr(chosen))
    # What hours of training would not mend stops here, before any notebook.
    get_recipe(settings.recipe)
    choose_precision(settings.device)
    if runner.declares(notebooks, "ENCODER"):
        build_encoder(settings.encoder, settings.encoder_size)
    if runner.declares(notebooks, "DATASET"):
        click.echo(f"{len(chosen.data.manifest)} photos from {chosen.data_root}")
        tell_left_out(chosen.data)
        for part in PARTS:
            chosen.data.indices(part)  # refuses an empty part
    seconds = runner.run_notebooks(workspace, chosen.name, notebooks, values | {
        "PROFILE": settings.profile, "STUDY": chosen.name, "DATASET": settings.dataset,
        "DATA_ROOT": settings.data_root, "ALLOW_DEFECTS": settings.allow_defects,
    })
    click.echo(f"{'together':<24} {sum(seconds.values()):6.0f} s")
    for folder in (workspace.results(chosen.name), workspace.figures(chosen.name), workspace.executed(chosen.name)):
        click.echo(f"{folder.relative_to(workspace.root)}: {len(list(folder.glob('*')))} files")


@main.command()
@click.argument("workspaces", type=click.Path(path_type=Path), nargs=-1, required=True)
def merge(workspaces: tuple[Path, ...]) -> None:
    """Bring finished runs from other machines' workspaces into this one.

    Run the study here afterwards: it reads them, trains what is still missing, and writes the tables.
    """
    from petseg_utils.merging import merge_runs

    here = Workspace.find()
    for other in workspaces:
        merged = merge_runs(other.expanduser(), here)
        click.echo(f"{other}: {len(merged.brought)} runs brought, {len(merged.known)} already here, "
                   f"{len(merged.unfinished)} not finished there, {len(merged.busy)} being trained here")
        for name in merged.strange:
            click.echo(f"{name} left out: it is not named after its spec, but renamed, edited or of another version")


@main.command()
@click.argument("model")
@_data_options
@click.option("--augmentation", default="five", show_default=True, help="none, five, zoomed or spoiled.")
@click.option("--border", type=click.Choice(BORDER_POLICIES), default="ignore", show_default=True, help="What the "
              "trimap's border is in training, and in the scores that are printed.")
@click.option("--edge-clicks", type=float, default=0.0, metavar="SHARE", help="Of a prompt model: the share of its "
              "training clicks on pets that are drawn near edges.")
@click.option("--start", default="", metavar="RUN", help="Of prompt or prompt-clip: the run whose weights it begins "
              "with.")
@_set_option
@click.argument("more", nargs=-1, metavar="")
def train(model: str, profile: str, dataset: str | None, data_root: str | None, allow_defects: bool, augmentation: str,
          border: str, edge_clicks: float, start: str, sets: tuple[str, ...], more: tuple[str, ...]) -> None:
    """Train one run without a notebook, or go on where it stopped. Prints its folder and test scores.

    MODEL is unet or unet-resattn; ae-simple, ae-improved, ae-unet or mae (from scratch); clip, a decoder on a frozen
    encoder; or a model that takes prompts: prompt, prompt-clip, prompt-unet.
    """
    values = parse_sets(sets + more)
    settings = _settings(profile, dataset, data_root, allow_defects, values)
    from petseg_utils.models import build_model
    from petseg_utils.study import Study

    build_model(model)  # an unknown model is refused before the data is opened
    start = Workspace.find().run_name(start) if start else ""

    def spec_of(study: Study) -> Any:
        return study.spec(model, augmentation=augmentation, border=border, edge_clicks=edge_clicks, start=start)

    refuse_idle(values, settings, spec_of, model)
    chosen = Study(settings)
    spec = spec_of(chosen)
    tell_left_out(chosen.data)
    run = chosen.train(spec)
    if not run.best.is_file():
        raise DataError(f"run {run.name} is finished, but its best.safetensors is gone: bring it back, or remove "
                        f"{str(run.folder)!r} to train it again")
    about: dict[str, Any] = {"checkpoint": str(run.best), "split": "test"}
    if run.has_prompt_scores("test"):
        about["prompts"] = prompts_as_json(run.prompt_scores("test"))
    print_scores(run.statistics("test"), border, about)


main.add_command(evaluate)
main.add_command(petclip)
main.add_command(predict)
main.add_command(report)
