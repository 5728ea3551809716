"""Luma, its exchange between images, and images of one or three channels."""

from __future__ import annotations

import torch
from torch import Tensor

LUMA = (0.2126, 0.7152, 0.0722)
"""Shares of red, green and blue in the luma, by Rec. 709, whose primaries are sRGB's."""


def luma(image: Tensor) -> Tensor:
    """Luma [N, 1, H, W] of an Image [N, 3, H, W], in [0, 1]; 0.5 for a gray of 0.5."""
    return (image * image.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def colored(image: Tensor) -> Tensor:
    """An Image [N, 1 or 3, H, W] with three channels."""
    return image.expand(-1, 3, -1, -1)


def in_channels(image: Tensor, count: int) -> Tensor:
    """An Image [N, 1 or 3, H, W] with `count` channels, 1 or 3."""
    if image.shape[1] == count:
        return image
    return luma(image) if count == 1 else colored(image)


def luminance_only(painted: Tensor, content: Tensor) -> Tensor:
    """The painted Image with the content's chroma; all are [N, 3, H, W] in [0, 1].

    Gatys et al. 2017, but for the luma: theirs is the Y of YIQ, whose weights (Rec. 601) are those of the
    primaries of 1953 and not sRGB's.

    Where the luma is too high or too low for so much chroma, there is less of it, in the same hue, so that
    the luma is always the painted picture's.
    """
    target = luma(painted)
    chroma = content - luma(content)
    room = torch.where(chroma > 0, 1 - target, target)
    share = (room / chroma.abs().clamp_min(1e-6)).amin(1, keepdim=True).clamp_max(1)
    return (target + share * chroma).clamp(0, 1)
