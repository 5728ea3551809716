"""Conversions between levels, the integers of files, and values in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_WHITE = {torch.uint8: 255, torch.uint16: 65535}
"""The level of white, by number type."""
_MOST = 0.5
"""Share of values at their limits that pictures of steps of a fair length stay under."""


def to_unit(levels: Tensor) -> Tensor:
    """8- or 16-bit levels of any shape as float32 in [0, 1]; floats are returned as they are."""
    return levels.float().div_(_WHITE[levels.dtype]) if levels.dtype in _WHITE else levels


def to_levels(image: Tensor) -> Tensor:
    """Values of any shape as bytes: clamped to [0, 1], rounded to the nearest level; NaN is black."""
    return image.detach().float().nan_to_num(0).clamp(0, 1).mul(255).round().to(torch.uint8)


def from_pixels(pixels: NDArray[Any]) -> Tensor:
    """Levels or values [H, W, C] as an Image [1, C, H, W], float32 in [0, 1]."""
    return to_unit(to_planes(pixels))


def to_planes(pixels: NDArray[Any]) -> Tensor:
    """Pixels [H, W, C] as planes [1, C, H, W] of the same type, contiguous."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


def to_pixels(image: Tensor) -> NDArray[np.uint8]:
    """The first Image of [N, C, H, W] as bytes [H, W, C], contiguous."""
    return to_levels(image)[0].permute(1, 2, 0).contiguous().cpu().numpy()


def same(image: Tensor, other: Tensor) -> bool:
    """Whether two Images are the same to the last level."""
    return torch.equal(to_levels(image), to_levels(other))


def at_limits(image: Tensor) -> bool:
    """Whether most values of an Image are 0 or 1, where steps that are too long take them."""
    levels = to_levels(image)
    return bool(((levels == 0) | (levels == 255)).float().mean() > _MOST)
