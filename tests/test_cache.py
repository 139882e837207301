"""The cache: decoded once, rebuilt when a file is touched, whole or absent, and true to the files."""

import os
import pickle

import numpy as np
import pytest
from making_data import (
    HEIGHT,
    TEST,
    TRAINVAL,
    WIDTH,
    photo,
    trimap,
    write_coursework,
    write_oxford,
    write_picture,
)

from petseg_utils.data import cache, open_data
from petseg_utils.data.decode import decode, read_photo, squeeze, squeeze_mask
from petseg_utils.errors import DataError, UsageError


@pytest.fixture
def root(tmp_path):
    write_oxford(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch):
    """Names of the photos that were decoded, in order."""
    names = []

    def counting(layout, sample):
        names.append(sample.name)
        return decode(layout, sample)

    monkeypatch.setattr(cache, "decode", counting)
    return names


def test_arrays_share_the_manifests_order_and_hold_the_squeezed_files(root, folder):
    data = open_data(root, 48, folder)
    assert data.image_size == 48 and data.layout.kind == "oxford" and data.defects == ()
    assert data.images.shape == (6, 48, 48, 3) and data.masks.shape == (6, 48, 48)
    assert data.images.dtype == data.masks.dtype == data.species.dtype == np.uint8
    assert data.species.tolist() == [1, 1, 2, 2, 1, 2]
    assert data.sizes.dtype == np.int64 and data.sizes.tolist() == [[HEIGHT, WIDTH]] * 6
    assert data.manifest["name"].tolist() == [s.name for s in data.layout.samples] == [*TRAINVAL, *TEST]
    for i, sample in enumerate(data.layout.samples):
        np.testing.assert_array_equal(data.images[i], squeeze(read_photo(sample.image_path), 48))
        mask = np.choose(trimap() - 1, [data.species[i], 0, 3]).astype(np.uint8)
        np.testing.assert_array_equal(data.masks[i], squeeze_mask(mask, 48))
        np.testing.assert_array_equal(data.original_mask(i), mask)
        assert data.original_mask(i).dtype == np.uint8


def test_arrays_cannot_be_written_to_by_accident(root, folder):
    data = open_data(root, 32, folder)
    for array in (data.images, data.masks):
        assert isinstance(array, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


@pytest.mark.parametrize("write", [write_oxford, write_coursework])
def test_both_layouts_give_the_same_arrays(tmp_path, folder, write):
    write(tmp_path / "other")
    write_oxford(tmp_path / "oxford")
    data, expected = open_data(tmp_path / "other", 32, folder), open_data(tmp_path / "oxford", 32, folder)
    np.testing.assert_array_equal(data.masks, expected.masks)
    np.testing.assert_array_equal(data.images, expected.images)
    assert data.manifest.equals(expected.manifest)


def test_photos_of_the_studys_own_size_are_kept_as_they_are(synthetic_data):
    assert (synthetic_data.sizes == 64).all() and len(synthetic_data.images) == 80
    for i in (0, 40, 79):
        sample = synthetic_data.layout.samples[i]
        np.testing.assert_array_equal(synthetic_data.images[i], read_photo(sample.image_path))
        expected, _ = decode(synthetic_data.layout, sample)
        np.testing.assert_array_equal(synthetic_data.masks[i], expected.mask)
        np.testing.assert_array_equal(synthetic_data.original_mask(i), expected.mask)


def test_a_second_opening_decodes_nothing_and_gives_the_same(root, folder, monkeypatch):
    first = open_data(root, 32, folder)
    monkeypatch.setattr(cache, "decode", lambda *_: pytest.fail("decoded again"))
    second = open_data(root, 32, folder)
    np.testing.assert_array_equal(first.images, second.images)
    np.testing.assert_array_equal(first.masks, second.masks)
    np.testing.assert_array_equal(first.sizes, second.sizes)
    assert first.manifest.equals(second.manifest)
    assert (first.fingerprint, first.defects, first.layout) == (second.fingerprint, second.defects, second.layout)


def test_each_photo_is_decoded_once_under_the_callers_progress(root, folder, decoded):
    seen = []

    def progress(items, description):
        seen.append((len(items), description))
        return items

    open_data(root, 32, folder, progress=progress)
    assert decoded == [*TRAINVAL, *TEST] and seen == [(6, "decoding photos")]


FILES = ["images/pug_1.jpg", "annotations/trimaps/pug_1.png"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize(("longer", "later"), [(0, 1000), (1, 0), (0, 0)])
def test_a_file_of_another_time_or_length_is_read_anew(root, folder, decoded, file, longer, later):
    path = root / "oxford-iiit-pet" / file
    open_data(root, 32, folder)
    stat = path.stat()
    path.write_bytes(path.read_bytes() + b" " * longer)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + later))
    decoded.clear()
    open_data(root, 32, folder)
    assert len(decoded) == (6 if longer or later else 0)


@pytest.mark.parametrize("file", FILES)
def test_a_changed_photo_or_mask_is_seen(root, folder, file):
    before = open_data(root, 32, folder)
    path = root / "oxford-iiit-pet" / file
    write_picture(path, photo("other") if path.suffix == ".jpg" else trimap()[:, ::-1].copy())
    after = open_data(root, 32, folder)
    changed = [not (np.array_equal(a, b) and np.array_equal(c, d)) for a, b, c, d
               in zip(before.images, after.images, before.masks, after.masks, strict=True)]
    assert changed == [name == "pug_1" for name in after.manifest["name"]]
    assert before.fingerprint != after.fingerprint


