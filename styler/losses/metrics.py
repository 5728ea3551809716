"""Image quality metrics: PSNR, SSIM, perceptual distance, kernel distance."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.features import Extractor
from styler.image.color import colored

PERCEPTUAL_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
"""Layers of the perceptual distance, for 16 pixels a side at least."""
_KERNEL_LAYERS = PERCEPTUAL_LAYERS[2:]
"""Layers whose channel means are the features of the kernel distance."""
WINDOW = 11
"""Side in pixels of the window of SSIM."""


def psnr(image: Tensor, other: Tensor) -> float:
    """Peak signal-to-noise ratio of two Images in dB; infinite if they are equal."""
    error = (image - other).square().mean().item()
    return -10 * math.log10(error) if error else math.inf


def ssim(image: Tensor, other: Tensor) -> float:
    """Structural similarity of two Images, sides of 11 pixels at least: 1 if they are equal, at worst -1.

    Wang et al. 2004: Gaussian window of 11 pixels and standard deviation 1.5 where it lies within the
    picture, K1 0.01 and K2 0.03; the mean over positions and channels.
    """
    x, y = image, other
    parts = torch.cat([x, y, x * x, y * y, x * y]).flatten(0, 1)[:, None]
    on_x, on_y, xx, yy, xy = _smoothed(parts).chunk(5)
    alike = (2 * on_x * on_y + 1e-4) * (2 * (xy - on_x * on_y) + 9e-4)
    spread = (xx - on_x.square()) + (yy - on_y.square())
    return (alike / ((on_x.square() + on_y.square() + 1e-4) * (spread + 9e-4))).mean().item()


def _smoothed(x: Tensor) -> Tensor:
    """Gaussian filter of x [N, 1, H, W], valid windows only."""
    offsets = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    bell = (-offsets.square() / (2 * 1.5**2)).exp()
    bell = bell / bell.sum()
    return F.conv2d(F.conv2d(x, bell.view(1, 1, -1, 1)), bell.view(1, 1, 1, -1))


@torch.no_grad()
def perceptual_distance(extractor: Extractor, image: Tensor, other: Tensor) -> float:
    """Perceptual distance of two Images: 0 if they are equal, 1 if they share no feature.

    Zhang et al. 2018 (LPIPS) without trained weights: half the squared distance of the channels' directions,
    at each position of PERCEPTUAL_LAYERS; the mean over positions, pictures and layers.
    """
    both = extractor.walk(colored(torch.cat([image, other])), PERCEPTUAL_LAYERS)
    distances = [_direction_distance(*features.float().chunk(2)) for _, features in both]
    return torch.stack(distances).mean().item()


def _direction_distance(x: Tensor, y: Tensor) -> Tensor:
    """Half the mean squared distance of directions over channels; 0 where there is no feature."""
    return 0.5 * (F.normalize(x, dim=1) - F.normalize(y, dim=1)).square().sum(1).mean()


@torch.no_grad()
def embed(extractor: Extractor, image: Tensor) -> Tensor:
    """Features [N, D] of an Image [N, C, H, W] for `kernel_distance`."""
    features = extractor.walk(colored(image), _KERNEL_LAYERS)
    return torch.cat([x.float().mean((2, 3)) for _, x in features], 1)


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """Kernel distance of two sets of pictures, by their features [N, D] and [M, D]; N, M >= 2.

    Kernel inception distance (Binkowski et al. 2018) on features of a VGG: the squared maximum mean
    discrepancy with kernel (x.y / D + 1)^3. Unbiased: 0 on average for sets of one distribution, and below 0
    now and then; its variance is large for small sets. Features are first divided by the root mean square of
    the real ones, so that any network will do.
    """
    scale = real.double().square().mean().sqrt().clamp_min(1e-12)
    x, y = real.double() / scale, fake.double() / scale
    across = _kernel(x, y).mean()
    return (_within(x) + _within(y) - 2 * across).item()


def _within(x: Tensor) -> Tensor:
    """Mean kernel over all pairs of different rows."""
    values = _kernel(x, x)
    return (values.sum() - values.trace()) / (len(x) * (len(x) - 1))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
