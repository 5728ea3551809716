"""A network's way in three verbs, so that pictures, strips of pictures, and names in a file can go it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.device import Form
from styler.networks.layers import Join, Layer, Mode, Moments, divisible

X = TypeVar("X")

EXACT = Form()
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

    def added(self, x: X, y: X) -> X:
        """The sum of maps of one size."""


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
    """A network from Images to Images, whose sides are to be multiples of `stride`.

    Attributes:
        scale: sides of its output, relative to its input's.
        corrects: whether what flows out is the difference to the enlarged picture.
    """

    stride: int
    memory: Memory
    scale: int
    corrects: bool

    @property
    def reach(self) -> int | None:
        """Rows on each side of a row that its output depends on; None where norms see all of a picture."""

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

    def added(self, x: Tensor, y: Tensor) -> Tensor:
        """As in `Run`."""
        return x + y


def whole(
    network: Flowing,
    image: Tensor,
    mode: Mode,
    record: list[Moments] | None = None,
    form: Form | None = None,
) -> Tensor:
    """The network on an Image [N, C, H, W], H and W 16 at least; padded by reflection, and cropped.

    It computes in `form`, or as the image is; norms take their moments in float32, and an enlarged picture is
    corrected in the number type of the image.
    """
    height, width = (side * network.scale for side in image.shape[-2:])
    x = form(image) if form else image
    y = network.flow(divisible(x, network.stride), Whole(mode, record))[..., :height, :width]
    return y + enlarged(image[:, : network.config.outputs], network.scale) if network.corrects else y


def enlarged(image: Tensor, scale: int) -> Tensor:
    """An Image [N, C, H, W] with sides `scale` times as long, bilinear."""
    return F.interpolate(image, scale_factor=scale, mode="bilinear", align_corners=False)


def layout_of(x: Tensor) -> torch.memory_format:
    """Channels last, or contiguous as far as rows that were cut off allow."""
    last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if last else torch.contiguous_format


def moments_of(x: Tensor) -> Moments:
    """The moments of x [N, C, H, W], as exact as those by which norms work by themselves."""
    n, c, h, w = x.shape
    ones = torch.ones(c, device=x.device)  # float32, and so are the moments then
    _, mean, scale = torch.native_group_norm(x, ones, ones, n, c, h * w, c, TINY)
    return Moments(mean, scale**-2 - TINY)
