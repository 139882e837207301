"""Checkpoints: what comes back is what was saved, and a file that is not one is refused with a sentence."""

import json

import pytest
import torch
from making_runs import assert_same_tensors, assert_sentence
from safetensors.torch import load_file, save_file

from petseg_utils.errors import DataError
from petseg_utils.models import build_model
from petseg_utils.training.checkpoint import load_model, load_training, load_weights, read_spec, save_checkpoint
from petseg_utils.training.recipes import RECIPES, build_optimizer, cross_entropy
from petseg_utils.training.spec import RunSpec

SPEC = RunSpec("unet", "0123456789abcdef", 64, 2, options={"width": 2, "depth": 2}, learning_rate=0.0021)
FACTS = {"history": [{"epoch": 1, "val_loss": 0.1 + 0.2}], "scaler": {"scale": 65536.0}}


def step(model, optimizer, seed):
    """One training step on a batch that the seed determines."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(2, 3, 64, 64, generator=generator)
    target = torch.randint(0, 3, (2, 64, 64), generator=generator)
    optimizer.zero_grad()
    cross_entropy(model.train()(images), target).backward()
    optimizer.step()


def fresh(seed, recipe="strong"):
    torch.manual_seed(seed)
    model = SPEC.build()
    return model, build_optimizer(RECIPES[recipe], model)


@pytest.fixture
def trained():
    """A model and its optimizer after three steps."""
    model, optimizer = fresh(0)
    for seed in range(3):
        step(model, optimizer, seed)
    return model, optimizer


@pytest.fixture
def checkpoint(tmp_path, trained):
    model, optimizer = trained
    save_checkpoint(tmp_path / "last.safetensors", SPEC, model, optimizer=optimizer, facts=FACTS)
    return tmp_path / "last.safetensors"


def test_weights_come_back_in_a_model_in_eval_mode(checkpoint, trained):
    loaded = load_model(checkpoint)
    assert not loaded.training
    assert_same_tensors(loaded.state_dict(), trained[0].state_dict())
    assert read_spec(checkpoint) == SPEC


def test_training_goes_on_as_if_it_had_never_stopped(checkpoint, trained):
    model, optimizer = fresh(7)
    assert load_training(checkpoint, model, optimizer) == FACTS
    states = [o.state_dict()["state"] for o in (optimizer, trained[1])]
    assert states[0].keys() == states[1].keys() and states[0]
    for index in states[0]:
        assert_same_tensors(states[0][index], states[1][index])
    step(model, optimizer, seed=3)
    step(*trained, seed=3)
    assert_same_tensors(model.state_dict(), trained[0].state_dict())


def test_weights_alone_would_not_do(checkpoint, trained):
    """The counterpart of the test above: without the optimizer's state the next step is another one."""
    model, optimizer = fresh(7)
    load_weights(checkpoint, model)
    step(model, optimizer, seed=3)
    step(*trained, seed=3)
    assert not torch.equal(model.head.weight, trained[0].head.weight)


def test_what_trains_on_cannot_change_a_checkpoint(checkpoint, trained):
    saved = {name: tensor.clone() for name, tensor in load_file(checkpoint).items()}
    step(*trained, seed=3)
    assert_same_tensors(load_file(checkpoint), saved)
    loaded = load_model(checkpoint)
    torch.nn.init.zeros_(loaded.head.weight)
    assert_same_tensors(load_file(checkpoint), saved)


def test_channels_last_models_are_saved_too(tmp_path, trained):
    model = trained[0].to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "best.safetensors", SPEC, model)
    assert_same_tensors(load_model(tmp_path / "best.safetensors").state_dict(), model.state_dict())


def test_best_checkpoints_carry_no_optimizer(tmp_path, trained):
    save_checkpoint(tmp_path / "best.safetensors", SPEC, trained[0])
    assert all(name.startswith("model.") for name in load_file(tmp_path / "best.safetensors"))


def test_an_interrupted_write_keeps_the_earlier_file(checkpoint, trained, monkeypatch):
    before = checkpoint.read_bytes()

    def die(tensors, path, metadata):
        path.write_bytes(b"half a file")
        raise KeyboardInterrupt

    monkeypatch.setattr("petseg_utils.training.checkpoint.save_file", die)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(checkpoint, SPEC, trained[0])
    assert checkpoint.read_bytes() == before
    assert list(checkpoint.parent.iterdir()) == [checkpoint]


def test_a_missing_file_is_refused_with_a_sentence(tmp_path):
    for call in (read_spec, load_model, lambda path: load_weights(path, SPEC.build())):
        with pytest.raises(DataError) as raised:
            call(tmp_path / "none.safetensors")
        assert_sentence(str(raised.value), "none.safetensors' does not exist: give")


@pytest.mark.parametrize("length", [0, 4, 200, -100])
def test_a_truncated_file_is_refused_with_a_sentence(checkpoint, length):
    checkpoint.write_bytes(checkpoint.read_bytes()[:length])
    for call in (read_spec, load_model, lambda path: load_training(path, *fresh(0))):
        with pytest.raises(DataError) as raised:
            call(checkpoint)
        assert_sentence(str(raised.value), "last.safetensors' cannot be read (", "copy it anew")


def test_what_is_no_checkpoint_is_refused_with_a_sentence(tmp_path):
    foreign, text, folder = tmp_path / "foreign.safetensors", tmp_path / "notes.txt", tmp_path / "folder"
    save_file({"weight": torch.zeros(2)}, foreign, metadata={"format": "pt"})
    text.write_text("a file that is no checkpoint at all\n")
    folder.mkdir()
    for path, words in ((foreign, "carries no run spec"), (text, "cannot be read"), (folder, "cannot be read")):
        with pytest.raises(DataError) as raised:
            load_model(path)
        assert_sentence(str(raised.value), path.name, words)


@pytest.mark.parametrize("spec", ["no json", json.dumps({"model": "unet"}), json.dumps(json.loads(SPEC.to_json()) | {
    "decoder": "from a later version"})])
def test_a_spec_that_this_version_cannot_read_is_refused_with_a_sentence(tmp_path, spec):
    path = tmp_path / "later.safetensors"
    save_file({"model.weight": torch.zeros(2)}, path, metadata={"spec": spec, "facts": "{}"})
    with pytest.raises(DataError) as raised:
        load_model(path)
    assert_sentence(str(raised.value), "later.safetensors' carries a run spec that this version cannot read")


@pytest.mark.parametrize("change", ["missing", "unexpected", "shape"])
def test_loading_is_strict(checkpoint, tmp_path, change):
    tensors, path = load_file(checkpoint), tmp_path / "changed.safetensors"
    if change == "missing":
        del tensors["model.head.bias"]
    elif change == "unexpected":
        tensors["model.head.extra"] = torch.zeros(1)
    else:
        tensors["model.head.bias"] = torch.zeros(4)
    save_file(tensors, path, metadata={"spec": SPEC.to_json(), "facts": "{}"})
    with pytest.raises(DataError, match=r"do not fit .*head\.(bias|extra)") as raised:
        load_model(path)
    assert_sentence(str(raised.value), "changed.safetensors")


def test_weights_that_do_not_fit_are_one_sentence(whole, tmp_path):
    narrow = build_model("unet", width=2, depth=1)
    with pytest.raises(DataError) as caught:
        load_weights(whole.best, narrow)
    assert_sentence(str(caught.value), whole.best.name, "do not fit")
