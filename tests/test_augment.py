"""Augmentations: one key, one result in any process; invented pixels marked; masks that follow their photos."""

import itertools
import pickle

import albumentations as A
import cv2
import numpy as np
import pytest
from making_data import photo, trimap
from torch.utils.data import DataLoader, Dataset

from petseg_utils.classes import IGNORE
from petseg_utils.data import Augmentation
from petseg_utils.data.augment import AUGMENTATION_NAMES
from petseg_utils.errors import UsageError

SIZE = 64
IMAGE, MASK = photo("pug_1", SIZE, SIZE), np.choose(trimap(SIZE, SIZE) - 1, [2, 0, 3]).astype(np.uint8)
KEYS = [(seed, epoch, index) for seed in (0, 1) for epoch in (0, 1, 7) for index in range(25)]


@pytest.fixture(scope="module")
def five():
    return Augmentation("five")


def same(a, b):
    return np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1])


def test_the_same_key_draws_the_same_whatever_was_drawn_before(five):
    first = [five(IMAGE, MASK, key) for key in KEYS]
    backwards = [five(IMAGE, MASK, key) for key in reversed(KEYS)]
    assert all(map(same, first, reversed(backwards)))
    copied = pickle.loads(pickle.dumps(five))  # what a spawned worker gets
    assert all(same(copied(IMAGE, MASK, key), expected) for key, expected in zip(KEYS, first, strict=True))
    assert same(Augmentation("five")(IMAGE, MASK, KEYS[3]), first[3])


@pytest.mark.parametrize("place", [0, 1, 2], ids=["seed", "epoch", "index"])
def test_another_seed_epoch_or_index_draws_another(five, place):
    keys = [tuple(v if i == place else 3 for i in range(3)) for v in range(30)]
    results = [five(IMAGE, MASK, key) for key in keys]
    equal = sum(same(a, b) for a, b in itertools.combinations(results, 2))
    assert equal <= 14  # of 435 pairs; 4 are to be expected: 7 % of photos escape all five, 7 % are only flipped


def test_seed_epoch_and_index_are_not_added_up(five):
    results = [five(IMAGE, MASK, key) for key in itertools.permutations((0, 1, 2))]
    assert not any(same(a, b) for a, b in itertools.combinations(results, 2))


def test_shapes_types_and_codes_are_kept_and_the_input_is_not_written_to(five):
    image, mask = IMAGE.copy(), MASK.copy()
    image.flags.writeable = mask.flags.writeable = False  # as the memory-mapped cache is
    codes = set()
    for key in KEYS:
        new_image, new_mask = five(image, mask, key)
        assert new_image.shape == image.shape and new_image.dtype == np.uint8
        assert new_mask.shape == mask.shape and new_mask.dtype == np.uint8
        codes |= set(np.unique(new_mask).tolist())
    assert codes == {0, 2, 3, 255}  # 1 would be an interpolation between background and dog
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, MASK)


def test_invented_pixels_are_ignored_never_background(five):
    ones = np.ones((SIZE, SIZE), np.uint8)
    masks = [five(IMAGE, ones, key)[1] for key in KEYS]
    assert set(np.unique(masks).tolist()) == {1, IGNORE}
    assert np.mean([(mask == IGNORE).any() for mask in masks]) > 0.4


def test_all_of_an_unmoved_mask_is_kept(five):
    assert any((five(IMAGE, MASK, key)[1] != IGNORE).all() for key in KEYS)


COLOURS = np.array([(20, 20, 20), (230, 30, 30), (30, 230, 30), (240, 240, 240)], np.uint8)


@pytest.mark.parametrize(("name", "zooms"), [("five", []), ("zoomed", ["Affine"])])
def test_masks_follow_their_photos(name, zooms):
    """A photo painted from its mask, augmented: each pixel's nearest colour is the mask's code."""
    # Only what moves pixels: colours that jitter cannot be compared. The chain's own transforms, not copies of them.
    augmentation = Augmentation(name)
    moving = [t for t in augmentation._compose.transforms if isinstance(t, A.DualTransform)]
    assert [type(t).__name__ for t in moving] == [*zooms, "HorizontalFlip", "Affine", "GridDistortion"]
    augmentation._compose = A.Compose(moving)
    agreements, moved = [], 0
    for key in KEYS:
        image, mask = augmentation(COLOURS[MASK], MASK, key)
        distance = np.linalg.norm(image[..., None, :].astype(float) - COLOURS, axis=-1)
        counted = mask != IGNORE
        agreements.append(np.mean(distance.argmin(-1)[counted] == mask[counted]))
        moved += not np.array_equal(mask, MASK)
    # Linear against nearest differs along the contours only: half a pixel of shift would cost some 10 %.
    assert min(agreements) > 0.9 and np.mean(agreements) > 0.97
    assert moved > 0.7 * len(KEYS)  # 82 % are to be expected


