"""The mean of several answers about one photo: in the mirror, at other sizes."""

import json

import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner
from making_runs import assert_sentence, small_model
from torch import nn

from petseg_utils import evaluation
from petseg_utils.cli import main
from petseg_utils.errors import UsageError
from petseg_utils.evaluation import evaluate
from petseg_utils.models.frozen import OnEncoder
from petseg_utils.models.test_time import FlipAveraged, ScaleAveraged
from petseg_utils.models.unet import UNet
from petseg_utils.models.vote import OneSpecies


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


class Rememberer(nn.Module):
    """Says how bright each pixel is, and remembers the sizes that it was shown."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def forward(self, images):
        self.sizes.append(tuple(images.shape[-2:]))
        return images


def test_scales_are_shown_and_averaged_at_the_photos_own_size():
    model, images = Rememberer(), torch.rand(2, 3, 24, 20)
    found = ScaleAveraged(model, (0.5, 1, 1.5))(images)
    assert model.sizes == [(12, 10), (24, 20), (36, 30)] and found.shape == images.shape
    half = F.interpolate(images, scale_factor=0.5, mode="bilinear", antialias=True)
    larger = F.interpolate(images, scale_factor=1.5, mode="bilinear")
    answers = [F.interpolate(small, size=(24, 20), mode="bilinear").softmax(1) for small in (half, larger)]
    torch.testing.assert_close(found.exp(), (answers[0] + images.softmax(1) + answers[1]) / 3)


def test_the_photos_own_size_alone_changes_nothing():
    model, images = small_model("unet").eval(), torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ScaleAveraged(model, [1])(images), model(images).log_softmax(1), rtol=0, atol=0)


@pytest.mark.parametrize("scales", [(), (1, 0), (-1.0,), (float("nan"),), (float("inf"),)])
def test_scales_that_are_none_are_refused(scales):
    with pytest.raises(UsageError, match="above 0"):
        ScaleAveraged(Rememberer(), scales)


def test_an_encoder_is_asked_at_scales_of_its_own_size():
    model, images = small_model("clip").eval(), torch.rand(2, 3, 48, 48)
    assert isinstance(model, OnEncoder)
    own, answers = model.encoder.image_size, []
    with torch.no_grad():
        found = ScaleAveraged(model, (1, 1.5))(images)
        assert model.encoder.image_size == own
        for size in (own, own * 3 // 2):
            model.encoder.image_size = size
            answers.append(model(images).softmax(1))
    assert not torch.allclose(*answers)
    torch.testing.assert_close(found.exp(), sum(answers) / 2)


def test_sizes_that_an_encoder_does_not_take_are_refused(monkeypatch):
    model = small_model("clip").eval()
    for scale in (1.01, 0.001):
        with pytest.raises(UsageError) as refused:
            ScaleAveraged(model, (1, scale))
        assert_sentence(str(refused.value), f"scale {scale:g} makes", "multiples of")
    own = model.encoder.image_size

    def of_one_size(images):
        assert images.shape[-1] == own, "as a transformer's positions say"
        return forward(images)

    forward = model.encoder.trunk.forward
    monkeypatch.setattr(model.encoder.trunk, "forward", of_one_size)
    ScaleAveraged(model, [1])
    with pytest.raises(UsageError, match="does not take that"):
        ScaleAveraged(model, [1, 2])
    assert model.encoder.image_size == own


def test_evaluate_asks_as_its_options_say(whole, few, monkeypatch):
    asked = []

    def recording(model, *arguments, **options):
        asked.append(model)
        return evaluate(model, *arguments, **options)

    monkeypatch.setattr(evaluation, "evaluate", recording)
    options = ["--flips", "--scales", ".75,1,1.25", "--one-species"]
    for chosen in (options, []):
        result = CliRunner().invoke(main, ["evaluate", str(whole.best), "--data-root", str(few.layout.root), *chosen])
        assert result.exit_code == 0, result.output
        printed = json.loads(result.stdout)
        expected = {"flips": True, "scales": ".75,1,1.25", "one_species": True} if chosen else {}
        assert {key: printed[key] for key in printed if key in ("flips", "scales", "one_species")} == expected
    vote, plain = asked
    assert isinstance(vote, OneSpecies) and isinstance(vote.model, FlipAveraged)
    assert isinstance(vote.model.model, ScaleAveraged) and vote.model.model.scales == (0.75, 1, 1.25)
    assert type(vote.model.model.model) is type(plain) is UNet


def test_evaluate_refuses_scales_that_are_no_numbers(whole, tmp_path):
    result = CliRunner().invoke(main, ["evaluate", str(whole.best), "--data-root", str(tmp_path), "--scales", "1;2"])
    assert result.exit_code == 2
    assert_sentence(result.stderr.removeprefix("petseg: "), "--scales '1;2'", "commas between")
