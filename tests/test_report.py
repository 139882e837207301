"""The report: notebook 07 as a page that needs nothing beside it."""

import re

import nbformat
import pytest
from click.testing import CliRunner
from making_runs import write_notebook
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from reading_notebooks import NOTEBOOKS, read

from petseg_utils.cli import main
from petseg_utils.comparison.report import fetched_by, render, without_sections
from petseg_utils.errors import PetsegError


def page_of(*cells):
    return render(new_notebook(cells=[new_markdown_cell("# Title & more"), *cells]))


def shown(kind, data):
    return new_code_cell("secret = 1", outputs=[new_output("display_data", data={kind: data})])


@pytest.fixture(scope="module")
def page():
    return render(read(next(path for path in NOTEBOOKS if path.stem == "07_comparison")))


def test_the_report_of_notebook_07_is_one_page_without_code(page):
    assert fetched_by(page) == []
    assert page.startswith("<!DOCTYPE html>") and "<title>07 Comparison: which differences are real?</title>" in page
    assert 5 <= page.count("data:image/png;base64,") <= 8 and page.count("<table") >= 5
    assert "import numpy" not in page and "PROFILE =" not in page
    assert "Exercise 1" not in page and "PETSEG_ROOT" not in page
    assert "What we learned" in page and "Appendix" in page


def test_figures_keep_their_alt_text_and_formulas_need_no_script(page):
    pictures = re.findall(r"<img[^>]*>", page)
    assert all(re.search(r'alt="[^"]{20,}"', picture) for picture in pictures)
    assert not re.search(r"\$[^$<>\n]+\$|\\\(|\\frac", page)  # MathJax would have to be fetched


def test_links_lead_to_the_net_or_within_the_page(page):
    for target in re.findall(r'href="([^"]+)"', page):
        assert target.startswith(("https://", "#")), target


@pytest.mark.parametrize("html", [
    '<script src="https://cdn.example/x.js"></script>', "<script>fetch('x')</script>", '<img src="figure.png">',
    '<link rel="stylesheet" href="//cdn.example/x.css">', "<style>@import 'x.css';</style>",
    '<div style="background: url(http://x/y.png)"></div>'])
def test_what_would_be_fetched_is_found_and_refused(html):
    assert fetched_by(html)
    with pytest.raises(PetsegError, match="would fetch"):
        page_of(shown("text/html", html))


def test_what_is_embedded_or_only_followed_is_fine():
    assert fetched_by('<img src="data:image/png;base64,AA"> <a href="https://example.org">x</a>') == []
    page = page_of(shown("text/html", "<table><tr><td>1</td></tr></table>"))
    assert "secret" not in page and '<div class="table"><table>' in page and "<title>Title &amp; more</title>" in page


def test_sections_are_left_out_up_to_the_next_heading():
    notebook = new_notebook(cells=[
        new_markdown_cell("# T\n\n## Setup\ngone"), new_code_cell("gone"),
        new_markdown_cell("## Kept\ntext\n## Exercises"),
        new_code_cell("gone"), new_markdown_cell("also gone\n## References\nbook")])
    left = without_sections(notebook)
    assert [cell.source for cell in left.cells] == ["# T\n", "## Kept\ntext", "## References\nbook"]
    assert len(notebook.cells) == 5 and "## Setup" in notebook.cells[0].source  # as it was


def test_the_command_runs_the_notebook_and_writes_the_page(workspace_root):
    write_notebook(workspace_root / "notebooks" / "07_comparison.ipynb", "print(PROFILE, STUDY)",
                   parameters='PROFILE = "auto"\nSTUDY = None')
    path = workspace_root / "notebooks" / "07_comparison.ipynb"
    notebook = read(path)
    notebook.cells.insert(0, new_markdown_cell("# A report"))
    nbformat.write(notebook, path)
    refused = CliRunner().invoke(main, ["report", "--profile", "smoke", "--name", "mine"])
    assert refused.exit_code == 2 and "petseg: study 'mine' has no tables, there is no " in refused.output
    tables = workspace_root / "results" / "mine" / "metrics.csv"
    tables.parent.mkdir(parents=True)
    tables.touch()
    refused = CliRunner().invoke(main, ["report", "--profile", "smoke", "--name", "mine", "--data-root", "nowhere"])
    assert refused.exit_code == 2 and "petseg: data root 'nowhere' is no folder" in refused.output
    result = CliRunner().invoke(main, ["report", "--profile", "smoke", "--name", "mine"])
    assert result.exit_code == 0, result.output
    page = (workspace_root / "executed" / "mine" / "report.html").read_text()
    assert "smoke mine" in page and "<title>A report</title>" in page
    assert "report.html" in result.output
