"""Exercises: stub, check and solution belong together, and a check tells right, open and wrong answers apart."""

import ast
from pathlib import Path

import nbclient
import pytest
from nbformat.v4 import new_code_cell
from reading_notebooks import NOTEBOOKS, printed, read, tags
from wrong_answers import WRONG

from petseg_utils.exercises import checking

SOLUTIONS = NOTEBOOKS[0].parent / "solutions"
WITH_EXERCISES = [path for path in NOTEBOOKS if any("exercise" in tags(cell) for cell in read(path).cells)]
DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


def exercises(notebook) -> dict[str, tuple[int, int]]:
    """The places of each exercise's stub and check among the cells, by the name that the stub defines."""
    found = {}
    for place, cell in enumerate(notebook.cells):
        if "exercise" in tags(cell):
            (definition,) = ast.parse(cell.source).body
            found[definition.name] = (place, place + 1)
    return found


def solutions(path: Path) -> dict[str, str]:
    """The source of each solution of a notebook, ready to run, by name."""
    source = (SOLUTIONS / f"{path.stem}.py").read_text(encoding="utf-8")
    body = ast.parse(source).body
    imports = "\n".join(ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom))
    return {node.name: f"{imports}\n\n{ast.get_source_segment(source, node)}"
            for node in body if isinstance(node, DEFINITIONS)}


@pytest.fixture(scope="module", params=WITH_EXERCISES, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(scope="module")
def verdicts(path, tmp_path_factory):
    """What each check says of the solution, of the stub, of a function that returns None and of wrong answers, from
    one kernel."""
    notebook = read(path)
    found, solved = exercises(notebook), solutions(path)
    answers = {}
    for name, (stub, check) in found.items():
        notebook.cells += [new_code_cell(notebook.cells[stub].source), new_code_cell(notebook.cells[check].source)]
        notebook.cells += [new_code_cell(f"def {name}(*args, **options):\n    return None"),
                           new_code_cell(notebook.cells[check].source)]
        answers[name] = [check, len(notebook.cells) - 3, len(notebook.cells) - 1]
        for wrong in WRONG.get(path.stem, {}).values():
            if wrong.lstrip().startswith(f"def {name}("):
                notebook.cells += [new_code_cell(wrong), new_code_cell(notebook.cells[check].source)]
                answers[name].append(len(notebook.cells) - 1)
        notebook.cells[stub].source = solved[name]
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PETSEG_ROOT", str(tmp_path_factory.mktemp("exercises")))
        environment.setenv("PETSEG_PROFILE", "smoke")
        nbclient.NotebookClient(notebook, timeout=900, kernel_name="python3",
                                resources={"metadata": {"path": str(path.parent)}}).execute()
    return {name: [printed(notebook.cells[place]).strip() for place in places] for name, places in answers.items()}


def test_the_first_lesson_has_exercises():
    assert "01_data_preparation" in {path.stem for path in WITH_EXERCISES}


def test_three_or_more_stubs_with_a_task_to_read(path):
    notebook = read(path)
    found = exercises(notebook)
    assert len(found) >= 3
    for name, (stub, _) in found.items():
        (definition,) = ast.parse(notebook.cells[stub].source).body
        assert ast.get_docstring(definition), name
        assert "raise NotImplementedError" in notebook.cells[stub].source, name


def test_a_numbered_check_follows_each_stub_and_nothing_else_is_one(path):
    notebook = read(path)
    found = exercises(notebook)
    checks = [place for place, cell in enumerate(notebook.cells) if "exercise-check" in tags(cell)]
    assert checks == [check for _, check in found.values()]
    for number, check in enumerate(checks, start=1):
        assert f'with checking("Exercise {number}"):' in notebook.cells[check].source
        assert printed(notebook.cells[check]).startswith(f"Exercise {number} is still open")  # as it is stored


def test_each_exercise_has_a_solution_of_its_name_with_a_reason(path):
    solved = solutions(path)
    for name in exercises(read(path)):
        assert "# " in solved[name], f"{name}: say why"


def test_checks_accept_the_solutions(verdicts):
    assert {name: said[0] for name, said in verdicts.items()} == {
        name: f"Exercise {number} is right." for number, name in enumerate(verdicts, start=1)}


def test_checks_tell_open_from_wrong(verdicts):
    for number, (_, stub, *wrong) in enumerate(verdicts.values(), start=1):
        assert stub.startswith(f"Exercise {number} is still open")
        assert all(said.startswith(f"Exercise {number} is not right yet: ") for said in wrong), wrong


def test_every_wrong_answer_is_put_to_a_check(path, verdicts):
    assert sum(len(said) - 3 for said in verdicts.values()) == len(WRONG.get(path.stem, {}))


# ------------------------------------------------------------------------------------------- the module's part


def said(capsys, action) -> str:
    with checking("Exercise 9"):
        action()
    return capsys.readouterr().out


def fails(error):
    def action():
        raise error

    return action


def test_checking_says_in_one_line_how_an_answer_stands(capsys):
    assert said(capsys, lambda: None) == "Exercise 9 is right.\n"
    assert said(capsys, fails(NotImplementedError())).startswith("Exercise 9 is still open: ")
    assert said(capsys, fails(AssertionError("look at the border"))) == (
        "Exercise 9 is not right yet: look at the border\n")
    assert said(capsys, fails(KeyError("dog"))) == (
        "Exercise 9 is not right yet: your function raised KeyError: 'dog'\n")


def test_checking_lets_the_reader_stop(capsys):
    with pytest.raises(KeyboardInterrupt), checking("Exercise 9"):
        raise KeyboardInterrupt
    assert capsys.readouterr().out == ""
