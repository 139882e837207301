"""One prediction under eleven protocols: by hand on two small images, and as libraries average."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassJaccardIndex
from torchmetrics.segmentation import MeanIoU

from petseg_utils.metrics import PROTOCOLS, Predicted, background_everywhere, confusion_counts, protocol_rows
from petseg_utils.metrics.protocols import BATCH


def by_name(predicted):
    return {row["protocol"]: row["value"] for row in protocol_rows(predicted)}


def two_images():
    """A cat of four pixels, three of them found and one called dog; a dog of two pixels that are found, with two pixels
    of border that are called dog. Ten pixels each."""
    cat = np.array([[4, 0, 0], [0, 3, 1], [0, 0, 0], [2, 0, 0]])
    dog = np.array([[6, 0, 0], [0, 0, 0], [0, 0, 2], [0, 0, 2]])
    return Predicted(np.stack([cat, dog]), np.array([1, 2]), np.stack([cat, dog])[:, :, [0, 1, 2]] * 2)


def test_by_hand():
    scores = by_name(two_images())
    assert scores["dataset level, border ignored (ours)"] == pytest.approx((10 / 10 + 3 / 4 + 2 / 3) / 3)
    assert scores["border as background"] == pytest.approx((12 / 14 + 3 / 4 + 2 / 5) / 3)
    assert scores["border as pet"] == pytest.approx((10 / 12 + 3 / 6 + 4 / 5) / 3)
    assert scores["border as a fourth class"] == pytest.approx((10 / 12 + 3 / 4 + 2 / 5 + 0) / 4)
    assert scores["per image, classes that are there"] == pytest.approx(((1 + 3 / 4) / 2 + 1) / 2)
    assert scores["per image, with an epsilon"] == pytest.approx(((1 + 3 / 4 + 0) / 3 + 1) / 2, abs=1e-5)
    assert scores["per image, absent class = 1"] == pytest.approx(((1 + 3 / 4 + 1) / 3 + 1) / 2)
    assert scores["(image, class) pairs"] == pytest.approx((1 + 3 / 4 + 0 + 1 + 1) / 5)
    assert scores["average over batches of the sorted list"] == scores["dataset level, border ignored (ours)"]
    assert scores["pixels pooled over classes"] == pytest.approx(15 / 17)
    assert scores["label map resized by nearest"] == scores["dataset level, border ignored (ours)"]
    assert len(scores) == len(PROTOCOLS) == 11


def test_without_the_label_map_its_score_is_not_known():
    predicted = two_images()
    assert np.isnan(by_name(Predicted(predicted.counts, predicted.species))["label map resized by nearest"])


def test_saying_background_everywhere_is_worth_more_than_half_of_the_marks_per_image():
    counts = np.array([[[70, 0, 0], [0, 20, 0], [0, 0, 0], [5, 5, 0]], [[50, 0, 0], [0, 0, 0], [0, 0, 50], [0, 0, 0]]])
    nothing = background_everywhere(counts)
    assert (nothing.sum(axis=2) == counts.sum(axis=2)).all() and not nothing[:, :, 1:].any()
    scores = by_name(Predicted(nothing, np.array([1, 2])))
    assert scores["per image, with an epsilon"] == pytest.approx(((70 / 90 + 1) / 3 + (50 / 100 + 1) / 3) / 2, abs=1e-5)
    assert scores["dataset level, border ignored (ours)"] == pytest.approx(120 / 190 / 3)


@pytest.fixture(scope="module")
def label_maps():
    """Truth and prediction (N, 12, 12) of 70 images without a border; a third of the predictions name two species."""
    rng = np.random.default_rng(0)
    truth = np.where(rng.random((70, 12, 12)) < 0.4, 1 + (np.arange(70) >= 30)[:, None, None], 0)  # cats first
    noise = rng.random(truth.shape)
    prediction = np.where(noise < 0.1, rng.integers(0, 3, truth.shape), truth)
    prediction[::3] = np.minimum(prediction[::3], truth[::3])
    return truth, prediction


@pytest.fixture(scope="module")
def predicted(label_maps):
    counts = np.stack([confusion_counts(t, p) for t, p in zip(*label_maps, strict=True)])
    return Predicted(counts, np.where(np.arange(70) < 30, 1, 2))


def test_pairs_are_torchmetrics_mean_iou(label_maps, predicted):
    truth, prediction = (torch.tensor(maps) for maps in label_maps)
    metric = MeanIoU(num_classes=3, input_format="index")
    metric.update(prediction, truth)
    assert by_name(predicted)["(image, class) pairs"] == pytest.approx(float(metric.compute()), abs=1e-6)


@pytest.mark.parametrize("average, protocol", [("macro", "dataset level, border ignored (ours)"),
                                               ("micro", "pixels pooled over classes")])
def test_dataset_level_scores_are_torchmetrics_jaccard_index(average, protocol, label_maps, predicted):
    truth, prediction = (torch.tensor(maps) for maps in label_maps)
    metric = MulticlassJaccardIndex(num_classes=3, average=average)
    metric.update(prediction, truth)
    assert by_name(predicted)[protocol] == pytest.approx(float(metric.compute()), abs=1e-6)


def test_batches_are_torchmetrics_jaccard_index_batch_by_batch(label_maps, predicted):
    truth, prediction = (torch.tensor(maps) for maps in label_maps)
    metric = MulticlassJaccardIndex(num_classes=3, average="macro")
    scores = [float(metric(prediction[start : start + BATCH], truth[start : start + BATCH]))
              for start in range(0, 70, BATCH)]
    assert by_name(predicted)["average over batches of the sorted list"] == pytest.approx(np.mean(scores), abs=1e-6)


def test_border_as_a_class_is_torchmetrics_jaccard_index_over_four(label_maps):
    truth, prediction = label_maps
    truth = truth.copy()
    truth[:, 3:5] = 3
    counts = np.stack([confusion_counts(t, p) for t, p in zip(truth, prediction, strict=True)])
    metric = MulticlassJaccardIndex(num_classes=4, average="macro")
    metric.update(torch.tensor(prediction), torch.tensor(truth))
    score = by_name(Predicted(counts, np.where(np.arange(70) < 30, 1, 2)))["border as a fourth class"]
    assert score == pytest.approx(float(metric.compute()), abs=1e-6)


def test_every_protocol_says_what_it_does():
    for protocol in PROTOCOLS:
        assert protocol.what.endswith(".") and "  " not in protocol.what
    assert len({protocol.name for protocol in PROTOCOLS}) == len(PROTOCOLS)
