"""From a reconstruction to a segmentation: what is handed over, what stays frozen to the bit, what is refused."""

import dataclasses

import pytest
import torch
from making_runs import assert_same_tensors, assert_sentence, train_tiny
from safetensors.torch import load_file

from petseg_utils.errors import DataError, UsageError
from petseg_utils.models import AUTOENCODER_NAMES
from petseg_utils.training import RunSpec, tasks
from petseg_utils.training.checkpoint import load_model

OPTIONS = {"ae-simple": {"width": 4}, "ae-improved": {"width": 4}, "ae-unet": {"width": 2, "depth": 3},
           "mae": {"patch": 16, "dim": 12, "depth": 1}}


def train_one(few, folder, model, **changes):
    return train_tiny(few, folder, model=model, **({"options": OPTIONS[model], "epochs": 2} | changes))


@pytest.fixture(scope="module")
def runs_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module", params=AUTOENCODER_NAMES)
def pretrained(request, few, runs_folder):
    return train_one(few, runs_folder, request.param, task="reconstruction")


def encoder_of(path):
    return {name: tensor for name, tensor in load_file(path).items() if name.startswith("model.encoder.")}


def test_a_reconstruction_has_a_history_and_no_scores(pretrained):
    assert pretrained.finished and not pretrained.has_statistics("val") and not pretrained.has_statistics("test")
    history = pretrained.history()
    assert "val_miou" not in history and history["val_loss"].gt(0).all()
    record = pretrained.record()
    assert record["best_val_loss"] == history["val_loss"].min() and record["best_val_miou"] is None
    assert record["best_epoch"] == 1 + int(history["val_loss"].argmin())


def test_a_frozen_encoder_stays_to_the_bit_batch_norm_included(pretrained, few, runs_folder):
    run = train_one(few, runs_folder, pretrained.spec.model, encoder=pretrained.name, frozen=True)
    before = encoder_of(pretrained.best)
    assert before
    assert_same_tensors(encoder_of(run.best), before)
    record = run.record()
    assert record["pretraining"] == pretrained.name
    decoder = [p for name, p in run.load_model().named_parameters() if not name.startswith("encoder.")]
    assert record["trainable_parameters"] == sum(p.numel() for p in decoder)


def test_a_fine_tuned_encoder_begins_where_the_pretraining_ended_and_moves(pretrained, few, runs_folder):
    run = train_one(few, runs_folder, pretrained.spec.model, encoder=pretrained.name, learning_rate=1e-9)
    before = encoder_of(pretrained.best)
    moved = encoder_of(run.best)
    weights = [name for name in before if name.endswith("weight") and "norm" not in name]
    assert weights
    for name in weights:
        torch.testing.assert_close(moved[name], before[name], atol=1e-6, rtol=0)
    assert any(not torch.equal(moved[name], before[name]) for name in before)


def test_a_frozen_encoder_gets_no_gradient(few, runs_folder, monkeypatch):
    gradients = []
    loss = tasks.Segmentation.loss

    def watched(self, model, *given):
        gradients.append({name: p.grad is not None for name, p in model.named_parameters()})
        assert not model.encoder.training and model.training
        return loss(self, model, *given)

    monkeypatch.setattr(tasks.Segmentation, "loss", watched)
    train_one(few, runs_folder, "ae-improved", frozen=True, seed=3)
    second = gradients[1]
    assert {name.startswith("encoder.") for name, has in second.items() if not has} == {True}
    assert all(has for name, has in second.items() if not name.startswith("encoder."))


def test_masks_and_other_parts_teach_a_reconstruction_nothing(pretrained, few, tmp_path):
    images = few.images.copy()
    images[few.indices("test")] = 0
    spoiled = dataclasses.replace(few, images=images, masks=0 * few.masks)
    again = train_one(spoiled, tmp_path, pretrained.spec.model, task="reconstruction")
    assert_same_tensors(load_file(again.best), load_file(pretrained.best))
    assert again.history()["train_loss"].equals(pretrained.history()["train_loss"])


