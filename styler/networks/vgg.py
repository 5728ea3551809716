"""VGG bodies by layer name: which layers there are, their convolutions, the input that they expect.

Simonyan and Zisserman 2014 (configurations D and E), convolutions only. The compact VGG has the layout of
VGG-19 up to conv5_1 with fewer channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor

from styler.errors import WeightsError
from styler.options.shared import Padding

Convolution = tuple[Tensor, Tensor]
"""Weight [C_out, C_in, 3, 3] and bias [C_out]."""

BLOCKS: Mapping[str, tuple[int, ...]] = {
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
    "compact": (2, 2, 4, 4, 1),
}
"""Number of convolutions in each block; a pooling layer follows each block but the compact network's last."""

FULL_WIDTHS = (64, 128, 256, 512, 512)
COMPACT_WIDTHS = (32, 64, 128, 128, 128)
WIDEST = 4096


@dataclass(frozen=True)
class Normalization:
    """What a network expects: RGB in [0, 1] becomes (image - mean) / std in this order of channels."""

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    order: str = "rgb"


TORCHVISION = Normalization()
CAFFE = Normalization(
    mean=(123.68 / 255, 116.779 / 255, 103.939 / 255), std=(1 / 255, 1 / 255, 1 / 255), order="bgr"
)
"""Original Oxford weights: BGR in 0..255 minus (103.939, 116.779, 123.68); here written in RGB and [0, 1]."""


class Typical(NamedTuple):
    """Figures of a layer's features on photos of 256 pixels, on average: floors of relative losses.

    Attributes:
        variance: of a channel over places.
        covariance, mean: squared norms of the channels' covariance and of their mean.
    """

    variance: float
    covariance: float
    mean: float


@dataclass(frozen=True)
class VGGArchitecture:
    """What a feature network is built from.

    Attributes:
        body: one of `BLOCKS`.
        widths: channels of its convolutions, shallow to deep; fewer than it has where it is cut off.
        normalization: what its weights were trained on.
        padding: how they were trained.
    """

    body: str
    widths: tuple[int, ...]
    normalization: Normalization = TORCHVISION
    padding: Padding = "zero"

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> VGGArchitecture:
        """Make one of a file's fields; raises ValueError, KeyError or TypeError."""
        given = fields["normalization"]
        mean, std = (tuple(float(value) for value in given[key]) for key in ("mean", "std"))
        body, widths, padding = fields["body"], tuple(fields["widths"]), fields["padding"]
        if body not in BLOCKS or padding not in get_args(Padding) or given["order"] not in ("rgb", "bgr"):
            raise ValueError(f"network {body!r}, padding {padding!r}, order {given['order']!r}")
        if len(mean) != 3 or len(std) != 3 or 0 in std or not all(map(math.isfinite, mean + std)):
            raise ValueError(f"mean {mean}, std {std}")
        if not 0 < len(widths) <= sum(BLOCKS[body]) or not all(_is_width(width) for width in widths):
            raise ValueError(f"widths {list(widths)[:20]} of {body}")
        return cls(body, widths, Normalization(mean, std, given["order"]), padding)

    @property
    def layers(self) -> tuple[str, ...]:
        """The convolutions that are there, shallow to deep."""
        return convolution_names(self.body)[: len(self.widths)]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all weights and biases: `conv1_1.weight`, ..."""
        shapes: dict[str, tuple[int, ...]] = {}
        for name, (before, after) in zip(self.layers, pairwise((3, *self.widths)), strict=True):
            shapes |= {f"{name}.weight": (after, before, 3, 3), f"{name}.bias": (after,)}
        return shapes


def _is_width(value: object) -> bool:
    return type(value) is int and 0 < value <= WIDEST


def convolution_names(network: str) -> tuple[str, ...]:
    """`conv1_1`, `conv1_2`, ... of one of `BLOCKS`, shallow to deep."""
    return tuple(f"conv{b}_{i}" for b, n in enumerate(BLOCKS[network], 1) for i in range(1, n + 1))


def layer_names(network: str) -> tuple[str, ...]:
    """All layers of one of `BLOCKS`, shallow to deep: `conv1_1`, `relu1_1`, ..., `pool1`, `conv2_1`, ..."""
    names: list[str] = []
    for block, count in enumerate(BLOCKS[network], 1):
        for index in range(1, count + 1):
            names += [f"conv{block}_{index}", f"relu{block}_{index}"]
        if network != "compact" or block < len(BLOCKS[network]):
            names.append(f"pool{block}")
    return tuple(names)


class ReceptiveField(NamedTuple):
    """Pixels that a layer's units see: unit i sees those from i * stride - offset on, `side` of them."""

    side: int
    stride: int
    offset: int

    def box(self, row: int, column: int, height: int, width: int) -> tuple[slice, slice]:
        """Rows and columns of a picture that the unit at (row, column) sees, cut at the picture's edges."""
        top, left = (index * self.stride - self.offset for index in (row, column))
        return (
            slice(max(0, top), min(height, top + self.side)),
            slice(max(0, left), min(width, left + self.side)),
        )


