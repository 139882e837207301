"""Running notebooks headless, on notebooks of a line or two: their order, their parameters, and how they fail."""

import json
import os
import subprocess
import sys
import time

import nbformat
import pandas as pd
import papermill
import pytest
from filelock import FileLock
from making_runs import CLOCK_COLUMNS, assert_sentence, write_notebook
from papermill.exceptions import PapermillExecutionError

from petseg_utils.errors import DataError, PetsegError, TrainingError, UsageError
from petseg_utils.runner import NotebookError, check_parameters, run_notebooks, select_notebooks
from petseg_utils.training.loop import ORPHAN_SECONDS
from petseg_utils.workspace import Workspace

PARAMETERS = "EPOCHS = None  # the profile's\nSEED = 0"


@pytest.fixture
def workspace(workspace_root):
    return Workspace(workspace_root)


def add(workspace, name, *sources, parameters=None):
    return write_notebook(workspace.notebooks / f"{name}.ipynb", *sources, parameters=parameters)


@pytest.fixture
def three(workspace):
    """Three notebooks, written out of order, and a file that is none of the study's."""
    paths = {number: add(workspace, f"{number}_{name}", "", parameters=parameters) for number, name, parameters in (
        ("03", "last", "CLICKS = 1"), ("01", "first", PARAMETERS), ("02", "middle", None))}
    add(workspace, "scratch", "")
    return [paths[number] for number in ("01", "02", "03")]


def test_notebooks_are_selected_in_order(workspace, three):
    assert select_notebooks(workspace) == three
    assert select_notebooks(workspace, ["03", "1"]) == [three[0], three[2]]
    assert select_notebooks(workspace, (number for number in ["2"])) == [three[1]]


def test_numbers_and_workspaces_without_notebooks_are_refused_with_a_sentence(workspace, three):
    with pytest.raises(UsageError) as raised:
        select_notebooks(workspace, ["02", "08"])
    assert_sentence(str(raised.value), "no notebook has number '08': choose among 01, 02, 03")
    with pytest.raises(UsageError) as raised:
        select_notebooks(Workspace(workspace.root / "elsewhere"))
    assert_sentence(str(raised.value), "no notebooks in ", "elsewhere", "set PETSEG_ROOT")


def test_a_parameter_that_no_selected_notebook_declares_is_refused_with_a_sentence(three):
    check_parameters(three, ["EPOCHS", "CLICKS"])
    check_parameters(three, [])
    for notebooks, name, known in ((three, "EPOCH", "CLICKS, EPOCHS, SEED"), (three[:2], "CLICKS", "EPOCHS, SEED"),
                                   (three, "epochs", "CLICKS, EPOCHS, SEED")):
        with pytest.raises(UsageError) as raised:
            check_parameters(notebooks, ["SEED", name])
        assert_sentence(str(raised.value), f"no selected notebook has a parameter {name!r}: choose among {known}")


LOG = """
import json, os, pathlib
with open(pathlib.Path(os.environ["PETSEG_ROOT"]) / "log.jsonl", "a") as log:
    seen = {name: globals().get(name, "absent") for name in ("EPOCHS", "SEED", "STUDY")}
    log.write(json.dumps(seen | {"cwd": os.getcwd()}) + "\\n")
"""


def test_notebooks_run_in_order_with_the_parameters_that_they_declare(workspace, capsys, monkeypatch):
    paths = [add(workspace, "01_first", LOG, parameters=PARAMETERS),
             add(workspace, "02_second", LOG, parameters="STUDY = 'none'")]
    monkeypatch.setenv("PETSEG_ROOT", "/nowhere")  # the workspace's root goes to the kernels, whatever was set before
    before = [path.read_bytes() for path in paths]
    seconds = run_notebooks(workspace, "mine", paths, {"EPOCHS": 3, "STUDY": "mine", "UNKNOWN": 1})
    log = [json.loads(line) for line in (workspace.root / "log.jsonl").read_text().splitlines()]
    folder = str(workspace.notebooks)
    assert log == [{"EPOCHS": 3, "SEED": 0, "STUDY": "absent", "cwd": folder},
                   {"EPOCHS": "absent", "SEED": "absent", "STUDY": "mine", "cwd": folder}]
    assert list(seconds) == ["01_first", "02_second"] and all(second > 0 for second in seconds.values())
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["01_first", "02_second"]
    # Executed copies are kept, with what was injected; the originals are left alone.
    assert [path.name for path in sorted(workspace.executed("mine").iterdir())] == [path.name for path in paths]
    copy = nbformat.read(workspace.executed("mine") / "01_first.ipynb", as_version=4)
    assert any("injected-parameters" in cell.metadata.get("tags", []) for cell in copy.cells)
    assert [path.read_bytes() for path in paths] == before


