"""Photos asked about side by side: what is small gains nothing from a second thread, but all from a second process."""

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from petseg_utils.data.workers import MOST, one_thread
from petseg_utils.errors import PetsegError


class _Asked(Dataset):
    def __init__(self, ask: Callable[[Any], Any], questions: Sequence[Any] | np.ndarray):
        self.ask, self.questions = ask, questions

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, place: int) -> Any:
        try:
            return self.ask(self.questions[place])
        except PetsegError as error:  # an answer: raised here, it would come back with a traceback in its message
            return error


class Answers:
    """What :func:`answers` returns: a length, and the answers in order."""

    def __init__(self, loader: DataLoader):
        self._loader = loader

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        for answer in self._loader:
            if isinstance(answer, PetsegError):
                raise answer
            yield answer


def answers(ask: Callable[[Any], Any], questions: Sequence[Any] | np.ndarray, device: torch.device) -> Answers:
    """``map(ask, questions)`` with a length: on a CPU in as many processes as torch has threads, at most eight, and
    each has one.

    The processes are forked, so ``ask`` may be anything, and what it changes is lost with them. Where they cannot be
    (elsewhere than on Linux, or on a GPU) the questions are asked one by one.

    Args:
        ask: question -> answer; the answer is pickled.
        questions: in the order of the answers.
        device: where ``ask`` computes.

    Raises:
        PetsegError: an ``ask`` did, with its own sentence, once the answers before it have been taken.
    """
    processes = min(MOST, torch.get_num_threads(), len(questions))
    forked = processes > 1 and device.type == "cpu" and sys.platform == "linux"
    return Answers(DataLoader(
        _Asked(ask, questions), batch_size=None, collate_fn=_as_it_is, num_workers=processes if forked else 0,
        multiprocessing_context="fork" if forked else None, worker_init_fn=one_thread,
        generator=torch.Generator()))  # its own: who draws numbers afterwards draws the same


def _as_it_is(answer: Any) -> Any:
    return answer
