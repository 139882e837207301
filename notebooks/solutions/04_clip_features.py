"""Solutions of the exercises in 04_clip_features.ipynb, with the reasons."""

import torch
import torch.nn.functional as F


def contrastive_loss(photos: torch.Tensor, texts: torch.Tensor, scale: float) -> torch.Tensor:
    # Length 1 first: else a network could win by making vectors long instead of making them agree.
    similarity = scale * F.normalize(photos, dim=1) @ F.normalize(texts, dim=1).T
    right = torch.arange(len(similarity))
    # Two questions, one matrix: rows ask which text, columns which photo.
    return (F.cross_entropy(similarity, right) + F.cross_entropy(similarity.T, right)) / 2


def classify(photos: torch.Tensor, sentences: list[torch.Tensor]) -> torch.Tensor:
    # The mean of vectors that disagree is short. Without normalising again a class with many, varied sentences would
    # lose to a class with a single one.
    classes = torch.stack([F.normalize(of_class.mean(dim=0), dim=0) for of_class in sentences])
    return (photos @ classes.T).argmax(dim=1)


def what_moved(before: dict[str, torch.Tensor], network: torch.nn.Module) -> list[str]:
    # The state dict has buffers, too: batch norm's statistics move in every forward pass in training mode, gradient or
    # not, which is how "frozen" encoders drift.
    return [name for name, now in network.state_dict().items() if not torch.equal(now, before[name])]
