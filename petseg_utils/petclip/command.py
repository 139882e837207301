"""``petseg petclip``: the command that trains petclip-mini again."""

from pathlib import Path

import click

from petseg_utils.workspace import Workspace


@click.command()
@click.option("--data-root", metavar="DIR", required=True, help="Folder that holds oxford-iiit-pet/.")
@click.option("--teacher", default="", metavar="SPEC", help="Encoder whose features are learned from as well, such as "
              "timm:resnet101.tv_in1k or a FILE.py.")
@click.option("--objective", type=click.Choice(["captions", "labels"]), default="captions", show_default=True,
              help="What is learned from; labels is the control.")
@click.option("--epochs", default=50, show_default=True)
@click.option("--cache-gb", default=8.0, show_default=True, help="Room for the teacher's cached features.")
@click.option("-o", "--output", required=True, metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Where the weights go, such as petclip-mini.safetensors.")
def petclip(data_root: str, teacher: str, objective: str, epochs: int, cache_gb: float, output: Path) -> None:
    """Train petclip-mini, the small CLIP of notebook 04, on captioned photos; goes on where it stopped.

    Prints its scores: a row for cat or dog, for the breeds it has learned and for those that were withheld.
    """
    import pandas as pd
    from tqdm import tqdm

    from petseg_utils.encoders.features import FeatureStore
    from petseg_utils.petclip.pretrain import export, open_captioned, petclip_spec, score_rows
    from petseg_utils.training.loop import train

    workspace = Workspace.find()
    captioned = open_captioned(data_root, workspace)
    spec = petclip_spec(captioned, objective=objective, teacher=teacher, epochs=epochs)
    store = FeatureStore(workspace.cache / "features", cache_gb, lambda chunks, what: tqdm(chunks, desc=what))
    run = train(spec, captioned, workspace.runs, features=store)
    export(run, captioned, output.expanduser())
    click.echo(pd.DataFrame(score_rows(run)).to_string(index=False))
    click.echo(f"weights in {output}")
