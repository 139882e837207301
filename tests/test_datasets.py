"""The two data sets: types, shapes, values; batches that do not depend on who loads them; the scoring contract."""

import pickle

import numpy as np
import pytest
import torch
from making_data import HEIGHT, TEST, WIDTH, trimap, write_coursework, write_oxford
from torch.utils.data import DataLoader

from petseg_utils.classes import BORDER, apply_border_policy
from petseg_utils.data import SegmentationDataset, ValSegmentationDataset, open_data
from petseg_utils.errors import DataError, UsageError


def batches(dataset, workers, epoch=0):
    dataset.set_epoch(epoch)
    return list(DataLoader(dataset, batch_size=16, num_workers=workers))


def equal(a, b):
    return len(a) == len(b) and all(torch.equal(x, y) for pairs in map(zip, a, b) for x, y in pairs)


def test_training_samples_have_the_promised_types_shapes_and_values(synthetic_data):
    dataset = SegmentationDataset(synthetic_data, augmentation="five")
    assert len(dataset) == len(synthetic_data.indices("train")) == 48
    codes = set()
    for i in range(len(dataset)):
        image, target = dataset[i]
        assert image.dtype == target.dtype == torch.uint8
        assert image.shape == (3, 64, 64) and target.shape == (64, 64)
        codes |= set(target.unique().tolist())
    assert codes == {0, 1, 2, 255}


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("border", ["ignore", "background", "pet"])
def test_without_augmentation_samples_are_the_parts_rows_of_the_cache(synthetic_data, part, border):
    dataset = SegmentationDataset(synthetic_data, part, border=border)
    rows = synthetic_data.indices(part)
    assert len(dataset) == len(rows)
    for i in (0, 3, len(rows) - 1):
        image, target = dataset[i]
        np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), synthetic_data.images[rows[i]])
        mask, species = synthetic_data.masks[rows[i]], int(synthetic_data.species[rows[i]])
        assert (mask == BORDER).any() and set(np.unique(mask)) == {0, species, BORDER}
        np.testing.assert_array_equal(target.numpy(), apply_border_policy(mask, border, species))


def test_augmented_targets_keep_invented_pixels_ignored_under_every_policy(synthetic_data):
    by_policy = {border: SegmentationDataset(synthetic_data, augmentation="five", border=border, seed=3)
                 for border in ("ignore", "background", "pet")}
    found = False
    for i in range(len(by_policy["pet"])):
        ignore, background, pet = (by_policy[border][i][1] for border in ("ignore", "background", "pet"))
        assert torch.equal(background == 255, pet == 255)
        assert not (pet == 255)[ignore != 255].any()
        species = by_policy["pet"].data.species[by_policy["pet"].rows[i]]
        moved = ignore != pet
        assert (pet[moved] == species).all() and (background[moved] == 0).all() and moved.any()
        found = found or bool((pet == 255).any())
    assert found


def test_batches_are_the_same_with_0_and_2_workers(synthetic_data):
    dataset = SegmentationDataset(synthetic_data, augmentation="five", seed=1)
    alone, shared = batches(dataset, 0, epoch=2), batches(dataset, 2, epoch=2)
    assert len(alone) == 3 and equal(alone, shared)


def test_epochs_seeds_and_photos_differ_and_an_epoch_can_be_had_again(synthetic_data):
    dataset = SegmentationDataset(synthetic_data, augmentation="five")
    first, second = batches(dataset, 0, 0), batches(dataset, 0, 1)
    assert not equal(first, second) and equal(batches(dataset, 0, 0), first)
    assert equal(batches(SegmentationDataset(synthetic_data, augmentation="five"), 0, 1), second)
    assert not equal(batches(SegmentationDataset(synthetic_data, augmentation="five", seed=1), 0, 0), first)
    same_photo = sum(torch.equal(a, b) for a, b in zip(first[0][0], second[0][0], strict=True))
    assert same_photo <= 2  # of 16


def test_what_is_drawn_for_a_photo_depends_on_the_photo_not_on_its_place(synthetic_data):
    whole = SegmentationDataset(synthetic_data, augmentation="five")
    some = SegmentationDataset(synthetic_data, augmentation="five")
    some.rows = some.rows[10:]  # as a run on a fraction of the labels does
    assert torch.equal(some[0][0], whole[10][0]) and torch.equal(some[0][1], whole[10][1])


def test_a_spawned_worker_gets_a_working_copy(synthetic_data):
    dataset = SegmentationDataset(synthetic_data, augmentation="five", seed=5)
    dataset.set_epoch(4)
    copy = pickle.loads(pickle.dumps(dataset))
    assert equal([dataset[7]], [copy[7]])


def test_samples_are_copies_of_the_cache(synthetic_data):
    for dataset in (SegmentationDataset(synthetic_data), ValSegmentationDataset(synthetic_data, "train")):
        before = np.array(synthetic_data.images[dataset.rows[0]])
        for tensor in dataset[0][:3]:
            tensor.zero_()
        np.testing.assert_array_equal(synthetic_data.images[dataset.rows[0]], before)
        assert dataset[0][0].any() and dataset[0][1].any()


def test_wrong_names_are_refused(synthetic_data):
    with pytest.raises(DataError, match="'trainval' holds no photo"):
        SegmentationDataset(synthetic_data, "trainval")
    with pytest.raises(DataError, match="'trainval' holds no photo"):
        ValSegmentationDataset(synthetic_data, "trainval")
    with pytest.raises(UsageError, match="'ten'"):
        SegmentationDataset(synthetic_data, augmentation="ten")
    with pytest.raises(UsageError, match="'edge'"):
        SegmentationDataset(synthetic_data, border="edge")[0]


# ---------------------------------------------------------------------------------------------------- scoring


@pytest.mark.parametrize("write", [write_oxford, write_coursework])
def test_scoring_samples_bring_the_original_mask_and_size(tmp_path, write):
    write(tmp_path)
    data = open_data(tmp_path, 32, tmp_path / "cache")
    dataset = ValSegmentationDataset(data, "test")
    assert len(dataset) == len(TEST)
    for i, species in enumerate((1, 2)):
        image, mask, original, size = dataset[i]
        assert image.dtype == mask.dtype == original.dtype == torch.uint8
        assert image.shape == (3, 32, 32) and mask.shape == (32, 32) and original.shape == (HEIGHT, WIDTH)
        assert size == (HEIGHT, WIDTH) and all(type(side) is int for side in size)
        np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), data.images[dataset.rows[i]])
        np.testing.assert_array_equal(mask.numpy(), data.masks[dataset.rows[i]])
        np.testing.assert_array_equal(original.numpy(), np.choose(trimap() - 1, [species, 0, 3]))
        assert set(mask.unique().tolist()) == {0, species, 3}  # the border is still there: scoring decides


def test_scoring_samples_are_the_same_each_time_with_and_without_workers(synthetic_data):
    dataset = ValSegmentationDataset(synthetic_data, "val")
    alone, shared = (list(DataLoader(dataset, batch_size=None, num_workers=workers)) for workers in (0, 2))
    assert len(alone) == len(synthetic_data.indices("val")) == 12
    for a, b in zip(alone, shared, strict=True):
        assert equal([a[:3]], [b[:3]]) and list(a[3]) == list(b[3]) == [64, 64]
        assert torch.equal(a[1], a[2])  # at the study's own size mask and original are one
