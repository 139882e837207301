"""What a run cost and where it ran: one row of ``runs.csv``."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from petseg_utils import __version__
from petseg_utils.hardware import device_name
from petseg_utils.models import count_parameters
from petseg_utils.precision import Precision
from petseg_utils.training.run import Run
from petseg_utils.training.tasks import Task


def describe_run(run: Run, task: Task, model: nn.Module, precision: Precision, commit: str) -> dict[str, Any]:
    """The run's spec, size, cost, machine and versions, from its history and the process that finished it."""
    history = run.history()
    best = history.iloc[int(np.argmax([task.merit(dict(row)) for _, row in history.iterrows()]))]
    return {
        "run": run.name,
        "spec": run.spec.to_json(),
        "pretraining": run.spec.encoder or "none",
        "trainable_parameters": count_parameters(model),
        "macs": count_macs(model, run.spec.image_size, precision),
        "epochs": len(history),
        "best_epoch": int(best["epoch"]),
        "best_val_miou": best.get("val_miou"),
        "best_val_loss": best["val_loss"],
        "seconds": round(float(history["seconds"].sum()), 1),
        "images_per_second": round(float(history["images_per_second"].median()), 1),
        "peak_memory_mb": _peak_memory_mb(precision),
        "device": device_name(precision.device),
        "precision": precision.name,
        "threads": torch.get_num_threads(),
        "commit": commit,
        "versions": f"petseg_utils {__version__}, torch {torch.__version__}, "
                    f"albumentations {version('albumentations')}, numpy {version('numpy')}",
    }


def count_macs(model: nn.Module, image_size: int, precision: Precision) -> int:
    """Multiply-accumulates for one square image: half of what ``torch.utils.flop_counter`` counts."""
    counter = FlopCounterMode(display=False)
    images = torch.zeros(1, 3, image_size, image_size, device=precision.device)
    was_training, fast = model.training, torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the counter does not see what attention does on it
    try:
        with counter, torch.no_grad():
            model.eval()(images)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    model.train(was_training)
    return counter.get_total_flops() // 2


def _peak_memory_mb(precision: Precision) -> int | None:
    """The card's since the run began, or the whole process's so far; nothing on Windows, which keeps no such number."""
    if precision.device.type == "cuda":
        return torch.cuda.max_memory_allocated(precision.device) // 2**20
    if sys.platform == "win32":
        return None
    import resource  # does not exist on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 2**10)  # bytes on macOS, kilobytes on Linux


def checkout_commit() -> str:
    """The commit of the checkout that this code runs from, with ``-dirty`` if it was changed; empty for an installed
    package, also one that lies in a folder of somebody else's checkout."""
    try:
        if _git("ls-files", "--error-unmatch", Path(__file__).name).returncode:
            return ""
    except FileNotFoundError:  # no git here
        return ""
    return _git("describe", "--always", "--dirty", "--abbrev=10", "--exclude=*").stdout.strip()


def _git(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=Path(__file__).parent)
