"""Masks: soft ones of gray pictures, regions paired by color, guides of feature maps, color below none."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.errors import InputError
from styler.image.color import luma
from styler.image.size import Size, resize

_APART = 0.2
"""Distance of RGB colors from which they name different regions."""
_LEAST = 0.002
"""Share of a picture that a color has to cover to be a region's; less is the rim of another."""
_MOST = 16


def soft(image: Tensor, alpha: Tensor | None) -> Tensor:
    """Mask [1, 1, H, W] of a gray Image: 1 where it is white, 0 where it is black or transparent."""
    return luma(image).clamp(0, 1) * (1 if alpha is None else alpha)


def is_colored(image: Tensor) -> bool:
    """Whether an Image [1, 3, H, W] has colors, so that its regions are to be told by them."""
    spread = image.amax(1) - image.amin(1)
    return bool((spread > _APART).float().mean() > _LEAST)


def paired(content: Tensor, style: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Masks [1, 1, h, w] of the regions that have the same color in two Images, of each its own size.

    Pixels belong to the nearest of the colors, or to no region where none is near. Raises InputError for a
    color of the content that is not in the style.
    """
    colors = region_colors(content)
    pairs = []
    for index, color in enumerate(colors):
        where, source = (_nearest(image, colors) == index for image in (content, style))
        if not source.any():
            shown = "#" + "".join(f"{round(255 * value):02x}" for value in color.tolist())
            raise InputError(f"{shown} is a region of the content and not of the style: paint one there")
        pairs.append((where.float()[None, None], source.float()[None, None]))
    return pairs


def region_colors(image: Tensor) -> Tensor:
    """Colors [K, 3] of an Image's regions: the most frequent ones that are far enough from each other."""
    rounded = (image[0].flatten(1).T * 15).round()
    found, counts = torch.unique(rounded, dim=0, return_counts=True)
    colors: list[Tensor] = []
    for index in counts.argsort(descending=True, stable=True):
        color = found[index] / 15
        if counts[index] < _LEAST * len(rounded) or len(colors) == _MOST:
            break
        if all(torch.dist(color, other) > _APART for other in colors):
            colors.append(color)
    return torch.stack(colors)


def _nearest(image: Tensor, colors: Tensor) -> Tensor:
    """Number [H, W] of the nearest color, -1 where none is near."""
    distances = torch.stack([(image[0] - color[:, None, None]).norm(dim=0) for color in colors])
    least, index = distances.min(0)
    return torch.where(least < _APART, index, -1)


def fits(mask: Size, picture: Size) -> bool:
    """Whether a mask has the shape of a picture, at any size, up to the rounding of a side."""
    return abs(mask[0] * picture[1] - mask[1] * picture[0]) <= max(*mask, *picture)


def guide_at(mask: Tensor | None, stride: int) -> Tensor | None:
    """Guide of a feature map with places `stride` pixels apart: the mask [1, 1, H, W] there; its sum is 1."""
    if mask is None:
        return None
    pooled = F.avg_pool2d(mask, stride)
    return pooled / pooled.sum().clamp_min(1e-12)


def at_size(mask: Tensor | None, size: Size) -> Tensor | None:
    """A mask at the size of a picture."""
    return None if mask is None else resize(mask, size)


def bled(image: Tensor, alpha: Tensor) -> Tensor:
    """An Image [1, 3, H, W] with the colors of opaque pixels in the transparent ones around them.

    Their own are arbitrary, often black, and would show as fringes where a filter mixes neighbors.
    `alpha` is [1, 1, H, W]; where nothing is opaque far and wide, all is the mean color.
    """
    if min(image.shape[-2:]) < 2 or not alpha.any():
        weight = alpha.sum().clamp_min(1e-6)
        return torch.lerp(((image * alpha).sum((2, 3), keepdim=True) / weight).expand_as(image), image, alpha)
    share = F.avg_pool2d(alpha, 2, ceil_mode=True)
    colors = F.avg_pool2d(image * alpha, 2, ceil_mode=True) / share.clamp_min(1e-6)
    coarse = bled(colors, (4 * share).clamp(0, 1))
    size = image.shape[-2:]
    around = F.interpolate(coarse, scale_factor=2, mode="bilinear")[..., : size[0], : size[1]]
    return torch.lerp(around, image, alpha)
