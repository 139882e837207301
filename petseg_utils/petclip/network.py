"""The network of petclip-mini: an open_clip model with a small residual tower, and the losses that teach it.

Sources: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021 (image and
text towers, contrastive loss). That a small tower also learns from a larger one is after Wu et al., "TinyCLIP", ICCV
2023, and Vasu et al., "MobileCLIP", CVPR 2024; their larger one is a CLIP, ours may be any encoder.
"""

from typing import Any

import open_clip
import torch
import torch.nn.functional as F
from open_clip.model import CLIPTextCfg, CLIPVisionCfg
from timm.models import build_model_with_cfg, register_model
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

IMAGE_SIZE = 128  # what the feature maps are asked for at; training crops are a little smaller
TOWER_CHANNELS, TOWER_STRIDES = (48, 96, 192, 256), (4, 8, 16, 16)
EMBED_DIM, CONTEXT_LENGTH = 128, 32
TOWER = "petclip_tower"


@register_model
def petclip_tower(pretrained: bool = False, **options: Any) -> ResNet:
    """A residual network of seven basic blocks whose last stage keeps stride 16: 8 x 8 places of a 128-px photo."""
    return build_model_with_cfg(
        ResNet, TOWER, pretrained, pretrained_cfg={"pool_size": (8, 8)}, block=BasicBlock, layers=(1, 2, 2, 2),
        channels=TOWER_CHANNELS, output_stride=TOWER_STRIDES[-1], stem_type="deep", stem_width=TOWER_CHANNELS[0] // 2,
        **{name: value for name, value in options.items() if not name.startswith("pretrained")})


def build_clip() -> open_clip.CLIP:
    """petclip-mini's open_clip model with fresh weights: tokens of open_clip's own tokenizer, 128 shared numbers."""
    return open_clip.CLIP(
        EMBED_DIM,
        CLIPVisionCfg(timm_model_name=TOWER, image_size=IMAGE_SIZE),
        CLIPTextCfg(context_length=CONTEXT_LENGTH, width=128, heads=4, layers=3),
    )


class PetCLIP(nn.Module):
    """petclip-mini as it learns.

    Args:
        objective: ``captions`` (contrastive), or for the control ``labels`` (cross-entropy on the breed).
        n_labels: number of breeds, for ``labels``.
        teacher_channels: of the dense features that it learns from as well; 0: it has no teacher.
        teacher_weight: of the two teacher losses in the sum.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> image embeddings float (B, 128), of length 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, objective: str = "captions", n_labels: int = 0, teacher_channels: int = 0,
                 teacher_weight: float = 5.0):
        super().__init__()
        self.teacher_weight = teacher_weight
        self.clip = build_clip()
        self.contrast = open_clip.ClipLoss()
        self.classify = nn.Linear(EMBED_DIM, n_labels) if objective == "labels" else None
        self.imitate = nn.Linear(TOWER_CHANNELS[-1], teacher_channels) if teacher_channels else None
        self.register_buffer("mean", torch.tensor(open_clip.OPENAI_DATASET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(open_clip.OPENAI_DATASET_STD)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return F.normalize(self._embed(self._tokens(images)).float(), dim=-1)

    def _tokens(self, images: Tensor) -> Tensor:
        return self.clip.visual.trunk.forward_features((images - self.mean) / self.std)  # (B, 256, h, w)

    def _embed(self, tokens: Tensor) -> Tensor:
        visual = self.clip.visual
        return visual.head(visual.trunk.forward_head(tokens))

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Token ids int64 (T, 32) to text embeddings float (T, 128), of length 1."""
        return F.normalize(self.clip.encode_text(tokens).float(), dim=-1)

    def loss(self, images: Tensor, text: Tensor, labels: Tensor, taught: Tensor | None) -> Tensor:
        """The sum of what is learned from captions (or labels) and from the teacher, a scalar.

        Args:
            images: float (B, 3, H, W) in [0, 1].
            text: token ids int64 (B, 32).
            labels: int64 (B,), breeds.
            taught: the teacher's features at the student's places, standardised, float (B, C, h, w).
        """
        tokens = self._tokens(images)
        embedding = self._embed(tokens).float()
        embedding = F.normalize(embedding, dim=-1)
        scale = self.clip.logit_scale.exp().clamp(max=100)  # the paper's limit
        if self.classify is not None:
            total = F.cross_entropy(scale * self.classify(embedding).float(), labels)
        else:
            total = self.contrast(embedding, self.encode_text(text), scale)
        if self.imitate is not None:
            assert taught is not None
            ours = self.imitate(tokens.permute(0, 2, 3, 1)).float()  # (B, h, w, C)
            theirs = taught.permute(0, 2, 3, 1)
            dense = 1 - F.cosine_similarity(ours, theirs, dim=-1).mean()
            pooled = 1 - F.cosine_similarity(ours.mean((1, 2)), theirs.mean((1, 2)), dim=-1).mean()
            total = total + self.teacher_weight * (dense + pooled)
        return total
