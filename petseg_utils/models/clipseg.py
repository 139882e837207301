"""CLIPSeg, which segments what a text names, from the transformers library; an optional extra.

Source: Lueddecke and Ecker, "Image Segmentation Using Text and Image Prompts", CVPR 2022.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from petseg_utils.encoders.fetching import hub
from petseg_utils.errors import DataError, UsageError

CLIPSEG = "CIDAS/clipseg-rd64-refined"


class CLIPSeg(nn.Module):
    """Cat and dog as CLIPSeg finds them by name; background is where it finds neither.

    Args:
        network: ``transformers.CLIPSegForImageSegmentation``.
        token_ids, attention_mask: int64 (2, L), of the texts for cat and dog.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float (B, 3, H, W): 0 for background, as a text's own logit
        is of "yes" against "no".
    """

    token_ids: Tensor
    attention_mask: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, network: Any, token_ids: Tensor, attention_mask: Tensor):
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.size = network.config.vision_config.image_size
        self.register_buffer("token_ids", token_ids, persistent=False)
        self.register_buffer("attention_mask", attention_mask, persistent=False)
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406))[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225))[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        square = F.interpolate(images, size=(self.size, self.size), mode="bilinear", align_corners=False,
                               antialias=True)
        pixels = (square - self.mean) / self.std
        found = [self.network(input_ids=ids.expand(len(images), -1), attention_mask=mask.expand(len(images), -1),
                              pixel_values=pixels).logits.float().reshape(len(images), 1, self.size, self.size)
                 for ids, mask in zip(self.token_ids, self.attention_mask, strict=True)]
        logits = torch.cat([torch.zeros_like(found[0]), *found], dim=1)
        return F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)


def load_clipseg(texts: Sequence[str] = ("a cat", "a dog"), name: str = CLIPSEG) -> CLIPSeg:
    """CLIPSeg with its weights, from Hugging Face's cache, a local folder, or fetched.

    Args:
        texts: for cat and dog.
        name: of the model, or a folder that ``save_pretrained`` wrote.

    Raises:
        UsageError: transformers is not installed, or there are not two texts.
        DataError: the weights are neither cached nor can they be fetched.
    """
    if len(texts) != 2:
        raise UsageError(f"CLIPSeg got {len(texts)} texts: give one for cat and one for dog")
    try:
        from transformers import AutoTokenizer, CLIPSegForImageSegmentation
    except ImportError:
        raise UsageError("CLIPSeg needs the library transformers, which is not installed: pip install "
                         "'petseg-utils[clipseg]'") from None
    try:
        with hub():
            network = CLIPSegForImageSegmentation.from_pretrained(name)
            tokens = AutoTokenizer.from_pretrained(name)(list(texts), padding=True, return_tensors="pt")
    except Exception as error:  # what a failed download raises differs between versions
        raise DataError(f"the weights of {name!r} are not in the cache and could not be fetched "
                        f"({type(error).__name__}): connect once, or give a folder that holds them") from None
    return CLIPSeg(network, tokens["input_ids"], tokens["attention_mask"])
