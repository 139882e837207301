"""The split: parts that are complete and disjoint, and names for content."""

import itertools
import shutil

import numpy as np
import pandas as pd
import pytest
from making_data import photo, trimap, write_oxford, write_picture
from making_thumbnails import LIMIT, at_distance, brute_force_pairs, random_thumbnails

from petseg_utils.data import open_data
from petseg_utils.data.layouts import read_layout
from petseg_utils.data.manifest import PARTS, build_manifest, fingerprint, labelled_subset
from petseg_utils.synthetic import write_synthetic_pets

# ------------------------------------------------------------------------------------------------------- parts


@pytest.fixture
def breeds(tmp_path):
    """Samples of 4 breeds, 25 of each in trainval and 5 in test; thumbnails that are all different."""
    names = [f"{breed}_{i}" for breed in ("Birman", "Sphynx", "boxer", "pug") for i in range(30)]
    listing = {"trainval": [n for n in names if int(n.split("_")[1]) < 25],
               "test": [n for n in names if int(n.split("_")[1]) >= 25]}
    (tmp_path / "annotations").mkdir()
    for split, part in listing.items():
        (tmp_path / "annotations" / f"{split}.txt").write_text(
            "".join(f"{n} 1 {1 if n[0].isupper() else 2} 1\n" for n in part))
    samples = list(read_layout(tmp_path).samples)
    return samples, random_thumbnails(len(samples), np.random.default_rng(3))


def part_of(manifest, *rows):
    return manifest["part"].iloc[list(rows)].tolist()


def test_every_photo_has_one_part_and_the_official_test_is_untouched(breeds):
    samples, thumbnails = breeds
    manifest = build_manifest(samples, thumbnails)
    assert manifest.columns.tolist() == ["name", "breed", "species", "split", "part", "duplicate_of"]
    assert manifest["name"].tolist() == [s.name for s in samples] and manifest["name"].is_unique
    assert set(manifest["part"]) == {"train", "val", "test"} < set(PARTS)
    assert ((manifest["part"] == "test") == (manifest["split"] == "test")).all()
    assert (manifest["species"] == np.where(manifest["name"].str[0].str.isupper(), "cat", "dog")).all()
    assert (manifest["duplicate_of"] == "").all()


def test_validation_is_a_fifth_of_each_breed(breeds, synthetic_data):
    manifest = build_manifest(*breeds)
    trainval = manifest[manifest["split"] == "trainval"]
    assert (trainval["part"] == "val").groupby(trainval["breed"]).sum().tolist() == [5, 5, 5, 5]
    synthetic = synthetic_data.manifest[synthetic_data.manifest["split"] == "trainval"]
    share = (synthetic["part"] == "val").groupby(synthetic["breed"]).mean()
    assert len(share) == 12 and share.between(0.15, 0.25).all()


def test_breeds_of_one_or_two_photos_give_a_fifth_of_their_species(tmp_path):
    names = [f"{letter}{n}_1" for letter in ("Mimi", "rex") for n in range(10)]
    base = write_oxford(tmp_path, names, ("Mimi99_1",))
    samples = list(read_layout(base).samples)
    manifest = build_manifest(samples, random_thumbnails(len(samples), np.random.default_rng(3)))
    assert manifest[manifest["part"] == "val"].groupby("species").size().to_dict() == {"cat": 2, "dog": 2}


def test_validation_is_drawn_by_the_seed_alone(breeds):
    samples, thumbnails = breeds
    manifest = build_manifest(samples, thumbnails, seed=4)
    assert manifest.equals(build_manifest(samples, thumbnails.copy(), seed=4))
    drawn = [tuple(build_manifest(samples, thumbnails, seed=seed)["part"]) for seed in range(5)]
    assert len(set(drawn)) == 5


