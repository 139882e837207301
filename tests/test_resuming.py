"""A run that is stopped anywhere, or killed, goes on to the very bits of one that never was."""

import json
import multiprocessing
import os
import time

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from making_runs import assert_same_training, assert_sentence, few_photos, train_tiny
from safetensors import safe_open
from safetensors.torch import save_file

from petseg_utils import models
from petseg_utils.data import open_data
from petseg_utils.errors import UsageError
from petseg_utils.models.unet import UNet
from petseg_utils.precision import Precision
from petseg_utils.training import Run, checkpoint, loop, segmentation
from petseg_utils.training.run import CLICKED


def stop_in_evaluation(monkeypatch, few, number):
    """Stop when the model is scored for the ``number``-th time: the epoch's steps are done, nothing is saved."""
    calls = []

    def counted(scorer):
        def scoring(*args, **kwargs):
            calls.append(1)
            if len(calls) == number:
                raise KeyboardInterrupt
            return scorer(*args, **kwargs)
        return scoring

    for scorer in (segmentation.watch, segmentation.evaluate):
        monkeypatch.setattr(segmentation, scorer.__name__, counted(scorer))


def stop_around_last(monkeypatch, number, *, after):
    """Stop before or after the ``number``-th ``last.safetensors`` is written; an epoch's best comes after that."""
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
    "after epoch 1, before its best": lambda patch, few: stop_around_last(patch, 1, after=True),
    "in epoch 2": lambda patch, few: stop_in_evaluation(patch, few, 2),
    "before epoch 2's file": lambda patch, few: stop_around_last(patch, 2, after=False),
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


def test_a_prompt_model_that_only_has_to_be_scored_answers_as_one_that_was_never_stopped(few, tmp_path, monkeypatch):
    """Its clicks are scored photo by photo, where batch norm must not go by the photo."""
    plain = {"model": "prompt-unet", "task": "prompt"}
    whole = train_tiny(few, tmp_path / "whole", **plain)
    with monkeypatch.context() as patch:
        stop_around_last(patch, 3, after=True)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(few, tmp_path / "stopped", **plain)
    resumed = train_tiny(few, tmp_path / "stopped", **plain)
    assert_same_training(resumed, whole)
    for name, array in vars(whole.prompt_scores("test")).items():
        np.testing.assert_array_equal(getattr(resumed.prompt_scores("test"), name), array)
    np.testing.assert_array_equal(resumed.statistics(CLICKED).counts, whole.statistics(CLICKED).counts)


def test_a_run_in_float16_goes_on_to_the_same_bits(few, tmp_path, monkeypatch):
    """As on a card without bfloat16: the loss is scaled, and by how much is part of what is gone on with."""
    monkeypatch.setattr(loop, "choose_precision", lambda _: Precision(torch.device("cpu"), torch.float16))
    with monkeypatch.context() as patch:
        stop_around_last(patch, 2, after=True)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(few, tmp_path / "a")
    assert_same_training(train_tiny(few, tmp_path / "a"), train_tiny(few, tmp_path / "b"))


