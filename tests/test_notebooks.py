"""Notebooks are read here, not run (nbval runs them): structure, parameters, style, stored outputs."""

import ast
import json
import re
from pathlib import Path

import papermill
import pytest
from reading_notebooks import NOTEBOOKS, code_cells, read, tags

HEADINGS = ("## Setup", "## What we learned", "## Exercises", "## References")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return read(path)


def test_there_are_notebooks():
    assert [path.stem for path in NOTEBOOKS] == [
        "01_data_preparation", "02_unet", "03_autoencoders", "04_clip_features", "05_prompt_model", "06_robustness",
        "07_comparison"]


def test_opens_with_its_number_and_question(path, notebook):
    first = notebook.cells[0].source
    assert first.startswith(f"# {path.stem[:2]} ")
    assert "**Question.**" in first and "**After this notebook you can**" in first and "**Needs.**" in first


def test_has_the_sections_of_a_lesson(notebook):
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for heading in HEADINGS:
        assert heading in prose


def test_links_to_files_lead_somewhere(path, notebook):
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        assert target.startswith("https://") or (path.parent / target).is_file(), target


def test_has_one_parameters_cell_of_literals_only(notebook):
    (cell,) = [cell for cell in code_cells(notebook) if "parameters" in tags(cell)]
    for statement in ast.parse(cell.source).body:
        assert isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant), ast.unparse(statement)


def test_papermill_sees_every_parameter(path, notebook):
    # papermill reads the cell line by line and skips what it cannot parse, with a warning only.
    (cell,) = [cell for cell in code_cells(notebook) if "parameters" in tags(cell)]
    declared = {statement.targets[0].id for statement in ast.parse(cell.source).body}
    assert set(papermill.inspect_notebook(str(path))) == declared


def test_every_parameter_is_used(notebook):
    (cell,) = [cell for cell in code_cells(notebook) if "parameters" in tags(cell)]
    others = "\n".join(c.source for c in code_cells(notebook) if c is not cell)
    used = {node.id for node in ast.walk(ast.parse(others)) if isinstance(node, ast.Name)}
    assert {statement.targets[0].id for statement in ast.parse(cell.source).body} <= used


def test_setup_cell_is_the_same_everywhere(notebook):
    (setup,) = [cell.source for cell in code_cells(notebook) if "setup" in tags(cell)]
    (first,) = [cell.source for cell in code_cells(read(NOTEBOOKS[0])) if "setup" in tags(cell)]
    assert setup == first


def test_cells_are_short(notebook):
    for cell in code_cells(notebook):
        assert cell.source.count("\n") < 30, cell.source.splitlines()[0]


def test_figures_have_alt_text(notebook):
    for cell in code_cells(notebook):
        for call in ast.walk(ast.parse(cell.source)):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "plots.show":
                assert "alt" in {keyword.arg for keyword in call.keywords}
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                assert output.metadata["image/png"]["alt"], cell.source


def test_some_outputs_are_checked(path, notebook):
    if path.stem.startswith("07"):
        pytest.skip("all that 07 prints depends on the profile")
    assert any("nbval-check-output" in tags(cell) for cell in code_cells(notebook))


def test_stored_outputs_are_of_one_run_from_top_to_bottom(notebook):
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1)), "run make notebooks"


def test_stored_outputs_hold_no_error_and_no_path(notebook):
    outputs = json.dumps([cell.outputs for cell in code_cells(notebook)])
    assert '"output_type": "error"' not in outputs
    assert str(Path.home()) not in outputs and str(NOTEBOOKS[0].parents[1]) not in outputs


def test_file_is_small(path):
    assert path.stat().st_size < 1.5e6
