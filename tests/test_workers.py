"""How many processes prepare batches beside a GPU."""

from types import SimpleNamespace

import pytest
import torch

from petseg_utils.data import workers
from petseg_utils.data.workers import count_workers

SAMPLES = [(torch.zeros(3, 224, 224, dtype=torch.uint8), torch.zeros(224, 224, dtype=torch.uint8))]
BATCH = 32 * 4 * 224 * 224  # bytes


@pytest.fixture
def machine(monkeypatch, tmp_path):
    def pretend(cores, free=None):
        monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
        monkeypatch.setattr(workers, "_SHARED_MEMORY", tmp_path / "none" if free is None else tmp_path)
        monkeypatch.setattr(workers.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    return pretend


@pytest.mark.parametrize(("cores", "wanted"), [(1, 1), (2, 1), (4, 3), (12, 8)])
def test_one_a_core_but_one(machine, cores, wanted):
    machine(cores)
    assert count_workers(SAMPLES, 32) == wanted
    machine(cores, free=100 * BATCH)
    assert count_workers(SAMPLES, 32) == wanted


@pytest.mark.parametrize(("free", "wanted"), [(64 * 2**20, 3), (3 * BATCH, 1), (3 * BATCH - 1, 0)])
def test_no_more_than_shared_memory_holds_batches_of(machine, free, wanted):
    """A container has 64 MB of it if nobody asks for more, and a worker that finds none left dies."""
    machine(16, free)
    assert count_workers(SAMPLES, 32) == wanted
