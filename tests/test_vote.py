"""The pixels' vote on a photo's species."""

import pytest
import torch
from making_encoders import write_encoder
from making_runs import small_model

from petseg_utils.models import build_model
from petseg_utils.models.vote import OneSpecies, vote


def test_a_photo_of_three_pixels_by_hand():
    p = torch.tensor([[0.1, 0.0, 1.0], [0.6, 0.3, 0.0], [0.3, 0.7, 0.0]])  # 0.9 cat to 1.0 dog
    found = vote((p + 1e-9).log()[None, :, None])[0, :, 0].softmax(0)
    torch.testing.assert_close(found[0], p[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[1] / (found[1] + found[2]), torch.full((3,), 0.9 / 1.9), atol=1e-4, rtol=0)
    assert found.argmax(0).tolist() == [2, 2, 0]


def test_one_species_a_photo_and_the_same_pets():
    torch.manual_seed(0)
    model, images = small_model("unet").eval(), torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        before, after = model(images).softmax(1), OneSpecies(model)(images).softmax(1)
    torch.testing.assert_close(after[:, 0], before[:, 0])
    assert (((after.argmax(1) == 1).flatten(1).any(1)) & ((after.argmax(1) == 2).flatten(1).any(1))).sum() == 0


def test_maps_and_photos_give_the_same(tmp_path):
    model = build_model("clip", encoder=write_encoder(tmp_path), image_size=64, width=8).eval()
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(OneSpecies(model)(images), OneSpecies(model).decode(model.encode(images), images))


@pytest.mark.parametrize("value", [-80.0, 80.0])
def test_extreme_logits_stay_finite(value):
    assert torch.isfinite(vote(torch.full((1, 3, 2, 2), value))).all()
    only_background = torch.tensor([100.0, -100.0, -100.0])[None, :, None, None].expand(1, 3, 2, 2)
    assert torch.isfinite(vote(only_background)).all() and (vote(only_background).argmax(1) == 0).all()