def test_another_size_list_or_leave_for_defects_has_its_own_cache(root, folder, decoded):
    open_data(root, 32, folder)
    open_data(root, 40, folder)
    open_data(root, 32, folder, allow_defects=True)
    listing = root / "oxford-iiit-pet" / "annotations" / "trainval.txt"
    listing.write_text(listing.read_text().replace("pug_2 1 2", "pug_2 1 1"))  # said to be a cat
    assert open_data(root, 32, folder).species.tolist() == [1, 1, 2, 1, 1, 2]
    assert len(decoded) == 24 and len(list(folder.iterdir())) == 4


class Interrupted(BaseException):
    """Like KeyboardInterrupt, which would end pytest if a test let it through."""


@pytest.mark.parametrize("stage", ["decode", "np.save", "fingerprint"])
def test_an_interrupted_build_leaves_nothing_and_the_next_succeeds(root, folder, monkeypatch, stage):
    calls = []

    def interrupt(*arguments, **_):
        calls.append(arguments)
        if len(calls) == (1 if stage == "fingerprint" else 2):
            raise Interrupted
        return original(*arguments)

    owner, name = (np, "save") if stage == "np.save" else (cache, stage)
    original = getattr(owner, name)
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, interrupt)
        with pytest.raises(Interrupted):
            open_data(root, 32, folder)
    assert calls and (not folder.exists() or list(folder.iterdir()) == [])
    assert len(open_data(root, 32, folder).images) == 6
    assert len(list(folder.iterdir())) == 1


def test_what_a_killed_build_left_is_not_read(root, folder):
    complete = open_data(root, 32, folder)
    (cached,) = folder.iterdir()
    remains = folder / f".{cached.name}.0a1b2c3d.tmp"  # as replacing_folder names it
    cached.rename(remains)
    (remains / "facts.json").unlink()
    assert open_data(root, 32, folder).fingerprint == complete.fingerprint
    assert cached.is_dir()


@pytest.mark.parametrize("file", ["facts.json", "manifest.csv", "images.npy", "masks.npy", "sizes.npy"])
@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_a_damaged_cache_is_made_again(root, folder, file, damage):
    whole = open_data(root, 64, folder)
    images = np.array(whole.images)
    (cache,) = folder.iterdir()
    content = (cache / file).read_bytes()
    (cache / file).unlink()
    if damage != "gone":
        (cache / file).write_bytes(b"" if damage == "empty" else content[: len(content) // 2])
    again = open_data(root, 64, folder)
    np.testing.assert_array_equal(again.images, images)
    assert again.fingerprint == whole.fingerprint and again.manifest.equals(whole.manifest)


def test_parts_are_index_arrays_and_an_empty_part_is_a_data_error(root, folder, synthetic_data):
    parts = {part: synthetic_data.indices(part) for part in ("train", "val", "test")}
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(80))
    assert (synthetic_data.manifest["part"].iloc[parts["val"]] == "val").all() and len(parts["test"]) == 20
    with pytest.raises(DataError, match=r"'excluded' holds no photo.*'test': 2"):
        open_data(root, 32, folder).indices("excluded")


def test_an_image_size_below_32_is_a_wrong_call(root, folder):
    with pytest.raises(UsageError, match="image size 31 is too small"):
        open_data(root, 31, folder)
    assert not folder.exists()


def test_names_that_look_like_numbers_or_missing_values_stay_names(tmp_path, folder):
    names = ("001", "1e3", "NA", "null")
    write_coursework(tmp_path / "data", names, ())
    data = open_data(tmp_path / "data", 32, folder)
    assert [s.name for s in data.layout.samples] == sorted(names) == data.manifest["name"].tolist()
    write_coursework(tmp_path / "numbers", ("001", "002"), ("003",))
    assert open_data(tmp_path / "numbers", 32, folder).manifest["name"].tolist() == ["001", "002", "003"]


def test_one_name_in_both_splits_keeps_each_its_own_mask(tmp_path, folder):
    base = write_coursework(tmp_path / "data", ("pug_1",), ("pug_1",))
    write_picture(base / "Test/color/pug_1.jpg", photo("another", 30, 30))
    write_picture(base / "Test/label/pug_1.png", np.zeros((30, 30, 3), np.uint8))
    data = open_data(tmp_path / "data", 32, folder)
    assert data.sizes.tolist() == [[HEIGHT, WIDTH], [30, 30]]
    assert [data.original_mask(i).shape for i in range(2)] == [(HEIGHT, WIDTH), (30, 30)]


def test_a_worker_that_is_sent_the_data_maps_the_same_files(root, folder):
    data = open_data(root, 32, folder)
    sent = pickle.dumps(data)
    assert len(sent) < data.images.nbytes  # the maps' names, not their bytes
    received = pickle.loads(sent)
    assert isinstance(received.images, np.memmap) and np.array_equal(received.images, data.images)
    assert np.array_equal(received.masks, data.masks) and received.fingerprint == data.fingerprint
