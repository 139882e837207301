"""A run that is stopped anywhere, or killed, goes on to the very bits of one that never was."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
import torch.nn.functional as F
from making_runs import assert_same_training, tiny_spec, train_tiny

from petseg_utils import models
from petseg_utils.evaluation import evaluate
from petseg_utils.models.unet import UNet
from petseg_utils.training import Run, loop


def stop_in_evaluation(monkeypatch, few, number):
    """Stop when the model is scored for the ``number``-th time: the epoch's steps are done, nothing is saved."""
    calls = []

    def counted(*args, **kwargs):
        calls.append(1)
        if len(calls) == number:
            raise KeyboardInterrupt
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(loop, "evaluate", counted)


def stop_around_last(monkeypatch, number, *, after):
    """Stop before or after the ``number``-th ``last.safetensors`` is written."""
    save, calls = loop.save_checkpoint, []

    def counted(path, *args, **kwargs):
        if path.name == "last.safetensors":
            calls.append(1)
        stops = path.name == "last.safetensors" and len(calls) == number
        if stops and not after:
            raise KeyboardInterrupt
        save(path, *args, **kwargs)
        if stops:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_checkpoint", counted)


STOPS = {
    "in epoch 1": lambda patch, few: stop_in_evaluation(patch, few, 1),
    "after epoch 1": lambda patch, few: stop_around_last(patch, 1, after=True),
    "in epoch 2": lambda patch, few: stop_in_evaluation(patch, few, 2),
    "between epoch 2's files": lambda patch, few: stop_around_last(patch, 2, after=False),
    "after the last epoch": lambda patch, few: stop_around_last(patch, 3, after=True),
    "between val and test": lambda patch, few: stop_in_evaluation(patch, few, 5),
}


@pytest.mark.parametrize("stop", STOPS)
def test_a_stopped_run_goes_on_to_the_same_bits(stop, few, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        STOPS[stop](patch, few)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(few, tmp_path)
    assert not Run(whole.spec, tmp_path / whole.name).finished
    torch.manual_seed(123)  # nothing may depend on the state that the process happens to be in
    resumed = train_tiny(few, tmp_path)
    assert_same_training(resumed, whole)
    assert resumed.record()["best_epoch"] == whole.record()["best_epoch"]
    assert resumed.record()["loss"] == whole.record()["loss"]


def test_epochs_that_are_done_are_not_done_again(few, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_around_last(patch, 2, after=True)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(few, tmp_path)
    epochs = []
    batches = loop._batches
    monkeypatch.setattr(loop, "_batches", lambda dataset, epoch, *rest: epochs.append(epoch) or batches(
        dataset, epoch, *rest))
    train_tiny(few, tmp_path)
    assert epochs == [2]


class Noisy(UNet):
    """A model with randomness of its own."""

    def forward(self, images):
        return F.dropout(super().forward(images), 0.3, self.training)


def test_a_model_with_randomness_of_its_own_goes_on_to_the_same_bits(few, tmp_path, monkeypatch):
    monkeypatch.setitem(models._MODELS, "noisy", Noisy)
    uninterrupted = train_tiny(few, tmp_path / "whole", model="noisy")
    with monkeypatch.context() as patch:
        stop_around_last(patch, 1, after=True)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(few, tmp_path / "stopped", model="noisy")
    assert_same_training(train_tiny(few, tmp_path / "stopped", model="noisy"), uninterrupted)


KILLED = """
import json, pathlib, sys, time
import cv2, torch
from making_runs import few_photos, train_tiny
from petseg_utils.data import open_data
from petseg_utils.training import loop
torch.set_num_threads(int(sys.argv[4])), cv2.setNumThreads(0)
data = few_photos(open_data(sys.argv[1], 64, pathlib.Path(sys.argv[2])))
runs, loss = pathlib.Path(sys.argv[3]), loop.cross_entropy
def slow(*args):
    if list(runs.glob("*/last.safetensors")):
        time.sleep(0.5)  # after the first epoch every step gives the parent time to kill us
    return loss(*args)
loop.cross_entropy = slow
train_tiny(data, runs, recipe="paper")
"""


def test_a_killed_process_is_gone_on_from_to_the_same_bits(few, synthetic_root, tmp_path):
    command = [sys.executable, "-c", KILLED, synthetic_root, tmp_path / "cache", tmp_path / "killed",
               str(torch.get_num_threads())]
    paths = os.pathsep.join([os.path.dirname(__file__), *filter(None, [os.environ.get("PYTHONPATH")])])
    child = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": paths})
    try:
        deadline = time.monotonic() + 300
        while not list((tmp_path / "killed").glob("*/last.safetensors")):
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.2)
    finally:
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    run = Run(tiny_spec(few, recipe="paper"), tmp_path / "killed" / tiny_spec(few, recipe="paper").run_name)
    assert run.last.is_file() and not run.finished
    resumed = train_tiny(few, tmp_path / "killed", recipe="paper")
    assert_same_training(resumed, train_tiny(few, tmp_path / "whole", recipe="paper"))
