"""Questions asked side by side."""

import os
import sys

import numpy as np
import pytest
import torch

from petseg_utils.errors import DataError
from petseg_utils.parallel import answers

CPU = torch.device("cpu")


@pytest.fixture(params=[1, 2])
def threads(request):
    if request.param > 1:
        request.getfixturevalue("two_threads")
    return request.param


def test_answers_come_in_the_order_of_the_questions(threads):
    asked = answers(lambda number: {"square": np.array(number) ** 2}, np.arange(7), CPU)
    assert len(asked) == 7
    assert [int(answer["square"]) for answer in asked] == [number**2 for number in range(7)]


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")
def test_each_thread_becomes_a_process_of_one_thread(threads):
    seen = set(answers(lambda _: (os.getpid(), torch.get_num_threads()), range(8), CPU))
    assert len(seen) == threads
    assert {number for _, number in seen} == {1}
    assert (os.getpid() in {process for process, _ in seen}) == (threads == 1)


def test_on_a_gpu_there_are_no_processes(threads):
    assert set(answers(lambda _: os.getpid(), range(4), torch.device("cuda"))) == {os.getpid()}


def test_nobodys_random_numbers_are_used_up(threads):
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    list(answers(abs, range(4), CPU))
    assert torch.equal(torch.rand(2), wanted)


def test_a_users_mistake_keeps_its_sentence(threads):
    def ask(photo):
        if photo == 2:
            raise DataError(f"photo {photo} is gone: bring it back")
        return photo

    taken = []
    with pytest.raises(DataError) as caught:
        taken.extend(iter(answers(ask, range(4), CPU)))
    assert str(caught.value) == "photo 2 is gone: bring it back" and taken == [0, 1]


def test_what_goes_wrong_is_told(threads):
    with pytest.raises(ZeroDivisionError):
        list(answers(lambda number: 1 / number, range(3), CPU))
