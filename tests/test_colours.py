"""Colour masks: both ways by look-up, unknown colours refused; and what the border policies make of a mask."""

import numpy as np
import pytest
from PIL import Image

from petseg_utils.classes import (
    BORDER_POLICIES,
    DISPLAY_COLOURS,
    MASK_COLOURS,
    apply_border_policy,
    check_border_policy,
)
from petseg_utils.data import decode_colours, encode_colours
from petseg_utils.data.decode import read_mask_file
from petseg_utils.errors import UsageError

# Written out, not imported: these are the coursework's colours, and a file on disk does not follow our constants.
STORED = {(0, 0, 0): 0, (128, 0, 0): 1, (0, 128, 0): 2, (255, 255, 255): 3}
ALL_CODES = np.array([[0, 1, 2, 3], [3, 2, 1, 0]], np.uint8)


def one_colour(colour, shape=(2, 3)):
    return np.full((*shape, 3), colour, np.uint8)


@pytest.mark.parametrize(("colour", "code"), STORED.items())
def test_each_stored_colour_has_its_code_both_ways(colour, code):
    decoded = decode_colours(one_colour(colour))
    assert decoded.dtype == np.uint8 and decoded.shape == (2, 3) and (decoded == code).all()
    encoded = encode_colours(np.full((2, 3), code, np.uint8))
    assert encoded.dtype == np.uint8 and encoded.tolist() == one_colour(colour).tolist()


def test_round_trip_through_arrays_and_through_a_png_file(tmp_path):
    mask = np.random.default_rng(0).integers(0, 4, (37, 53), dtype=np.uint8)
    np.testing.assert_array_equal(decode_colours(encode_colours(mask)), mask)
    Image.fromarray(encode_colours(mask)).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(decode_colours(read_mask_file(tmp_path / "mask.png", "coursework")), mask)


def test_a_palette_file_is_read_by_its_colours_whatever_their_order(tmp_path):
    # Dog stands at position 1 and cat at 2, as in one of the published studies.
    picture = Image.fromarray(np.array([[0, 1, 2, 3]], np.uint8), mode="P")
    picture.putpalette([0, 0, 0, 0, 128, 0, 128, 0, 0, 255, 255, 255])
    picture.save(tmp_path / "mask.png")
    with Image.open(tmp_path / "mask.png") as written:
        assert written.mode == "P"
    assert decode_colours(read_mask_file(tmp_path / "mask.png", "coursework")).tolist() == [[0, 2, 1, 3]]


@pytest.mark.parametrize("colours", [[(0, 128, 0)], [(128, 0, 0)], [(0, 128, 0), (128, 0, 0)],
                                     [(255, 255, 255), (0, 128, 0), (0, 0, 0)]])
def test_a_code_depends_on_the_colour_alone_not_on_which_others_are_there(colours):
    assert decode_colours(np.array([colours], np.uint8)).tolist() == [[STORED[colour] for colour in colours]]


@pytest.mark.parametrize("strange", [(0, 0, 128), (127, 0, 0), (0, 128, 1), (255, 255, 254), (0, 255, 0),
                                     (128, 128, 0), (128, 128, 128)])
def test_an_unknown_colour_is_refused_and_named(strange):
    rgb = encode_colours(ALL_CODES)
    rgb[1, 2] = strange
    with pytest.raises(ValueError, match=rf"mask colour \({strange[0]}, {strange[1]}, {strange[2]}\) is none of"):
        decode_colours(rgb)


def test_a_cat_mask_with_its_channels_swapped_is_refused():
    with pytest.raises(ValueError, match=r"\(0, 0, 128\)"):
        decode_colours(encode_colours(ALL_CODES)[..., ::-1])


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 4), (4, 5, 1)])
def test_what_is_not_rgb_is_refused_with_its_shape(shape):
    with pytest.raises(ValueError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        decode_colours(np.zeros(shape, np.uint8))


def test_codes_without_a_colour_are_refused_and_named():
    with pytest.raises(ValueError, match=r"codes \[4, 255\]"):
        encode_colours(np.array([[0, 255, 4, 1]], np.uint8))


def test_display_colours_are_painted_on_request_and_differ():
    painted = encode_colours(ALL_CODES, DISPLAY_COLOURS)
    assert len(np.unique(painted.reshape(-1, 3), axis=0)) == 4
    assert [tuple(pixel) for pixel in painted[0].tolist()] == [DISPLAY_COLOURS[code] for code in range(4)]
    background, cat, dog = (np.array(DISPLAY_COLOURS[code]) for code in (0, 1, 2))
    assert background.argmax() == 2 and cat.argmax() == 0 and dog.argmax() == 1  # blue, red, green
    assert set(DISPLAY_COLOURS) == set(MASK_COLOURS)


# ---------------------------------------------------------------------------------------------------- border

MASK = np.array([[0, 3, 255], [3, 1, 0]], np.uint8)


@pytest.mark.parametrize(("policy", "species", "expected"), [
    ("ignore", 1, [[0, 255, 255], [255, 1, 0]]),
    ("ignore", 2, [[0, 255, 255], [255, 1, 0]]),
    ("background", 1, [[0, 0, 255], [0, 1, 0]]),
    ("background", 2, [[0, 0, 255], [0, 1, 0]]),
    ("pet", 1, [[0, 1, 255], [1, 1, 0]]),
    ("pet", 2, [[0, 2, 255], [2, 1, 0]]),
])
def test_policies_move_the_border_and_nothing_else(policy, species, expected):
    mask = MASK.copy()
    target = apply_border_policy(mask, policy, species)
    assert target.dtype == np.uint8 and target.tolist() == expected
    np.testing.assert_array_equal(mask, MASK)


def test_an_unknown_policy_is_refused_with_the_ones_there_are():
    for call in (lambda: check_border_policy("edge"), lambda: apply_border_policy(MASK, "edge", 1)):
        with pytest.raises(UsageError, match=r"'edge'.*ignore, background, pet") as caught:
            call()
        assert caught.value.exit_code == 2
    assert [check_border_policy(policy) for policy in BORDER_POLICIES] == ["ignore", "background", "pet"]
