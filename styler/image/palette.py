"""Palettes: the few colors of an image, and the image in them; label pictures, whose colors are names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from styler.image.color import LUMA
from styler.image.size import Size

SAMPLES, ROUNDS = 4096, 12
"""Pixels that a palette is computed from, and rounds of k-means."""
_EXACT, _PURE = 2 / 255, 8 / 255
"""Distances from a label's color: up to rounding, and up to the ringing beside an edge that was smoothed."""
_NEAR = 40 / 255
"""Distance up to which a pixel shows a label: a JPEG, or another program's blue, is less far off."""
_ROUNDS = 4
"""Pixels from a label's area up to which blends with it are mended: half a JPEG's 8."""
_SQUARE = np.ones((3, 3), bool)

_Indices = NDArray[np.uint8]  # [H, W]
_Mask = NDArray[np.bool_]  # [H, W]


# Palettes


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
    return measured(image, colors)[0]


def measured(image: Tensor, colors: Tensor) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """As `nearest`, with the distances [H, W] of the pixels from those colors."""
    rows = [_distances(row.T, colors).min(1) for row in image[0].unbind(1)]
    labels = torch.stack([row.indices.to(torch.uint8) for row in rows])
    return labels.numpy(), torch.stack([row.values for row in rows]).numpy()


def _distances(pixels: Tensor, colors: Tensor) -> Tensor:
    """Distances [N, K] of pixels [N, 3] from colors [K, 3]; exact, unlike torch's faster way by products."""
    return torch.cdist(pixels, colors, compute_mode="donot_use_mm_for_euclid_dist")


def filled(colors: Tensor, labels: NDArray[np.uint8]) -> Tensor:
    """The Image [1, 3, H, W] of labels [H, W] in the colors [K, 3]."""
    return colors[torch.from_numpy(labels.astype(np.int64))].permute(2, 0, 1)[None].contiguous()


# Label pictures


@dataclass(frozen=True, eq=False)
class Labels:
    """Labels: their names and their colors [K, 3], of at most 256; the first is the ground."""

    names: tuple[str, ...]
    colors: Tensor

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Labels:
        """Labels of names and colors as #rrggbb."""
        levels = [list(bytes.fromhex(color[1:])) for color in labels.values()]
        return cls(tuple(labels), torch.tensor(levels, dtype=torch.float32) / 255)

    def pure(self, image: Tensor, alpha: Tensor | None, size: Size) -> tuple[Tensor, float]:
        """An Image [1, 3, H, W] in labels' colors at a size, and its share of pixels that had about those.

        The blend of two labels is often a third, so that nothing is resized before each pixel has its label,
        and then nearest pixels are taken. What is rather transparent, by `alpha` [1, 1, H, W], is ground.
        """
        labels, distances = measured(image, self.colors)
        near = distances <= _NEAR
        labels = self._mended(image, labels, distances)
        if alpha is not None:
            ground = alpha[0, 0].numpy() < 0.5
            labels, near = np.where(ground, np.uint8(0), labels), near | ground
        sized = F.interpolate(torch.from_numpy(labels)[None, None], size, mode="nearest-exact")
        return filled(self.colors, sized[0, 0].numpy()), float(near.mean())

    def _mended(self, image: Tensor, labels: _Indices, distances: NDArray[np.float32]) -> _Indices:
        """Labels [H, W] in which blends of two, at their border, are one of the two.

        Areas of one label grow into the blends around them, a pixel a round, where each pixel gets the label
        of a neighbor that is nearest to its color. So pictures without blends stay as they are, and thin
        lines far from blends, too.
        """
        inexact = distances > _EXACT
        if not inexact.any():
            return labels
        labels, solid = labels.copy(), _areas(labels, 3) | (_areas(labels, 2) & (distances <= _PURE))
        open_ = ~solid & ndimage.binary_dilation(inexact, _SQUARE, iterations=2)
        for _ in range(_ROUNDS):
            places = np.nonzero(open_ & ndimage.binary_dilation(solid, _SQUARE))
            if not len(places[0]):
                break
            labels[places] = self._nearby(image, labels, solid, places)
            solid[places], open_[places] = True, False
        return labels

    def _nearby(
        self, image: Tensor, labels: _Indices, solid: _Mask, places: tuple[NDArray[np.intp], ...]
    ) -> _Indices:
        """The label, of each place's solid neighbors, that is nearest to the color there."""
        colors, (y, x) = self.colors.numpy(), places
        pixels = image[0].numpy()[:, y, x].T
        labels, solid = np.pad(labels, 1), np.pad(solid, 1)
        best, least = np.zeros(len(y), np.uint8), np.full(len(y), np.inf)
        for down, right in product(range(3), repeat=2):
            label = labels[y + down, x + right]
            distance = np.square(pixels - colors[label]).sum(1)
            nearer = solid[y + down, x + right] & (distance < least)
            best[nearer], least[nearer] = label[nearer], distance[nearer]
        return best


def _areas(labels: _Indices, side: int) -> _Mask:
    """Pixels [H, W] in any square of `side` pixels that has one label."""
    one = ndimage.maximum_filter(labels, side) == ndimage.minimum_filter(labels, side)
    # A square of even side reaches further up than down, and what it covers the other way round.
    result: _Mask = ndimage.maximum_filter(one, side, origin=0 if side % 2 else -1)
    return result
