"""Both sides of a CLIP: photos, places in photos and texts as vectors that can be compared.

Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021; of places,
Zhou, Loy and Dai, "Extract Free Dense Labels from CLIP", ECCV 2022: the tokens before pooling go through the same
projection as the pooled vector.
"""

from collections.abc import Callable, Sequence
from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.encoders.base import Encoder
from petseg_utils.encoders.fetching import hub
from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import UsageError
from petseg_utils.petclip.network import CONTEXT_LENGTH
from petseg_utils.petclip.shipped import PETCLIP_MINI, load_clip
from petseg_utils.petclip.vocabulary import check_words


class LanguageModel(nn.Module):
    """An image tower and a text tower that were taught to agree.

    Args:
        encoder: the image tower, its last map only.
        project: the last map's tokens float (..., C) -> the shared space float (..., D).
        clip: the open_clip model of both towers, in float32.
        tokenize: texts -> token ids.
        words: what the text side knows; any word if ``None``.
        scale: what similarities are multiplied by before a softmax, as learned.
    """

    def __init__(self, encoder: Encoder, project: nn.Module, clip: Any,
                 tokenize: Callable[[list[str]], Tensor], words: frozenset[str] | None, scale: float):
        super().__init__()
        self.encoder, self.project, self.clip = encoder, project, clip
        self.tokenize, self.words, self.scale = tokenize, words, scale
        self.requires_grad_(False).eval()

    def embed_places(self, images: Tensor) -> Tensor:
        """Images float (B, 3, H, W), RGB in [0, 1] -> one vector of length 1 for each place, float (B, D, h, w)."""
        (tokens,) = self.encoder(images)
        return F.normalize(self.project(tokens.float().permute(0, 2, 3, 1)), dim=-1).permute(0, 3, 1, 2)

    def embed_photos(self, images: Tensor) -> Tensor:
        """Images float (B, 3, H, W), RGB in [0, 1] -> float (B, D), of length 1, pooled as the model was taught: in a
        ViT the class token, in petclip-mini the mean over the places."""
        return self.clip.encode_image(self.encoder.prepare(images), normalize=True).float()

    def embed_texts(self, prompts: Sequence[Sequence[str]]) -> Tensor:
        """Classes, each as one or more sentences -> float (K, D), of length 1: the mean over a class's sentences.

        Raises:
            UsageError: a word that the text side has not learned; near ones are named.
        """
        if self.words is not None:
            for text in {text for of_class in prompts for text in of_class}:
                check_words(text, self.words)
        device = self.encoder.mean.device
        means = [F.normalize(self.clip.encode_text(self.tokenize(list(of_class)).to(device)).float(), dim=-1).mean(0)
                 for of_class in prompts]
        return F.normalize(torch.stack(means), dim=-1)


def build_language_model(spec: str, image_size: int) -> LanguageModel:
    """The encoder of a spec with its text side.

    Args:
        spec: ``petclip-mini``, or ``TAG:MODEL`` of open_clip, whose image tower is a ViT.
        image_size: side of the square that photos are brought to, in pixels.

    Raises:
        UsageError: the spec has no text side.
        DataError: its weights cannot be found.
    """
    encoder = build_encoder(spec, image_size, keep=(-1,))
    if spec == PETCLIP_MINI:
        clip, words = load_clip()
        return LanguageModel(encoder, clip.visual.head, clip, open_clip.SimpleTokenizer(context_length=CONTEXT_LENGTH),
                             words, float(clip.logit_scale.detach().exp().clamp(max=100)))
    tag, _, model = spec.rpartition(":")
    if tag.startswith("random") or not open_clip.get_pretrained_cfg(model, tag):
        raise UsageError(f"encoder {spec!r} has no text side: use {PETCLIP_MINI}, or a pair of open_clip such as "
                         "openai:ViT-B-32")
    quick = bool(open_clip.get_pretrained_cfg(model, tag).get("quick_gelu"))
    with hub():  # the encoder above has them in the cache
        clip = open_clip.create_model(model, pretrained=tag, force_quick_gelu=quick, force_image_size=image_size).eval()
    if getattr(clip.visual, "proj", None) is None:
        raise UsageError(f"encoder {spec!r} has a text side, but no projection for single places: use a ViT such as "
                         "openai:ViT-B-32")
    return LanguageModel(encoder, Project(clip.visual.proj), clip, open_clip.get_tokenizer(model), None,
                         float(clip.logit_scale.detach().exp()))


class Project(nn.Module):
    """A ViT's projection to the shared space, for tokens float (..., C)."""

    def __init__(self, matrix: nn.Parameter):
        super().__init__()
        self.matrix = matrix

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens @ self.matrix


class TextSegmenter(nn.Module):
    """Segmentation by text alone: each place is of the class whose sentences it agrees with most. Nothing is trained.

    Args:
        language: the two towers.
        prompts: sentences for background, cat and dog.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float (B, 3, H, W).
    """

    texts: Tensor

    def __init__(self, language: LanguageModel, prompts: Sequence[Sequence[str]]):
        super().__init__()
        self.language = language
        self.register_buffer("texts", language.embed_texts(prompts), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        agreement = torch.einsum("bdhw,kd->bkhw", self.language.embed_places(images), self.texts)
        return F.interpolate(self.language.scale * agreement, size=images.shape[-2:], mode="bilinear",
                             align_corners=False)


def classify_by_text(language: Any, images: Tensor, prompts: Sequence[Sequence[str]]) -> Tensor:
    """Probabilities of classes that are given as sentences, float (B, K): softmax of the scaled similarities."""
    return (language.scale * language.embed_photos(images) @ language.embed_texts(prompts).T).softmax(1)
