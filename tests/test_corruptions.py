"""Eight ways to spoil a photo: what each does, and that every model sees the same pixels."""

import cv2
import numpy as np
import pytest
from making_runs import assert_sentence
from scipy.ndimage import convolve
from skimage.data import chelsea

from petseg_utils.corruptions import CORRUPTIONS, LEVELS, corrupt
from petseg_utils.errors import UsageError

PHOTO = cv2.resize(chelsea(), (96, 80), interpolation=cv2.INTER_AREA)


def spoiled(kind, level, name="a", image=PHOTO):
    return corrupt(image, kind, level, name).astype(int)


def test_there_are_eight_kinds_of_ten_strengths_as_published():
    assert len(CORRUPTIONS) == 8 and list(LEVELS) == list(range(1, 10))
    strengths = {kind: corruption.strengths for kind, corruption in CORRUPTIONS.items()}
    assert all(len(own) == 10 for own in strengths.values())
    assert strengths["gaussian noise"] == tuple(range(0, 20, 2))
    assert strengths["occlusion"] == strengths["brightness up"] == tuple(range(0, 50, 5))
    assert strengths["salt and pepper"][-1] == 0.18 and strengths["contrast down"][-1] == 0.1
    assert strengths["contrast up"] == (1, 1.01, 1.02, 1.03, 1.04, 1.05, 1.1, 1.15, 1.2, 1.25)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_level_0_is_the_photo_bit_for_bit_and_the_rest_ever_farther_from_it(kind):
    before = PHOTO.copy()
    assert np.array_equal(corrupt(PHOTO, kind, 0, "a"), PHOTO)
    changes = [np.abs(spoiled(kind, level) - PHOTO).mean() for level in range(10)]
    assert all(later > earlier for earlier, later in zip(changes[1:], changes[2:], strict=False)), changes
    assert changes[1] > 0
    assert np.array_equal(PHOTO, before), "the photo itself was written to"
    result = corrupt(PHOTO, kind, 9, "a")
    assert result.dtype == np.uint8 and result.shape == PHOTO.shape


@pytest.mark.parametrize(("kind", "sign"), [("brightness up", 1), ("brightness down", -1), ("contrast up", 1),
                                            ("contrast down", -1)])
@pytest.mark.parametrize("level", [1, 5, 9])
def test_up_brightens_and_down_darkens(kind, sign, level):
    change = spoiled(kind, level) - PHOTO
    assert (sign * change >= 0).all() and sign * change.mean() > 0


def test_brightness_and_contrast_by_hand():
    image = np.full((2, 2, 3), 200, np.uint8)
    assert (corrupt(image, "brightness up", 9, "a") == 245).all()
    assert (corrupt(image, "brightness down", 9, "a") == 155).all()
    assert (corrupt(image, "contrast down", 9, "a") == 20).all()
    assert (corrupt(image, "contrast up", 9, "a") == 250).all()
    assert (corrupt(image + 20, "brightness up", 9, "a") == 255).all(), "clipped, not wrapped round"


@pytest.mark.parametrize("level", [1, 9])
def test_blur_is_the_binomial_kernel_and_not_a_box(level):
    binomial = np.outer((1, 2, 1), (1, 2, 1)) / 16
    by_hand, by_opencv = PHOTO.astype(np.float64), PHOTO.astype(np.float32)
    for _ in range(level):
        by_hand = np.stack([convolve(by_hand[..., c], binomial, mode="mirror") for c in range(3)], axis=-1)
        by_opencv = cv2.GaussianBlur(by_opencv, (3, 3), 0)
    assert np.abs(spoiled("gaussian blur", level) - by_hand).max() <= 0.51
    assert np.array_equal(corrupt(PHOTO, "gaussian blur", level, "a"), np.rint(by_opencv))
    boxed = cv2.blur(PHOTO, (3, 3))
    assert np.abs(spoiled("gaussian blur", 1) - boxed).mean() > 0.5


def test_noise_has_the_strength_that_it_says():
    grey = np.full((200, 200, 3), 128, np.uint8)
    for level in (1, 9):
        noise = spoiled("gaussian noise", level, image=grey) - 128
        assert noise.std() == pytest.approx(2 * level, rel=0.03) and abs(noise.mean()) < 0.2


def test_salt_and_pepper_share_the_pixels_evenly():
    grey = np.full((200, 200, 3), 128, np.uint8)
    result = corrupt(grey, "salt and pepper", 9, "a")
    whole = (result == result[..., :1]).all()
    assert whole, "a speck is black or white, not coloured"
    assert (result[..., 0] == 0).mean() == pytest.approx(0.09, abs=0.01)
    assert (result[..., 0] == 255).mean() == pytest.approx(0.09, abs=0.01)


def test_the_square_has_its_side_and_lies_in_the_photo():
    white = np.full((60, 80, 3), 255, np.uint8)
    for name in "abcdefgh":
        for level in LEVELS:
            black = (corrupt(white, "occlusion", level, name) == 0).all(axis=2)
            rows, columns = np.nonzero(black)
            assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == 5 * level and black.sum() == 25 * level**2
    small = np.full((32, 32, 3), 255, np.uint8)  # smaller than the largest square
    assert (corrupt(small, "occlusion", 9, "a") == 0).mean() > 0.9


@pytest.mark.parametrize("kind", ["gaussian noise", "salt and pepper", "occlusion"])
def test_a_level_adds_to_the_one_before(kind):
    grey = np.full((80, 96, 3), 128, np.uint8)
    for level in range(1, 9):
        weaker, stronger = (spoiled(kind, i, image=grey) - 128 for i in (level, level + 1))
        assert (np.sign(weaker) * stronger >= 0).all()
        assert ((weaker != 0) <= (stronger != 0)).all()


@pytest.mark.parametrize("kind", ["gaussian noise", "salt and pepper", "occlusion"])
def test_what_is_random_comes_from_the_photos_name_and_the_kind(kind):
    first = corrupt(PHOTO, kind, 9, "a")
    corrupt(PHOTO, "gaussian noise", 3, "b")
    np.random.default_rng(5).random()
    assert np.array_equal(corrupt(PHOTO, kind, 9, "a"), first)
    assert not np.array_equal(corrupt(PHOTO, kind, 9, "b"), first)


def test_a_wrong_call_ends_in_a_sentence():
    for arguments, parts in (((PHOTO, "fog", 1, "a"), ("'fog'", "gaussian noise")),
                             ((PHOTO, "gaussian noise", 10, "a"), ("10", "0 to 9")),
                             ((PHOTO[..., 0], "gaussian noise", 1, "a"), ("(80, 96)", "uint8")),
                             ((PHOTO / 255, "gaussian noise", 1, "a"), ("float64", "uint8"))):
        with pytest.raises(UsageError) as error:
            corrupt(*arguments)
        assert_sentence(str(error.value), *parts)
