"""Heat maps, the simulated user, and the scores of their dialogue."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from making_runs import assert_sentence

from petseg_utils.errors import UsageError
from petseg_utils.metrics.interactive import miou_at, number_of_clicks, worst_drop
from petseg_utils.prompts.heatmap import heat_map
from petseg_utils.prompts.simulator import Click, deepest, next_click, simulate

# ---------------------------------------------------------------------------------------------- heat map


def test_a_heat_map_by_its_formula():
    points, sigma = [(3.5, 2.5), (10.0, 7.25)], 2.0
    drawn = heat_map(points, (9, 14), sigma)
    for row in range(9):
        for column in range(14):
            value = max(np.exp(-((column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2) / (2 * sigma**2)) for x, y in points)
            assert drawn[row, column] == pytest.approx(value, rel=1e-5)
    assert drawn[2, 3] == 1.0 and drawn.dtype == torch.float32


def test_no_click_is_an_empty_map():
    for none in ([], torch.zeros(0, 2), np.zeros((0, 2))):
        assert torch.equal(heat_map(none, (5, 7), 3.0), torch.zeros(5, 7))


@given(x=st.floats(0, 40), y=st.floats(0, 30), sigma=st.floats(0.5, 20))
@settings(max_examples=40, deadline=None)
def test_a_mirrored_click_gives_the_mirrored_map(x, y, sigma):
    drawn, mirrored = heat_map([(x, y)], (30, 40), sigma), heat_map([(40 - x, y)], (30, 40), sigma)
    torch.testing.assert_close(drawn.flip(1), mirrored, rtol=1e-3, atol=1e-5)
    assert drawn.min() >= 0 and drawn.max() <= 1


@pytest.mark.parametrize(("points", "sigma", "part"), [
    ([(1, 2)], 0.0, "sigma is 0.0"), ([(1, 2)], -3.0, "sigma is -3.0"), ([(1, 2, 3)], 1.0, "pair (x, y)"),
    ([1, 2], 1.0, "pair (x, y)"), ([(float("nan"), 2)], 1.0, "pair (x, y)"),
])
def test_what_is_no_click_is_refused(points, sigma, part):
    with pytest.raises(UsageError) as caught:
        heat_map(points, (5, 5), sigma)
    assert_sentence(str(caught.value), part)


# ---------------------------------------------------------------------------------------------- simulator


def block(top, bottom, left, right, size=(12, 16)):
    mask = np.zeros(size, dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


def test_the_first_click_is_the_objects_deepest_place():
    assert next_click(block(2, 9, 3, 10), block(0, 0, 0, 0)) == Click(6.5, 5.5, True)


def test_the_photos_edge_is_an_edge():
    row, column = deepest(block(0, 12, 0, 4))
    assert column in (1, 2) and 1 <= row <= 10


def test_the_larger_error_is_clicked_and_its_sign_told():
    target = block(2, 9, 3, 10)
    assert next_click(target, target | block(0, 12, 12, 16)).positive is False
    assert next_click(target, (target & ~block(2, 9, 3, 6)) | block(0, 2, 14, 16)).positive is True
    assert next_click(target, target) is None


def test_two_small_errors_do_not_add_up():
    target = block(1, 11, 6, 10)
    mask = target.copy()
    mask[1:3, 6:10] = False  # 8 pixels are missing above
    mask[9:11, 6:10] = False  # and 8 below, apart
    mask |= block(4, 7, 11, 15)  # 12 are too many
    click = next_click(target, mask)
    assert not click.positive and 4 <= click.y < 7 and 11 <= click.x < 15


def test_the_border_band_is_no_error():
    target, band = block(2, 9, 3, 10), block(1, 10, 10, 12)
    assert next_click(target, target | band, ~band) is None
    clicks, scores = simulate(target, lambda _: target | band, ~band, max_clicks=4)
    assert len(clicks) == 1 and scores.tolist() == [1, 1, 1, 1]


def test_a_dialogue_by_hand():
    target = block(2, 10, 2, 10)
    answers = [block(2, 6, 2, 10), block(2, 10, 2, 12), target]
    seen = []
    def predict(clicks):
        seen.append(list(clicks))
        return answers[len(clicks) - 1]
    clicks, scores = simulate(target, predict, max_clicks=5)
    assert [len(s) for s in seen] == [1, 2, 3] and seen[-1] == clicks
    assert [click.positive for click in clicks] == [True, True, False]
    np.testing.assert_allclose(scores, [0.5, 0.8, 1, 1, 1])


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_every_click_lies_on_an_error_and_a_user_who_is_obeyed_ends(seed):
    rng = np.random.default_rng(seed)
    target = rng.random((20, 24)) < 0.5
    mask = np.zeros_like(target)
    for _ in range(600):
        click = next_click(target, mask)
        if click is None:
            break
        row, column = int(click.y), int(click.x)
        assert target[row, column] == click.positive and mask[row, column] != click.positive
        mask[row, column] = click.positive
    assert (mask == target).all()


# ---------------------------------------------------------------------------------------------- scores


def test_scores_of_dialogues_by_hand():
    ious = np.array([[0.5, 0.86, 0.95], [0.91, 0.7, 0.92], [0.2, 0.3, 0.84], [0.85, 0.85, 0.85]])
    assert miou_at(ious, 1) == pytest.approx((0.5 + 0.91 + 0.2 + 0.85) / 4)
    assert miou_at(ious, 3) == pytest.approx((0.95 + 0.92 + 0.84 + 0.85) / 4)
    assert number_of_clicks(ious, 0.85).tolist() == [2, 1, 3, 1], "who never gets there counts with all clicks"
    assert number_of_clicks(ious, 0.9).tolist() == [3, 1, 3, 3]
    np.testing.assert_allclose(worst_drop(ious), [0, 0.21, 0, 0])
    with pytest.raises(UsageError, match="mIoU@4 was asked of dialogues of 3 clicks"):
        miou_at(ious, 4)
