"""Small, damaged pictures made of large, good ones: blur, four ways to shrink, noise, JPEG blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

BLOCK = 8
"""Side in pixels of a block of JPEG."""
_WINDOWS: Mapping[str, tuple[float, Callable[[NDArray[np.float64]], NDArray[np.float64]]]] = {
    "box": (0.5, lambda x: np.where((x >= -0.5) & (x < 0.5), 1.0, 0.0)),
    "bilinear": (1.0, lambda x: np.maximum(1 - abs(x), 0)),
    "bicubic": (2.0, lambda x: _cubic(abs(x))),
    "lanczos": (3.0, lambda x: np.where(abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)),
}
"""Reach and kernel of each way to shrink, in pixels of the small picture; those of Pillow."""
_LUMA_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantization of luma at quality 50 (ITU-T T.81, table K.1)."""
_CHROMA_STEPS = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *[(99,) * 8] * 4,
)
"""Quantization of chroma at quality 50 (ITU-T T.81, table K.2)."""
_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
"""From RGB to luma and chroma around 0, as JFIF has it."""


@dataclass(frozen=True)
class Degradation:
    """The worst that happens to a picture; all of it is drawn anew for each, as `degraded` says.

    Attributes:
        blur: standard deviation in pixels of the small picture.
        noise: standard deviation in levels of 255.
        jpeg: quality.
    """

    blur: float = 0.55
    noise: float = 10.0
    jpeg: float = 45.0


