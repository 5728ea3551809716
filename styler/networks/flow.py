"""A network's way in three verbs, so that pictures, strips of pictures, and names in a file can go it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn

from styler.networks.layers import Join, Layer, Mode, Moments, divisible

X = TypeVar("X")

TINY = 1e-12
"""Stands in for the variance where there is none."""


class Run(Protocol[X]):
    """A way to run a network on maps of one sort."""

    def layer(self, layer: Layer, x: X, level: int = 0) -> X:
        """Convolution, norm, dropout and activation; the result is halved `level` times."""

    def residual(self, first: Layer, second: Layer, x: X) -> X:
        """x + second(first(x)); x may be changed."""

    def joined(self, join: Join, *parts: X) -> X:
        """Maps of one size, side by side."""


@dataclass(frozen=True)
class Memory:
    """Memory that a network takes, as measured on a CPU, in first maps at full resolution.

    Attributes:
        whole: of a picture in one piece.
        stored: of the maps that are stored when it is done in strips.
        strips: maps of a strip that are alive at once.
    """

    whole: float
    stored: float
    strips: float


class Shape(Protocol):
    """Numbers of channels in a network's configuration: of its pictures, and of its first map."""

    @property
    def inputs(self) -> int: ...  # noqa: D102
    @property
    def outputs(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102


class Flowing(Protocol):
    """A network from Images to Images of the same size, whose sides are to be multiples of `stride`."""

    stride: int
    memory: Memory

    @property
    def config(self) -> Shape:
        """What it is built from."""

    def flow(self, x: X, run: Run[X]) -> X:
        """The way of a picture, with sides that `stride` divides."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """As those of a module."""


class Whole:
    """Runs a network on tensors [N, C, H, W].

    Attributes:
        mode: how it runs.
        record: gets the moments of what the norms are given, one after another, if it is a list.
    """

    def __init__(self, mode: Mode, record: list[Moments] | None = None) -> None:
        self.mode, self.record = mode, record
        self.moments = iter(mode.moments or ())

    def layer(self, layer: Layer, x: Tensor, level: int = 0) -> Tensor:
        """As in `Run`."""
        y = layer.convolved(x)
        if layer.norm is None:
            return layer.finished(y, self.mode)
        if self.record is not None:
            self.record.append(moments_of(y))
        return layer.finished(y, self.mode, next(self.moments, None))

    def residual(self, first: Layer, second: Layer, x: Tensor) -> Tensor:
        """As in `Run`."""
        return self.layer(second, self.layer(first, x)).add_(x)

    def joined(self, join: Join, *parts: Tensor) -> Tensor:
        """As in `Run`."""
        return join(*parts)


def whole(network: Flowing, image: Tensor, mode: Mode, record: list[Moments] | None = None) -> Tensor:
    """The network on an Image [N, C, H, W], H and W 16 at least; padded by reflection, and cropped.

    It computes in the number type and the memory format of the image; norms take their moments in float32.
    """
    height, width = image.shape[-2:]
    return network.flow(divisible(image, network.stride), Whole(mode, record))[..., :height, :width]


def moments_of(x: Tensor) -> Moments:
    """The moments of x [N, C, H, W], as exact as those by which norms work by themselves."""
    n, c, h, w = x.shape
    ones = torch.ones(c, device=x.device)  # float32, and so are the moments then
    _, mean, scale = torch.native_group_norm(x, ones, ones, n, c, h * w, c, TINY)
    return Moments(mean, scale**-2 - TINY)
