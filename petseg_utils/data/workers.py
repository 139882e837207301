"""Processes that prepare batches beside a GPU. On a CPU there are none: they would fight the model for its cores."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
from torch import Tensor

MOST = 8
_AT_ONCE = 3  # batches of a worker that lie in shared memory: two are prepared while one is used
_SHARED_MEMORY = Path("/dev/shm")


def count_workers(dataset: Sequence[tuple[Tensor, ...]], batch_size: int) -> int:
    """How many there should be: one a core but for the core of who asks, and no more than have room for their batches
    in shared memory, of which a container may have 64 MB; 0 where not even one has."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = min(MOST, max(1, cores - 1))
    if not _SHARED_MEMORY.is_dir():
        return wanted
    batch = batch_size * sum(tensor.nbytes for tensor in dataset[0])
    return min(wanted, shutil.disk_usage(_SHARED_MEMORY).free // (_AT_ONCE * batch))


def one_thread(_: int) -> None:
    """Begin a worker: the workers are the threads."""
    cv2.setNumThreads(0)