def test_duplicates_stand_on_one_side_also_through_a_third_photo(breeds):
    samples, thumbnails = breeds
    rng = np.random.default_rng(5)
    groups = [(5 * k, 5 * k + 2) for k in range(20)]
    for first, second in groups:
        thumbnails[second] = at_distance(thumbnails[first], LIMIT // 2, rng)
    chain = (1, 51, 76)  # 1 and 76 are no near-duplicates, and the photos are of three breeds
    for first, second in itertools.pairwise(chain):
        shift = np.zeros((16, 16, 3), int)
        shift[:, :, first % 3] = 4  # 2.3 grey levels apart; two steps in different channels 3.3
        thumbnails[second] = np.clip(thumbnails[first] + shift, 0, 255)
    assert (1, 76) not in brute_force_pairs(thumbnails)
    parts = set()
    for seed in range(6):
        manifest = build_manifest(samples, thumbnails, seed=seed)
        for group in (*groups, chain):
            (part,) = set(part_of(manifest, *group))
            parts.add(part)
    assert parts == {"train", "val"}
    assert manifest["duplicate_of"].iloc[[0, 2, 1, 51, 76]].tolist() == ["", "Birman_0", "", "Birman_1", "Birman_1"]


def test_a_trainval_photo_that_repeats_a_test_photo_is_left_out(breeds):
    samples, thumbnails = breeds
    test_row = next(i for i, s in enumerate(samples) if s.split == "test")
    thumbnails[7] = thumbnails[test_row]  # Birman_7
    thumbnails[60] = at_distance(thumbnails[7], LIMIT // 2, np.random.default_rng(6))
    manifest = build_manifest(samples, thumbnails)
    assert part_of(manifest, 7, 60, test_row) == ["excluded", "excluded", "test"]
    assert (manifest["part"] == "excluded").sum() == 2 and (manifest["part"] == "test").sum() == 20
    assert part_of(manifest, 6, 8, 61).count("excluded") == 0
    assert manifest["duplicate_of"].iloc[[7, 60, test_row]].tolist() == ["", "Birman_7", "Birman_7"]


def test_near_duplicates_are_found_on_disk_through_jpeg_and_another_size(tmp_path):
    base = write_oxford(tmp_path)
    write_picture(base / "images/pug_2.jpg", photo("pug_1", 44, 60))
    write_picture(base / "annotations/trimaps/pug_2.png", trimap(44, 60))
    write_picture(base / "images/Birman_1.jpg", photo("Birman_3"))  # Birman_3 is in the test list
    manifest = open_data(tmp_path, 32, tmp_path / "cache").manifest.set_index("name")
    assert manifest.loc["pug_2", "duplicate_of"] == "pug_1"
    assert manifest.loc["Birman_1", "part"] == "excluded" and manifest.loc["Birman_3", "part"] == "test"
    assert manifest.loc["Birman_2", "part"] == "train"


# ------------------------------------------------------------------------------------------------- fingerprint


def test_the_fingerprint_names_files_and_parts_not_place_or_size(tmp_path):
    base = write_oxford(tmp_path / "here")
    cache = tmp_path / "cache"
    name = open_data(tmp_path / "here", 32, cache).fingerprint
    assert len(name) == 16 and int(name, 16) >= 0
    shutil.copytree(base, tmp_path / "there" / "pets")
    assert open_data(tmp_path / "there" / "pets", 48, cache).fingerprint == name

    names = {name}
    raw = trimap()
    raw[0, 0] = 3
    write_picture(base / "annotations/trimaps/pug_2.png", raw)
    names.add(open_data(tmp_path / "here", 32, cache).fingerprint)
    image = photo("pug_1")
    image[0, 0] ^= 128
    write_picture(base / "images/pug_1.jpg", image)
    names.add(open_data(tmp_path / "here", 32, cache).fingerprint)
    lists = base / "annotations"
    lines = (lists / "trainval.txt").read_text().splitlines(keepends=True)
    (lists / "trainval.txt").write_text("".join(lines[:-1]))
    (lists / "test.txt").write_text((lists / "test.txt").read_text() + lines[-1])
    names.add(open_data(tmp_path / "here", 32, cache).fingerprint)
    assert len(names) == 4


def test_the_fingerprint_changes_with_each_thing_it_names(breeds):
    samples, thumbnails = breeds
    manifest = build_manifest(samples, thumbnails)
    digests = np.random.default_rng(0).integers(0, 256, (len(samples), 32), dtype=np.uint8)
    names = [fingerprint(manifest, digests), fingerprint(build_manifest(samples, thumbnails, seed=1), digests)]
    changed = digests.copy()
    changed[-1, -1] ^= 1
    names.append(fingerprint(manifest, changed))
    for column, value in (("name", "Birman_x"), ("species", "dog"), ("part", "excluded")):
        names.append(fingerprint(manifest.assign(**{column: [value, *manifest[column][1:]]}), digests))
    assert len(set(names)) == len(names) == 6
    assert fingerprint(manifest.copy(), digests.copy()) == names[0]


def test_two_synthetic_data_sets_of_one_seed_have_one_fingerprint(tmp_path, synthetic_data):
    write_synthetic_pets(tmp_path / "again", n_trainval=60, n_test=20, size=64, seed=0)
    assert open_data(tmp_path / "again", 32, tmp_path / "cache").fingerprint == synthetic_data.fingerprint


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.25, 0.5, 1.0])
def test_a_labelled_subset_has_the_share_of_every_breed_that_whole_photos_allow(fraction):
    breeds = np.repeat(["Birman", "pug", "Sphynx"], [80, 40, 13])
    manifest, rows = pd.DataFrame({"breed": breeds}), np.arange(len(breeds))
    chosen = labelled_subset(manifest, rows, fraction, seed=0)
    assert len(chosen) == len(set(chosen)) == round(fraction * len(breeds)) and list(chosen) == sorted(chosen)
    for breed, size in (("Birman", 80), ("pug", 40), ("Sphynx", 13)):
        assert abs((breeds[chosen] == breed).sum() - fraction * size) <= 1


def test_a_larger_labelled_subset_holds_the_smaller_one_and_another_seed_another_one():
    manifest, rows = pd.DataFrame({"breed": np.repeat(["Birman", "pug"], 50)}), np.arange(0, 100, 2)
    subsets = [set(labelled_subset(manifest, rows, fraction, seed=0)) for fraction in (0.02, 0.1, 0.3, 1.0)]
    assert subsets[0] < subsets[1] < subsets[2] < subsets[3] == set(rows)
    assert len(subsets[0]) == 1
    assert set(labelled_subset(manifest, rows, 0.3, seed=1)) != subsets[2]