def decisions(chain, draw, n=400):
    """bool (n, transforms): which transforms of a chain were applied to sample 0 to n - 1 by ``draw(i)``."""
    applied = []
    with pytest.MonkeyPatch.context() as patch:
        for transform in chain.transforms:
            original = transform.should_apply
            patch.setattr(transform, "should_apply",
                          lambda *a, original=original, **k: applied.append(original(*a, **k)) or applied[-1])
        for i in range(n):
            draw(i)
    return np.array(applied).reshape(n, len(chain.transforms))


def test_the_five_are_drawn_independently_of_each_other(five):
    applied = decisions(five._compose, lambda i: five(IMAGE, MASK, (0, 0, i)))
    np.testing.assert_allclose(applied.mean(axis=0), [t.p for t in five._compose.transforms], atol=0.06)
    correlation = np.corrcoef(applied.T) - np.eye(5)
    assert np.abs(correlation).max() < 0.15  # three standard errors
    assert 0.03 < (~applied.any(axis=1)).mean() < 0.11  # untouched: 6.8 % are to be expected


def test_close_ups_show_parts_of_the_photo_larger():
    zoomed, shares = Augmentation("zoomed"), []
    half = np.zeros((SIZE, SIZE), np.uint8)
    half[SIZE // 2 - 4 : SIZE // 2 + 4, SIZE // 2 - 4 : SIZE // 2 + 4] = 1  # a small pet in the middle
    for key in KEYS:
        shares.append((zoomed(IMAGE, half, key)[1] == 1).mean() / (half == 1).mean())
    assert max(shares) > 3 and np.mean(np.array(shares) > 1.5) > 0.2


def test_half_of_the_photos_are_spoiled_and_their_masks_are_not():
    spoiled, five = Augmentation("spoiled"), Augmentation("five")
    pairs = [(spoiled(IMAGE, MASK, key), five(IMAGE, MASK, key)) for key in KEYS]
    assert all(np.array_equal(mask, plain) for (_, mask), (_, plain) in pairs)
    assert 0.35 < np.mean([np.array_equal(image, plain) for (image, _), (plain, _) in pairs]) < 0.65


@pytest.mark.parametrize("kind", range(4), ids=["noise", "specks", "light", "square"])
def test_what_spoils_a_photo_shows_and_leaves_the_mask_alone(kind):
    transform = Augmentation("spoiled")._compose.transforms[-1].transforms[kind]
    found = A.Compose([A.OneOf([transform], p=1.0)], seed=0)(image=IMAGE, mask=MASK)
    np.testing.assert_array_equal(found["mask"], MASK)
    assert np.abs(found["image"].astype(int) - IMAGE).mean() > 1


def test_none_changes_nothing():
    image, mask = Augmentation("none")(IMAGE, MASK, (0, 0, 0))
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, MASK)


def test_an_unknown_name_is_refused_with_the_ones_there_are():
    with pytest.raises(UsageError, match=r"'heavy'.*none, five") as caught:
        Augmentation("heavy")
    assert caught.value.exit_code == 2 and AUGMENTATION_NAMES == ("none", "five", "zoomed", "spoiled")


# ------------------------------------------------------------------- why: what albumentations does by itself


@pytest.mark.parametrize("transform", [A.Affine, A.GridDistortion, A.Rotate])
def test_by_default_albumentations_fills_masks_with_background(transform):
    options = {A.Affine: {"rotate": (20, 20)}, A.Rotate: {"limit": (20, 20)}, A.GridDistortion: {"num_steps": 4}}
    ones = np.ones((SIZE, SIZE), np.uint8)
    for fill, invented in (({}, 0), ({"fill_mask": IGNORE}, IGNORE)):
        chain = A.Compose([transform(**options[transform], **fill, p=1)])
        chain.set_random_seed(0)
        assert set(np.unique(chain(image=IMAGE, mask=ones)["mask"]).tolist()) == {1, invented}


def test_set_random_seed_lets_all_transforms_of_a_chain_throw_the_same_dice():
    chain = A.Compose([A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast(p=0.5), A.Affine(rotate=(-9, 9), p=0.5)])

    def draw(i):
        chain.set_random_seed(i)
        chain(image=IMAGE)

    applied = decisions(chain, draw, n=50)
    assert (applied == applied[:, :1]).all() and 0.3 < applied.mean() < 0.7


class Drawn(Dataset):
    """One photo eight times, augmented by a bare chain."""

    def __init__(self):
        self.chain = A.Compose([A.Affine(rotate=(-20, 20), interpolation=cv2.INTER_LINEAR, p=1)])

    def __len__(self):
        return 8

    def __getitem__(self, i):
        return self.chain(image=IMAGE)["image"]


def test_by_default_albumentations_draws_the_same_in_every_worker_and_every_epoch():
    loader = DataLoader(Drawn(), batch_size=1, num_workers=2)
    first, second = ([batch.numpy() for batch in loader] for _ in range(2))
    assert all(map(np.array_equal, first, second))  # the second epoch repeats the first
    assert all(map(np.array_equal, first[0::2], first[1::2]))  # and one worker the other
    assert not np.array_equal(first[0], first[2])
