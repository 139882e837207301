"""Scoring at the photos' own resolution, against a plain loop over photos that reads the files itself."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from making_runs import FLOAT32, small_model, write_sizes
from PIL import Image
from torch import nn

from petseg_utils.classes import DOG
from petseg_utils.data import open_data
from petseg_utils.errors import DataError
from petseg_utils.evaluation import evaluate, resize_logits, watch
from petseg_utils.evaluation import logits_of as logits_of_part
from petseg_utils.metrics import image_statistics
from petseg_utils.models.vote import OneSpecies

# (height, width): larger and smaller than the model's 64 px, upright and lying, odd, and just so.
SIZES = {"Birman_3": (96, 70), "Birman_4": (41, 90), "Birman_5": (64, 64), "pug_3": (50, 40), "pug_4": (131, 97)}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return open_data(write_sizes(tmp_path_factory.mktemp("sizes"), SIZES), 64, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def model(data):
    """Fresh weights, moved so that the classes are equally likely on average and all of them are predicted."""
    model = small_model("unet").eval()
    with torch.no_grad():
        mean = torch.cat([logits_of(model, data, row) for row in data.indices("test")]).mean((0, 2, 3))
        model.head.bias -= mean
    return model


def trimap_of(data, row) -> np.ndarray:
    """The mask at its own size, 0 background, 1 cat, 2 dog, 3 border, read without the package."""
    trimap = np.array(Image.open(data.layout.samples[row].mask_path))
    return np.select([trimap == 1, trimap == 2], [int(data.species[row]), 0], 3)


@torch.no_grad()
def logits_of(model, data, row):
    """Float logits (1, 3, 64, 64) of one photo of the cache."""
    return model(torch.tensor(data.images[row]).permute(2, 0, 1)[None].float() / 255)


def naive(model, data, *, resize_labels=False):
    """Counts and loss of the test part by a loop over photos, classes and pixels of each."""
    counts, losses = [], []
    for row in data.indices("test"):
        truth = trimap_of(data, row)
        logits = logits_of(model, data, row)
        large = F.interpolate(logits, size=truth.shape, mode="bilinear", align_corners=False)
        predicted = large[0].argmax(0)
        if resize_labels:
            small = logits[0].argmax(0)[None, None].float()
            predicted = F.interpolate(small, size=truth.shape, mode="nearest")[0, 0]
        predicted = predicted.numpy()
        counts.append([[int(((truth == t) & (predicted == p)).sum()) for p in range(3)] for t in range(4)])
        minus_log = -large[0].double().log_softmax(0).numpy()
        inside = truth < 3
        losses.append(np.take_along_axis(minus_log, np.where(inside, truth, 0)[None], 0)[0][inside])
    return np.array(counts), np.concatenate(losses).mean()


def test_counts_and_loss_are_those_of_a_naive_loop(model, data):
    scored = evaluate(model, data, "test", FLOAT32, batch_size=1)
    counts, loss = naive(model, data)
    np.testing.assert_array_equal(scored.counts, counts)
    assert scored.mean_loss == pytest.approx(loss, rel=1e-5)
    assert scored.counts.sum((1, 2)).tolist() == [SIZES[name][0] * SIZES[name][1] for name in sorted(SIZES)]
    assert (scored.counts.sum((0, 1)) > 100).all()  # all classes are predicted, or little was tested


def test_resizing_labels_instead_of_logits_scores_otherwise(model, data):
    counts, _ = naive(model, data, resize_labels=True)
    assert (counts != evaluate(model, data, "test", FLOAT32).counts).any()


def test_resizing_logits_draws_no_cat_between_a_dog_and_its_background():
    logits = torch.full((3, 1, 2), -5.0)
    logits[0, 0, 0] = logits[DOG, 0, 1] = 5.0
    resized = resize_logits(logits, (7, 60))
    assert resized.shape == (3, 7, 60)
    assert resized.argmax(0).unique().tolist() == [0, DOG]
    assert resize_logits(logits, (1, 2)) is logits  # nothing to do, nothing to round


def test_the_batch_size_changes_nothing(model, data):
    one, two, all_ = (evaluate(model, data, "test", FLOAT32, batch_size=size) for size in (1, 2, 64))
    for other in (two, all_):
        assert other.mean_loss == pytest.approx(one.mean_loss, rel=1e-5)
        # Convolutions of other batch sizes may round differently: a pixel on the fence may fall over, a photo may not.
        assert np.abs(other.counts - one.counts).sum() <= 4
        np.testing.assert_array_equal(other.counts.sum(2), one.counts.sum(2))


def test_training_watches_the_square_that_the_model_sees(model, data):
    """Counted in batches on the device, the numbers are those of the photos one by one."""
    loss, confusion = watch(model, data, "test", FLOAT32)
    one_by_one = [image_statistics(np.array(data.masks[row]), logits.numpy(), int(data.species[row]))
                  for row, logits in logits_of_part(model, data, "test", FLOAT32)]
    np.testing.assert_array_equal(confusion, sum(photo["counts"] for photo in one_by_one)[:3])
    total, pixels = sum(photo["loss"] for photo in one_by_one)
    assert loss == pytest.approx(total / pixels, rel=1e-12) and confusion.sum() == pixels


class Truth(nn.Module):
    """Always right at 64 x 64, and sure of it: red is background, green a pet, of the species it is told."""

    def __init__(self, masks):
        super().__init__()
        self.masks = iter(masks)

    def forward(self, images):
        masks = [torch.tensor(next(self.masks)).long() for _ in images]
        return 100 * F.one_hot(torch.stack(masks) % 3, 3).permute(0, 3, 1, 2).float()


def test_the_right_answer_scores_full_marks_but_for_the_edges(data):
    """The whole way there and back: squeezed to a square, predicted, resized to the photo's own size."""
    scored = evaluate(Truth([data.masks[row] for row in data.indices("test")]), data, "test", FLOAT32)
    inside = scored.counts[:, :3]
    assert np.trace(inside.sum(0)) / inside.sum() > 0.98


