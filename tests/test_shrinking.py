"""A small copy of a data set, as the measured study's."""

import numpy as np
import pytest
from click.testing import CliRunner
from making_data import TEST, TRAINVAL, photo, write_coursework, write_oxford
from making_runs import assert_sentence

from petseg_utils.cli import main
from petseg_utils.data.decode import read_mask, read_photo
from petseg_utils.data.layouts import read_layout
from petseg_utils.data.shrinking import write_small_copy
from petseg_utils.errors import DataError, UsageError


def test_a_copy_holds_all_photos_and_masks_as_squares(tmp_path):
    base = write_oxford(tmp_path / "large")
    result = CliRunner().invoke(main, ["data", "--data-root", str(tmp_path / "large"), "--shrink", "32", "-o",
                                       str(tmp_path / "small")])
    assert result.exit_code == 0 and f"6 photos of 32 px in {tmp_path / 'small'}" in result.output
    large, small = read_layout(base), read_layout(tmp_path / "small")
    assert [s.name for s in small.samples] == [*TRAINVAL, *TEST]
    for one, other in zip(large.samples, small.samples, strict=True):
        assert (one.species, one.breed, one.split) == (other.species, other.breed, other.split)
        mask, squeezed = read_mask(large, one), read_mask(small, other)
        assert squeezed.shape == (32, 32)
        for code in range(4):
            assert abs((mask == code).mean() - (squeezed == code).mean()) < 0.02
        image = read_photo(other.image_path)
        assert image.shape == (32, 32, 3) and abs(image.mean((0, 1)) - photo(one.name).mean((0, 1))).max() < 4


def test_nothing_is_overwritten_and_nothing_half_is_left(tmp_path):
    base = write_oxford(tmp_path / "large")
    write_small_copy(base, tmp_path / "small", 32)
    with pytest.raises(UsageError) as caught:
        write_small_copy(base, tmp_path / "small", 48)
    assert_sentence(str(caught.value), "is there already")
    (base / "images" / "pug_3.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError) as caught:
        write_small_copy(base, tmp_path / "other", 32)
    assert_sentence(str(caught.value), "pug_3")
    assert list((tmp_path / "other").iterdir()) == []


def test_only_the_oxford_layout_is_copied(tmp_path):
    with pytest.raises(UsageError, match="coursework layout"):
        write_small_copy(write_coursework(tmp_path / "course"), tmp_path / "small", 32)
    assert np.array_equal(list(tmp_path.iterdir()), [tmp_path / "course"])
