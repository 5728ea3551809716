"""Sizes, resampling, and scales from coarse to fine."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.errors import InputError
from styler.image.fit import SMALLEST as SMALLEST
from styler.image.fit import Size as Size
from styler.image.fit import fit as fit
from styler.image.fit import long_side as long_side

_COARSEST = 192
"""Long side in pixels below which no third scale goes: a face there is too small for the content to hold."""

_SETTLING = (_COARSEST, 2 * _COARSEST, 512)
"""Long sides at which forms and colors are painted, whatever the size; from the last on sides double."""
_WORTH = 1.25
"""Least ratio of two scales that is worth the time of both."""


def size_of(image: Tensor) -> Size:
    """(height, width) of an Image [N, C, H, W]."""
    return image.shape[-2], image.shape[-1]


def seen(size: Size, side: int) -> Size:
    """A picture's size shrunk to a long side of `side` pixels, but no side under what a VGG can look at."""
    least = math.ceil(SMALLEST * max(size) / min(size))
    return fit(size, min(max(size), max(side, least)))


def resize(image: Tensor, size: Size) -> Tensor:
    """An Image [N, C, H, W] at another size: bicubic, smoothed where it shrinks, kept in [0, 1]."""
    if tuple(image.shape[-2:]) == size:
        return image
    resized = F.interpolate(image, size, mode="bicubic", align_corners=False, antialias=True)
    return resized.clamp(0, 1)


def scales(size: Size, count: int = 0) -> list[Size]:
    """Sizes from coarse to fine that end at `size`, each half the next.

    Args:
        size: the last of them.
        count: how many; 0 means two, and more while the long side stays at `_COARSEST` or more; fewer where a
            side would be too short.

    Raises InputError if so many would make a side shorter than `SMALLEST`.
    """
    found = [size]
    side = max(size)
    while count != len(found):
        side = round(side / 2)
        coarser = fit(size, side)
        if count and min(coarser) < SMALLEST:
            raise InputError(
                f"--scales is {count}, but the coarsest would be under {SMALLEST} pixels; use fewer"
            )
        if count == 0 and (min(coarser) < 2 * SMALLEST or (len(found) > 1 and side < _COARSEST)):
            break
        found.insert(0, coarser)
    return found


def settling(size: Size) -> list[Size]:
    """Sizes from coarse to fine that end at `size`, of a picture whose forms are the same at every size.

    They are painted at 192 and 384 pixels; then come 512, 1024, 2048 and so on. A picture that is hardly
    larger or smaller than 384 pixels is painted at half its size and at its own; see `scales`.
    """
    side = max(size)
    if side < _WORTH * _SETTLING[-2]:
        return scales(size)
    doubled = (_SETTLING[-1] << index for index in range(side.bit_length()))
    coarser = [fit(size, step) for step in (*_SETTLING[:-1], *doubled) if _WORTH * step <= side]
    return [*(found for found in coarser if min(found) >= 2 * SMALLEST), size]


def shrink_periodic(image: Tensor, size: Size) -> Tensor:
    """An Image [N, C, H, W] that repeats itself at a smaller size, at which it does so too; kept in [0, 1].

    The highest frequencies are cut off.
    """
    (height, width), (h, w) = image.shape[-2:], size
    if (height, width) == size:
        return image
    spectrum = torch.fft.rfft2(image)[..., : w // 2 + 1]
    kept = torch.cat([spectrum[..., : math.ceil(h / 2), :], spectrum[..., height - h // 2 :, :]], -2)
    shrunk: Tensor = torch.fft.irfft2(kept, size) * (h * w / (height * width))
    return shrunk.clamp(0, 1)
