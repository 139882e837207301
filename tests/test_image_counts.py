"""counts.npz: what goes in comes out, rows are replaced and not doubled, other photos start anew."""

import dataclasses

import numpy as np
import pytest
from making_runs import subset, train_tiny

from petseg_utils.comparison.image_counts import packaged_counts, read_counts, record_counts
from petseg_utils.metrics import apply_border
from petseg_utils.results import record_runs


@pytest.fixture(scope="module")
def run(synthetic_data, tmp_path_factory):
    return train_tiny(subset(synthetic_data, train=8, val=5, test=7), tmp_path_factory.mktemp("runs"), epochs=1)


def test_a_study_without_counts_has_none(tmp_path):
    assert len(read_counts(tmp_path).names) == 0 and read_counts(tmp_path).models == {}
    record_counts(tmp_path, "02_unet", {})
    assert not list(tmp_path.iterdir())


def test_recording_runs_keeps_the_counts_of_main_rows_only(tmp_path, run):
    record_runs(tmp_path, "mine", "02_unet", "synthetic", {"a": run})
    record_runs(tmp_path, "mine", "02_unet_ablations", "synthetic", {"b": run})
    record_runs(tmp_path, "mine", "03_autoencoders", "synthetic", {}, {"floor": {
        split: run.statistics(split) for split in ("val", "test")}})
    counts, test = read_counts(tmp_path), run.statistics("test")
    assert list(counts.models) == [("02_unet", "a"), ("03_autoencoders", "floor")]
    np.testing.assert_array_equal(counts.models["02_unet", "a"], test.counts)
    np.testing.assert_array_equal(counts.names, test.names)
    np.testing.assert_array_equal(counts.confusions(("02_unet", "a"), "pet"),
                                  apply_border(test.counts, test.species, "pet"))


def test_a_variants_counts_are_replaced_and_the_file_repeats_to_the_byte(tmp_path, run):
    test = run.statistics("test")
    other = dataclasses.replace(test, counts=test.counts[:, :, ::-1])
    record_counts(tmp_path, "03", {"a": test, "b": test})
    record_counts(tmp_path, "02", {"a": test})
    record_counts(tmp_path, "03", {"b": other})
    first = (tmp_path / "counts.npz").read_bytes()
    counts = read_counts(tmp_path)
    assert list(counts.models) == [("02", "a"), ("03", "a"), ("03", "b")]
    np.testing.assert_array_equal(counts.models["03", "b"], other.counts)
    np.testing.assert_array_equal(counts.models["03", "a"], test.counts)
    record_counts(tmp_path, "03", {"b": other})
    assert (tmp_path / "counts.npz").read_bytes() == first and len(list(tmp_path.iterdir())) == 1


def test_counts_of_other_photos_are_not_mixed_in(tmp_path, run):
    test = run.statistics("test")
    record_counts(tmp_path, "02", {"a": test})
    record_counts(tmp_path, "03", {"b": test.select(np.arange(3))})
    counts = read_counts(tmp_path)
    assert list(counts.models) == [("03", "b")] and len(counts.names) == 3


def test_large_photos_are_not_cut_to_two_bytes(tmp_path, run):
    test = run.statistics("test")
    large = dataclasses.replace(test, counts=test.counts * 1000)
    record_counts(tmp_path, "02", {"a": large})
    np.testing.assert_array_equal(read_counts(tmp_path).models["02", "a"], large.counts)


def test_packaged_counts_are_small():
    counts = packaged_counts()
    assert all(of.shape == (len(counts.names), 4, 3) for of in counts.models.values())
    assert all((of.sum(axis=(1, 2)) == 128 * 128).all() for of in counts.models.values())
