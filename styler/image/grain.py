"""Gray grain on photos: something to paint in flat areas, where a network would weave."""

from __future__ import annotations

import functools

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from styler.image.size import Size

Floats = NDArray[np.float32]

COARSE = 1.5
"""Standard deviation of the smooth part of the grain, relative to the white one."""
_BLUR = 1.8
"""Standard deviation in pixels of the Gaussian that makes noise smooth."""
_STREAM = 3
"""What sets these random numbers apart from others of the same seed."""
_REACH = 8
"""Pixels from the middle of that Gaussian to its ends."""
FLAT = 1 / 255
"""Local contrast below which a photo is flat, and standard deviation of the grain that makes up for it."""
_ROWS, _AROUND = 256, 4
"""Rows that are looked at at once, and rows around them that their contrast depends on."""


def grained(images: Tensor, amount: float, seed: int = 0, first: int = 0) -> Tensor:
    """Images [N, 3, H, W] plus `amount` times grain; that of picture i depends on `seed` and `first` + i."""
    if not amount:
        return images
    noise = [grain((images.shape[-2], images.shape[-1]), seed, first + i) for i in range(len(images))]
    return images + amount * torch.cat(noise).to(images)


def with_grain(image: Tensor, amount: float) -> Tensor:
    """An Image [1, 3, H, W] as a network of that grain paints it; without any, flat places get some."""
    return grained(image, amount) if amount else roughened(image)


def roughened(image: Tensor) -> Tensor:
    """An Image [1, 3, H, W] with as much grain as its flat places lack; itself where there are none.

    Networks normalize what they see: of a place without contrast they make nothing, and of an even ramp
    bands. Half a level of noise, less than a camera's, is enough for them to paint.
    """
    height, width = image.shape[-2:]
    made = image
    for index, top in enumerate(range(0, height, _ROWS)):
        above, bottom = max(0, top - _AROUND), min(height, top + _ROWS)
        lack = flatness(image[..., above : bottom + _AROUND, :])[..., top - above :, :][
            ..., : bottom - top, :
        ]
        if lack.any():
            made = image.clone() if made is image else made
            made[..., top:bottom, :] += FLAT * lack * _band(index, bottom - top, width).to(image)
    return made


def roughened_anew(images: Tensor, seed: int, first: int) -> Tensor:
    """As `roughened`, of images [N, 3, H, W] in training: the grain of each is `grain` moved at random."""
    size = (images.shape[-2], images.shape[-1])
    noise, draws = (
        _sheet(size),
        [np.random.default_rng((seed, first + i, _STREAM)) for i in range(len(images))],
    )
    moves = [[int(draw.integers(side)) for side in size] for draw in draws]
    return images + FLAT * flatness(images) * torch.cat([noise.roll(move, (2, 3)) for move in moves]).to(
        images
    )


@functools.lru_cache(1)
def _sheet(size: Size) -> Tensor:
    """Grain that repeats itself without a seam."""
    return grain(size)


def flatness(images: Tensor) -> Tensor:
    """How far each pixel is from having contrast around it, from 1 for none to 0, [N, 1, H, W].

    Of an even ramp it is 1.
    """
    gray = images.mean(1, keepdim=True)
    contrast = _around((gray - _around(gray, 1)).square_(), _AROUND - 1).sqrt_()
    return (1 - contrast / FLAT).clamp_min_(0)


def _around(x: Tensor, reach: int) -> Tensor:
    """Means over squares that reach so many pixels far."""
    return F.avg_pool2d(F.pad(x, (reach,) * 4, mode="replicate"), 2 * reach + 1, stride=1)


def _band(index: int, rows: int, width: int) -> Tensor:
    """Rows of an endless sheet of grain, from row `index` * 256 on, which are the same at every height."""
    draws = [np.random.default_rng((number, _STREAM)) for number in range(index, index + 3)]
    whites = [draw.standard_normal((2, _ROWS, width), np.float32) for draw in draws]
    white, other = np.concatenate(whites, 1)
    band = slice(_ROWS, _ROWS + rows)
    smooth = _smooth(other[_ROWS - _REACH : 2 * _ROWS + _REACH])[_REACH : _REACH + rows]
    return torch.from_numpy(white[band] + np.float32(COARSE) * smooth)


def grain(size: Size, *seed: int) -> Tensor:
    """White noise plus 1.5 times smooth noise of the same variance, [1, 1, H, W]; equal for equal seeds.

    The standard deviation is 1 before the smooth part comes to it.
    """
    draw = np.random.default_rng((*seed, _STREAM))
    white, other = (draw.standard_normal(size, np.float32) for _ in range(2))
    return torch.from_numpy(white + np.float32(COARSE) * _smooth(other))[None, None]


def _smooth(white: Floats) -> Floats:
    """White noise [H, W] after a Gaussian filter, with the variance that it had; periodic."""
    offsets = np.arange(-_REACH, _REACH + 1)
    bell = np.exp(-0.5 * (offsets / _BLUR) ** 2)
    bell /= np.sqrt(np.square(bell).sum())  # so that variances stay
    columns = ndimage.correlate1d(white, bell, 0, mode="wrap")
    smooth: Floats = ndimage.correlate1d(columns, bell, 1, mode="wrap")
    return smooth
