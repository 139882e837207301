"""Synthetic pets: same bytes for the same seed, the official layout on disk, and statistics near the real data's."""

import csv
import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from torchvision.datasets import OxfordIIITPet

from petseg_utils.classes import CAT, DOG
from petseg_utils.errors import UsageError
from petseg_utils.synthetic import SyntheticPet, render_pet, write_synthetic_pets
from petseg_utils.synthetic.breeds import BREEDS, COATS
from petseg_utils.synthetic.trimap import trimap_from_coverage

PROGRAM = """
from petseg_utils.synthetic import render_pet
import hashlib
for index in (0, 7, 29):
    pet = render_pet(3, index, 64)
    print(hashlib.sha256(pet.image.tobytes() + pet.trimap.tobytes() + pet.caption.encode()).hexdigest())
"""


def digest(pet: SyntheticPet) -> str:
    return hashlib.sha256(pet.image.tobytes() + pet.trimap.tobytes() + pet.caption.encode()).hexdigest()


def contents(folder) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def pets() -> list[SyntheticPet]:
    return [render_pet(0, index, 64) for index in range(144)]


def test_same_arguments_give_the_same_bytes_and_leave_the_global_generator_alone():
    np.random.seed(5)
    before = [digest(render_pet(3, index, 64)) for index in (0, 7, 29)]
    drawn = np.random.random()
    np.random.seed(5)
    assert drawn == np.random.random()
    render_pet(9, 9, 48)
    assert [digest(render_pet(3, index, 64)) for index in (0, 7, 29)] == before
    output = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True,
                            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert output.stdout.split() == before


def test_other_seeds_and_indices_give_other_pictures():
    assert len({digest(render_pet(seed, index, 48)) for seed in range(3) for index in (0, 12, 24)}) == 9


@pytest.mark.parametrize("size", [32, 33, 96, 224])
def test_every_size_is_the_same_scene(size):
    brighter = []
    for index in (1, 4, 6, 11):
        pet, reference = render_pet(1, index, size), render_pet(1, index, 128)
        assert pet.image.shape == (size, size, 3) and pet.image.dtype == np.uint8
        assert pet.trimap.shape == (size, size) and pet.trimap.dtype == np.uint8
        assert pet.caption == reference.caption
        assert abs((pet.trimap == 2).mean() - (reference.trimap == 2).mean()) < 0.06
        brighter.append(pet.image.mean() - reference.image.mean())
    assert abs(np.mean(brighter)) < 2  # grey levels; a single one differs more where 32 pixels sample fur coarsely


def test_trimaps_hold_pet_background_and_border_in_real_proportions(pets):
    shares = np.array([[(pet.trimap == code).mean() for code in (1, 2, 3)] for pet in pets])
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert shares[:, 0].min() > 0
    pet, background, border = shares.mean(axis=0)
    assert 0.24 < pet < 0.36
    assert 0.50 < background < 0.65
    assert 0.09 < border < 0.14
    assert shares[:, 0].std() > 0.12  # from far away to close-ups


def test_mixed_pixels_are_border():
    coverage = np.zeros((20, 20), np.float32)
    coverage[5:15, 5:15] = 1
    coverage[5:15, 15] = 0.5
    trimap = trimap_from_coverage(coverage, 1.0)
    assert (trimap[(coverage > 0) & (coverage < 1)] == 3).all()
    assert trimap[10, 10] == 1 and trimap[0, 0] == 2 and trimap[10, 4] == 3 and trimap[10, 5] == 3


