"""Feature maps that a picture excites most, and the pixels that do it (Zeiler and Fergus 2013, fig. 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from styler.classifiers import Network
from styler.features import ReluRule

How = Literal["max", "sum", "map"]


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
    """The strongest maps of each layer, shallow to deep, each with its gradient [1, 3, H, W] by pixels."""
    leaf = image.detach().requires_grad_()
    for layer, x in network.walk(leaf, layers, relu_rule=method):
        for one in strongest(layer, x, count):
            yield one, torch.autograd.grad(value_of(x, one, how), leaf, retain_graph=True)[0]
