"""The audit, on data sets of a few photos whose every finding is known."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from making_data import HEIGHT, TEST, TRAINVAL, WIDTH, photo, trimap, write_coursework, write_oxford, write_picture
from making_runs import subset

from petseg_utils.data import open_data
from petseg_utils.data.audit import (
    Audit,
    audit,
    code_counts,
    describe,
    duplicate_pairs,
    known_copy,
    list_order,
    pixel_shares,
    size_summary,
)


@pytest.fixture
def base(tmp_path):
    """Four trainval and two test photos; one twin across the lists, one within, an empty mask, a larger photo."""
    base = write_oxford(tmp_path / "data")
    write_picture(base / "images/pug_2.jpg", photo("pug_1", 44, 60))
    write_picture(base / "annotations/trimaps/pug_2.png", trimap(44, 60))
    write_picture(base / "images/Birman_1.jpg", photo("Birman_3"))  # Birman_3 is in the test list
    write_picture(base / "annotations/trimaps/pug_3.png", np.full((HEIGHT, WIDTH), 2, np.uint8))
    return base


@pytest.fixture
def data(base, tmp_path):
    return open_data(base, 32, tmp_path / "cache")


# ------------------------------------------------------------------------------------------------------- whole


def test_an_audit_finds_what_was_put_in(data):
    found = audit(data)
    # Of two or three photos of a breed, a fifth rounds to none: nothing validates.
    assert found.photos.to_dict("index") == {"train": {"cat": 1, "dog": 2}, "test": {"cat": 1, "dog": 1},
                                             "excluded": {"cat": 1, "dog": 0}}
    assert found.pixels.index.tolist() == ["train", "test", "excluded"]
    assert found.empty.to_dict("records") == [{"name": "pug_3", "part": "test"}]
    assert found.sizes.loc["height"].tolist() == [HEIGHT, HEIGHT, 44] and found.known_as == "neither"
    assert found.duplicates[["first", "second", "first_part", "second_part", "across"]].values.tolist() in (
        [["Birman_1", "Birman_3", "excluded", "test", True], ["pug_1", "pug_2", "train", "train", False]],
        [["pug_1", "pug_2", "train", "train", False], ["Birman_1", "Birman_3", "excluded", "test", True]])
    assert found.duplicates["rmse"].between(0, 3).all() and found.duplicates["rmse"].is_monotonic_increasing
    assert sorted(found.duplicates["group"]) == [0, 1]
    assert found.order.index.tolist() == ["trainval", "test"] and found.order["cats_first"].all()


def test_it_reads_as_text(data):
    lines = describe(audit(data)).splitlines()
    assert lines[0].startswith("test photos: 2 of 6; known copies: official 3,669 of 7,349, ")
    assert lines[0].endswith("by its counts this is neither")
    assert "empty masks: 1 (test 1)" in lines
    assert ("pairs of near-duplicates: 2 in 2 groups, 1 of them across trainval and test; left out of training for "
            "it: 1") in lines
    assert [line.split()[:2] for line in lines if "Birman_1" in line] == [["Birman_1", "Birman_3"]]
    assert not any("pug_1" in line for line in lines)  # within one list: no leak, only counted
    assert lines[-2] == ("trainval list: cats first; its last fifth holds 1 of 2 breeds and 0% cats, the whole 50%")
    assert max(map(len, lines)) <= 130


def test_the_synthetic_pets_have_no_defect_and_no_twin(synthetic_data):
    found = audit(synthetic_data)
    assert isinstance(found, Audit) and len(found.empty) == len(found.duplicates) == 0
    assert found.photos.loc["test"].sum() == 20 and found.photos.to_numpy().sum() == 80
    text = describe(found)
    assert "empty masks: 0\npairs of near-duplicates: 0 in 0 groups, 0 of them across" in text


@pytest.mark.parametrize(("trainval", "test", "columns"), [
    (TRAINVAL, (), {"train": [2, 2]}),
    ((), TEST, {"test": [1, 1]}),
    (("pug_1", "pug_2"), ("pug_3",), {"train": [0, 2], "test": [0, 1]}),
])
def test_a_part_a_list_or_a_species_may_be_missing(tmp_path, trainval, test, columns):
    write_coursework(tmp_path / "data", trainval, test)
    found = audit(open_data(tmp_path / "data", 32, tmp_path / "cache"))
    assert {part: row.tolist() for part, row in found.photos.iterrows()} == columns
    assert len(found.order) == bool(trainval) + bool(test)
    assert f"test photos: {len(test)} of {len(trainval) + len(test)}" in describe(found)


# ------------------------------------------------------------------------------------------------------ pixels


def test_pixels_are_counted_by_code_and_shared_by_part():
    masks = np.zeros((515, 4, 4), np.uint8)  # more than one block
    masks[0, 0] = (1, 1, 3, 0)
    masks[514] = 2
    counts = code_counts(masks)
    assert counts[[0, 1, 514]].tolist() == [[13, 2, 0, 1], [16, 0, 0, 0], [0, 0, 16, 0]]
    shares = pixel_shares(counts[[0, 514, 1]], pd.Series(["val", "train", "val"], index=[7, 8, 9]))
    assert shares.to_dict("index") == {
        "train": {"background": 0, "cat": 0, "dog": 1, "border": 0},
        "val": {"background": 29 / 32, "cat": 2 / 32, "dog": 0, "border": 1 / 32},
    }
    assert shares.index.tolist() == ["train", "val"]


def test_a_pet_that_vanishes_when_squeezed_is_no_empty_mask(base, tmp_path):
    raw = np.full((HEIGHT, WIDTH), 2, np.uint8)
    raw[20, 1] = 1  # nearest-exact takes columns 0, 2, 4, 5, ... when 52 become 32
    write_picture(base / "annotations/trimaps/Birman_2.png", raw)
    data = open_data(base, 32, tmp_path / "cache")
    row = data.manifest["name"].tolist().index("Birman_2")
    assert not data.masks[row].any() and data.original_mask(row).sum() == 1
    assert audit(data).empty["name"].tolist() == ["pug_3"]


def test_sizes_are_summed_up_by_hand():
    table = size_summary(np.array([[100, 200], [300, 150], [200, 200]]))
    assert table.to_dict("index") == {
        "height": {"min": 100, "median": 200, "max": 300},
        "width": {"min": 150, "median": 200, "max": 200},
        "width / height": {"min": 0.5, "median": 1, "max": 2},
    }


# -------------------------------------------------------------------------------------------------- duplicates


def test_pairs_are_the_manifests_at_any_image_size(base, tmp_path):
    found = [duplicate_pairs(open_data(base, size, tmp_path / "cache")) for size in (32, 48)]
    assert found[0].equals(found[1]) and len(found[0]) == 2


def test_a_chain_is_one_group_of_two_pairs(tmp_path):
    base = write_oxford(tmp_path / "data")
    for i, shift in enumerate((0, 2, 4), start=1):  # 1 and 3 are four grey levels apart
        grey = np.clip(photo("Birman_1"), 10, 240) + np.uint8(shift)
        write_picture(base / f"images/{('Birman_1', 'Birman_2', 'pug_1')[i - 1]}.jpg", grey)
    pairs = duplicate_pairs(open_data(base, 32, tmp_path / "cache"))
    assert {tuple(pair) for pair in pairs[["first", "second"]].values} == {("Birman_1", "Birman_2"),
                                                                           ("Birman_2", "pug_1")}
    assert set(pairs["group"]) == {0} and not pairs["across"].any()


def test_one_name_in_both_lists_is_two_photos(tmp_path):
    base = write_coursework(tmp_path / "data", ("pug_1", "pug_2"), ("pug_1",))
    write_picture(base / "Test/color/pug_1.jpg", photo("another"))
    write_picture(base / "TrainVal/color/pug_2.jpg", photo("pug_1"))
    pairs = duplicate_pairs(open_data(base, 32, tmp_path / "cache"))
    assert pairs[["first", "second", "second_part", "across"]].values.tolist() == [["pug_1", "pug_2", "train", False]]


def test_a_twin_that_a_subset_left_out_makes_no_pair(data):
    few = subset(data, train=1, test=2)  # without the excluded photo
    assert len(audit(few).duplicates) == 0


# ---------------------------------------------------------------------------------------------- lists and counts


def order_of(breeds):
    breeds = pd.Series(breeds)
    return list_order(breeds, pd.Series(np.where(breeds.str[0].str.isupper(), "cat", "dog")))


def test_a_list_with_cats_first_would_validate_on_dogs():
    order = order_of(["Birman"] * 5 + ["Sphynx"] * 5 + ["beagle"] * 5 + ["pug"] * 5)
    assert order == {"photos": 20, "cats_first": True, "alphabetical": False, "rounds": 2, "stretches": 4,
                     "breeds": 4, "tail_breeds": 1, "cats": 0.5, "tail_cats": 0.0}


def test_a_list_by_the_alphabet_would_validate_on_its_last_letters():
    order = order_of(["beagle"] * 5 + ["Birman"] * 5 + ["pug"] * 5 + ["Sphynx"] * 5)
    assert order["alphabetical"] and not order["cats_first"] and order["rounds"] == 1
    assert order["tail_breeds"] == 1 and order["tail_cats"] == 1.0


def test_a_list_of_two_rounds_and_a_shuffled_one_are_told_apart():
    rounds = order_of((["beagle"] * 3 + ["Birman"] * 3 + ["pug"] * 3) * 2)
    assert (rounds["rounds"], rounds["stretches"], rounds["alphabetical"]) == (2, 6, False)
    shuffled = order_of(np.random.default_rng(0).permutation(["beagle", "Birman", "pug", "Sphynx"] * 20))
    assert shuffled["rounds"] > 20 and shuffled["stretches"] > 40 and shuffled["tail_breeds"] == 4
    assert order_of(["pug"])["tail_cats"] == 0.0  # one photo is its own last fifth


def test_a_shuffled_list_is_called_unordered(synthetic_data):
    rows = np.random.default_rng(0).permutation(60)
    manifest = synthetic_data.manifest.copy()
    manifest.loc[:59, ["breed", "species"]] = manifest.loc[rows, ["breed", "species"]].to_numpy()
    text = describe(audit(dataclasses.replace(synthetic_data, manifest=manifest)))
    assert "trainval list: in no order; its last fifth holds " in text


@pytest.mark.parametrize(("counts", "name"), [((3669, 7349), "official"), ((3710, 7392), "coursework"),
                                              ((3669, 7392), "neither"), ((20, 80), "neither")])
def test_counts_name_the_known_copies(counts, name):
    assert known_copy(*counts) == name
