"""Learning to be told where to look: the task of the prompt models."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from petseg_utils.classes import BACKGROUND, IGNORE, NUM_CLASSES
from petseg_utils.evaluation import batches_of
from petseg_utils.models.prompt import PromptModel
from petseg_utils.precision import Precision
from petseg_utils.progress import bar
from petseg_utils.prompts.heatmap import prompt_maps
from petseg_utils.prompts.prompter import build_prompter
from petseg_utils.prompts.protocol import evaluate_prompts
from petseg_utils.prompts.simulator import Click, next_click, rim
from petseg_utils.prompts.text import build_texts
from petseg_utils.training.recipes import cross_entropy
from petseg_utils.training.run import CLICKED, Run
from petseg_utils.training.segmentation import Segmentation

MORE_CLICKS = 3  # at most, after the first, of a model that takes several
UNPROMPTED = 0.1  # share of such a model's samples in which nobody has clicked


class Prompting(Segmentation):
    """Cross-entropy of the classes, and of "does this pixel belong to the region that the prompt points at?".

    For every class that is in a mask, background included, one random pixel of it is clicked: two samples a photo,
    whose region is that class. The spec's ``edge_clicks`` is the share of the pets' clicks that is drawn near an edge,
    where few random pixels are and a click is hard to read: who clicks there mostly means the pet. A model that takes
    several clicks is then corrected by the simulated user up to three times, and learns from its last answer (Sofiiuk,
    Petrov, Konushin, "Reviving Iterative Training with Mask Guidance for Interactive Segmentation", ICIP 2022). The
    epoch with the best mean IoU of the pets' regions after a simulated click is kept: the mean over three clicks where
    a model takes several.
    """

    def loss(self, model: Any, images: Tensor, targets: Tensor, *maps: Tensor) -> Tensor:
        owners, clicks = draw_clicks(targets, self.spec.edge_clicks)
        masks = targets[owners]
        clicked = torch.stack([mask[int(click.y), int(click.x)] for mask, click in zip(masks, clicks, strict=True)])
        regions = masks == clicked[:, None, None]
        with self.precision.autocast():
            embedding = model.embed(maps or model.encode(images), images)
            embedding = [tensor[owners] for tensor in embedding]
            more = int(torch.randint(MORE_CLICKS + 1, ())) if model.planes > 1 else 0
            with torch.no_grad():
                prompts, _ = converse(model, embedding, regions, masks != IGNORE, clicks, more, self.precision)
            # Older versions of torch keep weights that were cast without gradients, and would train with those.
            torch.clear_autocast_cache()
            if model.planes > 1:
                prompts = prompts * (torch.rand(len(clicks), 1, 1, 1) >= UNPROMPTED).to(prompts)
                unprompted = prompts.flatten(1).amax(1) == 0
                regions = torch.where(unprompted[:, None, None], masks != BACKGROUND, regions)
            logits = model.select(embedding, prompts)
        of_region = F.binary_cross_entropy_with_logits(logits[:, NUM_CLASSES].float(), regions.float(),
                                                       weight=(masks != IGNORE).float(), reduction="sum")
        of_region = of_region / (masks != IGNORE).sum().clamp(min=1)
        return cross_entropy(logits[:, :NUM_CLASSES], masks.long(), self.class_weights) + of_region

    @torch.inference_mode()
    def validate(self, model: Any) -> dict[str, float]:
        """The mean IoU is of regions, not of classes: pets, border ignored, on the square that the model sees."""
        model.eval()
        opened = self._maps(model, "val")
        answers = 3 if model.planes > 1 else 1
        losses, ious = [], []
        for rows, images in batches_of(self.data, "val", self.precision):
            truth = torch.tensor(self.data.masks[rows]).to(images.device)
            regions = truth == torch.tensor(self.data.species[rows]).to(truth)[:, None, None]
            counted = truth < NUM_CLASSES
            there = regions.flatten(1).any(1)  # a few masks hold no pet
            if not there.any():
                continue
            with self.precision.autocast():
                maps = [m.to(images.device) for m in opened.read(rows)] if opened else model.encode(images)
                embedding = [tensor[there] for tensor in model.embed(maps, images)]
                regions, counted, truth = regions[there], counted[there], truth[there]
                clicks = first_clicks(regions)
                _, found = converse(model, embedding, regions, counted, clicks, answers, self.precision)
            target = torch.where(counted, truth, IGNORE).long()
            losses += len(target) * [float(cross_entropy(found[0][:, :NUM_CLASSES], target))]
            for logits in found:
                mask = logits[:, NUM_CLASSES] > 0
                both, either = mask & regions & counted, (mask | regions) & counted
                ious += (both.flatten(1).sum(1) / either.flatten(1).sum(1).clamp(min=1)).tolist()
        return {"val_loss": float(np.mean(losses)), "val_miou": float(np.mean(ious))}

    def score(self, run: Run, model: Any) -> None:
        super().score(run, model)  # where nobody clicks
        prompter = build_prompter(model, self.spec.image_size, self.precision, build_texts())
        scores, statistics = evaluate_prompts(prompter, self.data, "test", maps=self._maps(model, "test"),
                                              progress=bar("photo"))
        run.write_statistics(CLICKED, statistics, self.data.fingerprint)
        run.write_prompt_scores("test", scores, self.data.fingerprint)


def draw_clicks(targets: Tensor, edge_clicks: float = 0.0) -> tuple[Tensor, list[Click]]:
    """One random pixel of every class that is in a mask, from torch's random numbers.

    Args:
        targets: integers (B, H, W) of {0, 1, 2, 255}.
        edge_clicks: share of the clicks on pets that fall near an edge, see
            :func:`petseg_utils.prompts.simulator.rim`.

    Returns:
        int64 (M,), the mask that each click is in, and the M clicks.
    """
    owners, clicks = [], []
    for owner, mask in enumerate(targets.cpu()):
        for code in range(NUM_CLASSES):
            region = mask == code
            if code != BACKGROUND and edge_clicks and float(torch.rand(())) < edge_clicks:
                region = torch.from_numpy(rim(region.numpy()))
            pixels = torch.nonzero(region)
            if len(pixels):
                row, column = pixels[int(torch.randint(len(pixels), ()))].tolist()
                owners.append(owner)
                clicks.append(Click(column + 0.5, row + 0.5, True))
    return torch.tensor(owners, dtype=torch.int64), clicks


def first_clicks(regions: Tensor) -> list[Click]:
    """Where the simulated user begins, for each region, bool (M, H, W)."""
    clicks = [next_click(region, np.zeros_like(region)) for region in regions.cpu().numpy()]
    assert None not in clicks, "an empty region"
    return [click for click in clicks if click is not None]


def converse(model: PromptModel, embedding: list[Tensor], regions: Tensor, counted: Tensor, clicks: list[Click],
             answers: int, precision: Precision) -> tuple[Tensor, list[Tensor]]:
    """Let the simulated user click on what the model answers.

    Args:
        embedding: of M photos, from the model.
        regions: bool (M, H, W), what is wanted.
        counted: bool (M, H, W), False where pixels do not count.
        clicks: the M first clicks.
        answers: how often the model is asked; after each answer comes a click.

    Returns:
        The prompts that are due next, float (M, planes, H, W), and the answers, logits (M, 4, H, W) each.
    """
    said = [[click] for click in clicks]
    masks = torch.zeros(regions.shape, device=regions.device)
    found: list[Tensor] = []
    for _ in range(answers):
        logits = model.select(embedding, draw_prompts(model, said, masks, precision)).float()
        found.append(logits)
        masks = logits[:, NUM_CLASSES].sigmoid()
        wrong = zip(regions.cpu().numpy(), (masks > 0.5).cpu().numpy(), counted.cpu().numpy(), strict=True)
        for own, (region, mask, counts) in zip(said, wrong, strict=True):
            click = next_click(region, mask, counts)
            own += [click] if click is not None else []
    return draw_prompts(model, said, masks, precision), found


def draw_prompts(model: PromptModel, clicks: list[list[Click]], masks: Tensor, precision: Precision) -> Tensor:
    """Prompts float (M, planes, H, W) of each sample's clicks and its mask so far (M, H, W)."""
    maps = [prompt_maps(own, mask, model.planes, model.sigma) for own, mask in zip(clicks, masks.cpu(), strict=True)]
    return torch.stack(maps).to(precision.device)
