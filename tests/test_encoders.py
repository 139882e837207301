"""Frozen encoders: each form of spec, each wrong one, and what every encoder promises."""

from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from making_encoders import TINY, cut_off, write_encoder
from making_runs import assert_sentence
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from petseg_utils.encoders.base import hash_weights
from petseg_utils.encoders.naming import encoder_name, in_folder
from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import DataError, UsageError

BROUGHT = Path(__file__).parents[2] / "shared" / "encoders" / "imagenet_rn101v2.py"


@pytest.fixture(params=["petclip-mini", "random:petclip-mini", "random:timm:resnet10t", "random:timm:test_vit",
                        "random:openai:RN50", "random:laion2b_s34b_b79k:ViT-B-32", "file", "random:file"])
def spec(request, tmp_path):
    """Every form that works without a network."""
    return request.param.replace("file", write_encoder(tmp_path))


def test_maps_are_as_promised_and_nothing_moves(spec, caplog):
    encoder = build_encoder(spec, 96)
    assert caplog.text == ""
    before = hash_weights(encoder.trunk.network)
    assert before == encoder.weights_hash and len(before) == 16
    torch.nn.Sequential(encoder).train()  # as a careless loop would
    images = torch.rand(2, 3, 96, 96)
    maps = encoder(images)
    assert [m.shape for m in maps] == [(2, c, 96 // s, 96 // s) for c, s in zip(encoder.channels, encoder.strides,
                                                                                 strict=True)]
    assert all(torch.isfinite(m).all() and not m.requires_grad for m in maps)
    assert not any(p.requires_grad for p in encoder.parameters())
    assert hash_weights(encoder.trunk.network) == before
    assert max(m.std() for m in maps) > 0
    single = encoder(images[:1])
    for whole, alone in zip(maps, single, strict=True):
        torch.testing.assert_close(whole[:1], alone, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("promised", "given", "parts"), [
    ("channels, strides = (4, 6), (4, 8)", "channels, strides = (4, 7), (4, 8)", ["(2, 6, 8, 8)", "(2, 7, 8, 8)"]),
    ("channels, strides = (4, 6), (4, 8)", "channels, strides = (4, 6), (4, 16)", ["(2, 6, 8, 8)", "(2, 6, 4, 4)"]),
    ("channels, strides = (4, 6), (4, 8)", "channels, strides = (4,), (4,)", ["[(2, 4, 16, 16)]"]),
    ("channels, strides = (4, 6), (4, 8)", "channels, strides = (4, 6), (4,)", ["2 channels and 1 strides"]),
    ("mean, std = (0.5, 0.5, 0.5)", "mean, std = 0.5", ["mean 0.5", "three numbers"]),
    ("return [first, self.second(first)]", "return first", ["answers two photos with Tensor"]),
    ("return [first, self.second(first)]", "return [first[:, :1], self.second(first)]", ["(2, 1, 16, 16)"]),
    ("return [first, self.second(first)]", "raise KeyError('lost')", ["fails on photos of 64 px", "lost"]),
    ("return [first, self.second(first)]", "return [first / 0, self.second(first)]", ["what is no number"]),
    ("return [first, self.second(first)]", "raise SystemExit(3)", ["fails on photos of 64 px", "SystemExit"]),
    ("channels, strides = (4, 6), (4, 8)", "channels, strides = (4, 6), (4, 0)", ["strides (4, 0)", "above 0"]),
    ("(0.25, 0.25, 0.25)", "(0.25, 0.0, 0.25)", ["std (0.25, 0.0, 0.25)", "above 0"]),
], ids=["channels", "strides", "maps", "lengths", "mean", "tensor", "broadcast", "raises", "nan", "exits", "stride 0",
        "std 0"])
def test_a_network_that_breaks_its_promise_is_refused_before_it_is_used(promised, given, parts, tmp_path):
    assert promised in TINY
    with pytest.raises(DataError) as caught:
        build_encoder(write_encoder(tmp_path, source=TINY.replace(promised, given)), 64)
    assert_sentence(str(caught.value), "tiny.py", *parts)


def test_the_random_control_forgets_what_batch_norm_has_counted(tmp_path):
    source = TINY.replace("return Tiny()", "tiny = Tiny()\n    tiny.first[1].running_mean.fill_(5)\n    return tiny")
    file = write_encoder(tmp_path, source=source)
    learned, control = (build_encoder(spec, 64).trunk.network.first[1] for spec in (file, f"random:{file}"))
    assert (learned.running_mean == 5).all() and (control.running_mean == 0).all()


