"""Hard pixels: what counts as thin, how the band is divided, what is made of toys."""

import cv2
import numpy as np
import pytest
import torch
from making_runs import FLOAT32, small_model

from petseg_utils.comparison.examination import examine
from petseg_utils.data import open_data
from petseg_utils.evaluation import evaluate
from petseg_utils.metrics import challenge_counts, challenge_rows, confusion_counts, thin_parts
from petseg_utils.synthetic import render_pet
from petseg_utils.synthetic.breeds import BREEDS
from petseg_utils.synthetic.toys import toy_masks


def cat_with_a_tail():
    """A square cat of 40 x 40 pixels with a tail of 20 x 2, in a photo of 100 x 100 (the disc has a radius of 3)."""
    mask = np.zeros((100, 100), dtype=np.uint8)
    mask[30:70, 30:70] = 1
    mask[50:52, 70:90] = 1
    return mask


def test_a_tail_is_thin_and_a_body_is_not_but_for_its_corners():
    thin = thin_parts(cat_with_a_tail())
    assert thin[50:52, 73:90].all()
    assert not thin[33:67, 33:67].any()
    assert thin[:, :70].sum() < 0.03 * 40 * 40


def test_a_body_that_the_photo_cuts_off_is_not_thin_there():
    mask = np.zeros((100, 100), dtype=np.uint8)
    mask[:, :2] = 2  # two columns of a dog that goes on beyond the edge
    assert not thin_parts(mask).any()
    mask[:, 50:52] = 2
    assert thin_parts(mask)[:, 50:52].all()


def test_counts_by_hand():
    truth = cat_with_a_tail()
    prediction = truth.copy()
    prediction[50:52, 80:90] = 0  # half of the tail is missed
    prediction[40:50, 40:50] = 2  # a part of the body is called dog
    counts = challenge_counts(truth, prediction)
    thin = thin_parts(truth)
    assert counts["parts"].tolist() == [[thin.sum(), thin.sum() - 20, thin.sum() - 20],
                                        [1640 - thin.sum(), 1640 - thin.sum(), 1640 - thin.sum() - 100]]
    assert counts["band"].tolist() == [[0, 0], [0, 0]] and counts["toys"].tolist() == [[0, 0], [0, 0]]


def test_the_band_is_divided_in_the_half_nearer_to_the_pet_and_the_other():
    truth = np.zeros((10, 12), dtype=np.uint8)
    truth[:, :4], truth[:, 4:8] = 1, 3  # pet, four columns of band, background
    prediction = np.zeros_like(truth)
    prediction[:, :5] = 1
    assert challenge_counts(truth, prediction)["band"].tolist() == [[20, 10], [20, 0]]


def test_toys_and_other_background_by_hand():
    truth = np.zeros((10, 10), dtype=np.uint8)
    toy = np.zeros((10, 10), dtype=bool)
    toy[:2, :5] = True
    prediction = np.zeros_like(truth)
    prediction[:1] = 2
    counts = challenge_counts(truth, prediction, toy)
    assert counts["toys"].tolist() == [[10, 5], [90, 5]]
    with pytest.raises(ValueError, match="same size"):
        challenge_counts(truth, prediction[1:])


class StrongestColour(torch.nn.Module):
    """Calls a pixel by its channel that is farthest above the photo's mean: many small regions."""

    def forward(self, images):
        return images - images.mean((2, 3), keepdim=True)


def rows_of(*images):
    counts = [challenge_counts(*image) for image in images]
    rows = challenge_rows({name: np.stack([of[name] for of in counts]) for name in counts[0]})
    return {(row["challenge"], row["pixels"], row["metric"]): row for row in rows}


def test_rows_are_shares_over_all_images_with_intervals():
    truth = cat_with_a_tail()
    rows = rows_of((truth, truth), (truth, np.zeros_like(truth)))
    row = rows["thin parts", "thin parts", "right species"]
    assert row["value"] == 0.5 and (row["ci_low"], row["ci_high"]) == (0, 1) and row["n_images"] == 2
    assert np.isnan(rows["ambiguous boundary", "half nearer to the pet", "called pet"]["value"])
    assert not any(challenge == "look-alike toys" for challenge, *_ in rows)


def test_a_photo_counts_as_fooled_if_most_of_its_toy_is_called_pet():
    truth, toy = np.zeros((10, 10), dtype=np.uint8), np.zeros((10, 10), dtype=bool)
    toy[:5] = True
    prediction = np.zeros_like(truth)
    prediction[:3] = 1
    rows = rows_of((truth, prediction, toy), (truth, np.zeros_like(truth), toy), (truth, prediction, ~toy & False))
    assert rows["look-alike toys", "toys", "called pet"]["value"] == pytest.approx(0.3)
    fooled = rows["look-alike toys", "toys", "photos whose toy is mostly called pet"]
    assert (fooled["value"], fooled["n_images"]) == (0.5, 2)


def test_an_examination_counts_what_evaluation_counts(few):
    model = small_model("unet", seed=3)
    seen = examine(model, few, "test", FLOAT32)
    expected = evaluate(model, few, "test", FLOAT32)
    np.testing.assert_array_equal(seen.predicted.counts, expected.counts)
    np.testing.assert_array_equal(seen.predicted.nearest, expected.counts)  # photos of the model's own size
    assert all(len(of) == len(expected) for of in seen.challenges.values())
    assert (seen.challenges["toys"] == 0).all()


def test_a_label_map_is_resized_by_nearest_neighbour_to_the_photos_size(synthetic_root, tmp_path):
    data = open_data(synthetic_root, 32, tmp_path)  # photos of 64 pixels, seen at 32
    model = StrongestColour()
    seen = examine(model, data, "test", FLOAT32)
    row = data.indices("test")[0]
    with torch.inference_mode():
        photo = FLOAT32.images(torch.tensor(data.images[[row]]).permute(0, 3, 1, 2))
        labels = model(photo)[0].argmax(0).byte().numpy()
    blown_up = np.kron(labels, np.ones((2, 2), np.uint8))
    np.testing.assert_array_equal(seen.predicted.nearest[0], confusion_counts(data.original_mask(row), blown_up))
    assert (seen.predicted.nearest != seen.predicted.counts).any()


def test_toys_are_found_again_by_name(few):
    names = few.manifest["name"].tolist()
    masks = toy_masks(names, size=64, seed=0)
    assert masks.shape == (len(names), 64, 64) and masks.any()
    for mask, truth in zip(masks, few.masks, strict=True):
        assert not mask[truth != 0].any()  # a toy is background
    index = next(i for i in range(200) if render_pet(0, i, 64).toy.sum() > 200)
    pet = render_pet(0, index, 64)
    assert pet.name == f"{BREEDS[index % len(BREEDS)].name}_{index // len(BREEDS) + 1}"
    np.testing.assert_array_equal(toy_masks([pet.name], size=64, seed=0)[0], pet.toy)
    # One felt colour: less colourful variety inside the toy than around it.
    lab = cv2.cvtColor(pet.image, cv2.COLOR_RGB2LAB).astype(float)
    assert lab[pet.toy][:, 1:].std(axis=0).sum() > 0
    with pytest.raises(ValueError, match="no synthetic picture"):
        toy_masks(["Birman_1x"], size=64, seed=0)
