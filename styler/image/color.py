"""Luma, matching of colors, images of one or three channels, and the colors of a painting."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.image.size import resize, size_of
from styler.options.shared import Coloring

LUMA = (0.2126, 0.7152, 0.0722)
"""Shares of red, green and blue in the luma, by Rec. 709, whose primaries are sRGB's."""
_FAINT = 1e-5
"""Variance that is added to all colors, so that gray and flat pictures have an inverse."""
_SIDE = 256
"""Side in pixels of a style in the palette of several."""


def luma(image: Tensor) -> Tensor:
    """Luma [N, 1, H, W] of an Image [N, 3, H, W], in [0, 1]; 0.5 for a gray of 0.5."""
    return (image * image.new_tensor(LUMA)[:, None, None]).sum(1, keepdim=True)


def video_luma(image: Tensor) -> Tensor:
    """Luma [N, 1, H, W] of an Image [N, 3, H, W] from 16/255 to 235/255 (ITU-R BT.601).

    Super-resolution is compared in it.
    """
    weights = image.new_tensor((65.481, 128.553, 24.966))[:, None, None]
    return ((image * weights).sum(1, keepdim=True) + 16) / 255


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


def match_colors(image: Tensor, target: Tensor) -> Tensor:
    """An Image [1, C, H, W] with the mean and the covariance of the colors of another one of any size.

    The linear map that moves colors least, of all that do (Monge-Kantorovich; Pitie and Kokaram 2007),
    clamped to [0, 1]. Of a gray picture it makes no colors, of a flat one no contrast.
    """
    return _mapped(image, target).clamp(0, 1)


def match_histogram(image: Tensor, target: Tensor) -> Tensor:
    """An Image [1, C, H, W] with the histogram of each channel of another one of any size.

    After `match_colors`, since channels that are matched apart take no heed of each other. Equal values stay
    equal, so a flat picture has the target's median.
    """
    mapped = _mapped(image, target)
    planes = [_ranked(x.flatten(), y.flatten()).view_as(x) for x, y in zip(mapped[0], target[0], strict=True)]
    return torch.stack(planes)[None].clamp(0, 1)


def _mapped(image: Tensor, target: Tensor) -> Tensor:
    (mean, own), (aim, wanted) = _statistics(image), _statistics(target)
    root, inverse = _power(own, 0.5), _power(own, -0.5)
    matrix = inverse @ _power(root @ wanted @ root, 0.5) @ inverse
    moved = torch.einsum("dc,nchw->ndhw", matrix.to(image), image - mean.to(image)[:, None, None])
    return moved + aim.to(image)[:, None, None]


def _statistics(image: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [C] and covariance [C, C] of the colors, in float64 on the CPU."""
    colors = image[0].flatten(1).float()
    mean = colors.mean(1, keepdim=True)
    centered = colors - mean
    covariance = (centered @ centered.T / colors.shape[1]).double().cpu()
    return mean[:, 0].double().cpu(), covariance + _FAINT * torch.eye(len(colors), dtype=torch.float64)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """Power of a symmetric positive definite matrix [C, C]."""
    values, vectors = torch.linalg.eigh(matrix)
    power: Tensor = (vectors * values.clamp_min(1e-12) ** exponent) @ vectors.T
    return power


def _ranked(x: Tensor, target: Tensor) -> Tensor:
    """Values [N] replaced by those of the target [M] that have the same share of smaller ones."""
    own = x.sort().values
    middles = (torch.searchsorted(own, x) + torch.searchsorted(own, x, right=True)).double() / (2 * len(x))
    places = (middles * len(target) - 0.5).clamp(0, len(target) - 1)
    ordered, low = target.sort().values, places.long()
    high = (low + 1).clamp_max(len(target) - 1)
    return torch.lerp(ordered[low], ordered[high], (places - low).to(x))


# Colors of a painting: the style's, the photo's, or those of one moved to the other's. Gatys et al. 2017:
# luminance-only transfer, and color matching before the transfer.


def before(photo: Tensor, styles: Sequence[Tensor], kind: Coloring) -> tuple[Tensor, list[Tensor]]:
    """Photo and styles, Images [1, 3, H, W] of any sizes, as they are painted with."""
    if kind == "photo":
        gray = luma(photo)
        return colored(gray), [colored(match_colors(luma(style), gray)) for style in styles]
    if kind == "style-to-content":
        return photo, [match_colors(style, photo) for style in styles]
    if kind == "histogram":
        return photo, [match_histogram(style, photo) for style in styles]
    return (match_colors(photo, palette(styles)) if kind == "content-to-style" else photo), list(styles)


def after(painted: Tensor, photo: Tensor, kind: Coloring) -> Tensor:
    """The finished Image [1, 3, H, W] of a painted one and the photo as it was, of any size."""
    if kind == "photo":
        return luminance_only(painted, resize(photo, size_of(painted)))
    if kind == "style-to-content":
        return match_colors(painted, photo)
    return match_histogram(painted, photo) if kind == "histogram" else painted


def colors_only(photo: Tensor, palette: Tensor, kind: Coloring) -> Tensor:
    """The photo with the colors of a palette, Images [1, 3, H, W], and no strokes."""
    return match_histogram(photo, palette) if kind == "histogram" else match_colors(photo, palette)


def palette(styles: Sequence[Tensor]) -> Tensor:
    """An Image with the colors of all styles, in equal parts."""
    if len(styles) == 1:
        return styles[0]
    return torch.cat([F.interpolate(style, (_SIDE, _SIDE), mode="nearest") for style in styles], 3)
