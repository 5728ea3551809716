"""Palettes: the few colors of an image, and the image in them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from styler.image.color import LUMA

SAMPLES, ROUNDS = 4096, 12
"""Pixels that a palette is computed from, and rounds of k-means."""


def reduced(image: Tensor, count: int) -> Tensor:
    """An Image [1, 3, H, W] in at most `count` colors."""
    pixels = image.cpu()
    colors = palette(pixels, count)
    return filled(colors, nearest(pixels, colors)).to(image)


def palette(image: Tensor, count: int) -> Tensor:
    """At most `count` colors [K, 3] of an Image [1, 3, H, W] by k-means, from dark to light.

    It starts from colors that are spread evenly over the image's luma, so that nothing is random.
    """
    pixels = image[0].flatten(1).T
    pixels = pixels[:: max(1, len(pixels) // SAMPLES)]
    pixels = _by_luma(pixels)
    places = torch.linspace(0, len(pixels) - 1, 2 * count + 1)[1::2].round().long()
    colors = pixels[places]
    for _ in range(ROUNDS):
        index = _distances(pixels, colors).argmin(1)
        sums = torch.zeros_like(colors).index_add_(0, index, pixels)
        counts = torch.bincount(index, minlength=len(colors))[:, None]
        colors = torch.where(counts > 0, sums / counts.clamp_min(1), colors)
    return _by_luma(colors)


def _by_luma(colors: Tensor) -> Tensor:
    """Colors [K, 3] from dark to light."""
    order = (colors @ colors.new_tensor(LUMA)).argsort(stable=True)
    return colors[order]


def nearest(image: Tensor, colors: Tensor) -> NDArray[np.uint8]:
    """The index [H, W] of the color nearest to each pixel of an Image [1, 3, H, W], of at most 256 [K, 3]."""
    rows = [_distances(row.T, colors).argmin(1).to(torch.uint8) for row in image[0].unbind(1)]
    return torch.stack(rows).numpy()


def _distances(pixels: Tensor, colors: Tensor) -> Tensor:
    """Distances [N, K] of pixels [N, 3] from colors [K, 3]; exact, unlike torch's faster way by products."""
    return torch.cdist(pixels, colors, compute_mode="donot_use_mm_for_euclid_dist")


def filled(colors: Tensor, labels: NDArray[np.uint8]) -> Tensor:
    """The Image [1, 3, H, W] of labels [H, W] in the colors [K, 3]."""
    return colors[torch.from_numpy(labels.astype(np.int64))].permute(2, 0, 1)[None].contiguous()