def test_maps_of_networks_with_channels_last_are_turned():
    encoder = build_encoder("random:timm:swin_tiny_patch4_window7_224", 224)
    maps = encoder(torch.rand(1, 3, 224, 224))
    assert [m.shape[1] for m in maps] == list(encoder.channels)
    assert [224 // m.shape[2] for m in maps] == [224 // m.shape[3] for m in maps] == list(encoder.strides)


def test_another_size_is_resized_by_the_encoder(tmp_path):
    encoder = build_encoder(write_encoder(tmp_path), 64)
    assert [m.shape[-1] for m in encoder(torch.rand(1, 3, 40, 52))] == [16, 8]
    constant = torch.full((1, 3, 40, 52), 0.3)
    for small, exact in zip(encoder(constant), encoder(torch.full((1, 3, 64, 64), 0.3)), strict=True):
        torch.testing.assert_close(small, exact)
    with pytest.raises(UsageError, match="stride 8, which does not divide an image size of 60"):
        build_encoder(write_encoder(tmp_path), 60)
    with pytest.raises(UsageError, match="image size 16 is too small"):
        build_encoder(write_encoder(tmp_path), 16)


def test_images_are_normalised_with_the_encoders_own_numbers(tmp_path):
    spec = write_encoder(tmp_path)
    images = torch.rand(1, 3, 64, 64)
    encoder = build_encoder(spec, 64)
    for ours, plain in zip(encoder(images), encoder.trunk((images - 0.5) / 0.25), strict=True):
        torch.testing.assert_close(ours, plain)
    for name, mean, std in (("clip", OPENAI_DATASET_MEAN, OPENAI_DATASET_STD),
                            ("imagenet", IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)):
        other = build_encoder(spec, 64, normalisation=name)
        assert torch.equal(other.mean.flatten(), torch.tensor(mean))
        assert torch.equal(other.std.flatten(), torch.tensor(std))
    with pytest.raises(UsageError, match="unknown normalisation 'imagnet': choose one of clip, imagenet"):
        build_encoder(spec, 64, normalisation="imagnet")
    assert torch.equal(build_encoder("petclip-mini", 64).mean.flatten(), torch.tensor(OPENAI_DATASET_MEAN))


def test_only_the_maps_that_are_wanted(tmp_path):
    spec = write_encoder(tmp_path)
    both, last = build_encoder(spec, 64), build_encoder(spec, 64, keep=(-1,))
    assert (last.channels, last.strides, last.keep) == ((6,), (8,), (1,))
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(last(images)[0], both(images)[1])
    assert last.weights_hash == both.weights_hash


def test_the_compute_type_is_set_once_and_autocast_leaves_it_alone(tmp_path):
    encoder = build_encoder(write_encoder(tmp_path), 64)
    images = torch.rand(1, 3, 64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert {m.dtype for m in encoder(images)} == {torch.float32}
    encoder.compute_in(torch.bfloat16)
    assert {m.dtype for m in encoder(images)} == {torch.bfloat16}
    trainable = build_encoder(write_encoder(tmp_path), 64).requires_grad_(True)
    trainable.compute_in(torch.bfloat16)
    assert next(trainable.parameters()).dtype == torch.float32


@pytest.mark.parametrize("name", ["petclip-mini", "file"])
def test_the_random_control_has_the_shapes_and_not_the_weights(name, tmp_path):
    learned = name.replace("file", write_encoder(tmp_path))
    state = torch.get_rng_state()
    control, again = build_encoder(f"random:{learned}", 64), build_encoder(f"random:{learned}", 64)
    assert torch.equal(torch.get_rng_state(), state), "the caller's random numbers moved"
    assert control.weights_hash == again.weights_hash != build_encoder(learned, 64).weights_hash
    assert control.channels == build_encoder(learned, 64).channels
    images = torch.rand(1, 3, 64, 64)
    assert not torch.allclose(control(images)[0], build_encoder(learned, 64)(images)[0])


@pytest.mark.skipif(not BROUGHT.is_file(), reason="this machine has no pretrained encoder file")
def test_a_real_pretrained_file(tmp_path):
    encoder = build_encoder(str(BROUGHT), 128)
    assert (encoder.name, encoder.channels, encoder.strides) == ("imagenet_rn101v2", (256, 512, 1024), (4, 8, 16))
    maps = encoder(torch.rand(1, 3, 128, 128))
    assert [m.shape[-1] for m in maps] == [32, 16, 8] and all(m.min() >= 0 for m in maps)


@pytest.mark.parametrize(("wrong", "parts"), [
    ("petclip", ["petclip", "TAG:MODEL", "timm:NAME"]),
    ("", ["''", "petclip-mini"]),
    ("random:", ["random:", "petclip-mini"]),
    (":ViT-B-32", [":ViT-B-32", "TAG:MODEL"]),
    ("openai:", ["openai:", "TAG:MODEL"]),
    ("openai:ViT-B-33", ["ViT-B-33", "ViT-B-32"]),
    ("openia:ViT-B-32", ["openia", "openai"]),
    ("timm:resnet51", ["resnet51", "resnet"]),
    ("timm:no_such_net", ["no_such_net"]),
    ("timm:resnet10t.nonsense", ["nonsense"]),
    ("laion2b_s34b_b79k:ViT-B-32-quickgelu", ["QuickGELU", "'ViT-B-32'"]),
])
def test_a_wrong_spec_is_refused_with_a_sentence(wrong, parts):
    with pytest.raises(UsageError) as caught:
        build_encoder(wrong, 64)
    assert_sentence(str(caught.value), *parts)


@pytest.mark.parametrize(("source", "parts"), [
    (None, ["is not there"]),
    ("def build(:", ["SyntaxError"]),
    ("x = 1", ["AttributeError", "build"]),
    ("def build():\n    raise OSError('no weights')", ["OSError", "no weights"]),
    ("from urllib.error import URLError\n\ndef build():\n    raise URLError('no route')",
     ["there is no connection", "no route", "hub/checkpoints"]),
    ("import sys\nsys.exit(3)", ["SystemExit", "mend"]),
    ("def build():\n    return 3", ["int", "torch.nn.Module"]),
    (TINY.replace("mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)", "std = (1, 1, 1)"), ["has no mean"]),
])
def test_a_wrong_file_is_refused_with_a_sentence(source, parts, tmp_path):
    spec = str(tmp_path / "mine.py") if source is None else write_encoder(tmp_path, "mine.py", source)
    with pytest.raises(DataError) as caught:
        build_encoder(spec, 64)
    assert_sentence(str(caught.value), "mine.py", *parts)


def test_a_file_may_hold_dataclasses(tmp_path):
    source = ("from __future__ import annotations\nfrom dataclasses import dataclass\n\n@dataclass\nclass Width:\n"
              "    first: int = 4\n" + TINY)
    assert build_encoder(write_encoder(tmp_path, source=source), 64).channels == (4, 6)


def test_random_twice_is_refused():
    with pytest.raises(UsageError, match="twice"):
        build_encoder("random:random:petclip-mini", 64)


@pytest.mark.parametrize(("spec", "parts"), [
    ("openai:ViT-B-32", ["openai:ViT-B-32", "connect once", "FILE:ViT-B-32-quickgelu"]),
    ("timm:resnet10t", ["timm:resnet10t", "connect once", "safetensors"]),
])
def test_offline_without_weights_one_sentence_names_the_file(spec, parts, monkeypatch, tmp_path,
                                                                caplog, capsys):
    cut_off(monkeypatch, tmp_path)
    with pytest.raises(DataError) as caught:
        build_encoder(spec, 224)
    assert_sentence(str(caught.value), *parts)
    assert caplog.text == "" and not constants.HF_HUB_OFFLINE, "only within the call"
    printed = capsys.readouterr()
    assert not printed.out and "Retrying" not in printed.err


def test_only_a_files_folder_is_exchanged():
    def moved(spec):
        return in_folder(spec, lambda file: f"new/{file.name}")

    assert moved("/a/b/net.py") == "new/net.py" and moved("random:net.py") == "random:new/net.py"
    assert moved("/a/clip.pt:ViT-B-32") == "new/clip.pt:ViT-B-32"
    assert moved("a/odd.weights:petclip-mini") == "new/odd.weights:petclip-mini"
    for spec in ("petclip-mini", "openai:ViT-B-32", "random:timm:resnet50.a1_in1k", "ae-unet-0123456789", ""):
        assert moved(spec) == spec


def test_names_are_free_of_folders():
    assert encoder_name("/some/where/net.py") == "net"
    assert encoder_name("random:/some/where/net.py") == "random:net"
    assert encoder_name("/some/where/clip.pt:ViT-B-32") == "clip:ViT-B-32"
    assert encoder_name("openai:ViT-B-32") == "openai:ViT-B-32"
    assert encoder_name("timm:resnet50.a1_in1k") == "timm:resnet50.a1_in1k"
