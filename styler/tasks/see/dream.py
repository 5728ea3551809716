"""DeepDream: a picture that excites a layer, a channel or a class more and more (Mordvintsev et al. 2015).

From small to large octaves; of each only the detail is carried on, so that the photo's own is never lost.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.classifiers import Network, activation
from styler.engine.solvers import FixedSteps
from styler.events import Event, Note, Stage, Step
from styler.image.size import Size, resize, size_of
from styler.options.see import DreamOptions
from styler.tasks.see.units import Value, descent

Draw = Callable[[], tuple[str, Value]]
"""Name and value of what is to rise in the next step."""

STEP = 1.5 / 255
"""Mean change of a value in a step of strength 1."""
_JITTER = 32
"""Largest shift before each look, in pixels, where a picture is one tile."""
_SHORTEST = 64
"""Short side in pixels below which there is no octave."""
_GUIDE_PLACES, _PLACES = 4096, 4096
"""Places of a guide that are compared at most, and of the picture that are compared at once."""


def dream(
    image: Tensor, draw: Draw, options: DreamOptions, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, Tensor]:
    """Dream of an Image [1, 3, H, W]; the result has its size, and with no steps is its equal.

    Yields a Stage for each octave, from the smallest, and a Step for each step.
    """
    size = size_of(image)
    generator = torch.Generator().manual_seed(options.seed)
    detail = torch.zeros_like(image)
    schedule = octaves(size, options)
    if len(schedule) < options.octaves:
        yield Note(f"{len(schedule)} of {options.octaves} octaves: others would be under {_SHORTEST} pixels")
    for index, octave in enumerate(schedule, 1):
        base = resize(image, octave)
        x = (base + _resized(detail, octave)).clamp(0, 1)
        yield Stage(f"octave {index} of {len(schedule)}", *octave, options.steps)
        yield from _climb(x, draw, options, generator, stop)
        detail = x - base
        if index < len(schedule) and stop():
            break
    return (image + _resized(detail, size)).clamp(0, 1)


def octaves(size: Size, options: DreamOptions) -> list[Size]:
    """(height, width) of each octave, small to large; the last is `size`, whatever that is."""
    sizes: list[Size] = []
    for index in range(options.octaves):
        factor = options.octave_scale**index
        octave = (round(size[0] / factor), round(size[1] / factor))
        if index and min(octave) < _SHORTEST:
            break
        sizes.insert(0, octave)
    return sizes


def _resized(detail: Tensor, size: Size) -> Tensor:
    if tuple(detail.shape[-2:]) == size:
        return detail
    return F.interpolate(detail, size, mode="bilinear", align_corners=False, antialias=True)


def _climb(
    x: Tensor, draw: Draw, options: DreamOptions, generator: torch.Generator, stop: Callable[[], bool]
) -> Generator[Step, None, None]:
    """Move an Image in place, up the gradient of what is drawn for each step; values are from before."""
    solver = FixedSteps(x, STEP * options.strength, bounded=True)
    # Where there are tiles, their seams come to lie elsewhere in each step.
    most = [_JITTER if side <= options.tile else options.tile // 2 for side in x.shape[-2:]]
    for index in range(1, options.steps + 1):
        name, value = draw()
        shift = [int(torch.randint(-m, m + 1, (), generator=generator)) for m in most]
        raised, gradient = tiled(value, x.roll(shift, (2, 3)), options.tile)
        solver.tell(-float(raised), gradient.roll([-s for s in shift], (2, 3)))
        solver.move()
        yield Step(index, options.steps, {name: float(raised)}, x)
        if index < options.steps and stop():
            break


def tiled(value: Value, image: Tensor, tile: int) -> tuple[Tensor, Tensor]:
    """The mean value of an Image's tiles, and the gradient of its negative; no side over `tile` pixels."""
    gradient, mean = torch.empty_like(image), image.new_zeros(())
    for rows in _spans(image.shape[-2], tile):
        for columns in _spans(image.shape[-1], tile):
            piece = image[..., rows, columns].contiguous()
            share = piece[0, 0].numel() / image[0, 0].numel()
            raised, falling = descent(value, piece)
            gradient[..., rows, columns] = share * falling
            mean = mean + share * raised
    return mean, gradient


def _spans(side: int, tile: int) -> Iterator[slice]:
    """Nearly equal parts of a side, as few as may be."""
    count = -(-side // tile)
    return itertools.starmap(slice, itertools.pairwise(round(side * i / count) for i in range(count + 1)))


def guided(network: Network, layer: str, guide: Tensor) -> Value:
    """The value of an Image whose features are to become those of a guide's.

    Each place is led by the place of the guide that it is most like, by the dot product.
    """
    with torch.no_grad():
        goals = activation(network, guide, layer)[0].flatten(1)
        goals = goals[:, :: -(-goals.shape[1] // _GUIDE_PLACES)]

    def value(image: Tensor) -> Tensor:
        x = activation(network, image, layer)[0].flatten(1)
        with torch.no_grad():
            pieces = torch.split(x, _PLACES, 1)
            nearest = torch.cat([(piece.T @ goals).argmax(1) for piece in pieces])
        return (x * goals[:, nearest]).mean()

    return value


def zoomed(image: Tensor, factor: float) -> Tensor:
    """The middle of an Image, enlarged to its size."""
    height, width = image.shape[-2:]
    h, w = max(1, round(height / factor)), max(1, round(width / factor))
    top, left = (height - h) // 2, (width - w) // 2
    return resize(image[..., top : top + h, left : left + w], (height, width))
