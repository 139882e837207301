"""The training loop: nothing twice, resumed to the bit, chosen on validation, blind to the test part until the end."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from making_runs import (
    FLOAT32,
    assert_same_tensors,
    assert_same_training,
    assert_sentence,
    subset,
    tiny_spec,
    train_tiny,
)
from safetensors.torch import load_file

from petseg_utils.errors import TrainingError, UsageError
from petseg_utils.evaluation import evaluate
from petseg_utils.metrics import apply_border, reduce_scores
from petseg_utils.training import Run, loop, train
from petseg_utils.training.checkpoint import load_weights


@pytest.fixture(scope="module")
def few(synthetic_data):
    """22 photos: 10 train (so the last two of an epoch are dropped), 6 validation, 6 test."""
    return subset(synthetic_data, train=10, val=6, test=6)


@pytest.fixture(scope="module")
def whole(few, tmp_path_factory):
    """An uninterrupted run."""
    return train_tiny(few, tmp_path_factory.mktemp("whole"))


def miou(scored, species) -> float:
    return reduce_scores(apply_border(scored.counts, species, "ignore"), "iou", "dataset")["mean"]


def test_a_finished_run_is_returned_and_not_trained_again(whole, few, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("trained again")

    before = {path: path.stat().st_mtime_ns for path in whole.folder.iterdir()}
    for name in ("_train_epochs", "evaluate", "save_checkpoint"):
        monkeypatch.setattr(loop, name, forbidden)
    again = train_tiny(few, whole.folder.parent)
    assert again == whole and again.finished
    assert {path: path.stat().st_mtime_ns for path in whole.folder.iterdir()} == before


def test_a_runs_folder_holds_what_it_promises(whole, few):
    assert {path.name for path in whole.folder.iterdir()} == {
        "spec.json", "last.safetensors", "best.safetensors", "history.csv", "counts-val.npz", "counts-test.npz",
        "run.json"}
    assert whole.folder.name == whole.name == whole.spec.run_name
    assert (whole.folder / "spec.json").read_text() == whole.spec.to_json() + "\n"
    history = whole.history()
    assert history["epoch"].tolist() == [1, 2, 3]
    assert np.isfinite(history.to_numpy(float)).all()
    for split in ("val", "test"):
        rows = few.indices(split)
        np.testing.assert_array_equal(whole.species(split), few.species[rows])
        border = [int((few.masks[row] == 3).sum()) for row in rows]
        assert whole.counts(split)[:, 3].sum(1).tolist() == border
        assert (whole.counts(split).sum((1, 2)) == 64 * 64).all()
    record = whole.record()
    assert record["epochs"] == 3 and record["threads"] == torch.get_num_threads()
    assert set(record["loss"]) == {"val", "test"}


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


KILLED = """
import json, pathlib, sys, time
import cv2, torch
from making_runs import subset, train_tiny
from petseg_utils.data import open_data
from petseg_utils.training import loop
torch.set_num_threads(int(sys.argv[4])), cv2.setNumThreads(0)
data = subset(open_data(sys.argv[1], 64, pathlib.Path(sys.argv[2])), train=10, val=6, test=6)
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
        deadline = time.monotonic() + 120
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


def test_same_seed_same_weights_other_seed_other_weights(whole, few, tmp_path):
    torch.manual_seed(99)
    assert_same_training(train_tiny(few, tmp_path), whole)
    other = load_file(train_tiny(few, tmp_path, seed=1).last)
    assert not torch.equal(other["model.head.weight"], load_file(whole.last)["model.head.weight"])


def test_eight_photos_can_be_learnt_by_heart(synthetic_data, tmp_path):
    data = subset(synthetic_data, train=8, val=2, test=2)
    run = train_tiny(data, tmp_path, epochs=60, batch_size=8, options={"width": 8, "depth": 3}, augmentation="none",
                     learning_rate=0.01)
    model = run.load_model()
    load_weights(run.last, model)
    losses = run.history()["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0] / 4
    assert miou(evaluate(model, data, "train", FLOAT32), data.species[data.indices("train")]) > 0.8


def test_a_loss_that_is_no_number_stops_the_run_and_saves_nothing(few, tmp_path):
    with pytest.raises(TrainingError) as raised:
        train_tiny(few, tmp_path, learning_rate=1e30)
    assert_sentence(str(raised.value), "loss of epoch 1 is nan", "start again with a lower learning rate")
    assert raised.value.exit_code == 1
    assert [path.name for path in tmp_path.glob("*/*")] == ["spec.json"]


def test_other_data_than_the_specs_is_refused(few, tmp_path):
    for changes in ({"data": "0123456789abcdef"}, {"image_size": 96}):
        with pytest.raises(UsageError) as raised:
            train(tiny_spec(few, **changes), few, tmp_path, device="cpu", quiet=True)
        assert_sentence(str(raised.value), f"is {few.fingerprint} at 64 px: make the spec from the data you opened")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("scores", "best"), [([0.2, 0.9, 0.5], 2), ([0.3, 0.3, 0.1], 1), ([0.1, 0.2, 0.3], 3)])
def test_the_best_epoch_is_the_first_of_highest_validation_miou(scores, best, few, tmp_path, monkeypatch):
    weights, given = [], iter(scores)

    def watched(model, data, part, *args, **kwargs):
        weights.append({f"model.{name}": tensor.clone() for name, tensor in model.state_dict().items()})
        return evaluate(model, data, part, *args, **kwargs)

    monkeypatch.setattr(loop, "evaluate", watched)
    monkeypatch.setattr(loop, "reduce_scores", lambda *args: {"mean": next(given)})
    run = train_tiny(few, tmp_path)
    assert run.history()["val_miou"].tolist() == scores
    assert run.record()["best_epoch"] == best
    assert_same_tensors(load_file(run.best), weights[best - 1])
    assert_same_tensors(weights[3], weights[best - 1])  # what is reported, on validation and test, is the best epoch
    assert_same_tensors(weights[4], weights[best - 1])


def test_the_recorded_best_score_is_the_best_models(whole, few):
    scored = evaluate(whole.load_model(), few, "val", loop.choose_precision("cpu"), at_original_size=False)
    assert miou(scored, few.species[few.indices("val")]) == whole.history()["val_miou"].max()
    assert whole.record()["best_val_miou"] == whole.history()["val_miou"].max()


def test_the_test_part_changes_no_weight_and_is_read_after_training_only(whole, few, tmp_path, monkeypatch):
    spoiled = subset(few, train=10, val=6, test=6)
    rows = spoiled.indices("test")
    spoiled.images[rows], spoiled.masks[rows] = 255 - spoiled.images[rows], 0
    asked = []
    indices = type(few).indices
    folder = tmp_path / whole.name

    def watched(data, part):
        asked.append(part)
        done = (folder / "history.csv").read_text().count("\n") - 1 if (folder / "history.csv").exists() else 0
        assert part != "test" or done == 3
        return indices(data, part)

    monkeypatch.setattr(type(few), "indices", watched)
    run = train_tiny(spoiled, tmp_path)
    assert "test" in asked
    assert_same_tensors(load_file(run.best), load_file(whole.best))
    assert_same_tensors(load_file(run.last), load_file(whole.last))
    assert not np.array_equal(run.counts("test"), whole.counts("test"))
