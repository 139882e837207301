"""How near a reconstruction is to its photo: PSNR and SSIM, one number a photo."""

import torch
import torch.nn.functional as F
from torch import Tensor


def psnr(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Peak signal-to-noise ratio: -10 log10 of the mean squared error, in decibels.

    Args:
        reconstructions, images: float (B, 3, H, W) in [0, 1]; what lies outside is clipped first, as on a screen.

    Returns:
        float (B,); infinite where the two are equal.
    """
    errors = (reconstructions.clamp(0, 1) - images).square().flatten(1).mean(1)
    return -10 * errors.log10()


def ssim(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Structural similarity: luminance, contrast and structure compared in a Gaussian window (11 pixels, sigma 1.5),
    averaged over windows and channels.

    Source: Wang, Bovik, Sheikh, Simoncelli, "Image Quality Assessment", IEEE TIP 2004, with its constants; windows that
    lie wholly inside the photo.

    Args:
        reconstructions, images: float (B, 3, H, W) in [0, 1], H and W at least 11; what lies outside is clipped first.

    Returns:
        float (B,), at most 1, which equal photos have.
    """
    offsets = torch.arange(11.0, device=images.device) - 5
    profile = (-(offsets**2) / (2 * 1.5**2)).exp()
    window = (profile[:, None] * profile / profile.sum() ** 2).expand(images.shape[1], 1, 11, 11)

    def mean(x: Tensor) -> Tensor:
        return F.conv2d(x, window, groups=images.shape[1])

    x, y = reconstructions.clamp(0, 1), images
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    similarity = (2 * mx * my + 0.01**2) * (2 * cov + 0.03**2) / ((mx**2 + my**2 + 0.01**2) * (vx + vy + 0.03**2))
    return similarity.flatten(1).mean(1)
