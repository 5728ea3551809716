"""Gradients of units and of feature maps by the pixels: saliency (Simonyan et al. 2013), deconvnet (Zeiler
and Fergus 2013), guided backpropagation (Springenberg et al. 2014); and how they are shown.

The three differ in the rule at the ReLUs alone. The last step, to the pixels, is never rectified.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from styler.classifiers import Network, activation
from styler.features import ReluRule
from styler.image.size import Size
from styler.tasks.see.units import Unit, Value, excitation

METHODS: tuple[ReluRule, ...] = ("gradient", "guided", "deconv")
CAVEAT = "shows features, not evidence"
"""Of guided and deconv: they look much the same for every class (Adebayo et al. 2018)."""
_OUTLIERS = 0.995
"""Quantile of magnitudes that is shown as the brightest; what is above is cut."""


def gradient_of(network: Network, image: Tensor, unit: Unit, method: ReluRule) -> Tensor:
    """Gradient [1, 3, H, W] of a unit's excitation by the pixels in [0, 1], by the rule of `method`."""
    return gradient_at(network, image, unit.layer, lambda x: excitation(x, unit.channel), method)


def gradient_at(network: Network, image: Tensor, layer: str, value: Value, method: ReluRule) -> Tensor:
    """As `gradient_of`, but of any value of a layer's activation [1, C, H, W]."""
    leaf = image.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(value(activation(network, leaf, layer, method)), leaf)
    return gradient


def memory(network: Network, layers: Iterable[str], size: Size) -> int:
    """Bytes that gradients of `layers` need at their peak for a picture of (height, width) `size`.

    Counted are the outputs of ReLUs and poolings, kept for the way back, those of others as an allowance,
    and the largest four times over: input, padded input, output, gradient.
    """
    widths, fields = network.widths(), network.receptive_fields()
    maps = [widths[name] / fields[name].stride ** 2 for name in network.needed(set(layers)) if name in fields]
    return round(4 * (sum(maps) + 4 * max(maps)) * size[0] * size[1])


def saliency(gradient: Tensor) -> Tensor:
    """Saliency map [1, 1, H, W]: the largest of the channels' magnitudes (Simonyan et al. 2013)."""
    return gradient.abs().amax(1, keepdim=True)


def shown(values: Tensor, signed: bool = False) -> Tensor:
    """Values [1, C, H, W] as an Image: 0 black, the 99.5th percentile of magnitudes white.

    Signed values have 0 at middle gray, and both ends at that percentile.
    """
    magnitudes = values.abs().flatten()
    brightest = magnitudes.kthvalue(max(1, round(_OUTLIERS * magnitudes.numel()))).values
    if not brightest:  # of few pixels that are not 0
        brightest = magnitudes.max()
    scaled = values / brightest.clamp_min(1e-30)
    image = (0.5 + scaled / 2 if signed else scaled).clamp(0, 1)
    return image.expand(-1, 3, -1, -1)


# Feature maps that a picture excites most, and the pixels that do it (Zeiler and Fergus 2013, fig. 2)

How = Literal["max", "sum", "map"]
_ALIGNED, _WORTH = 32, 1.5
"""Pixels to whose multiples a piece extends; how many times as long it takes as the way back alone."""


@dataclass(frozen=True)
class FeatureMap:
    """One channel of a layer [1, C, H, W]: the sum of its activations, and where the largest is."""

    layer: str
    channel: int
    sum: float
    row: int
    column: int


def strongest(layer: str, x: Tensor, count: int) -> list[FeatureMap]:
    """The maps with the largest sums, in that order; equal ones by their numbers."""
    width, sums = x.shape[-1], x[0].detach().double().sum((1, 2))
    peaks = x[0].flatten(1).argmax(1).tolist()
    order = sums.sort(descending=True, stable=True).indices[:count].tolist()
    return [FeatureMap(layer, c, float(sums[c]), peaks[c] // width, peaks[c] % width) for c in order]


def value_of(x: Tensor, one: FeatureMap, how: How) -> Tensor:
    """What of a map is traced back to pixels: its largest value, the sum of all, or half of their squares."""
    channel = x[0, one.channel]
    if how == "max":
        return channel[one.row, one.column]
    return channel.sum() if how == "sum" else channel.square().sum() / 2


def traced(
    network: Network, image: Tensor, layers: Sequence[str], count: int, how: How, method: ReluRule
) -> Iterator[tuple[FeatureMap, Tensor]]:
    """The strongest maps of each layer, shallow to deep, each with its gradient [1, 3, H, W] by pixels.

    The gradient of a single place is that of a piece around what the place sees, which takes less time.
    """
    leaf = image.detach().requires_grad_()
    for layer, x in network.walk(leaf, layers, relu_rule=method):
        for one in strongest(layer, x, count):
            piece = _piece(network, image, one) if how == "max" else None
            if piece is None:
                yield one, torch.autograd.grad(value_of(x, one, how), leaf, retain_graph=True)[0]
            else:
                yield one, _gradient_of_piece(network, image, one, piece, method)


def _piece(network: Network, image: Tensor, one: FeatureMap) -> tuple[slice, slice] | None:
    """Rows and columns around what a map's strongest place sees, None where the whole picture is as quick.

    They begin at multiples of all strides, so that poolings see the same squares, and end there or where the
    picture does. What is beyond them makes no difference to the place, and neither does the padding there.
    """
    height, width = image.shape[-2:]
    rows, columns = network.receptive_fields()[one.layer].box(one.row, one.column, height, width)
    piece = tuple(
        slice(
            max(0, seen.start // _ALIGNED - 1) * _ALIGNED, min(side, (seen.stop // _ALIGNED + 1) * _ALIGNED)
        )
        for seen, side in ((rows, height), (columns, width))
    )
    pixels = (piece[0].stop - piece[0].start) * (piece[1].stop - piece[1].start)
    return (piece[0], piece[1]) if _WORTH * pixels < height * width else None


def _gradient_of_piece(
    network: Network, image: Tensor, one: FeatureMap, piece: tuple[slice, slice], method: ReluRule
) -> Tensor:
    """The gradient of a map's strongest place, computed on a piece of the picture, [1, 3, H, W]."""
    stride, gradient = network.receptive_fields()[one.layer].stride, torch.zeros_like(image)
    row, column = one.row - piece[0].start // stride, one.column - piece[1].start // stride
    gradient[(..., *piece)] = gradient_at(
        network,
        image[(..., *piece)].contiguous(),
        one.layer,
        lambda x: x[0, one.channel, row, column],
        method,
    )
    return gradient
