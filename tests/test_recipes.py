"""The loss against torch and by hand, the learning rates against torch's schedulers, the recipes' published numbers."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR, ReduceLROnPlateau

from petseg_utils.classes import IGNORE
from petseg_utils.errors import UsageError
from petseg_utils.training.recipes import RECIPES, LearningRate, build_optimizer, cross_entropy, get_recipe, one_cycle

PAPER, STRONG = RECIPES["paper"], RECIPES["strong"]


def random_batch(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 3, 8, 9, generator=generator, requires_grad=True)
    target = torch.randint(0, 4, (2, 8, 9), generator=generator)
    return logits, target.masked_fill(target == 3, IGNORE)


@pytest.mark.parametrize("weights", [None, (1.0, 1.0, 1.0), (0.1, 1.0, 1.0), (0.2, 3.0, 0.7)])
def test_cross_entropy_is_torchs(weights):
    logits, target = random_batch()
    weight = None if weights is None else torch.tensor(weights)
    expected = F.cross_entropy(logits, target, weight=weight, ignore_index=IGNORE)
    (expected_gradient,) = torch.autograd.grad(expected, logits)
    actual = cross_entropy(logits, target, weights)
    (gradient,) = torch.autograd.grad(actual, logits)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(gradient, expected_gradient)


def test_cross_entropy_of_two_pixels_by_hand():
    """Pixel 1, background, p = 1/4, weight .1; pixel 2, dog, p = 1/2, weight 1; a third does not count."""
    probabilities = torch.tensor([[1 / 4, 1 / 4, 0.9], [1 / 4, 1 / 4, 0.05], [1 / 2, 1 / 2, 0.05]])  # (class, pixel)
    logits = probabilities.log().reshape(1, 3, 1, 3)
    target = torch.tensor([[[0, 2, IGNORE]]])
    by_hand = (0.1 * math.log(4) + 1.0 * math.log(2)) / (0.1 + 1.0)
    assert cross_entropy(logits, target, (0.1, 1.0, 1.0)).item() == pytest.approx(by_hand, rel=1e-6)
    assert cross_entropy(logits, target).item() == pytest.approx((math.log(4) + math.log(2)) / 2, rel=1e-6)


def test_a_batch_that_is_all_border_gives_zero_and_no_gradient():
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    loss = cross_entropy(logits, torch.full((2, 4, 4), IGNORE), (0.1, 1.0, 1.0))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_the_loss_is_computed_in_float32():
    logits, target = random_batch()
    half = cross_entropy(logits.bfloat16(), target)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, cross_entropy(logits.bfloat16().float(), target))


def test_one_cycle_is_torchs():
    """torch's ramps end on a step (T/4 - 1 and T - 1), ours on a share of the way: the same curve, point by point."""
    total, highest = 200, 3e-3
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = OneCycleLR(optimizer, highest, total, pct_start=0.25, div_factor=25, final_div_factor=1e4,
                           anneal_strategy="cos", cycle_momentum=False)
    top = total / 4 - 1
    for step in range(total):
        share = 0.25 * step / top if step <= top else 0.25 + 0.75 * (step - top) / (total - 1 - top)
        rate = optimizer.param_groups[0]["lr"]
        assert highest * one_cycle(share) == pytest.approx(rate, rel=1e-9, abs=1e-15), step
        # Without the mapping the two are at most one and a half steps of the steep ramp apart.
        assert highest * one_cycle(step / total) == pytest.approx(rate, abs=highest * 1.5 * math.pi / 2 / (total / 4))
        optimizer.step()
        if step < total - 1:
            scheduler.step()


def test_one_cycle_by_hand():
    assert one_cycle(0) == pytest.approx(0.04)
    assert one_cycle(0.125) == pytest.approx(0.52)  # half way up
    assert one_cycle(0.25) == pytest.approx(1)
    assert one_cycle(0.625) == pytest.approx(0.5, abs=1e-5)  # half way down
    assert one_cycle(1) == pytest.approx(4e-6)


def learning_rate(recipe, val_losses=(), epochs=10):
    optimizer = build_optimizer(recipe, nn.Linear(2, 2))
    return LearningRate(recipe, optimizer, steps_per_epoch=4, epochs=epochs, val_losses=list(val_losses))


def test_one_cycle_recipe_sets_the_rate_before_each_step_and_needs_no_history():
    rate = learning_rate(STRONG)
    seen = []
    for step in range(40):
        rate.before_step(step)
        seen.append(rate.current)
        if step % 4 == 3:
            rate.after_epoch(1.0)  # the validation loss is of no interest to it
    assert seen == [pytest.approx(3e-3 * one_cycle(step / 40)) for step in range(40)]
    assert max(seen) == pytest.approx(3e-3) and seen.index(max(seen)) == 10
    resumed = learning_rate(STRONG, [1.0, 1.0])
    resumed.before_step(8)
    assert resumed.current == seen[8]


def test_plateau_halves_after_five_epochs_without_progress():
    rate = learning_rate(PAPER)
    assert rate.current == 1e-4
    rates = []
    for loss in [0.9, 0.8] + [0.85] * 12:
        rate.before_step(0)  # must not touch a plateau's rate
        rates.append(rate.current)
        rate.after_epoch(loss)
    # Epoch 2 is the best; 3 to 7 are borne, 8 is the sixth without progress, so epoch 9 runs at half the rate.
    assert rates == [1e-4] * 8 + [5e-5] * 6
    assert rate.current == 2.5e-5


def test_plateau_resumes_from_the_history_alone():
    losses = [0.7] + [0.75] * 9 + [0.6] + [0.65] * 8
    whole = learning_rate(PAPER)
    reference = torch.optim.Adam([nn.Parameter(torch.zeros(1))], lr=1e-4)
    plateau = ReduceLROnPlateau(reference, factor=0.5, patience=5)
    for done, loss in enumerate(losses, start=1):
        whole.after_epoch(loss)
        plateau.step(loss)
        assert whole.current == reference.param_groups[0]["lr"]
        assert learning_rate(PAPER, losses[:done]).current == whole.current
    assert whole.current < 1e-4


def test_paper_recipe_has_the_papers_numbers():
    optimizer = build_optimizer(PAPER, nn.Linear(2, 2))
    assert type(optimizer) is torch.optim.Adam
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (1e-4, 1e-4)
    assert PAPER.class_weights == (0.1, 1.0, 1.0)
    assert PAPER.schedule == "plateau"


def test_strong_recipe_decays_weights_apart_from_the_gradient():
    optimizer = build_optimizer(STRONG, nn.Linear(2, 2))
    assert type(optimizer) is torch.optim.AdamW
    assert (optimizer.defaults["lr"], optimizer.defaults["weight_decay"]) == (3e-3, 1e-2)
    assert STRONG.class_weights == (1.0, 1.0, 1.0) and STRONG.schedule == "one-cycle"


def test_frozen_parameters_are_not_optimized():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    (group,) = build_optimizer(replace(STRONG, optimizer="adam"), model).param_groups
    assert [id(p) for p in group["params"]] == [id(p) for p in model[1].parameters()]


def test_unknown_recipe_is_refused_with_a_sentence():
    with pytest.raises(UsageError, match=r"^unknown recipe 'papers': choose one of adam, paper, strong$"):
        get_recipe("papers")
