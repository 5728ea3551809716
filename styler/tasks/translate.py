"""Translation of pictures with a trained generator, and the spread of its samples of one picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from styler.image import edges
from styler.image.color import colored, in_channels
from styler.image.conditions import InputMaker, condition, grained
from styler.image.edges import Edges
from styler.image.size import Size, fit, resize, size_of
from styler.networks.kinds import PictureNetwork
from styler.networks.layers import Mode, extended, norms_of
from styler.options.fields import parse_range
from styler.tasks.onepass import GRAINING, OnePass

Statistics = Literal["picture", "stored"]
"""Statistics of the norms: the picture's own, or those of the training."""
Reading = Literal["picture", "photo", "sketch"]
"""Kind of Images given: the network's input as it is, photos to make it of, or drawings to clean."""
PREPARING = 112
"""Bytes for each pixel that edge detection, the hungriest preparation, takes at its peak, as measured."""
_CELL, _LEAST_CELL = 512, 128
"""Sides in pixels of the largest and the smallest cells of a sheet of samples."""
_WHITE, _PAPER = 0.9, 0.5
"""Brightness from which a pixel is white, and the share of white pixels in drawings."""


# Input of the network


@dataclass(frozen=True)
class Preparation:
    """Preparation of Images [1, 3, H, W] as a network's input, [1, inputs, H, W], in two steps.

    Attributes:
        inputs: channels, 1 or 3.
        reading: what the Images are.
        made_by: name and parameters of the condition that made the inputs in training, if one did; photos
            need it.
        tints: colors of the paper among which the seed chooses, as in `Translation`.
        grain: of the noise that comes to the inputs, see `image.grain`.
        margin: pixels that inputs get at the right and at the bottom, as in `Translation`.
        seed: of that choice, and of the noise.
    """

    inputs: int
    reading: Reading = "picture"
    made_by: Mapping[str, Any] | None = None
    tints: Sequence[Sequence[float]] = ()
    grain: float = 0.0
    margin: int = 0
    seed: int = 0

    def __call__(self, image: Tensor) -> Tensor:
        """Prepare an Image."""
        return self.sown(self.drawn(image))

    def drawn(self, image: Tensor) -> Tensor:
        """What the network is to see of an Image, of one channel where paper must still be chosen."""
        own = edges.tint_of(image) if self.tints and self.reading != "photo" else None
        if own and self.reading == "picture":
            return image
        if self.reading == "photo":
            assert self.made_by is not None
            image = condition_of(self.made_by)(image, np.random.default_rng(0))
        if self.reading == "sketch":
            image = edges.clean(image, (self.made_by or {}).get("shortest", Edges.shortest))
        if own:
            return edges.tinted(image, own)
        return in_channels(image, 1 if self.tints else self.inputs)

    def sown(self, drawn: Tensor, ahead: int = 0) -> Tensor:
        """The network's input by the seed so far ahead: with its margin and grain, on its paper if open."""
        seed = self.seed + ahead
        if self.tints and drawn.shape[1] == 1:
            drawn = edges.tinted(drawn, self.tints[seed % len(self.tints)])
        return grained(extended(drawn, self.margin), self.grain, (seed,))


def condition_of(made_by: Mapping[str, Any]) -> InputMaker:
    """Condition that makes inputs of photos as in a training; of a range of blurs always the middle one.

    Raises InputError for a name or for parameters that no condition has.
    """
    parameters = {key: value for key, value in made_by.items() if key != "name"}
    if isinstance(blur := parameters.get("sigma"), str):
        low, high = parse_range(blur)
        parameters["sigma"] = f"{(low + high) / 2:g}"
    return condition(made_by["name"], parameters)


def is_drawn(image: Tensor) -> bool:
    """Whether an Image is mostly white, as drawings are and photos are not."""
    return float((image > _WHITE).float().mean()) > _PAPER


def is_blank(image: Tensor) -> bool:
    """Whether all pixels of an Image are the same."""
    return bool(image.min() == image.max())


# The network


def translator(
    network: PictureNetwork, statistics: Statistics, seed: int | None, prepare: Preparation
) -> OnePass:
    """One pass that translates photos.

    Args:
        network: on its device.
        statistics: that its norms work by.
        seed: of its dropout, None for no dropout; frames of a video get the same masks.
        prepare: from an Image [1, 3, H, W] to the network's input, [1, inputs, H, W].
    """
    return OnePass(
        network,
        Mode(statistics, seed),
        prepare,
        finish=lambda image, output: colored(
            output[..., : image.shape[-2], : image.shape[-1]].clamp(0, 1)
        ).contiguous(),
        measures=statistics != "stored" and bool(norms_of(network)),
        preparing=PREPARING if prepare.reading != "picture" else GRAINING if prepare.grain else 0,
    )


# Samples


def samples(
    translate: OnePass, image: Tensor, inputs: Callable[[int], Tensor], count: int
) -> Iterator[Tensor]:
    """Images made of `count` inputs of the network, with the dropout of as many seeds from the mode's on.

    All are inputs of one Image, and as large.
    """
    mode = translate.mode
    for index in range(count):
        dropout = None if mode.dropout is None else mode.dropout + index
        sampled = replace(translate, mode=replace(mode, dropout=dropout))
        yield sampled.finish(image, sampled.run(inputs(index)))


class Spread:
    """Spread of the samples of one picture, which are added one at a time."""

    def __init__(self, first: Tensor) -> None:
        self.first, self.count = first, 1
        self.sum, self.squares = torch.zeros_like(first), torch.zeros_like(first)

    def add(self, sample: Tensor) -> None:
        """Add a sample, an Image [1, 3, H, W]."""
        difference = sample - self.first  # of like numbers, so that the squares' sum is exact enough
        self.sum += difference
        self.squares += difference.square_()
        self.count += 1

    def map(self) -> Tensor:
        """Standard deviation over the samples at each pixel, [1, 1, H, W]: root mean square of channels."""
        variance = self.squares / self.count - (self.sum / self.count).square()
        return variance.clamp_min(0).mean(1, keepdim=True).sqrt()


def sample_cells(
    translate: OnePass, x: Tensor, inputs: Callable[[int], Tensor], count: int
) -> tuple[list[Tensor], Size, float]:
    """Cells of a sheet of samples, their (height, width), and the largest spread, which is white in the last.

    Images [1, 3, h, w]: the drawing `x`, the samples of the network's `inputs`, and the map of their spread.
    """
    own = size_of(x)
    size = fit(own, min(max(*own, _LEAST_CELL), _CELL))
    images = samples(translate, x, inputs, count)
    spread = Spread(first := next(images))
    cells = [colored(x), resize(first, size)]
    for image in images:
        spread.add(image)
        cells.append(resize(image, size))
    differences = F.interpolate(spread.map(), size, mode="area")
    most = float(differences.max())
    return [*cells, colored(differences / max(most, 1e-6))], size, most
