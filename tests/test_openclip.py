"""The OpenAI path without OpenAI's weights: a file in their layout gives exactly open_clip's own maps."""

import warnings

import open_clip
import pytest
import torch
from making_runs import assert_sentence
from torch import nn

from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import DataError, UsageError

MODEL = "ViT-B-32"


def fresh(name: str, size: int = 224) -> nn.Module:
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return open_clip.create_model(name, force_image_size=size).eval()


@pytest.fixture(scope="module")
def openai_file(tmp_path_factory):
    """Random weights as OpenAI keeps theirs: half precision, and three facts beside them."""
    state = {name: tensor.half() for name, tensor in fresh(f"{MODEL}-quickgelu").state_dict().items()}
    facts = {"input_resolution": torch.tensor(224), "context_length": torch.tensor(77),
             "vocab_size": torch.tensor(49408)}
    path = tmp_path_factory.mktemp("openai") / "ViT-B-32.pt"
    torch.save(state | facts, path)
    return path


@torch.no_grad()
def test_maps_equal_open_clips_own_exactly(openai_file):
    reference = fresh(f"{MODEL}-quickgelu")
    reference.load_state_dict({name: tensor.float() for name, tensor in torch.load(openai_file).items()
                               if name in reference.state_dict()})
    encoder = build_encoder(f"{openai_file}:{MODEL}", 224)
    images = torch.rand(1, 3, 224, 224)
    normalised = (images - torch.tensor(open_clip.OPENAI_DATASET_MEAN)[:, None, None]) / torch.tensor(
        open_clip.OPENAI_DATASET_STD)[:, None, None]
    theirs = reference.forward_intermediates(image=normalised, image_indices=[2, 5, 8, 11],
                                             normalize_intermediates=True, intermediates_only=True)
    maps = encoder(images)
    assert [tuple(m.shape) for m in maps] == [(1, 768, 7, 7)] * 4 and encoder.strides == (32,) * 4
    with pytest.raises(UsageError, match="stride 32, which does not divide an image size of 240"):
        build_encoder(f"{openai_file}:ViT-B-32", 240)
    for ours, own in zip(maps, theirs["image_intermediates"], strict=True):
        assert torch.equal(ours, own)

    # The last map holds the patch tokens, not the pooled vector: pooling by the class token is something else.
    tokens = reference.visual.ln_post(reference.visual.transformer(reference.visual._embeds(normalised)))[:, 1:]
    assert torch.equal(maps[-1].flatten(2).transpose(1, 2), tokens)

    # With GELU instead of QuickGELU the same file gives other maps, silently: hence the check of the layout.
    wrong = fresh(MODEL)
    wrong.load_state_dict(reference.state_dict())
    other = wrong.forward_intermediates(image=normalised, image_indices=[11], normalize_intermediates=True,
                                        intermediates_only=True)
    assert not torch.allclose(other["image_intermediates"][0], maps[-1], atol=1e-3)


def test_another_size_gives_another_grid(openai_file):
    encoder = build_encoder(f"{openai_file}:{MODEL}", 448)
    assert [m.shape[-2:] for m in encoder(torch.rand(1, 3, 448, 448))] == [(14, 14)] * 4


def test_a_checkpoint_of_another_model_is_refused(openai_file, tmp_path):
    with pytest.raises(DataError) as caught:
        build_encoder(f"{openai_file}:ViT-B-16", 224)
    assert_sentence(str(caught.value), "ViT-B-32.pt", "does not fit 'ViT-B-16'", "name the model")
    with pytest.raises(DataError) as caught:
        build_encoder(f"{tmp_path / 'missing.pt'}:{MODEL}", 224)
    assert_sentence(str(caught.value), "missing.pt", "is not there")
    (tmp_path / "broken.pt").write_bytes(b"no weights at all")
    with pytest.raises(DataError) as caught:
        build_encoder(f"{tmp_path / 'broken.pt'}:{MODEL}", 224)
    assert_sentence(str(caught.value), "broken.pt", "cannot be read")


def test_a_torchscript_archive_counts_as_openais(tmp_path):
    class Holder(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    from petseg_utils.encoders.openclip import _read
    holder = Holder()
    holder.weight = nn.Parameter(torch.ones(2).half())
    holder.register_buffer("input_resolution", torch.tensor(224))
    torch.jit.save(torch.jit.script(holder), tmp_path / "archive.pt")
    state, openai = _read(tmp_path / "archive.pt")
    assert openai and set(state) == {"weight"} and state["weight"].dtype == torch.float32
