"""PSNR and SSIM against a hand's numbers and torchmetrics, and the floor against a count."""

import numpy as np
import pytest
import torch
from making_runs import FLOAT32, subset
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from petseg_utils.evaluation import evaluate
from petseg_utils.metrics import apply_border, psnr, reduce_scores, ssim
from petseg_utils.models.floor import ClassFrequencies


@pytest.fixture
def pair():
    torch.manual_seed(0)
    images = torch.rand(3, 3, 24, 32)
    return (images + 0.1 * torch.randn(3, 3, 24, 32)).clamp(0, 1), images


def test_psnr_by_hand():
    images = torch.zeros(2, 3, 4, 4)
    reconstructions = images.clone()
    reconstructions[0] += 0.1
    reconstructions[1, :, 0, 0] = 1
    torch.testing.assert_close(psnr(reconstructions, images), torch.tensor([20.0, 10 * np.log10(16)]).float())
    assert torch.isinf(psnr(images, images)).all()


def test_psnr_and_ssim_are_torchmetrics(pair):
    expected = peak_signal_noise_ratio(*pair, data_range=1.0, reduction="none", dim=(1, 2, 3))
    torch.testing.assert_close(psnr(*pair), expected)
    # Its average has the reflected rim in it, which the paper leaves out.
    _, full = structural_similarity_index_measure(*pair, data_range=1.0, reduction="none", return_full_image=True)
    torch.testing.assert_close(ssim(*pair), full[..., 5:-5, 5:-5].flatten(1).mean(1), atol=1e-5, rtol=0)


def test_equal_photos_are_similar_and_an_inverted_one_is_not(pair):
    _, images = pair
    torch.testing.assert_close(ssim(images, images), torch.ones(3))
    assert (ssim(1 - images, images) < 0).all()


def test_what_lies_outside_is_clipped(pair):
    reconstructions, images = pair
    wild = torch.where(reconstructions > 0.9, reconstructions + 5, reconstructions)
    clipped = wild.clamp(0, 1)
    assert torch.equal(psnr(wild, images), psnr(clipped, images))
    assert torch.equal(ssim(wild, images), ssim(clipped, images))


def test_the_floor_says_background_and_knows_how_often_it_is_right(synthetic_data):
    few = subset(synthetic_data, train=40, val=2, test=2)
    masks = few.masks[few.indices("train")]
    model = ClassFrequencies(masks)
    logits = model(torch.rand(2, 3, 5, 7))
    assert logits.shape == (2, 3, 5, 7)
    share = np.bincount(masks[masks < 3], minlength=3) / (masks < 3).sum()
    np.testing.assert_allclose(logits[1, :, 4, 2].exp(), share, rtol=1e-5)
    statistics = evaluate(model, few, "train", FLOAT32)
    assert statistics.counts[..., 1:].sum() == 0
    scores = reduce_scores(apply_border(statistics.counts, statistics.species, "ignore"), "iou", "dataset")
    assert scores["background"] == pytest.approx(share[0]) and scores["mean"] == pytest.approx(share[0] / 3)
    assert statistics.mean_loss == pytest.approx(-(share * np.log(share)).sum(), rel=1e-4)
