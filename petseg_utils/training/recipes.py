"""Recipes: how a model is trained, as plain data and the few functions that read it."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.classes import IGNORE, NUM_CLASSES
from petseg_utils.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """One way to train.

    Attributes:
        optimizer: ``adam`` (L2 penalty in the gradient) or ``adamw`` (decoupled weight decay).
        learning_rate: the constant or, in ``one-cycle``, the highest rate.
        schedule: ``constant``, ``plateau`` (factor .5 when the validation loss has not fallen for more than 5
            epochs) or ``one-cycle`` (cosine up over the first quarter, cosine down to nothing).
        class_weights: of background, cat and dog in the cross-entropy.
    """

    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    class_weights: tuple[float, float, float]


RECIPES = {
    "adam": Recipe("adam", 1e-3, 0.0, "constant", (1.0, 1.0, 1.0)),  # of the published autoencoders
    "paper": Recipe("adam", 1e-4, 1e-4, "plateau", (0.1, 1.0, 1.0)),
    "strong": Recipe("adamw", 3e-3, 1e-2, "one-cycle", (1.0, 1.0, 1.0)),
}
# Where a family's own validation trials chose another rate than the recipe's (results/oxford-128/recipe_trials.csv).
FAMILY_LEARNING_RATES = {("unet-resattn", "strong"): 1e-3}


def get_recipe(name: str) -> Recipe:
    """The recipe of that name, or :class:`UsageError`."""
    if name not in RECIPES:
        raise UsageError(f"unknown recipe {name!r}: choose one of {', '.join(RECIPES)}")
    return RECIPES[name]


def cross_entropy(logits: Tensor, target: Tensor, class_weights: tuple[float, ...] | None = None) -> Tensor:
    """Mean cross-entropy over the pixels that count.

    Args:
        logits: float (B, 3, H, W), before any softmax.
        target: int64 (B, H, W) of {0, 1, 2, 255}; 255 does not count.
        class_weights: a pixel weighs what its class weighs, and the mean is over the weights.

    Returns:
        A scalar; 0 when no pixel counts (a batch may be all border), so that it never poisons an average with NaN.
    """
    weights = torch.tensor(class_weights or (1.0,) * NUM_CLASSES).to(logits.device, non_blocking=True)
    total = F.cross_entropy(logits.float(), target, weight=weights, ignore_index=IGNORE, reduction="sum")
    weights_and_ignore = F.pad(weights, (0, 1))  # 255, clamped to 3, weighs nothing
    return total / weights_and_ignore[target.clamp(max=NUM_CLASSES)].sum().clamp(min=1e-6)


def build_optimizer(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimizer over the model's trainable parameters."""
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[recipe.optimizer]
    parameters = [p for p in model.parameters() if p.requires_grad]
    return kind(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def one_cycle(progress: float, warm_up: float = 0.25, start: float = 0.04, end: float = 4e-6) -> float:
    """Factor on the highest learning rate after a share ``progress`` in [0, 1] of all steps.

    Source: Smith and Topin, "Super-Convergence", 2018, with cosine instead of linear ramps as in
    ``torch.optim.lr_scheduler.OneCycleLR``. A function of the step needs no state to resume from.
    """
    if progress < warm_up:
        begin, finish, t = start, 1.0, progress / warm_up
    else:
        begin, finish, t = 1.0, end, (progress - warm_up) / (1 - warm_up)
    return finish + (begin - finish) * (1 + math.cos(math.pi * t)) / 2


class LearningRate:
    """Sets the optimizer's rate before each step. Resuming replays what it needs from the history.

    Args:
        recipe: says the schedule.
        optimizer: whose rate is set.
        steps_per_epoch, epochs: the length of the run.
        val_losses: those of the epochs already done.
    """

    def __init__(self, recipe: Recipe, optimizer: torch.optim.Optimizer, steps_per_epoch: int, epochs: int,
                 val_losses: list[float]):
        self.recipe, self.optimizer = recipe, optimizer
        self.total_steps = steps_per_epoch * epochs
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate
        self._plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=5)
        for loss in val_losses:
            self.after_epoch(loss)

    def before_step(self, step: int) -> None:
        if self.recipe.schedule == "one-cycle":
            rate = self.recipe.learning_rate * one_cycle(step / self.total_steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate

    def after_epoch(self, val_loss: float) -> None:
        if self.recipe.schedule == "plateau":
            self._plateau.step(val_loss)

    @property
    def current(self) -> float:
        return self.optimizer.param_groups[0]["lr"]
