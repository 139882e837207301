"""Near-duplicates: the hash loses no pair that the search without it finds, and pixels confirm what it proposes."""

import itertools
import os
from pathlib import Path

import cv2
import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making_data import photo
from making_thumbnails import LIMIT, at_distance, brute_force_pairs, random_thumbnails
from PIL import Image

from petseg_utils.data import open_data
from petseg_utils.data.duplicates import (
    DUPLICATE_RMSE,
    HASH_LIMIT,
    hash_candidates,
    near_duplicates,
    pair_rmse,
    perceptual_hashes,
    thumbnail,
)

COMMITTED = Path(__file__).parents[1] / "results" / "oxford-128" / "manifest.csv"


def as_tuples(pairs):
    return [tuple(pair) for pair in pairs.tolist()]


# -------------------------------------------------------------------------------------------------------- hash


def test_hashes_differ_in_as_many_bits_as_the_librarys():
    thumbnails = np.stack([thumbnail(photo(f"pug_{i}")) for i in range(6)])
    hashes = perceptual_hashes(thumbnails)
    assert hashes.shape == (6,) and hashes.dtype == np.uint64
    library = [imagehash.phash(Image.fromarray(small)) for small in thumbnails]
    for i, j in itertools.combinations(range(6), 2):
        assert (int(hashes[i]) ^ int(hashes[j])).bit_count() == library[i] - library[j]


@pytest.mark.parametrize("limit", [0, 1, 12, 31, 64])
def test_candidates_are_the_pairs_that_differ_in_few_bits(limit):
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 300, dtype=np.uint64)  # more than one block of the search
    for k, flipped in enumerate([0, 1, 2, 11, 12, 13, 14]):
        hashes[299 - k] = hashes[40 * k] ^ np.uint64((1 << 64) - (1 << (64 - flipped)))
    expected = [(i, j) for i, j in itertools.combinations(range(300), 2)
                if (int(hashes[i]) ^ int(hashes[j])).bit_count() <= limit]
    found = hash_candidates(hashes, limit)
    assert found.dtype == np.int64 and as_tuples(found) == expected
    assert {0: 1, 1: 2, 12: 5, 64: 300 * 299 // 2}.get(limit, len(found)) == len(found)


def test_a_photo_at_another_size_and_quality_stays_within_the_limit():
    for i in range(10):
        whole = photo(f"pug_{i}", 200, 260)
        small = cv2.resize(whole, (101, 77), interpolation=cv2.INTER_AREA)
        _, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 50])
        pair = np.stack([thumbnail(whole), thumbnail(cv2.imdecode(coded, cv2.IMREAD_COLOR))])
        assert as_tuples(hash_candidates(perceptual_hashes(pair))) == [(0, 1)]
        assert as_tuples(near_duplicates(pair)) == [(0, 1)]


# ------------------------------------------------------------------------------------------------------ pixels


def test_rmse_is_that_of_a_shift_by_hand():
    thumbnails = np.full((3, 16, 16, 3), 100, np.uint8)
    thumbnails[1] += 5
    thumbnails[2, :, :, 0] -= 6  # one channel of three
    pairs = np.array([[0, 1], [0, 2], [1, 1]])
    np.testing.assert_allclose(pair_rmse(thumbnails, pairs), [5, 6 / np.sqrt(3), 0])


