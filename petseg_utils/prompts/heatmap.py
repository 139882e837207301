"""Clicks as pictures: the one function that training, evaluation and app share."""

from collections.abc import Sequence

import torch
from torch import Tensor

from petseg_utils.errors import UsageError
from petseg_utils.prompts.simulator import Click


def heat_map(points: Tensor | Sequence[Sequence[float]], size: tuple[int, int], sigma: float) -> Tensor:
    """A Gaussian around every click, the largest where several overlap.

    Args:
        points: (N, 2), clicks as (x, y) in pixels of the map; (0, 0) is the upper left corner, (0.5, 0.5) the centre of
            the first pixel. N may be 0. A click outside the map leaves what of its Gaussian reaches in.
        size: (height, width) of the map in pixels.
        sigma: standard deviation of the Gaussians, in pixels of the map.

    Returns:
        float32 (height, width) in [0, 1]: ``max_i exp(-|p - p_i|**2 / (2 sigma**2))``; all 0 without clicks.

    Raises:
        UsageError: sigma is not greater than 0, or the points are no pairs of numbers.
    """
    if not sigma > 0:
        raise UsageError(f"sigma is {sigma!r}: give a number of pixels greater than 0")
    clicks = torch.as_tensor(points, dtype=torch.float32)
    height, width = size
    if clicks.numel() == 0:
        return torch.zeros(height, width)
    if clicks.ndim != 2 or clicks.shape[1] != 2 or not torch.isfinite(clicks).all():
        raise UsageError(f"points are {points!r}: give one pair (x, y) of pixels for each click")
    x, y = torch.arange(width) + 0.5, torch.arange(height) + 0.5
    squared = (x[None, None, :] - clicks[:, 0, None, None]) ** 2 + (y[None, :, None] - clicks[:, 1, None, None]) ** 2
    return torch.exp(-squared.amin(0) / (2 * sigma**2))


def prompt_maps(clicks: Sequence[Click], mask: Tensor, planes: int, sigma: float) -> Tensor:
    """What a prompt model is given: the one place where clicks become its input.

    Args:
        clicks: in pixels of the model's input.
        mask: float (H, W) in [0, 1], the mask so far, on the CPU; a model of one plane does not get it.
        planes: of the model: 1 (clicks in), or 3 (clicks in, clicks out, the mask so far).
        sigma: of the model.

    Returns:
        float32 (planes, H, W).
    """
    size = (mask.shape[-2], mask.shape[-1])
    heat = [heat_map([(c.x, c.y) for c in clicks if c.positive is sign], size, sigma) for sign in (True, False)]
    return torch.stack([*heat, mask][:planes])