def test_breeds_take_turns_and_a_third_are_cats(pets):
    names = [pet.breed for pet in pets]
    assert {names.count(breed.name) for breed in BREEDS} == {len(pets) // len(BREEDS)}
    assert sum(pet.species == CAT for pet in pets) * 3 == len(pets)
    for pet in pets:
        assert pet.name[0].isupper() == (pet.species == CAT)
        assert {CAT: "cat", DOG: "dog"}[pet.species] in pet.caption.replace(",", "").split()
    assert len({pet.caption for pet in pets}) > len(pets) / 2


def test_every_pattern_is_worn_by_both_species_and_gives_a_hint_only():
    share = {species: {pattern: 0.0 for pattern in {coat.pattern for coat in COATS.values()}} for species in (CAT, DOG)}
    for breed in BREEDS:
        for coat in breed.coats:
            of_species = sum(other.species == breed.species for other in BREEDS)
            share[breed.species][COATS[coat].pattern] += 1 / (len(breed.coats) * of_species)
    assert all(value > 0 for of in share.values() for value in of.values())
    # Balanced accuracy of whoever sees nothing but the pattern; 0.5 is chance.
    best = sum(max(share[CAT][pattern], share[DOG][pattern]) for pattern in share[CAT]) / 2
    assert 0.6 < best < 0.75


def test_neither_coat_nor_background_colours_tell_the_species(pets):
    def mean_colour(species: int, code: int) -> np.ndarray:
        colours = [pet.image[pet.trimap == code].mean(axis=0) for pet in pets
                   if pet.species == species and (pet.trimap == code).any()]
        return np.mean(colours, axis=0)

    for code in (1, 2):  # the spread between pictures is about 45, its standard error here about 5
        assert np.abs(mean_colour(CAT, code) - mean_colour(DOG, code)).max() < 20


def test_torchvision_reads_the_layout(tmp_path):
    folder = write_synthetic_pets(tmp_path, n_trainval=24, n_test=13, size=48, seed=2)
    assert folder == tmp_path / "oxford-iiit-pet"
    names = set()
    for split, count in (("trainval", 24), ("test", 13)):
        data = OxfordIIITPet(tmp_path, split, target_types=["segmentation", "category"], download=False)
        assert len(data) == count and len(data.classes) == len(BREEDS)
        for image, (trimap, category) in data:
            assert image.size == trimap.size == (48, 48) and image.mode == "RGB" and trimap.mode == "L"
            assert set(np.unique(trimap)) <= {1, 2, 3}
            assert 0 <= category < len(BREEDS)
        lines = (folder / f"annotations/{split}.txt").read_text().splitlines()
        assert lines == sorted(lines) and lines[0][0].isupper() and lines[-1][0].islower()
        assert {line.split()[2] for line in lines} == {"1", "2"}
        assert names.isdisjoint(line.split()[0] for line in lines)
        names |= {line.split()[0] for line in lines}
    listed = [line.split() for line in (folder / "annotations/list.txt").read_text().splitlines() if line[0] != "#"]
    assert {line[0] for line in listed} == names
    assert {(int(line[1]), int(line[2])) for line in listed} == {(i + 1, CAT if i < 4 else DOG) for i in range(12)}
    with (folder / "annotations/captions.csv").open(newline="") as file:
        captions = {row["name"]: row["caption"] for row in csv.DictReader(file)}
    assert set(captions) == names
    assert captions["Tabbyshort_1"] == render_pet(2, 0, 48).caption


def test_a_finished_data_set_is_reused_and_another_one_replaces_it(tmp_path):
    arguments = {"n_trainval": 12, "n_test": 12, "size": 32}
    folder = write_synthetic_pets(tmp_path, **arguments)
    first, written = contents(folder), (folder / "synthetic.json").stat().st_mtime_ns
    write_synthetic_pets(tmp_path, **arguments)
    assert (folder / "synthetic.json").stat().st_mtime_ns == written
    write_synthetic_pets(tmp_path, **arguments, seed=1)
    assert contents(folder) != first
    write_synthetic_pets(tmp_path, **arguments)
    assert contents(folder) == first
    assert list(tmp_path.iterdir()) == [folder]


def test_an_interrupted_write_leaves_nothing_under_the_name_and_is_redone(tmp_path, monkeypatch):
    arguments = {"n_trainval": 12, "n_test": 12, "size": 32}
    with monkeypatch.context() as patch:
        patch.setattr("petseg_utils.synthetic.dataset.json.dumps", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            write_synthetic_pets(tmp_path, **arguments)
    assert list(tmp_path.iterdir()) == []
    folder = write_synthetic_pets(tmp_path, **arguments)
    assert len(contents(folder)) == 2 * 24 + 5


def test_errors_are_one_sentence_with_the_value(tmp_path):
    with pytest.raises(UsageError, match="31"):
        write_synthetic_pets(tmp_path, n_trainval=12, n_test=12, size=31)
    with pytest.raises(UsageError, match="31"):
        render_pet(0, 0, 31)
    with pytest.raises(UsageError, match=r"n_test is 11.*12 or more"):
        write_synthetic_pets(tmp_path, n_trainval=12, n_test=11, size=32)
    (tmp_path / "oxford-iiit-pet/images").mkdir(parents=True)
    with pytest.raises(UsageError, match="other data"):
        write_synthetic_pets(tmp_path, n_trainval=12, n_test=12, size=32)
