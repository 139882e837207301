"""Photos asked about side by side: what is small gains nothing from a second thread, but all from a second process."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from petseg_utils.data.workers import MOST, one_thread


class _Answers(Dataset):
    def __init__(self, ask: Callable[[Any], Any], questions: Sequence[Any] | np.ndarray):
        self.ask, self.questions = ask, questions

    def __len__(self) -> int:
        return len(self.questions)

    def __getitem__(self, place: int) -> Any:
        return self.ask(self.questions[place])


def answers(ask: Callable[[Any], Any], questions: Sequence[Any] | np.ndarray, device: torch.device) -> DataLoader:
    """``map(ask, questions)`` with a length: on a CPU in as many processes as torch has threads, at most eight, and
    each has one.

    The processes are forked, so ``ask`` may be anything, and what it changes is lost with them. Where they cannot be
    (elsewhere than on Linux, or on a GPU) the questions are asked one by one.

    Args:
        ask: question -> answer; the answer is pickled.
        questions: in the order of the answers.
        device: where ``ask`` computes.
    """
    processes = min(MOST, torch.get_num_threads(), len(questions))
    forked = processes > 1 and device.type == "cpu" and sys.platform == "linux"
    return DataLoader(_Answers(ask, questions), batch_size=None, collate_fn=_as_it_is,
                      num_workers=processes if forked else 0,
                      multiprocessing_context="fork" if forked else None, worker_init_fn=one_thread,
                      generator=torch.Generator())  # its own: who draws numbers afterwards draws the same


def _as_it_is(answer: Any) -> Any:
    return answer