def test_the_border_does_not_count_in_the_loss(data):
    """What is said of border pixels, right or wrong, sure or not, is of no account."""
    class Sure(nn.Module):
        def __init__(self, rows, at_border):
            super().__init__()
            self.rows, self.at_border = iter(rows), at_border

        def forward(self, images):
            border = torch.stack([torch.tensor(data.masks[next(self.rows)] == 3) for _ in images])[:, None]
            logits = torch.zeros(len(images), 3, 64, 64)
            logits[:, 0] = 1
            return torch.where(border, self.at_border, logits)

    rows = data.indices("test")
    first, second = (watch(Sure(rows, torch.tensor(said).reshape(1, 3, 1, 1)), data, "test", FLOAT32)
                     for said in ([9.0, 0.0, 0.0], [0.0, -7.0, 5.0]))
    assert first[0] == second[0] > 0
    np.testing.assert_array_equal(first[1], second[1])


def test_ties_fall_to_the_first_class_as_in_what_is_reported(data):
    """In bfloat16 two logits are often equal."""
    class Undecided(nn.Module):
        def forward(self, images):
            return torch.tensor([1.0, 2.0, 2.0]).reshape(1, 3, 1, 1).expand(len(images), 3, 64, 64)

    assert watch(Undecided(), data, "test", FLOAT32)[1][:, 1:].sum(0)[1] == 0
    assert evaluate(Undecided(), data, "test", FLOAT32).counts.sum((0, 1))[2] == 0


@pytest.mark.parametrize("training", [True, False])
def test_the_models_mode_and_statistics_are_left_as_they_were(training, data):
    model = small_model("unet").train(training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    evaluate(model, data, "test", FLOAT32)
    assert all(module.training is training for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_model_in_a_wrapper_keeps_a_mode_of_its_own(data):
    inner = small_model("unet").eval()
    evaluate(OneSpecies(inner), data, "test", FLOAT32)
    assert not any(module.training for module in inner.modules())


def test_models_are_scored_in_eval_mode(data):
    train_mode, eval_mode = (evaluate(small_model("unet").train(mode), data, "test", FLOAT32) for mode in (True, False))
    np.testing.assert_array_equal(train_mode.counts, eval_mode.counts)


def test_a_part_without_photos_is_refused_with_a_sentence(model, data):
    with pytest.raises(DataError, match="part 'val' holds no photo"):
        evaluate(model, data, "val", FLOAT32)
