"""Gray grain on photos: something to paint in flat areas, where a network would weave."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from styler.image.size import Size

COARSE = 1.5
"""Standard deviation of the smooth part of the grain, relative to the white one."""
_BLUR = 1.8
"""Standard deviation in pixels of the Gaussian that makes noise smooth."""
_STREAM = 3
"""What sets these random numbers apart from others of the same seed."""
_REACH = 8
"""Pixels from the middle of that Gaussian to its ends."""


def grained(images: Tensor, amount: float, seed: int = 0, first: int = 0) -> Tensor:
    """Images [N, 3, H, W] plus `amount` times grain; that of picture i depends on `seed` and `first` + i."""
    if not amount:
        return images
    noise = [grain((images.shape[-2], images.shape[-1]), seed, first + i) for i in range(len(images))]
    return images + amount * torch.cat(noise).to(images)


def grain(size: Size, *seed: int) -> Tensor:
    """White noise plus 1.5 times smooth noise of the same variance, [1, 1, H, W]; equal for equal seeds.

    The standard deviation is 1 before the smooth part comes to it.
    """
    draw = np.random.default_rng((*seed, _STREAM))
    white, other = (draw.standard_normal(size, np.float32) for _ in range(2))
    return torch.from_numpy(white + np.float32(COARSE) * _smooth(other))[None, None]


def _smooth(white: NDArray[np.float32]) -> NDArray[np.float32]:
    """White noise [H, W] after a Gaussian filter, with the variance that it had; periodic."""
    offsets = np.arange(-_REACH, _REACH + 1)
    bell = np.exp(-0.5 * (offsets / _BLUR) ** 2)
    bell /= np.sqrt(np.square(bell).sum())  # so that variances stay
    columns = ndimage.correlate1d(white, bell, 0, mode="wrap")
    smooth: NDArray[np.float32] = ndimage.correlate1d(columns, bell, 1, mode="wrap")
    return smooth
