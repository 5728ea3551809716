"""Sizes and resampling: what an image looks like at another size, and through which sizes the work goes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from styler.errors import InputError

Size = tuple[int, int]
"""(height, width) in pixels."""

COARSEST = 128
"""Long side in pixels below which coarse to fine does not go: a VGG sees too few positions there."""

SMALLEST = 16
"""The shortest side in pixels that a VGG can look at down to its fifth block."""


def fit(size: Size, long_side: int) -> Size:
    """The size of the same aspect whose long side is `long_side`; no side under 1."""
    height, width = size
    scale = long_side / max(size)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize(image: Tensor, size: Size) -> Tensor:
    """An Image [N, C, H, W] at another size: bicubic, smoothed where it shrinks, kept in [0, 1]."""
    if tuple(image.shape[-2:]) == size:
        return image
    resized = F.interpolate(image, size, mode="bicubic", align_corners=False, antialias=True)
    return resized.clamp(0, 1)


def scales(size: Size, count: int = 0) -> list[Size]:
    """Sizes from coarse to fine that end at `size`, each half as long as the next.

    Args:
        size: the last of them.
        count: how many; 0 means as many as keep the long side at `COARSEST` or more and no side too short.

    Raises InputError if so many would make a side shorter than `SMALLEST`.
    """
    found = [size]
    long_side = max(size)
    while count != len(found):
        long_side = round(long_side / 2)
        coarser = fit(size, long_side)
        if count and min(coarser) < SMALLEST:
            raise InputError(
                f"--scales is {count}, but the coarsest would be under {SMALLEST} pixels; use fewer"
            )
        if count == 0 and (min(coarser) < 2 * SMALLEST or long_side < COARSEST):
            break
        found.insert(0, coarser)
    return found
