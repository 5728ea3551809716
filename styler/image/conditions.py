"""Pairs of images, and the conditions that stand in for missing inputs: edges, gray, blur, ... of a photo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from styler.errors import InputError
from styler.image import color, size
from styler.image.edges import draw as draw_edges
from styler.image.edges import edges_for
from styler.image.grain import grain
from styler.image.palette import filled, nearest, palette, reduced
from styler.options.translate import EdgeOptions, PairsOptions

InputMaker = Callable[[Tensor, np.random.Generator], Tensor]
"""From a photo [1, 3, H, W] and a source of randomness to an input [1, C, H, W]."""


@dataclass(frozen=True)
class Pair:
    """Aligned Images: inputs [N, I, H, W] and targets [N, O, H, W]."""

    inputs: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> Pair:
        """The same on a device."""
        return Pair(self.inputs.to(device), self.targets.to(device))


@dataclass(frozen=True)
class _Condition:
    """A kind of input: its channels, the names of its options, and the function that prepares its maker."""

    channels: int
    heeds: tuple[str, ...]
    make: Callable[[PairsOptions], InputMaker]


def condition(name: str, parameters: Mapping[str, object]) -> InputMaker:
    """The maker of inputs of a kind, with parameters from `parameters_for`.

    Raises:
        InputError: for an unknown kind or parameter; both may come from foreign files.
    """
    if name not in CONDITIONS:
        raise InputError(f"'{name}' is no kind of input: choose one of {', '.join(CONDITIONS)}")
    kinds = {key: type(value) for key, value in PairsOptions().plain().items()}
    for key, value in parameters.items():
        if key not in CONDITIONS[name].heeds or not _is_of(value, kinds[key]):
            raise InputError(f"inputs of kind '{name}' cannot have {key} = {value!r}: the file is damaged")
    return CONDITIONS[name].make(PairsOptions.of(parameters))


def _is_of(value: object, kind: type) -> bool:
    return type(value) is kind or (kind is float and type(value) is int)


def pair_of(photo: Tensor, shape: size.Size, make: InputMaker, draw: np.random.Generator) -> Pair:
    """Pair of an input and the photo [1, 3, H, W] that it is made of, both at (height, width) `shape`."""
    image = size.resize(photo, shape)
    return Pair(make(image, draw).expand(-1, 3, -1, -1), image)


def grained(inputs: Tensor, amount: float, *seeds: tuple[int, ...]) -> Tensor:
    """Inputs [N, C, H, W] of a network with gray noise, by a seed for each; see `image.grain`."""
    if not amount:
        return inputs
    noises = np.stack([np.float32(amount) * grain(size.size_of(inputs), *seed) for seed in seeds])
    return inputs + torch.from_numpy(noises[:, None]).to(inputs)


def parameters_for(name: str, options: EdgeOptions) -> dict[str, Any]:
    """The options of a kind of input, as plain data."""
    values = options.plain()
    return {key: values[key] for key in CONDITIONS[name].heeds}


def check_heeded(name: str, options: EdgeOptions) -> None:
    """Raise InputError for a changed option that a kind of input does not have.

    The kind "" is that of inputs from files, which have no options.
    """
    known = {key for kind in CONDITIONS.values() for key in kind.heeds}
    heeded = set(CONDITIONS[name].heeds) if name else set()
    if strange := sorted((known - heeded) & options.changed().keys()):
        what = f"inputs of kind '{name}' have" if name else "inputs that need not be made have"
        raise InputError(f"{what} no --{strange[0]}: leave it out")


def _edges(options: PairsOptions) -> InputMaker:
    edges = edges_for(options)
    return lambda image, draw: draw_edges(image, edges, float(draw.uniform(*edges.sigma)))


def _grey(options: PairsOptions) -> InputMaker:
    return lambda image, draw: color.luma(image)


def _blur(options: PairsOptions) -> InputMaker:
    sigma = (0, 0, options.radius, options.radius)

    def make(image: Tensor, draw: np.random.Generator) -> Tensor:
        return torch.from_numpy(ndimage.gaussian_filter(image.numpy(), sigma, mode="reflect"))

    return make


def _low_resolution(options: PairsOptions) -> InputMaker:
    def make(image: Tensor, draw: np.random.Generator) -> Tensor:
        height, width = image.shape[-2:]
        small = (max(1, round(height / options.factor)), max(1, round(width / options.factor)))
        return size.resize(size.resize(image, small), (height, width))

    return make


def _palette(options: PairsOptions) -> InputMaker:
    return lambda image, draw: reduced(image, options.colors)


def _segments(options: PairsOptions) -> InputMaker:
    def make(image: Tensor, draw: np.random.Generator) -> Tensor:
        colors = palette(image, options.colors)
        return filled(colors, smoothed(nearest(image, colors), len(colors), options.radius))

    return make


CONDITIONS: dict[str, _Condition] = {
    "edges": _Condition(1, ("sigma", "strong", "weak", "shortest"), _edges),
    "grey": _Condition(1, (), _grey),
    "blur": _Condition(3, ("radius",), _blur),
    "low-resolution": _Condition(3, ("factor",), _low_resolution),
    "palette": _Condition(3, ("colors",), _palette),
    "segments": _Condition(3, ("colors", "radius"), _segments),
}
"""Kinds of input by name."""


# Pictures of few colors


def smoothed(labels: NDArray[np.uint8], count: int, radius: float) -> NDArray[np.uint8]:
    """The label [H, W], of `count`, with the largest share in a Gaussian window of `radius` pixels."""
    best, most = labels.copy(), np.zeros(labels.shape, np.float32)
    for label in range(count):
        share = ndimage.gaussian_filter((labels == label).astype(np.float32), radius, mode="reflect")
        best[share > most], most = label, np.maximum(share, most)
    return best