def degraded(
    image: Tensor, factor: int, strength: float, worst: Degradation, draw: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A small picture of an Image [1, 3, factor * H, factor * W], and what it should be enlarged to.

    Half of them are merely shrunk, bicubic; the others in one of four ways after a blur. With a strength
    above 0 half have noise, two fifths of that gray and a third the stronger the brighter, and 70 % are JPEGs
    of any quality between 95 and the worst. The strength, 1 at most, is a factor of both. Where blocks lie
    must not be learned: up to 8 pixels are cut off at random, so it is [1, 3, H - 8, W - 8].
    """
    if draw.random() < 0.5:
        small = shrunk(image, factor)
    else:
        sigma = draw.uniform(0.2, max(0.2, worst.blur), 2) if worst.blur else np.zeros(2)
        sigma = sigma if draw.random() < 0.5 else sigma[:1].repeat(2)
        small = shrunk(image, factor, str(draw.choice(list(_WINDOWS))), (sigma[0], sigma[1]))
    small = small.clamp(0, 1)
    if strength and draw.random() < 0.5:
        small = _noisy(small, strength * draw.uniform(0.1, 1) * worst.noise / 255, draw)
    if strength and draw.random() < 0.7 and worst.jpeg < 95:
        quality = 95 - strength * draw.uniform(0, 1) * (95 - worst.jpeg)
        small = jpeg(small, quality, halved=bool(draw.random() < 0.5))
    small = small.mul(255).round().div(255)
    top, left = draw.integers(0, BLOCK + 1, 2)
    height, width = (side - BLOCK for side in small.shape[-2:])
    target = image[..., factor * top : factor * (top + height), factor * left : factor * (left + width)]
    return small[..., top : top + height, left : left + width], target


def shrunk(
    image: Tensor, factor: int, way: str = "bicubic", sigma: tuple[float, float] = (0.0, 0.0)
) -> Tensor:
    """An Image [N, C, H, W] with sides `factor` times shorter, a way of `_WINDOWS`, smoothed.

    A Gaussian of standard deviations `sigma`, of rows and columns in pixels of the small picture, comes
    first. Beyond the border pixels are replicated. H and W are multiples of the factor.
    """
    for dim, deviation in zip((2, 3), sigma, strict=True):
        taps = torch.from_numpy(_taps(way, factor, deviation)).to(image)
        margin = (len(taps) - factor) // 2
        pad = (0, 0, margin, margin) if dim == 2 else (margin, margin, 0, 0)
        padded = F.pad(image, pad, mode="replicate")
        image = (padded.unfold(dim, len(taps), factor) * taps).sum(-1)
    return image


def _taps(way: str, factor: int, sigma: float) -> NDArray[np.float32]:
    """Weights of the pixels that a small pixel is made of; as many on either side of its center."""
    reach, window = _WINDOWS[way]
    side = math.ceil((reach + 3 * sigma) * factor)
    side += (2 * side - factor) % 2  # so that the margins are alike
    centers = (np.arange(2 * side) + 0.5 - side) / factor
    taps = window(centers)
    if sigma:
        bell = np.exp(-((centers[:, None] - centers).astype(float) ** 2) / (2 * sigma**2))
        taps = bell @ taps
    return np.asarray(taps / taps.sum(), np.float32)


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel with a = -1/2."""
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _noisy(image: Tensor, sigma: float, draw: np.random.Generator) -> Tensor:
    """The image with Gaussian noise; of some of one channel, of others in proportion to sqrt(brightness)."""
    channels = 1 if draw.random() < 0.4 else image.shape[1]
    shape = (len(image), channels, *image.shape[2:])
    noise = torch.from_numpy(draw.standard_normal(shape, np.float32)) * sigma
    if draw.random() < 1 / 3:
        noise = noise * image.clamp_min(0).sqrt()
    return (image + noise).clamp(0, 1)


def jpeg(image: Tensor, quality: float, halved: bool = True) -> Tensor:
    """What JPEG leaves of an Image [N, 3, H, W], with chroma at half the size (4:2:0) or not (4:4:4).

    The transform, the quantization and the steps of libjpeg at a quality of 1 to 100; without its integers.
    """
    levels = image.mul(255).round()
    to_ycc = torch.tensor(_YCC)
    ycc = torch.einsum("ij,njhw->nihw", to_ycc, levels).round()
    luma = _quantized(ycc[:, :1] - 128, _LUMA_STEPS, quality) + 128
    chroma, size = ycc[:, 1:], ycc.shape[-2:]
    if halved:
        padded = F.pad(chroma, (0, size[1] % 2, 0, size[0] % 2), mode="replicate")
        small = _quantized(F.avg_pool2d(padded, 2), _CHROMA_STEPS, quality)
        chroma = F.interpolate(small, scale_factor=2, mode="bilinear")[..., : size[0], : size[1]]
    else:
        chroma = _quantized(chroma, _CHROMA_STEPS, quality)
    rgb = torch.einsum("ij,njhw->nihw", torch.linalg.inv(to_ycc), torch.cat([luma, chroma], 1))
    return rgb.round().clamp(0, 255).div(255)


def _quantized(plane: Tensor, steps: tuple[tuple[int, ...], ...], quality: float) -> Tensor:
    """A plane [N, C, H, W] after the discrete cosine transform of its blocks was rounded to steps."""
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    step = ((torch.tensor(steps) * scale + 50) / 100).floor().clamp(1, 255)
    height, width = plane.shape[-2:]
    padded = F.pad(plane, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    n, c, h, w = padded.shape
    blocks = padded.view(n, c, h // BLOCK, BLOCK, w // BLOCK, BLOCK)
    basis = _cosines()
    waves = torch.einsum("ui,ncrisj,vj->ncrusv", basis, blocks, basis)
    waves = (waves / step[:, None]).round() * step[:, None]
    blocks = torch.einsum("ui,ncrusv,vj->ncrisj", basis, waves, basis)
    return blocks.reshape(n, c, h, w)[..., :height, :width]


def _cosines() -> Tensor:
    """The orthonormal discrete cosine transform of 8 values, [8, 8], a row for each wave."""
    wave, place = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    basis = (math.pi / 8 * (place + 0.5) * wave).cos() / 2
    basis[0] /= math.sqrt(2)
    return basis