def test_pixels_refuse_what_only_the_hash_takes_for_one_photo():
    one = thumbnail(photo("Birman_1"))
    paler = (128 + (one - 128.0) / 2).round().astype(np.uint8)  # half the contrast, the same signs
    grey = np.repeat(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    thumbnails = np.stack([one, paler, grey])
    assert as_tuples(hash_candidates(perceptual_hashes(thumbnails))) == [(0, 1), (0, 2), (1, 2)]
    assert len(near_duplicates(thumbnails)) == 0


def test_near_duplicates_are_those_of_the_search_without_a_hash():
    rng = np.random.default_rng(0)
    thumbnails = random_thumbnails(560, rng)
    planted = [(3, 500), (10, 525), (530, 550), (300, 301), (0, 559)]
    for i, j in planted:
        thumbnails[j] = at_distance(thumbnails[i], LIMIT // 2, rng)
    thumbnails[[40, 41, 42]] = thumbnails[40]  # one photo three times
    expected = brute_force_pairs(thumbnails)
    assert set(planted) < set(expected) and len(expected) == len(planted) + 3
    found = near_duplicates(thumbnails)
    assert found.dtype == np.int64 and as_tuples(found) == expected


def test_pairs_just_below_and_above_the_threshold_are_told_apart():
    rng = np.random.default_rng(1)
    thumbnails = random_thumbnails(60, rng)
    for k in range(10):  # a root mean square difference of 2.993 or of 3.008
        factor = 0.995 if k % 2 == 0 else 1.005
        thumbnails[2 * k + 1] = at_distance(thumbnails[2 * k], round(LIMIT * factor), rng)
    pairs = as_tuples(near_duplicates(thumbnails))
    assert pairs == brute_force_pairs(thumbnails) == [(2 * k, 2 * k + 1) for k in range(0, 10, 2)]


def test_no_photo_one_photo_and_two_different_ones_have_no_duplicate():
    rng = np.random.default_rng(2)
    for n in (0, 1, 2):
        pairs = near_duplicates(random_thumbnails(n, rng))
        assert pairs.shape == (0, 2) and pairs.dtype == np.int64


def test_a_photo_without_contrast_is_found_again_to_the_pixel():
    thumbnails = np.full((3, 16, 16, 3), 90, np.uint8)
    thumbnails[1] = 200
    assert as_tuples(near_duplicates(thumbnails)) == [(0, 2)]


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(12)), seed=st.integers(0, 1000))
def test_photos_in_another_order_give_the_same_pairs(order, seed):
    rng = np.random.default_rng(seed)
    thumbnails = random_thumbnails(12, rng)
    for i, j in ((0, 1), (1, 2), (5, 9)):
        thumbnails[j] = at_distance(thumbnails[i], LIMIT // 3, rng)
    pairs = near_duplicates(thumbnails)
    permuted = near_duplicates(thumbnails[order])
    assert {frozenset(pair) for pair in np.array(order)[permuted].tolist()} == set(map(frozenset, pairs.tolist()))
    assert {(0, 1), (1, 2), (5, 9)} <= set(as_tuples(pairs))
    assert (permuted[:, 0] < permuted[:, 1]).all() and as_tuples(permuted) == sorted(as_tuples(permuted))


# --------------------------------------------------------------------------------------------------- real data


@pytest.mark.skipif("PETSEG_OXFORD_128" not in os.environ, reason="PETSEG_OXFORD_128 names no 128-px copy of the data")
def test_no_pair_of_the_real_data_is_lost(tmp_path):
    data = open_data(os.environ["PETSEG_OXFORD_128"], 128, tmp_path)
    thumbnails = np.stack([thumbnail(image) for image in data.images])
    truth = np.array(brute_force_pairs(thumbnails))
    found = near_duplicates(thumbnails)
    hashes = perceptual_hashes(thumbnails)
    distances = [(int(hashes[i]) ^ int(hashes[j])).bit_count() for i, j in truth]
    candidates = hash_candidates(hashes)
    official = data.manifest["split"].to_numpy()
    across = official[truth[:, 0]] != official[truth[:, 1]]
    print(f"{len(truth)} pairs, {across.sum()} across the lists, hashes at most {max(distances)} of {HASH_LIMIT} bits "
          f"apart; {len(candidates)} candidates; found {len(found)}")
    assert (pair_rmse(thumbnails, truth) < DUPLICATE_RMSE).all()
    np.testing.assert_array_equal(found, truth)
    assert (len(truth), across.sum(), max(distances), len(candidates)) == (38, 21, 4, 251)  # as duplicates.py says
    assert data.fingerprint == "f06e4c03f9c08089"  # names the committed runs
    assert data.manifest.to_csv(index=False, lineterminator="\n") == COMMITTED.read_text(encoding="utf-8")
