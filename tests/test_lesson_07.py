"""Notebook 07 claims nothing that it does not compute: its prose holds no score, and what it printed of the measured
study is in the packaged tables."""

import re

import pytest
from reading_notebooks import NOTEBOOKS, code_cells, read, tags

from petseg_utils.comparison.main_table import with_interval
from petseg_utils.results import packaged_table

# .763, 0.76, .8: a score or a p-value. Percentages and counts are settings, and words say them.
SCORE = re.compile(r"(?<![\w.])0?\.\d+")


@pytest.fixture(scope="module")
def notebook():
    return read(next(path for path in NOTEBOOKS if path.stem == "07_comparison"))


def test_prose_holds_no_typed_score(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not SCORE.findall(cell.source), cell.source
    assert SCORE.findall("it scores .763, or 0.8") == [".763", "0.8"]  # what is looked for


def test_code_prints_no_typed_score(notebook):
    """A score may stand in a string that is displayed only as a place for a computed value."""
    for cell in code_cells(notebook):
        if not {"setup", "exercise", "exercise-check"} & set(tags(cell)):
            for text in re.findall(r"Markdown\((.*?)\)\)", cell.source, flags=re.S):
                literal = re.sub(r"\{[^{}]*\}", "", text)
                assert not SCORE.findall(literal), literal


def test_what_it_printed_of_the_measured_study_is_in_the_packaged_tables(notebook):
    metrics = packaged_table("metrics")
    known = {with_interval(row) for row in metrics[metrics["split"] == "test"].itertuples()}
    outputs = [output for cell in code_cells(notebook) if "measured" in tags(cell) for output in cell.outputs]
    kinds = ("text/html", "text/markdown")
    text = "\n".join(output.get("data", {}).get(kind, "") for output in outputs for kind in kinds)
    quoted = set(re.findall(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", text))
    assert len(quoted) >= 30 and quoted <= known, quoted - known


def test_at_most_eight_figures_and_long_tables_in_the_appendix(notebook):
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert 5 <= len(pictures) <= 8
    headings = [line for cell in notebook.cells if cell.cell_type == "markdown"
                for line in cell.source.splitlines() if line.startswith("## ")]
    assert headings[-1].startswith("## Appendix")
