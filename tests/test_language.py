"""Text and photos in one space: classification and segmentation by text, and words that were never learned."""

import open_clip
import pytest
import torch
import torch.nn.functional as F
from making_encoders import cut_off, write_encoder
from making_runs import FLOAT32, assert_sentence

from petseg_utils.encoders.language import (
    LanguageModel,
    Project,
    TextSegmenter,
    build_language_model,
    classify_by_text,
)
from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import DataError, UsageError
from petseg_utils.evaluation import evaluate
from petseg_utils.petclip.shipped import load_clip


@pytest.fixture(scope="module")
def language():
    return build_language_model("petclip-mini", 128)


@torch.no_grad()
def test_photos_are_embedded_as_open_clip_does(language):
    clip, _ = load_clip()
    images = torch.rand(3, 3, 128, 128)
    normalised = (images - language.encoder.mean) / language.encoder.std
    torch.testing.assert_close(language.embed_photos(images), clip.encode_image(normalised, normalize=True), rtol=1e-3,
                               atol=1e-4)
    tokens = language.tokenize(["a cat", "a dog"])
    theirs = clip.encode_text(tokens, normalize=True)
    torch.testing.assert_close(language.embed_texts([["a cat"], ["a dog"]]), theirs, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_places_average_to_the_photo(language):
    images = torch.rand(2, 3, 128, 128)
    (tokens,) = language.encoder(images)
    projected = language.project(tokens.permute(0, 2, 3, 1)).mean((1, 2))
    torch.testing.assert_close(F.normalize(projected, dim=-1), language.embed_photos(images), rtol=1e-3, atol=1e-4)
    places = language.embed_places(images)
    assert places.shape == (2, 128, 8, 8)
    torch.testing.assert_close(places.norm(dim=1), torch.ones(2, 8, 8))


@torch.no_grad()
def test_a_vits_photo_is_its_class_token_and_not_the_mean_of_places():
    encoder = build_encoder("random:openai:ViT-B-32", 64, keep=(-1,))
    clip = open_clip.create_model("ViT-B-32", force_image_size=64, force_quick_gelu=True).eval()
    tokenize = open_clip.get_tokenizer("ViT-B-32")
    language = LanguageModel(encoder, Project(clip.visual.proj), clip, tokenize, None, 100.0)
    images = torch.rand(2, 3, 50, 64)
    theirs = clip.encode_image(encoder.prepare(images), normalize=True)
    torch.testing.assert_close(language.embed_photos(images), theirs)
    assert language.embed_places(images).shape == (2, 512, 2, 2)


@torch.no_grad()
def test_probabilities_and_prompt_means(language):
    probabilities = classify_by_text(language, torch.rand(2, 3, 128, 128), [["a cat", "a photo of a cat"], ["a dog"]])
    torch.testing.assert_close(probabilities.sum(1), torch.ones(2))
    single = language.embed_texts([["a cat"], ["a photo of a cat"]])
    torch.testing.assert_close(language.embed_texts([["a cat", "a photo of a cat"]])[0],
                               F.normalize(single.mean(0), dim=0))


@pytest.mark.parametrize(("text", "parts"), [
    ("a photo of a zebra", ["'zebra'", "try"]),
    ("a photo of a beagel", ["'beagel'", "beagle"]),
    ("siamse cat", ["'siamse'", "siamese"]),
    ("newfoundland", ["'newfoundland'"]),
    ("", ["''", "'dog'"]),
    ("123 !", ["123", "'dog'"]),
])
def test_a_word_outside_is_refused_with_near_ones(language, text, parts):
    with pytest.raises(UsageError) as caught:
        language.embed_texts([["a cat"], [text]])
    assert_sentence(str(caught.value), *parts)


def test_segmentation_by_text_is_scored_like_any_model(language, few):
    model = TextSegmenter(language, [["background"], ["a cat"], ["a dog"]])
    statistics = evaluate(model, few, "test", FLOAT32)
    assert len(statistics) == 6 and statistics.counts.sum() == 6 * 64 * 64
    assert not any(p.requires_grad for p in model.parameters())
    with torch.no_grad():
        logits = model(torch.rand(1, 3, 33, 47))
        assert logits.shape == (1, 3, 33, 47) and logits.abs().max() <= language.scale * 1.001
        swapped = TextSegmenter(language, [["background"], ["a dog"], ["a cat"]])(torch.full((1, 3, 64, 64), 0.5))
        plain = model(torch.full((1, 3, 64, 64), 0.5))
    torch.testing.assert_close(plain[:, [0, 2, 1]], swapped)


@pytest.mark.parametrize("spec", ["random:petclip-mini", "timm", "random:openai:ViT-B-32", "file"])
def test_what_has_no_text_side_says_so(spec, tmp_path):
    spec = {"timm": "random:timm:resnet10t", "file": write_encoder(tmp_path)}.get(spec, spec)
    with pytest.raises(UsageError) as caught:
        build_language_model(spec, 64)
    assert_sentence(str(caught.value), "no text side", "petclip-mini")


def test_offline_is_one_sentence(monkeypatch, tmp_path):
    cut_off(monkeypatch, tmp_path)
    with pytest.raises(DataError) as caught:
        build_language_model("openai:ViT-B-32", 224)
    assert_sentence(str(caught.value), "connect once")