def test_a_failing_notebook_is_told_in_a_sentence_and_stops_the_study(workspace):
    bad = add(workspace, "02_bad", "x = 1", "print('so far')\nx / 0", parameters="SEED = 0")
    later = add(workspace, "03_later", "pass")
    with pytest.raises(NotebookError) as raised:
        run_notebooks(workspace, "mine", [bad, later], {})
    assert_sentence(str(raised.value), "notebook 02_bad stopped in cell 3 with ZeroDivisionError: division by zero; ",
                    str(workspace.executed("mine") / "02_bad.ipynb"))
    assert raised.value.exit_code == 1
    kept = (workspace.executed("mine") / "02_bad.ipynb").read_text()
    assert "so far" in kept and "ZeroDivisionError" in kept
    assert not (workspace.executed("mine") / "03_later.ipynb").exists()


def test_a_users_mistake_inside_a_notebook_surfaces_as_its_own_sentence(workspace):
    path = add(workspace, "01_first", "from petseg_utils.errors import UsageError",
               "raise UsageError('width is 0: give 1 or more')")
    with pytest.raises(UsageError) as raised:
        run_notebooks(workspace, "mine", [path], {})
    assert str(raised.value) == "width is 0: give 1 or more"
    assert raised.value.exit_code == 2
    assert raised.value.__suppress_context__  # papermill's own traceback is nobody's interest


def all_errors(base):
    return [base, *(error for child in base.__subclasses__() for error in all_errors(child))]


@pytest.mark.parametrize("kind", [PetsegError, DataError, TrainingError, UsageError], ids=lambda kind: kind.__name__)
def test_every_error_of_ours_keeps_its_kind(kind, workspace, monkeypatch):
    def failing(*args, **kwargs):
        raise PapermillExecutionError(cell_index=1, exec_count=1, source="", ename=kind.__name__, evalue="as it says",
                                      traceback=[])

    path = add(workspace, "01_first", "pass")
    monkeypatch.setattr(papermill, "execute_notebook", failing)
    with pytest.raises(kind) as raised:
        run_notebooks(workspace, "mine", [path], {})
    assert type(raised.value) is kind and str(raised.value) == "as it says"


def test_no_error_of_ours_lives_where_the_runner_does_not_look():
    """The runner finds errors by name in ``petseg_utils.errors``; its own is raised by no notebook."""
    import petseg_utils.cli
    import petseg_utils.study  # noqa: F401  (both together import all modules that define errors)

    homes = {error.__name__: error.__module__ for error in all_errors(PetsegError)}
    assert {name for name, home in homes.items() if home != "petseg_utils.errors"} == {"NotebookError"}


def test_a_dead_kernel_is_told_in_a_sentence(workspace):
    path = add(workspace, "01_first", "import os\nos._exit(9)")
    with pytest.raises(NotebookError) as raised:
        run_notebooks(workspace, "mine", [path], {})
    assert_sentence(str(raised.value), "the kernel of notebook 01_first died, as one does when memory runs out; see")


TRAINING = """
from petseg_utils.profiles import resolve
from petseg_utils.study import Study
study = Study(resolve(PROFILE, data_root=DATA_ROOT, epochs=EPOCHS, width=2, depth=2), "mine")
study.record("02_training", {"UNet": study.train(study.spec("unet", augmentation="five"))})
"""


@pytest.mark.skipif(os.name == "nt", reason="needs a signal that cannot be caught")
def test_a_killed_study_goes_on_after_the_epoch_that_it_had_reached(synthetic_root, tmp_path):
    killed, undisturbed = Workspace(tmp_path / "killed"), Workspace(tmp_path / "undisturbed")
    for workspace in (killed, undisturbed):
        add(workspace, "02_training", TRAINING, parameters="PROFILE = 'auto'\nDATA_ROOT = None\nEPOCHS = None")
    command = [sys.executable, "-m", "petseg_utils", "study", "--profile", "smoke", "--name", "mine",
               "--data-root", synthetic_root, "--set", "EPOCHS=16"]
    study = subprocess.Popen(command, env=os.environ | {"PETSEG_ROOT": str(killed.root)})
    try:
        deadline = time.monotonic() + 900
        while len(history(killed)) < 3:
            assert study.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        study.kill()  # SIGKILL: its kernel is an orphan now, in the midst of training
        study.wait()
    (lock,) = killed.runs.glob(".*.lock")
    with FileLock(lock, timeout=ORPHAN_SECONDS):  # the orphan notices, however busy it is
        before = history(killed)
    assert 3 <= len(before) < 16 and not list(killed.runs.glob("*/run.json"))

    for workspace in (killed, undisturbed):
        run_notebooks(workspace, "mine", select_notebooks(workspace), {
            "PROFILE": "smoke", "DATA_ROOT": str(synthetic_root), "EPOCHS": 16})
    kept = len(before) - 1  # the last row may stand in the table before its checkpoint
    pd.testing.assert_frame_equal(history(killed)[:kept], before[:kept])  # seconds too: not done again
    one, other = history(killed), history(undisturbed)
    pd.testing.assert_frame_equal(one.drop(columns=CLOCK_COLUMNS), other.drop(columns=CLOCK_COLUMNS))
    one, other = (workspace.results("mine") / "metrics.csv" for workspace in (killed, undisturbed))
    assert one.read_bytes() == other.read_bytes()


def history(workspace):
    """The history of the workspace's only run, so far."""
    files = list(workspace.runs.glob("*/history.csv"))
    return pd.read_csv(files[0]) if files else pd.DataFrame()