def test_a_run_that_lost_its_best_epoch_is_refused_before_it_goes_on(few, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_around_last(patch, 2, after=True)
        with pytest.raises(KeyboardInterrupt):
            train_tiny(few, tmp_path)
    (best,) = tmp_path.glob("*/best.safetensors")
    best.unlink()
    monkeypatch.setattr(loop, "_last_is_best", lambda *_: False)  # else it is made again from the last epoch's file
    with pytest.raises(UsageError) as caught:
        train_tiny(few, tmp_path)
    assert_sentence(str(caught.value), best.parent.name, "begin anew")


def test_a_spec_that_builds_no_model_leaves_no_run(few, tmp_path):
    with pytest.raises(UsageError):
        train_tiny(few, tmp_path, options={"width": 0, "depth": 2})
    assert not list(tmp_path.glob("unet-*"))


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


def train_and_tell(synthetic_root, folder, threads, pipe):
    """One life of a training process. It tells each moment through the pipe, and goes on when it gets an answer."""
    def tell(moment):
        pipe.send(moment)
        pipe.recv()

    def telling(moment, function):
        return lambda *args, **kwargs: (tell(moment), function(*args, **kwargs))[1]

    def save_in_halves(tensors, path, **kwargs):
        save_file(tensors, path, **kwargs)
        whole = path.read_bytes()
        path.write_bytes(whole[:len(whole) // 2])
        tell("half of last" if ".last." in path.name else "half of best")
        path.write_bytes(whole)

    torch.set_num_threads(threads)
    cv2.setNumThreads(0)
    data = few_photos(open_data(synthetic_root, 64, folder / "cache"))
    segmentation.cross_entropy = telling("step", segmentation.cross_entropy)
    for scorer in (segmentation.watch, segmentation.evaluate):
        setattr(segmentation, scorer.__name__, telling("evaluation", scorer))
    checkpoint.save_file = save_in_halves
    os.replace = telling("a whole file without its name", os.replace)
    train_tiny(data, folder / "killed", recipe="paper")
    pipe.send("end")


def epochs_done(run):
    """How many epochs the file to go on from holds; a finished run has it no longer."""
    if not run.last.is_file():
        return 3 if run.finished else 0
    with safe_open(run.last, framework="pt") as file:
        return len(json.loads(file.metadata()["facts"])["history"])


@pytest.fixture
def processes():
    """Processes forked from one that has imported what they need: a life costs no import."""
    context = multiprocessing.get_context("forkserver")
    optimizers = "torch._dynamo"  # their first step imports it
    context.set_forkserver_preload(["petseg_utils.data", "petseg_utils.training", optimizers, "nbformat", "pytest"])
    return context


def live(processes, arguments, doomed=lambda moment, count: False, wait=None):
    """Let a process train to a doomed moment, or ``wait`` seconds longer, and kill it; returns its last moment."""
    ours, theirs = processes.Pipe()
    process = processes.Process(target=train_and_tell, args=(*arguments, theirs))
    process.start()
    theirs.close()
    told = []
    try:
        while True:
            assert ours.poll(300)
            told.append(ours.recv())
            if told[-1] == "end" or doomed(told[-1], told.count(told[-1]) if wait is None else len(told)):
                break
            ours.send("go on")
        if wait is not None and told[-1] != "end":
            ours.send("go on")
            time.sleep(wait)
    finally:
        process.kill()  # SIGKILL
        process.join()
    return told[-1]


@pytest.mark.skipif(os.name == "nt", reason="needs a signal that cannot be caught")
def test_a_process_killed_at_many_moments_ends_with_the_same_bits(few, synthetic_root, tmp_path, processes):
    uninterrupted = train_tiny(few, tmp_path / "whole", recipe="paper")
    run = Run(uninterrupted.spec, tmp_path / "killed" / uninterrupted.name)
    arguments = synthetic_root, tmp_path, torch.get_num_threads()
    reached, moments = [], []

    def die(doomed, wait=None):
        moments.append(live(processes, arguments, doomed, wait))
        reached.append(epochs_done(run))
        assert not run.finished or moments[-1] == "end"
        assert len(list(run.folder.glob(".*.tmp"))) <= 1  # of this life: the next one clears it away

    # While a checkpoint is written: in the first epoch, with none to go on from, and in the second.
    die(lambda moment, count: moment == "half of last")
    die(lambda moment, count: moment == "half of best")
    die(lambda moment, count: moment == "half of last")
    assert reached == [0, 1, 1] and moments == ["half of last", "half of best", "half of last"]
    rng = np.random.default_rng(0)
    while not run.finished:  # some ten moments a life: an epoch has eight
        last = int(rng.integers(1, 14))
        die(lambda moment, count, last=last: count == last, wait=rng.uniform(0, 0.05))
    assert len(moments) >= 8 and {0, 1, 3} <= set(reached), list(zip(moments, reached, strict=True))
    assert_same_training(run, uninterrupted)
    assert run.record()["best_epoch"] == uninterrupted.record()["best_epoch"]
    left = {path.name for path in run.folder.iterdir()}
    assert left - {"last.safetensors"} == {path.name for path in uninterrupted.folder.iterdir()}