def receptive_fields(windows: Mapping[str, tuple[int, int, int]]) -> dict[str, ReceptiveField]:
    """Receptive fields of a chain of layers, each with the kernel, stride and padding of its window."""
    fields, side, stride, offset = dict[str, ReceptiveField](), 1, 1, 0
    for name, (kernel, step, padding) in windows.items():
        side, offset, stride = side + (kernel - 1) * stride, offset + padding * stride, stride * step
        fields[name] = ReceptiveField(side, stride, offset)
    return fields


WINDOWS = {"conv": (3, 1, 1), "relu": (1, 1, 0), "pool": (2, 2, 0)}
"""Kernel, stride and padding of a VGG's layers, by the beginning of their names."""


def torchvision_keys(network: str) -> dict[str, str]:
    """Convolution -> its prefix in torchvision's `state_dict`, for example conv1_2 -> features.2."""
    return {name: f"features.{i}" for i, name in enumerate(layer_names(network)) if name.startswith("conv")}


def random_convolutions(network: str, widths: Sequence[int], seed: int = 0) -> dict[str, Convolution]:
    """He-initialized weights (He et al. 2015), for tests, benchmarks and as a start of training."""
    generator = torch.Generator().manual_seed(seed)
    convolutions: dict[str, Convolution] = {}
    channels = 3
    for name in convolution_names(network):
        width = widths[int(name[4]) - 1]
        weight = torch.randn(width, channels, 3, 3, generator=generator) * (2 / (9 * channels)) ** 0.5
        convolutions[name] = (weight, 0.1 * torch.randn(width, generator=generator))
        channels = width
    return convolutions


def check_convolutions(network: str, convolutions: Mapping[str, Convolution]) -> None:
    """Raise WeightsError unless these are the first layers of `network`, chained in width and finite."""
    expected = convolution_names(network)[: len(convolutions)]
    if not convolutions or tuple(convolutions) != expected:
        found = ", ".join(convolutions) or "none"
        raise WeightsError(
            f"{network}: expected the layers {', '.join(expected) or 'conv1_1'}, found {found}"
        )
    channels = 3
    for name, (weight, bias) in convolutions.items():
        if weight.shape[1:] != (channels, 3, 3) or bias.shape != weight.shape[:1]:
            raise WeightsError(
                f"{network}: {name} has shapes {tuple(weight.shape)} and {tuple(bias.shape)}, "
                f"expected (N, {channels}, 3, 3) and (N,)"
            )
        if not (weight.is_floating_point() and bias.is_floating_point()):
            raise WeightsError(f"{network}: {name} holds {weight.dtype}, expected floating point")
        if not (weight.isfinite().all() and bias.isfinite().all()):
            raise WeightsError(f"{network}: {name} holds values that are not finite; the file is damaged")
        channels = len(weight)
