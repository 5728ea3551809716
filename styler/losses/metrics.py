"""Image quality metrics: PSNR, SSIM, perceptual distance, kernel distance, weave."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.features import Extractor
from styler.image.color import colored, video_luma
from styler.image.levels import to_levels, to_unit

PERCEPTUAL_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
"""Layers of the perceptual distance, for 16 pixels a side at least."""
_KERNEL_LAYERS = PERCEPTUAL_LAYERS[2:]
"""Layers whose channel means are the features of the kernel distance."""
WINDOW = 11
"""Side in pixels of the window of SSIM."""
TILE = 32
"""Side in pixels of the windows of `weave`."""
_STEPS = (3.2, 7)
"""Steps of a weave in pixels: the least along rows and columns, and the largest."""
_AWAY = ((3, 0), (0, 3), (3, 3), (3, -3))
"""Where the surroundings of a place in a spectrum are, on both sides."""
_CALM = 1 / 3
"""Share of the windows, those where the photo is smoothest, in which a weave is looked for."""
_SLIGHT = (1 / 255) ** 2
"""Power of a gradient that nobody sees."""


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
def enlarging_scores(
    image: Tensor, other: Tensor, extractor: Extractor | None = None, border: int = 4
) -> dict[str, float]:
    """Metrics of an enlarged Image [1, 3, H, W], rounded to levels, against the true one.

    `psnr` and `ssim` of the luma, without `border` pixels on each side, as papers on super-resolution have
    them; `perceptual` distance, with an extractor.
    """
    image = to_unit(to_levels(image))
    inside = (..., slice(border, -border), slice(border, -border))
    lumas = [video_luma(one)[inside] for one in (image, other)]
    scores = {"psnr": psnr(*lumas), "ssim": ssim(*lumas)}
    return (
        scores if extractor is None else scores | {"perceptual": perceptual_distance(extractor, image, other)}
    )


def phase_spread(image: Tensor, other: Tensor, period: int) -> float:
    """Standard deviation over its places of the mean difference of two Images at each place of a grid.

    Of grids of `period` pixels, whose dots are at the same place everywhere, a whole picture has enough to
    tell them from what is drawn; in levels of 255, the mean over channels.
    """
    height, width = (side // period * period for side in image.shape[-2:])
    phases = F.pixel_unshuffle((image - other)[..., :height, :width], period).mean((0, 2, 3))
    return 255 * phases.view(image.shape[1], -1).std(1, correction=0).mean().item()


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


def weave(painted: Tensor, photo: Tensor) -> float:
    """Share of weaves, dots and corduroy in the smooth parts of a painted Image: 0 for none, at most 1.

    Networks that double their maps draw at steps of a few pixels. The step drifts, so that averages in step
    with the pixels miss it; power spectra do not. Of the power of the gradient, the part in peaks at steps of
    3.2 to 7 pixels: above what is 3/32 of a period a pixel away on both sides, whichever way one looks, so
    that neither a slope nor a ridge, as edges make, is a peak. Spectra are means over windows (Welch 1967).

    Args:
        painted, photo: Images [1, 3, H, W] of the same size, sides of 32 pixels at least.
    """
    windows = _tiled(painted)[:, _smoothest(photo)].double()
    bell = torch.hann_window(TILE, dtype=torch.float64, device=painted.device)
    bell = bell / bell.square().mean().sqrt()
    centered = (windows - windows.mean((-2, -1), keepdim=True)) * bell[:, None] * bell
    power = torch.fft.fft2(centered, norm="forward").abs().square().mean((0, 1))
    frequencies = torch.fft.fftfreq(TILE, dtype=torch.float64, device=painted.device)
    steepness = frequencies[:, None].square() + frequencies.square()
    slopes = (2 * math.pi) ** 2 * power * steepness
    coarse = frequencies.abs() <= 1 / _STEPS[0]
    band = coarse[:, None] & coarse & (steepness >= 1 / _STEPS[1] ** 2)
    return float(_peaks(slopes)[band].sum() / slopes.sum().clamp_min(_SLIGHT))


def _tiled(image: Tensor) -> Tensor:
    """Overlapping windows of an Image, [C, K, TILE, TILE]."""
    tiles = image[0].unfold(1, TILE, TILE // 2).unfold(2, TILE, TILE // 2)
    return tiles.flatten(1, 2)


def _smoothest(photo: Tensor) -> Tensor:
    """Numbers of the windows where a photo varies least."""
    spread = _tiled(photo).float().var((-2, -1)).sum(0)
    return spread.argsort(stable=True)[: math.ceil(_CALM * len(spread))]


def _peaks(spectrum: Tensor) -> Tensor:
    """A spectrum [TILE, TILE], averaged over 3 x 3 places, above its surroundings; 0 where it is below."""
    smooth = F.avg_pool2d(F.pad(spectrum[None, None], (1, 1, 1, 1), mode="circular"), 3, stride=1)[0, 0]
    around = [
        (smooth.roll((down, right), (0, 1)) * smooth.roll((-down, -right), (0, 1))).sqrt()
        for down, right in _AWAY
    ]
    return (smooth - torch.stack(around).amax(0)).clamp_min(0)
