"""Run a study's notebooks headless, through papermill."""

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import DeadKernelError  # papermill's own engine
from papermill.exceptions import PapermillExecutionError

from petseg_utils import errors
from petseg_utils.errors import PetsegError, UsageError
from petseg_utils.workspace import Workspace


class NotebookError(PetsegError):
    """A notebook failed for a reason that is not the user's."""


def select_notebooks(workspace: Workspace, numbers: Iterable[str] = ()) -> list[Path]:
    """The study's notebooks in order, all of them or those whose two-digit numbers are given.

    Raises:
        UsageError: there are no notebooks, or none has a number that was asked for.
    """
    found = {path.name[:2]: path for path in sorted(workspace.notebooks.glob("[0-9][0-9]_*.ipynb"))}
    if not found:
        raise UsageError(f"no notebooks in {str(workspace.notebooks)!r}: run the study in a checkout of the "
                         "project, or set PETSEG_ROOT to one")
    chosen = [number.zfill(2) for number in numbers] or list(found)
    for number in chosen:
        if number not in found:
            raise UsageError(f"no notebook has number {number!r}: choose among {', '.join(found)}")
    return [path for number, path in found.items() if number in chosen]


def declares(notebooks: Iterable[Path], parameter: str) -> bool:
    """Whether any notebook has a parameter: those that only read tables have no ``DATASET``, for instance."""
    return any(parameter in papermill.inspect_notebook(str(path)) for path in notebooks)


def check_parameters(notebooks: Iterable[Path], names: Iterable[str]) -> None:
    """Refuse a parameter that no selected notebook declares: a misspelt name must not be silently without effect."""
    declared = {name for path in notebooks for name in papermill.inspect_notebook(str(path))}
    for name in names:
        if name not in declared:
            known = ", ".join(sorted(declared - {"PROFILE", "STUDY"}))  # these two have options of their own
            raise UsageError(f"no selected notebook has a parameter {name!r}: choose among {known}")


def run_notebooks(workspace: Workspace, study: str, notebooks: Iterable[Path],
                  parameters: dict[str, Any]) -> dict[str, float]:
    """Execute notebooks in order; each gets the parameters that it declares. Executed copies are kept.

    Returns:
        Seconds by notebook.

    Raises:
        PetsegError: a notebook failed; the message is the user error's own sentence, or says where to look.
    """
    os.environ["PETSEG_ROOT"] = str(workspace.root)  # the kernels inherit it
    folder = workspace.executed(study)
    folder.mkdir(parents=True, exist_ok=True)
    seconds = {}
    for path in notebooks:
        declared = papermill.inspect_notebook(str(path))
        executed = folder / path.name
        started = time.perf_counter()
        try:
            papermill.execute_notebook(
                str(path), str(executed), kernel_name="python3", cwd=str(workspace.notebooks), progress_bar=False,
                stderr_file=sys.stderr,  # training's progress
                extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns of its own transport at every start
                parameters={name: value for name, value in parameters.items() if name in declared},
            )
        except PapermillExecutionError as error:
            raise _explain(error, path, executed) from None
        except NoSuchKernel:
            raise UsageError("there is no Jupyter kernel 'python3' here: pip install 'petseg-utils[notebooks]'"
                             ) from None
        except DeadKernelError:
            raise NotebookError(f"the kernel of notebook {path.stem} died, as one does when memory runs out; see "
                                f"{str(executed)!r}") from None
        seconds[path.stem] = time.perf_counter() - started
        print(f"{path.stem:<24} {seconds[path.stem]:6.0f} s", flush=True)
    return seconds


def _explain(error: PapermillExecutionError, path: Path, executed: Path) -> PetsegError:
    kind = getattr(errors, error.ename, None)
    if isinstance(kind, type) and issubclass(kind, PetsegError):
        return kind(error.evalue)
    return NotebookError(f"notebook {path.stem} stopped in cell {error.exec_count} with {error.ename}: {error.evalue}; "
                         f"see {str(executed)!r}")
