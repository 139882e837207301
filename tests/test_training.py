"""The training loop: nothing twice, chosen on validation, blind to the test part until the end."""

import numpy as np
import pytest
import torch
from filelock import FileLock
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

from petseg_utils.errors import DataError, TrainingError, UsageError
from petseg_utils.evaluation import evaluate, watch
from petseg_utils.metrics import apply_border, reduce_scores
from petseg_utils.training import loop, segmentation, train
from petseg_utils.training.recipes import one_cycle


def miou(scored, species) -> float:
    return reduce_scores(apply_border(scored.counts, species, "ignore"), "iou", "dataset")["mean"]


def test_a_finished_run_is_returned_and_not_trained_again(whole, few, monkeypatch):
    def forbidden(*args, **kwargs):
        raise AssertionError("trained again")

    before = {path: path.stat().st_mtime_ns for path in whole.folder.iterdir()}
    for name in ("_train_epochs", "save_checkpoint"):
        monkeypatch.setattr(loop, name, forbidden)
    again = train_tiny(few, whole.folder.parent)
    assert again == whole and again.finished
    assert {path: path.stat().st_mtime_ns for path in whole.folder.iterdir()} == before


def test_a_runs_folder_holds_what_it_promises(whole, few):
    assert {path.name for path in whole.folder.iterdir()} == {
        "spec.json", "best.safetensors", "history.csv", "statistics-val.npz", "statistics-test.npz", "run.json"}
    assert whole.folder.name == whole.name == whole.spec.run_name
    assert (whole.folder / "spec.json").read_text() == whole.spec.to_json() + "\n"
    history = whole.history()
    assert history["epoch"].tolist() == [1, 2, 3]
    assert np.isfinite(history.to_numpy(float)).all()
    for split in ("val", "test"):
        rows = few.indices(split)
        statistics = whole.statistics(split)
        np.testing.assert_array_equal(statistics.species, few.species[rows])
        assert statistics.names.tolist() == few.manifest["name"].iloc[rows].tolist()
        border = [int((few.masks[row] == 3).sum()) for row in rows]
        assert statistics.counts[:, 3].sum(1).tolist() == border
        assert (statistics.counts.sum((1, 2)) == 64 * 64).all()
    record = whole.record()
    assert record["epochs"] == 3 and record["threads"] == torch.get_num_threads()


def test_training_is_in_train_mode_and_walks_through_the_whole_schedule(whole):
    steps = 2  # an epoch's: ten photos, four at a time, the last two left out
    counted = load_file(whole.best)["model.stem.1.num_batches_tracked"]
    assert counted == whole.record()["best_epoch"] * steps  # batch norm counts in train mode
    rates = [3e-3 * one_cycle((epoch * steps - 1) / (3 * steps)) for epoch in (1, 2, 3)]
    assert whole.history()["learning_rate"].tolist() == pytest.approx(rates)


def test_every_epoch_has_an_order_and_augmentations_of_its_own(synthetic_data, tmp_path, monkeypatch):
    data, seen = subset(synthetic_data, train=8, val=2, test=2), {}
    loss = segmentation.cross_entropy
    for augmentation in ("none", "five"):
        targets = seen[augmentation] = []
        monkeypatch.setattr(segmentation, "cross_entropy", lambda logits, target, *rest, to=targets: (
            to.extend(t.numpy().tobytes() for t in target), loss(logits, target, *rest))[1])
        train_tiny(data, tmp_path, augmentation=augmentation, epochs=2)
    assert all(len(targets) == 16 for targets in seen.values())
    first, second = seen["none"][:8], seen["none"][8:]
    assert sorted(first) == sorted(second) and first != second
    repeated = set(seen["five"][:8]) & set(seen["five"][8:])
    assert len(repeated) < 4  # a photo may be left undistorted twice; with one seed for all epochs all would repeat


def test_same_seed_same_weights_other_seed_other_weights(whole, few, tmp_path):
    torch.manual_seed(99)
    assert_same_training(train_tiny(few, tmp_path), whole)
    other = load_file(train_tiny(few, tmp_path, seed=1).best)
    assert not torch.equal(other["model.head.weight"], load_file(whole.best)["model.head.weight"])


def test_eight_photos_can_be_learnt_by_heart(synthetic_data, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_last_is_best", lambda *_: True)  # what is learnt by heart serves no other photo
    data = subset(synthetic_data, train=8, val=2, test=2)
    run = train_tiny(data, tmp_path, epochs=60, batch_size=8, options={"width": 8, "depth": 3}, augmentation="none",
                     learning_rate=0.01)
    losses = run.history()["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0] / 4
    assert miou(evaluate(run.load_model(), data, "train", FLOAT32), data.species[data.indices("train")]) > 0.8


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

    def noted(scorer):
        def scoring(model, *args, **kwargs):
            weights.append({f"model.{name}": tensor.clone() for name, tensor in model.state_dict().items()})
            return scorer(model, *args, **kwargs)
        return scoring

    for scorer in (segmentation.watch, segmentation.evaluate):
        monkeypatch.setattr(segmentation, scorer.__name__, noted(scorer))
    monkeypatch.setattr(segmentation, "reduce_scores", lambda *args: {"mean": next(given)})
    run = train_tiny(few, tmp_path)
    assert run.history()["val_miou"].tolist() == scores
    assert run.record()["best_epoch"] == best
    assert_same_tensors(load_file(run.best), weights[best - 1])
    assert_same_tensors(weights[3], weights[best - 1])  # what is reported, on validation and test, is the best epoch
    assert_same_tensors(weights[4], weights[best - 1])


def test_the_recorded_best_score_is_the_best_models(whole, few):
    loss, confusion = watch(whole.load_model(), few, "val", loop.choose_precision("cpu"))
    history = whole.history()
    assert reduce_scores(confusion[None], "iou", "dataset")["mean"] == history["val_miou"].max()
    assert loss == history["val_loss"][history["val_miou"].argmax()]
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
    assert run.history()["train_loss"].equals(whole.history()["train_loss"])
    assert not np.array_equal(run.statistics("test").counts, whole.statistics("test").counts)


def test_an_empty_part_is_refused_before_training(few, tmp_path):
    with pytest.raises(DataError, match="there is no test photo"):
        train_tiny(subset(few, train=10, val=6, test=0), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_that_another_process_trains_is_refused(few, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "ORPHAN_SECONDS", 0.1)
    name = tiny_spec(few).run_name
    with FileLock(tmp_path / f".{name}.lock"), pytest.raises(UsageError, match="another process"):
        train_tiny(few, tmp_path)
