"""A segmenter on the features of a large pre-trained encoder: the encoder stays as it is, a small decoder learns."""

from collections.abc import Sequence

from torch import Tensor, nn

from petseg_utils.encoders.specs import build_encoder
from petseg_utils.errors import UsageError
from petseg_utils.models.frozen import OnEncoder, as_images
from petseg_utils.models.map_decoders import MultiDecoder, ReportDecoder
from petseg_utils.models.query_decoder import QueryDecoder
from petseg_utils.petclip.shipped import PETCLIP_MINI

DECODER_NAMES = ("report", "query", "multi")
LAYERS = ("last", "several")


class ClipSegmenter(OnEncoder):
    """An encoder of :func:`petseg_utils.encoders.specs.build_encoder` and one of three decoders.

    Args:
        encoder: the encoder's spec.
        image_size: side of the square that the encoder sees, in pixels.
        layers: ``several`` maps of the encoder, or its ``last`` only.
        decoder: ``report``, ``query`` (both use the last map) or ``multi``.
        normalisation: ``imagenet`` or ``clip`` instead of the encoder's own.
        width: of the ``multi`` decoder.
        image_path: whether ``multi`` looks at the photo itself, too.

    Shape:
        images float (B, 3, H, W), RGB in [0, 1] -> logits float (B, 3, H, W).

    Raises:
        UsageError: an unknown decoder, choice of layers or encoder.
    """

    def __init__(self, *, encoder: str = PETCLIP_MINI, image_size: int = 128, layers: str = "several",
                 decoder: str = "multi", normalisation: str | None = None, width: int = 64, image_path: bool = True):
        if decoder not in DECODER_NAMES:
            raise UsageError(f"unknown decoder {decoder!r}: choose one of {', '.join(DECODER_NAMES)}")
        if layers not in LAYERS:
            raise UsageError(f"layers is {layers!r}: choose one of {', '.join(LAYERS)}")
        keep = (-1,) if layers == "last" or decoder != "multi" else None
        super().__init__(build_encoder(encoder, image_size, keep=keep, normalisation=normalisation))
        channels = self.encoder.channels
        self.decoder: nn.Module
        if decoder == "report":
            self.decoder = ReportDecoder(channels=channels[-1])
        elif decoder == "query":
            self.decoder = QueryDecoder(channels=channels[-1])
        else:
            self.decoder = MultiDecoder(channels=channels, width=width, image_path=image_path)

    def decode(self, maps: Sequence[Tensor], images: Tensor) -> Tensor:
        maps = as_images(maps, images)
        if isinstance(self.decoder, QueryDecoder):
            return self.decoder(maps[-1], images.shape[-2:])
        return self.decoder(maps, images)
