"""``petseg report``: notebook 07 without its code, as one HTML file that needs nothing beside it."""

import copy
import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from petseg_utils.errors import PetsegError, UsageError
from petseg_utils.workspace import Workspace

if TYPE_CHECKING:  # slow to import; see petseg_utils.cli
    from nbformat import NotebookNode

# What only a reader of the notebook needs: how to install, what to fill in.
LEFT_OUT = ("## Setup", "## Exercises")
# Whatever a browser would fetch by itself; links that a reader may follow are no part of it.
_FETCHED = re.compile(
    r"<script\b[^>]*>|<link\b[^>]*\bhref[^>]*>|@import\b[^;]*;|url\(\s*(?![\"']?(?:data:|#))[^)]*\)"
    r"|<(?:img|iframe|source|embed|object|video|audio)\b[^>]*\b(?:src|data)\s*=\s*(?![\"']?data:)[^>\s]+", re.I)
_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1a1a1a; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; margin-top: 2em; }
img { max-width: 100%; height: auto; }
pre, code { font: 14px/1.45 ui-monospace, monospace; }
pre { white-space: pre-wrap; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; }
th, td { padding: .25em .6em; border-bottom: 1px solid #ddd; text-align: right; }
th { font-weight: 600; }
a.anchor-link { display: none; }
"""


def without_sections(notebook: "NotebookNode", headings: tuple[str, ...] = LEFT_OUT) -> "NotebookNode":
    """The notebook but for some sections: from a heading of the second level to the next one, also within a cell."""
    kept, leaving, notebook = [], False, copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            lines = []
            for line in cell.source.splitlines():
                if line.startswith("## "):
                    leaving = line.strip() in headings
                if not leaving:
                    lines.append(line)
            if any(line.strip() for line in lines):
                cell.source = "\n".join(lines)
                kept.append(cell)
        elif not leaving:
            kept.append(cell)
    notebook.cells = kept
    return notebook


def render(notebook: "NotebookNode") -> str:
    """An executed notebook as one HTML document: prose, tables and figures, no code, nothing to fetch.

    nbconvert's own pages load scripts for formulas and widgets from the net; we take what it makes of the cells and
    put it into a page of ours.

    Raises:
        PetsegError: something in the outputs would have to be fetched.
    """
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_input_prompt=True,
                            exclude_output_prompt=True, embed_images=True)
    body, _ = exporter.from_notebook_node(without_sections(notebook))
    body = re.sub(r"(<table\b.*?</table>)", r'<div class="table">\1</div>', body, flags=re.S)
    title = next(line for line in notebook.cells[0].source.splitlines() if line.startswith("# ")).removeprefix("# ")
    page = (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" '
            f'content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
            f"<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n")
    if fetched := fetched_by(page):
        raise PetsegError(f"the report would fetch {fetched[0]!r}: embed it in the notebook's output")
    return page


def fetched_by(page: str) -> list[str]:
    """What a browser would fetch, or run, for a page: a self-contained one has nothing."""
    return [found.group(0)[:120] for found in _FETCHED.finditer(page)]


@click.command()
@click.option("--profile", default="auto", metavar="NAME", show_default=True, help="Of the study that is reported.")
@click.option("--name", metavar="STUDY", help="Name of the study; the profile's if not given.")
@click.option("--data-root", metavar="DIR", help="Folder of its photos, to predict them again.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
              help="Where the page goes; executed/STUDY/report.html if not given.")
def report(profile: str, name: str | None, data_root: str | None, output: Path | None) -> None:
    """Run notebook 07 and write it without code as one HTML file.

    It shows the study's tables or, where there are none, those of the measured study that come with the package.
    """
    import nbformat

    from petseg_utils import runner
    from petseg_utils.atomic import write_text
    from petseg_utils.overrides import absolute
    from petseg_utils.profiles import resolve
    from petseg_utils.study import Study

    study = Study(resolve(profile), name)
    workspace = Workspace.find()
    if data_root is not None and not Path(absolute(data_root)).is_dir():
        raise UsageError(f"data root {data_root!r} is no folder: give the one of the study's photos")
    if not (tables := workspace.results(study.name) / "metrics.csv").is_file():
        if name is not None:
            raise UsageError(f"study {name!r} has no tables, there is no {str(tables)!r}: give the name of a study "
                             "that was run here")
        click.echo(f"study {study.name!r} has no tables here: the page shows those of the measured study")
    notebooks = runner.select_notebooks(workspace, ["07"])
    runner.run_notebooks(workspace, study.name, notebooks, {
        "PROFILE": study.settings.profile, "STUDY": study.name,
        "DATA_ROOT": absolute(data_root) if data_root is not None else None})
    folder = workspace.executed(study.name)
    page = render(nbformat.read(folder / notebooks[0].name, as_version=4))
    path = output.expanduser() if output else folder / "report.html"
    write_text(path, page)
    click.echo(f"{path}: {len(page.encode()) / 1e6:.1f} MB")
