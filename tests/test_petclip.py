"""petclip-mini: its losses, what is kept of it, its file, its command."""

import json

import numpy as np
import open_clip
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from making_encoders import write_encoder
from making_runs import FLOAT32, assert_sentence
from safetensors import safe_open
from torch import nn

from petseg_utils.cli import main
from petseg_utils.errors import DataError, UsageError
from petseg_utils.petclip import pretrain
from petseg_utils.petclip.breeds import WITHHELD, spoken
from petseg_utils.petclip.captions import species_prompts
from petseg_utils.petclip.network import PetCLIP
from petseg_utils.petclip.pretrain import petclip_spec
from petseg_utils.petclip.scoring import correct_answers
from petseg_utils.petclip.shipped import load_clip, save_clip, shipped_file
from petseg_utils.petclip.vocabulary import ids_in_use, tokenize, words_of

# ---------------------------------------------------------------------------------------------- network


def test_info_nce_by_hand_is_open_clips():
    torch.manual_seed(0)
    image, text = (F.normalize(torch.randn(5, 8), dim=1) for _ in range(2))
    similarity = 14.0 * image @ text.T
    by_hand = -(similarity.log_softmax(1).diagonal().mean() + similarity.log_softmax(0).diagonal().mean()) / 2
    torch.testing.assert_close(open_clip.ClipLoss()(image, text, torch.tensor(14.0)), by_hand)


def batch(n=4):
    torch.manual_seed(0)
    return torch.rand(n, 3, 112, 112), tokenize(["a cat", "a dog", "a pug", "a beagle"][:n]), torch.arange(n)


def test_the_loss_is_the_sum_of_what_it_says():
    images, text, labels = batch()
    taught = torch.randn(4, 10, 7, 7)
    torch.manual_seed(0)
    model = PetCLIP(teacher_channels=10).eval()
    with torch.no_grad():
        total = model.loss(images, text, labels, taught)
        model.imitate, imitate = None, model.imitate
        alone = model.loss(images, text, labels, None)
        scale = model.clip.logit_scale.exp()
        torch.testing.assert_close(alone, open_clip.ClipLoss()(model(images), model.encode_text(text), scale))
        tokens = model._tokens(images)
        ours = imitate(tokens.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        dense = 1 - F.cosine_similarity(ours, taught).mean()
        pooled = 1 - F.cosine_similarity(ours.mean((2, 3)), taught.mean((2, 3))).mean()
        torch.testing.assert_close(total, alone + model.teacher_weight * (dense + pooled))


def test_the_control_learns_labels_and_not_texts():
    images, text, labels = batch()
    model = PetCLIP(objective="labels", n_labels=4)
    model.loss(images, text, labels, None).backward()
    assert model.clip.visual.trunk.conv1[0].weight.grad is not None
    assert model.clip.token_embedding.weight.grad is None and model.classify.weight.grad is not None


def test_no_gradient_is_missed():
    images, text, labels = batch()
    model = PetCLIP(teacher_channels=10)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # timm begins with residual branches of weight 0
    model.loss(images, text, labels, torch.randn(4, 10, 7, 7)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_answers_are_those_of_the_nearest_text(captioned):
    torch.manual_seed(0)
    model = PetCLIP()
    answers = correct_answers(model, captioned, "test", FLOAT32)
    assert {question: len(right) for question, right in answers.items()} == {
        "species": 12, "species by breed": 12, "breed": 6, "withheld": 6}
    images = torch.tensor(captioned.images[captioned.indices("test")]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        texts = torch.stack([F.normalize(model.encode_text(tokenize(species_prompts(name))).mean(0), dim=0)
                             for name in ("cat", "dog")])
        nearest = (model.eval()(images) @ texts.T).argmax(1).numpy()
    species = captioned.manifest["species"].iloc[captioned.indices("test")].to_numpy()
    np.testing.assert_array_equal(answers["species"], np.array(["cat", "dog"])[nearest] == species)
    control = correct_answers(PetCLIP(objective="labels", n_labels=len(set(
        captioned.manifest["breed"][captioned.indices("train")]))), captioned, "test", FLOAT32)
    assert set(control) == {"species", "breed"}


# ---------------------------------------------------------------------------------------------- file


def test_the_file_gives_back_what_was_saved(tmp_path):
    torch.manual_seed(0)
    model = PetCLIP().eval()
    texts = ["a photo of a cat", "a dog"]
    ids = ids_in_use(texts)
    save_clip(tmp_path / "mine.safetensors", model, ids, sorted({w for t in texts for w in words_of(t)}), {"run": "r"})
    clip, words = load_clip(tmp_path / "mine.safetensors")
    assert words == {"a", "photo", "of", "cat", "dog"}
    assert clip.token_embedding.weight.shape == (49408, 128)
    unused = np.setdiff1d(np.arange(49408), ids.numpy())
    assert clip.token_embedding.weight[unused].abs().max() == 0
    images = torch.rand(2, 3, 128, 128)
    with torch.no_grad():
        tokens = tokenize(texts)
        torch.testing.assert_close(clip.encode_text(tokens, normalize=True), model.encode_text(tokens), rtol=0.01,
                                   atol=0.01)
        normalised = (images - model.mean) / model.std
        torch.testing.assert_close(clip.encode_image(normalised, normalize=True), model(images), rtol=0.01, atol=0.01)


@pytest.mark.parametrize("content", [None, b"", b"no safetensors"])
def test_a_missing_or_broken_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "petclip.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_clip(path)
    assert_sentence(str(caught.value), "petclip.safetensors", "petclip" if content is None else "install")


def test_the_shipped_file_is_small_and_knows_its_words():
    assert shipped_file().stat().st_size <= 12_000_000
    with safe_open(shipped_file(), framework="pt") as file:
        about = json.loads(file.metadata()["petclip"])
    words, facts = set(about["words"]), about["facts"]
    assert {"cat", "dog", "background", "beagle", "siamese"} <= words
    for breed in WITHHELD:
        assert set(words_of(spoken(breed))) - words
    assert {row["question"] for row in facts["scores"]} == {"species", "species by breed", "breed", "withheld"}
    assert all(row["ci_low"] > row["chance"] for row in facts["scores"]), "worse than guessing"


# ---------------------------------------------------------------------------------------------- command


@pytest.mark.parametrize("teacher", [False, True])
def test_the_command_trains_exports_and_goes_on(oxford_root, workspace_root, tmp_path, monkeypatch, teacher):
    monkeypatch.setattr(pretrain, "N_SYNTHETIC", 24)
    output = tmp_path / "mine.safetensors"
    call = ["petclip", "--data-root", str(oxford_root), "--epochs", "1", "-o", str(output)]
    if teacher:
        call += ["--teacher", write_encoder(tmp_path)]
    done = CliRunner().invoke(main, call, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "withheld" in done.output and str(output) in done.output
    clip, words = load_clip(output)
    assert "pug" in words and "bombay" not in words
    before = output.read_bytes()
    (run,) = (workspace_root / "runs").glob("petclip-*/run.json")
    time = run.stat().st_mtime_ns
    CliRunner().invoke(main, call, catch_exceptions=False)
    assert output.read_bytes() == before and run.stat().st_mtime_ns == time, "a finished run is not trained again"


def test_an_unknown_objective_is_refused(captioned):
    with pytest.raises(UsageError, match="unknown objective 'words': choose one of captions, labels"):
        petclip_spec(captioned, objective="words")
    control = petclip_spec(captioned, objective="labels")
    assert control.options["n_labels"] == len(set(captioned.manifest["breed"][captioned.indices("train")]))
