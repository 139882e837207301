"""Freed memory is kept: tensors that come and go cost no fresh pages, and hold the same numbers."""

import subprocess
import sys

import pytest

from petseg_utils.memory import keep_freed_memory

# Eighty tensors of 32 MiB, two at a time; what counts is how many pages the system had to hand out for them.
COME_AND_GO = """
import resource, sys, torch
from petseg_utils.precision import choose_precision
if sys.argv[1] == "kept":
    choose_precision("cpu")
torch.ones(2**23).sum()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
sums = [torch.ones(2**23).mul(2).sum().item() for _ in range(40)]
assert sums == [2.0**24] * 40
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def fresh_pages(policy: str) -> int:
    told = subprocess.run([sys.executable, "-c", COME_AND_GO, policy], capture_output=True, text=True, check=True)
    return int(told.stdout)


@pytest.mark.skipif(not keep_freed_memory(), reason="no glibc here")
def test_choosing_the_cpu_makes_the_process_keep_what_it_frees():
    assert fresh_pages("kept") < fresh_pages("given back") / 4


def test_elsewhere_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