def test_validation_hides_the_same_patches_in_every_epoch(few, tmp_path):
    run = train_one(few, tmp_path, "mae", task="reconstruction", learning_rate=1e-12, epochs=3)
    assert run.history()["val_loss"].nunique() == 1


def test_an_interrupted_pretraining_goes_on_to_the_same_bits(few, runs_folder, tmp_path, monkeypatch):
    whole = train_one(few, runs_folder, "mae", task="reconstruction")
    validate, calls = tasks.Reconstruction.validate, []

    def stopped(*given):
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return validate(*given)

    monkeypatch.setattr(tasks.Reconstruction, "validate", stopped)
    with pytest.raises(KeyboardInterrupt):
        train_one(few, tmp_path, "mae", task="reconstruction")
    monkeypatch.undo()
    again = train_one(few, tmp_path, "mae", task="reconstruction")
    assert len(calls) == 2
    assert_same_tensors(load_file(again.best), load_file(whole.best))
    assert again.history()["train_loss"].equals(whole.history()["train_loss"])


def test_what_is_still_being_pretrained_is_nothing_to_begin_from(few, tmp_path):
    pretrained = train_one(few, tmp_path, "ae-simple", task="reconstruction")
    (pretrained.folder / "run.json").rename(tmp_path / "run.json")
    with pytest.raises(UsageError) as raised:
        train_one(few, tmp_path, "ae-simple", encoder=pretrained.name, frozen=True)
    assert_sentence(str(raised.value), f"run {pretrained.name} is not finished", "train it to its end")
    (tmp_path / "run.json").rename(pretrained.folder / "run.json")
    assert train_one(few, tmp_path, "ae-simple", encoder=pretrained.name, frozen=True).finished


def test_encoders_that_do_not_fit_are_refused_with_a_sentence(few, runs_folder):
    pretrained = train_one(few, runs_folder, "ae-simple", task="reconstruction")
    with pytest.raises(UsageError) as raised:
        train_one(few, runs_folder, "mae", encoder=pretrained.name)
    assert_sentence(str(raised.value), f"run {pretrained.name} taught the encoder of a 'ae-simple'",
                    "name a run that fits")
    with pytest.raises(DataError) as refused:
        train_one(few, runs_folder, "ae-simple", encoder=pretrained.name, options={"width": 8})
    assert_sentence(str(refused.value), "has other layers or sizes than the model's")
    with pytest.raises(DataError) as missing:
        train_one(few, runs_folder, "ae-simple", encoder="ae-simple-0123456789")
    assert_sentence(str(missing.value), "does not exist")


def test_a_reconstruction_is_no_segmenter(few, runs_folder):
    pretrained = train_one(few, runs_folder, "ae-simple", task="reconstruction")
    with pytest.raises(DataError) as raised:
        load_model(pretrained.best)
    assert_sentence(str(raised.value), "learned reconstruction, not segmentation or prompt: give a run that did")


@pytest.mark.parametrize(("changes", "message"), [
    ({"task": "guessing"}, "unknown task 'guessing': choose one of segmentation, prompt, reconstruction"),
    ({"label_fraction": 0}, "label_fraction is 0: give a number above 0"),
    ({"label_fraction": 1.5}, "label_fraction is 1.5: give a number above 0"),
    ({"task": "reconstruction", "frozen": True}, "begins from nothing, freezes nothing"),
    ({"task": "reconstruction", "label_fraction": 0.5}, "begins from nothing, freezes nothing"),
    ({"model": "unet", "frozen": True}, "model 'unet' has no encoder that comes from elsewhere: choose one of ae-"),
    ({"model": "unet", "encoder": "mae-1"}, "model 'unet' has no encoder that comes from elsewhere"),
    ({"model": "unet", "task": "reconstruction"}, "model 'unet' does not learn by reconstructing: choose one of ae-"),
])
def test_specs_that_make_no_sense_are_refused_with_a_sentence(changes, message):
    with pytest.raises(UsageError) as raised:
        RunSpec(**({"model": "mae", "data": "0", "image_size": 64, "epochs": 1} | changes))
    assert_sentence(str(raised.value), message)
