"""Models that follow prompts by rule, so that tests know the right answer."""

import torch
from torch import Tensor

from petseg_utils.models.prompt import PromptModel

SURE = 12.0  # a logit that leaves no doubt


class Painter(PromptModel, torch.nn.Module):
    """The photo's colours are its classes: red is a cat, green a dog, all else background. A click points at the class
    of the pixel under it; clicks out take theirs away, and nothing of the mask so far is lost.

    Takes what a model takes that knows several clicks (``planes`` 3), or one click (``planes`` 1).
    """

    def __init__(self, planes: int = 3, sigma: float = 2.0):
        super().__init__()
        self.planes, self.sigma = planes, sigma
        self.asked = 0

    def encode(self, images: Tensor) -> list[Tensor]:
        return []

    def forward(self, images: Tensor) -> Tensor:
        return self.decode([], images)

    def embed(self, maps: list[Tensor], images: Tensor) -> list[Tensor]:
        strength = torch.stack([torch.full_like(images[:, 0], 0.5), images[:, 0], images[:, 1]], dim=1)
        return [strength.argmax(1)]

    def select(self, embedding: list[Tensor], prompts: Tensor) -> Tensor:
        self.asked += 1
        codes = embedding[0].expand(len(prompts), -1, -1)
        classes = SURE * torch.nn.functional.one_hot(codes, 3).permute(0, 3, 1, 2).float()
        region = prompts[:, 2] > 0.5 if self.planes == 3 else torch.zeros_like(prompts[:, 0], dtype=torch.bool)
        for plane, belongs in ((0, True), (1, False))[: min(2, self.planes)]:
            for photo, heat in enumerate(prompts[:, plane]):
                clicked = codes[photo][heat > 0.95].unique()
                region[photo][torch.isin(codes[photo], clicked)] = belongs
        return torch.cat([classes, torch.where(region, SURE, -SURE)[:, None]], dim=1)
