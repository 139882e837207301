"""CLIPSeg through transformers: a tiny random one, none installed, none to be had."""

import sys

import pytest
import torch
from making_runs import FLOAT32, assert_sentence

from petseg_utils.errors import DataError, UsageError
from petseg_utils.evaluation import evaluate
from petseg_utils.models.clipseg import CLIPSeg, load_clipseg

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def network():
    small = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_hidden_layers": 3}
    config = transformers.CLIPSegConfig(
        text_config=small | {"vocab_size": 64, "max_position_embeddings": 8, "eos_token_id": 63, "bos_token_id": 62},
        vision_config=small | {"image_size": 64, "patch_size": 16}, projection_dim=16, reduce_dim=8,
        extract_layers=[0, 1, 2], decoder_num_attention_heads=2, decoder_intermediate_size=16)
    torch.manual_seed(0)
    return transformers.CLIPSegForImageSegmentation(config).eval()


@torch.no_grad()
def test_logits_are_the_networks_own(network, few):
    ids, mask = torch.tensor([[62, 5, 63], [62, 9, 63]]), torch.ones(2, 3, dtype=torch.long)
    model = CLIPSeg(network, ids, mask)
    images = torch.rand(2, 3, 64, 64)
    logits = model(images)
    assert logits.shape == (2, 3, 64, 64) and torch.equal(logits[:, 0], torch.zeros(2, 64, 64))
    pixels = (images - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor(
        [0.229, 0.224, 0.225])[:, None, None]
    for channel, own in enumerate(ids, start=1):
        theirs = network(input_ids=own.expand(2, -1), attention_mask=mask[:1].expand(2, -1), pixel_values=pixels).logits
        torch.testing.assert_close(logits[:, channel], theirs)
    assert not torch.equal(logits[:, 1], logits[:, 2])
    assert model(torch.rand(1, 3, 40, 56)).shape == (1, 3, 40, 56)
    assert len(evaluate(model, few, "test", FLOAT32)) == 6


def test_without_the_library_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError) as caught:
        load_clipseg()
    assert_sentence(str(caught.value), "transformers", "petseg-utils[clipseg]")


def test_without_weights_one_sentence(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DataError) as caught:
        load_clipseg(name=str(tmp_path))
    assert_sentence(str(caught.value), str(tmp_path), "connect once")
    with pytest.raises(UsageError, match="CLIPSeg got 1 texts: give one for cat and one for dog"):
        load_clipseg(["a cat"])
