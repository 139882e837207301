"""Expected calibration error against torchmetrics, and by hand."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from petseg_utils.metrics import calibration_bins, expected_calibration_error


def predictions(pixels=4000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.softmax(2 * torch.randn(pixels, 3, generator=generator), dim=1)
    return probabilities, torch.randint(0, 3, (pixels,), generator=generator)


def bins_of(probabilities, truth):
    confidence, predicted = probabilities.max(dim=1)
    return calibration_bins(confidence.numpy(), (predicted == truth).numpy())


def test_the_library_gives_the_same():
    probabilities, truth = predictions()
    library = multiclass_calibration_error(probabilities, truth, num_classes=3, n_bins=15, norm="l1")
    assert expected_calibration_error(bins_of(probabilities, truth)) == pytest.approx(float(library), abs=1e-6)


def test_by_hand():
    # Two pixels at .9 of which one is right, two at .5 that are both right: (2 |.9 - .5| + 2 |.5 - 1|) / 4.
    bins = calibration_bins(np.array([0.9, 0.9, 0.5, 0.5]), np.array([True, False, True, True]))
    assert bins.sum(axis=0).tolist() == [4, pytest.approx(2.8), 3]
    assert expected_calibration_error(bins) == pytest.approx(0.45)


def test_bins_of_parts_add_up_to_those_of_the_whole():
    probabilities, truth = predictions()
    order = torch.randperm(len(truth), generator=torch.Generator().manual_seed(1))
    whole = bins_of(probabilities, truth)
    parts = [bins_of(probabilities[chunk], truth[chunk]) for chunk in order.split(317)]
    np.testing.assert_allclose(np.sum(parts, axis=0), whole, rtol=1e-9)


def test_certain_and_right_is_perfect_and_certain_and_wrong_is_one():
    sure = np.ones(7)
    assert expected_calibration_error(calibration_bins(sure, np.ones(7, bool))) == 0
    assert expected_calibration_error(calibration_bins(sure, np.zeros(7, bool))) == 1


def test_no_pixel_has_no_score():
    assert np.isnan(expected_calibration_error(calibration_bins(np.zeros(0), np.zeros(0, bool))))


@pytest.mark.parametrize("wrong", [1.5, -0.1, np.nan])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(ValueError, match="probabilities"):
        calibration_bins(np.array([0.5, wrong]), np.array([True, True]))
