"""The mean of a photo's answer and its mirror image's."""

import torch
from making_runs import small_model
from torch import nn

from petseg_utils.models.flips import FlipAveraged


class Leftish(nn.Module):
    """Says class 1 in the left half of whatever it is shown, class 0 elsewhere, with probability .9."""

    def forward(self, images):
        p = torch.tensor([[0.05, 0.9, 0.05], [0.9, 0.05, 0.05]]).log().T  # (3, left and right)
        return p[None, :, None].repeat_interleave(images.shape[-1] // 2, dim=-1).expand(len(images), -1,
                                                                                       images.shape[-2], -1)


def test_by_hand():
    found = FlipAveraged(Leftish())(torch.rand(2, 3, 4, 6)).softmax(1)
    torch.testing.assert_close(found[0, :, 0, 0], torch.tensor([0.475, 0.475, 0.05]))
    torch.testing.assert_close(found, found.flip(-1))


def test_a_mirrored_photo_gets_the_mirrored_answer():
    torch.manual_seed(0)
    model, images = small_model("unet").eval(), torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(FlipAveraged(model)(images.flip(-1)), FlipAveraged(model)(images).flip(-1))
        mean = (model(images).softmax(1) + model(images.flip(-1)).softmax(1).flip(-1)) / 2
        torch.testing.assert_close(FlipAveraged(model)(images).exp(), mean)


def test_a_certain_model_stays_finite():
    class Certain(nn.Module):
        def forward(self, images):
            return torch.tensor([500.0, -500.0, 0.0])[None, :, None, None].expand(len(images), 3, 4, 4)

    assert torch.isfinite(FlipAveraged(Certain())(torch.rand(1, 3, 4, 4))).all()
