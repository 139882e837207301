"""What every network is wrapped into before it becomes an encoder: normalised images in, a list of maps out."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn


class Trunk(nn.Module):
    """A network and how it is asked for its maps.

    Args:
        network: holds the weights.
        maps: ``maps(network, images)``, normalised images float (B, 3, S, S) -> maps (B, C_i, S / s_i, S / s_i).
        channels, strides: of the maps.
        mean, std: of RGB in [0, 1], as the network was trained.
        code: names the network's code, where that may change under the same weights.
    """

    def __init__(self, network: nn.Module, maps: Callable[[Any, Tensor], Sequence[Tensor]], *,
                 channels: Sequence[int], strides: Sequence[int], mean: Sequence[float], std: Sequence[float],
                 code: str = ""):
        super().__init__()
        self.network, self._maps, self.code = network, maps, code
        self.channels, self.strides = tuple(channels), tuple(strides)
        self.mean, self.std = tuple(mean), tuple(std)

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self._maps(self.network, images))
