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
from styler.options.translate import EdgeOptions, PairsOptions

InputMaker = Callable[[Tensor, np.random.Generator], Tensor]
"""From a photo [1, 3, H, W] and a source of randomness to an input [1, C, H, W]."""

SAMPLES, ROUNDS = 4096, 12
"""Pixels that a palette is computed from, and rounds of k-means."""


@dataclass(frozen=True)
class Pair:
    """Aligned Images: inputs [N, I, H, W] and targets [N, O, H, W]."""

    inputs: Tensor
    targets: Tensor


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
    def make(image: Tensor, draw: np.random.Generator) -> Tensor:
        colors = palette(image, options.colors)
        return _filled(colors, nearest(image, colors))

    return make


def _segments(options: PairsOptions) -> InputMaker:
    def make(image: Tensor, draw: np.random.Generator) -> Tensor:
        colors = palette(image, options.colors)
        return _filled(colors, smoothed(nearest(image, colors), len(colors), options.radius))

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
    order = (colors @ colors.new_tensor(color.LUMA)).argsort(stable=True)
    return colors[order]


def nearest(image: Tensor, colors: Tensor) -> NDArray[np.uint8]:
    """The index [H, W] of the color nearest to each pixel of an Image [1, 3, H, W], of at most 256 [K, 3]."""
    rows = [_distances(row.T, colors).argmin(1).to(torch.uint8) for row in image[0].unbind(1)]
    return torch.stack(rows).numpy()


def _distances(pixels: Tensor, colors: Tensor) -> Tensor:
    """Distances [N, K] of pixels [N, 3] from colors [K, 3]; exact, unlike torch's faster way by products."""
    return torch.cdist(pixels, colors, compute_mode="donot_use_mm_for_euclid_dist")


def smoothed(labels: NDArray[np.uint8], count: int, radius: float) -> NDArray[np.uint8]:
    """The label [H, W], of `count`, with the largest share in a Gaussian window of `radius` pixels."""
    best, most = labels.copy(), np.zeros(labels.shape, np.float32)
    for label in range(count):
        share = ndimage.gaussian_filter((labels == label).astype(np.float32), radius, mode="reflect")
        best[share > most], most = label, np.maximum(share, most)
    return best


def _filled(colors: Tensor, labels: NDArray[np.uint8]) -> Tensor:
    """The Image [1, 3, H, W] of labels [H, W] in the colors [K, 3]."""
    return colors[torch.from_numpy(labels.astype(np.int64))].permute(2, 0, 1)[None].contiguous()
