"""The off-the-shelf control: a published segmenter that knows cats and dogs already, scored as it comes, not trained.

Source: torchvision's ``deeplabv3_mobilenet_v3_large`` (Chen et al., "Rethinking Atrous Convolution for Semantic Image
Segmentation", 2017; Howard et al., "Searching for MobileNetV3", ICCV 2019), trained on the photos of COCO that show one
of the 20 classes of Pascal VOC.
"""

import contextlib
import io
from pathlib import Path
from urllib.parse import urlparse

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.segmentation import DeepLabV3_MobileNet_V3_Large_Weights as Weights
from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large

from petseg_utils.errors import DataError, UsageError

OFFTHESHELF_NAMES = ("torchvision:deeplabv3_mobilenet_v3_large",)
_WEIGHTS = Weights.COCO_WITH_VOC_LABELS_V1
_VOC_CAT, _VOC_DOG = _WEIGHTS.meta["categories"].index("cat"), _WEIGHTS.meta["categories"].index("dog")  # 8 and 12


class OffTheShelf(nn.Module):
    """A network with the 21 classes of Pascal VOC (background 0, cat 8, dog 12) behind the interface of our models.

    The background's logit is the largest of the other 19, so that the argmax over ours says cat, dog or neither exactly
    as the argmax over all 21 does. A softmax over ours is not that of the 21, though: a background pixel torn between
    ``sofa`` and ``chair`` has the probability of the more likely one only. Masks are the network's own; loss and
    calibration are not.

    The photo is brought to the size of the network's training (shorter side 520 px, the aspect kept, antialiased) and
    normalised by the transforms that torchvision publishes with the weights; the 21 logits are brought back,
    bilinearly, before the largest is taken.

    Args:
        network: images -> ``{"out": logits (B, 21, H, W)}``.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float (B, 3, H, W) of background, cat, dog; no softmax.
    """

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.prepare = _WEIGHTS.transforms()

    def forward(self, images: Tensor) -> Tensor:
        logits = self.network(self.prepare(images))["out"]
        logits = F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=False)
        others = [code for code in range(logits.shape[1]) if code not in (_VOC_CAT, _VOC_DOG)]
        return torch.stack([logits[:, others].amax(1), logits[:, _VOC_CAT], logits[:, _VOC_DOG]], dim=1)


def is_offtheshelf(name: str) -> bool:
    """Whether a name asks for an off-the-shelf model, known or not, and not for a file."""
    return name.startswith("torchvision:")


def load_offtheshelf(name: str = OFFTHESHELF_NAMES[0]) -> nn.Module:
    """The off-the-shelf model, in eval mode on the CPU.

    torchvision fetches the weights (42 MB) into torch's hub cache and checks their hash as they come. A file that lies
    there already is read as it is, without pickle's code, and every tensor must fit.

    Args:
        name: one of :data:`OFFTHESHELF_NAMES`.

    Raises:
        UsageError: an unknown name.
        DataError: the weights cannot be fetched, or the file in the cache is damaged.
    """
    if name not in OFFTHESHELF_NAMES:
        raise UsageError(f"unknown off-the-shelf model {name!r}: choose one of {', '.join(OFFTHESHELF_NAMES)}")
    url = _WEIGHTS.url
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name
    network = deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, aux_loss=True,
                                           num_classes=len(_WEIGHTS.meta["categories"]))
    try:
        # torch prints its "Downloading" to stdout, which is where petseg evaluate prints JSON; its bar is on stderr.
        with contextlib.redirect_stdout(io.StringIO()):
            state = _WEIGHTS.get_state_dict(progress=True, check_hash=True, weights_only=True)
        network.load_state_dict(state)
    except Exception as error:  # a damaged file makes the unpickler raise anything; a failed download is no better
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        if file.exists():
            raise DataError(f"the weights {file.name!r} in {str(file.parent)!r} cannot be read ({reason}): remove the "
                            f"file, and fetch it again from {url}") from None
        raise DataError(f"the weights {file.name!r} cannot be fetched ({reason}): go online and try again, or put the "
                        f"file from {url} into {str(file.parent)!r}") from None
    network.aux_classifier = None  # helps in training only, and would cost as much memory again as the logits
    return OffTheShelf(network).eval()
