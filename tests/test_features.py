"""Cached feature maps: the same numbers as without, however the cache was filled, stopped, spoiled or cut."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from making_encoders import TINY, write_encoder
from making_runs import FLOAT32

from petseg_utils.data.augment import Augmentation
from petseg_utils.encoders import features
from petseg_utils.encoders.base import Encoder, hash_weights
from petseg_utils.encoders.features import FeatureStore, View, encode
from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import DataError


@pytest.fixture
def encoder(tmp_path):
    return build_encoder(write_encoder(tmp_path), 64)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(features, "CHUNK", 8)  # 48 training photos in six chunks
    return FeatureStore(tmp_path / "features", 1.0)


class Counting:
    """An encoder that counts the photos it sees."""

    def __init__(self, encoder: Encoder, monkeypatch):
        self.photos = 0
        original = encoder.trunk.forward
        def counted(images):
            self.photos += len(images)
            return original(images)
        monkeypatch.setattr(encoder.trunk, "forward", counted)


def images_of(data, rows):
    return torch.tensor(data.images[rows]).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_what_is_read_is_what_would_be_encoded(store, encoder, synthetic_data, part):
    maps = store.open(encoder, synthetic_data, part, FLOAT32)
    rows = synthetic_data.indices(part)
    shuffled = np.random.default_rng(0).permutation(rows)[:7]
    for cached, fresh in zip(maps.read(shuffled), encode(encoder, images_of(synthetic_data, shuffled)), strict=True):
        assert cached.dtype == torch.float16
        torch.testing.assert_close(cached, fresh, rtol=1e-3, atol=1e-3)
    with pytest.raises(AssertionError, match="another part"):
        maps.read(np.setdiff1d(np.arange(len(synthetic_data.images)), rows)[:1])


def test_nothing_is_encoded_twice(store, encoder, synthetic_data, monkeypatch):
    counter = Counting(encoder, monkeypatch)
    n = len(synthetic_data.indices("train"))
    store.open(encoder, synthetic_data, "train", FLOAT32)
    store.open(encoder, synthetic_data, "train", FLOAT32)
    assert counter.photos == n


def test_interrupted_caching_goes_on(store, encoder, synthetic_data, monkeypatch):
    n = len(synthetic_data.indices("train"))
    whole = store.open(encoder, synthetic_data, "train", FLOAT32, View("five", 5)).read(synthetic_data.indices("train"))
    def stopping(chunks, what):
        for done, chunk in enumerate(chunks):
            if done == 2:
                raise KeyboardInterrupt
            yield chunk
    counter = Counting(encoder, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        FeatureStore(store.folder, 1.0, stopping).open(encoder, synthetic_data, "train", FLOAT32, View("five", 6))
    assert counter.photos == 16
    maps = store.open(encoder, synthetic_data, "train", FLOAT32, View("five", 6))
    assert counter.photos == n
    assert not torch.equal(maps.read(maps.rows)[0], whole[0]), "another seed draws other augmentations"


@pytest.mark.parametrize("spoil", ["byte", "cut", "empty", "no list"])
def test_a_damaged_cache_is_noticed_and_mended(store, encoder, synthetic_data, monkeypatch, spoil):
    rows = synthetic_data.indices("train")
    before = store.open(encoder, synthetic_data, "train", FLOAT32).read(rows)
    (folder,) = store.folder.iterdir()
    path = folder / "map1.npy"
    content = path.read_bytes()
    if spoil == "byte":
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :])
    elif spoil == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif spoil == "empty":
        path.write_bytes(b"")
    else:
        (folder / "chunks.json").unlink()
    counter = Counting(encoder, monkeypatch)
    after = store.open(encoder, synthetic_data, "train", FLOAT32).read(rows)
    # Chunks that are whole stay.
    assert counter.photos == {"byte": 8, "cut": 32}.get(spoil, len(rows))
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other)


def test_what_decides_the_content_names_the_folder(store, encoder, synthetic_data, tmp_path):
    def folders():
        return {path.name for path in store.folder.iterdir()}
    store.open(encoder, synthetic_data, "val", FLOAT32)
    seen = folders()
    with torch.no_grad():
        next(encoder.trunk.parameters()).add_(1)
    encoder.weights_hash = hash_weights(encoder.trunk.network)
    for other in (encoder, build_encoder(write_encoder(tmp_path), 32), build_encoder(write_encoder(tmp_path), 64,
                  keep=(-1,)), build_encoder(write_encoder(tmp_path), 64, normalisation="clip"),
                  build_encoder(write_encoder(tmp_path, source=TINY.replace("[first, ", "[2 * first, ")), 64)):
        store.open(other, synthetic_data, "val", FLOAT32)
        assert len(folders()) == len(seen) + 1, "a stale folder would be read"
        seen = folders()
    fresh = build_encoder(write_encoder(tmp_path), 64)
    for view in (View("five", 0, 0), View("five", 0, 1), View("five", 1, 0)):
        store.open(fresh, synthetic_data, "val", FLOAT32, view)
    store.open(fresh, synthetic_data, "test", FLOAT32)
    assert len(folders()) == len(seen) + 4


def test_maps_travel_to_another_process_as_their_files(store, encoder, synthetic_data):
    maps = store.open(encoder, synthetic_data, "train", FLOAT32)
    sent = pickle.dumps(maps)
    assert len(sent) < maps.rows.nbytes + 1000
    for one, other in zip(maps.read(maps.rows[:3]), pickle.loads(sent).read(maps.rows[:3]), strict=True):
        assert torch.equal(one, other)


def test_a_view_is_the_augmentation_of_that_epoch(store, encoder, synthetic_data):
    view = View("five", 3, 1)
    maps = store.open(encoder, synthetic_data, "train", FLOAT32, view)
    row = int(maps.rows[4])
    image, _ = Augmentation("five")(synthetic_data.images[row], synthetic_data.masks[row], (3, 1, row))
    fresh = encode(encoder, torch.tensor(image).permute(2, 0, 1)[None].float() / 255)
    for cached, one in zip(maps.read(np.array([row])), fresh, strict=True):
        torch.testing.assert_close(cached, one, rtol=1e-3, atol=1e-3)


def test_what_does_not_fit_is_not_cached(store, encoder, synthetic_data):
    n = len(synthetic_data.indices("val"))
    size = 2 * n * (4 * 16 * 16 + 6 * 8 * 8)
    assert FeatureStore(store.folder, 0.999 * size / 1e9).open(encoder, synthetic_data, "val", FLOAT32) is None
    assert not store.folder.exists()
    exact = FeatureStore(store.folder, size / 1e9)
    assert exact.open(encoder, synthetic_data, "val", FLOAT32) is not None
    assert exact.open(encoder, synthetic_data, "test", FLOAT32) is None
    assert exact.open(encoder, synthetic_data, "val", FLOAT32) is not None, "what is there is read, full or not"


def test_views_that_do_not_all_fit_are_not_begun(store, encoder, synthetic_data):
    size = 2 * len(synthetic_data.indices("train")) * (4 * 16 * 16 + 6 * 8 * 8)
    views = [View("five", 0, number) for number in range(3)]
    for room, fits in ((2.5, False), (3.1, True)):
        small = FeatureStore(store.folder, room * size / 1e9)
        assert small.has_room(encoder, synthetic_data, "train", FLOAT32, views) is fits
    small.open(encoder, synthetic_data, "train", FLOAT32, views[0])
    assert small.has_room(encoder, synthetic_data, "train", FLOAT32, views), "one of them is there"


def test_a_disk_that_would_fill_up_is_not_begun_nor_gone_on_with(store, encoder, synthetic_data, monkeypatch):
    """A full disk kills a process that writes to a mapped file: no error can be caught."""
    size = 2 * len(synthetic_data.indices("val")) * (4 * 16 * 16 + 6 * 8 * 8)
    free = {"bytes": 1e9 + 0.99 * size}
    monkeypatch.setattr(features.shutil, "disk_usage", lambda _: SimpleNamespace(free=free["bytes"]))
    assert store.open(encoder, synthetic_data, "val", FLOAT32) is None
    free["bytes"] = 1e9 + size
    maps = store.open(encoder, synthetic_data, "val", FLOAT32)
    assert maps is not None
    free["bytes"] = 0
    assert store.open(encoder, synthetic_data, "val", FLOAT32) is not None, "what is there needs no room"
    (cache,) = store.folder.iterdir()
    for path in cache.glob("map*.npy"):  # as a process leaves them that was killed before its first chunk
        length = path.stat().st_size
        path.unlink()
        with path.open("wb") as file:
            file.truncate(length)
    assert store.open(encoder, synthetic_data, "val", FLOAT32) is None


def test_numbers_that_float16_cannot_hold_are_refused(encoder):
    with torch.no_grad():
        encoder.trunk.network.second.weight.fill_(1e5)
    with pytest.raises(DataError, match="map 1 of encoder 'tiny' holds numbers beyond float16's 65504"):
        encode(encoder, torch.rand(1, 3, 64, 64))
