"""How near pictures are to the ones that they should be: pixels, structure, what a network sees, and kind."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.features import Extractor
from styler.image.color import colored

SEEN = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
"""Layers at which pictures are compared; they want 16 pixels a side."""
KINDS = SEEN[2:]
"""Layers whose channel means tell what kind of picture it is."""
WINDOW = 11
"""Side in pixels of the window of SSIM."""


def psnr(image: Tensor, other: Tensor) -> float:
    """Peak signal-to-noise ratio of two Images in dB; infinite if they are equal."""
    error = (image - other).square().mean().item()
    return -10 * math.log10(error) if error else math.inf


def ssim(image: Tensor, other: Tensor) -> float:
    """Structural similarity of two Images, sides of 11 pixels at least: 1 if they are equal, at worst -1.

    Wang et al. 2004: Gaussian window of 11 pixels and standard deviation 1.5 where it lies within the
    picture, K 0.01 and 0.03; the mean over positions and channels.
    """
    x, y = image, other
    parts = torch.cat([x, y, x * x, y * y, x * y]).flatten(0, 1)[:, None]
    on_x, on_y, xx, yy, xy = _smoothed(parts).chunk(5)
    alike = (2 * on_x * on_y + 1e-4) * (2 * (xy - on_x * on_y) + 9e-4)
    spread = (xx - on_x.square()) + (yy - on_y.square())
    return (alike / ((on_x.square() + on_y.square() + 1e-4) * (spread + 9e-4))).mean().item()


def _smoothed(x: Tensor) -> Tensor:
    """Gaussian means of x [N, 1, H, W] over the windows within it."""
    places = torch.arange(WINDOW, dtype=x.dtype, device=x.device) - WINDOW // 2
    bell = (-places.square() / (2 * 1.5**2)).exp()
    bell = bell / bell.sum()
    return F.conv2d(F.conv2d(x, bell.view(1, 1, -1, 1)), bell.view(1, 1, 1, -1))


@torch.no_grad()
def perceptual_distance(extractor: Extractor, image: Tensor, other: Tensor) -> float:
    """How different two Images look to a network: 0 if they are equal, 1 if they share nothing.

    Zhang et al. 2018 without trained weights: at each of SEEN and each position half the squared distance of
    the channels' directions; the mean over positions, pictures and layers.
    """
    both = extractor.walk(colored(torch.cat([image, other])), SEEN)
    distances = [_angle(*features.float().chunk(2)) for _, features in both]
    return torch.stack(distances).mean().item()


def _angle(x: Tensor, y: Tensor) -> Tensor:
    """Half the mean squared distance of directions over channels; where there is no feature, none."""
    return 0.5 * (F.normalize(x, dim=1) - F.normalize(y, dim=1)).square().sum(1).mean()


@torch.no_grad()
def embedded(extractor: Extractor, image: Tensor) -> Tensor:
    """What kind of picture each of an Image [N, C, H, W] is, for `kernel_distance`: [N, D]."""
    features = extractor.walk(colored(image), KINDS)
    return torch.cat([x.float().mean((2, 3)) for _, x in features], 1)


def kernel_distance(real: Tensor, fake: Tensor) -> float:
    """How far apart two kinds of pictures are, given as `embedded` [N, D] and [M, D], two of each at least.

    Kernel inception distance (Binkowski et al. 2018) on our own features: the squared maximum mean
    discrepancy with kernel (x.y / D + 1)^3. It is unbiased: 0 on average for pictures of one kind, and so
    below it now and then, however few there are; but the fewer, the more it scatters, so say how many.
    Features are first divided by the root mean square of the real ones, so that any network will do.
    """
    scale = real.double().square().mean().sqrt().clamp_min(1e-12)
    x, y = real.double() / scale, fake.double() / scale
    across = _kernel(x, y).mean()
    return (_within(x) + _within(y) - 2 * across).item()


def _within(x: Tensor) -> Tensor:
    """The mean kernel of all pairs of different rows."""
    values = _kernel(x, x)
    return (values.sum() - values.trace()) / (len(x) * (len(x) - 1))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3
