"""Translating pictures with a trained generator, and how far its samples of one picture lie apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from styler.image import edges
from styler.image.color import colored, in_channels
from styler.image.conditions import Make, condition
from styler.image.edges import Edges
from styler.networks import strips
from styler.networks.kinds import PictureNetwork
from styler.networks.layers import Mode, Moments, norms_of
from styler.options.fields import parse_range
from styler.options.translate import TranslateOptions
from styler.tasks.onepass import Bounded, suited

Reading = Literal["picture", "photo", "sketch"]
"""What inputs are: what the network takes, photos of which that is still to be made, or drawings to clean."""
PREPARING = 112
"""Bytes for each pixel that drawing edges, the hungriest preparation, takes at its peak, as measured."""
WHITE, PAPER = 0.9, 0.5
"""Brightness from which a pixel is white, and the share of white pixels in drawings."""


# What the network takes


@dataclass(frozen=True)
class Preparation:
    """Makes of Images [1, 3, H, W] what a network takes, [1, inputs, H, W].

    Attributes:
        inputs: channels, 1 or 3.
        reading: what the Images are.
        made_by: name and parameters of the condition that made the inputs in training, if one did; photos
            need it.
    """

    inputs: int
    reading: Reading = "picture"
    made_by: Mapping[str, Any] | None = None

    def __call__(self, image: Tensor) -> Tensor:
        """What the network takes."""
        if self.reading == "photo":
            assert self.made_by is not None
            image = condition_of(self.made_by)(image, np.random.default_rng(0))
        if self.reading == "sketch":
            image = edges.clean(image, (self.made_by or {}).get("shortest", Edges.shortest))
        return in_channels(image, self.inputs)

    def needed(self, height: int, width: int) -> int:
        """Bytes that it takes at its peak."""
        return 0 if self.reading == "picture" else PREPARING * height * width


def condition_of(made_by: Mapping[str, Any]) -> Make:
    """What makes inputs of photos as in a training; of a range of blurs always with the middle one.

    Raises InputError for a name or for parameters that no condition has.
    """
    parameters = {key: value for key, value in made_by.items() if key != "name"}
    if isinstance(blur := parameters.get("sigma"), str):
        low, high = parse_range(blur)
        parameters["sigma"] = f"{(low + high) / 2:g}"
    return condition(made_by["name"], parameters)


def is_drawn(image: Tensor) -> bool:
    """Whether an Image is mostly white, as drawings are and photos are not."""
    return float((image > WHITE).float().mean()) > PAPER


# The network


@dataclass(eq=False)
class Translator(Bounded):
    """A generator that translates Images, one at a time.

    Attributes:
        network: on its device.
        mode: by which statistics, and the seed of its dropout; frames of a film get the same masks.
        prepare: makes of an Image [1, 3, H, W] what the network takes, [1, inputs, H, W].
    """

    network: PictureNetwork
    mode: Mode
    prepare: Preparation

    @property
    def place(self) -> torch.device:
        """Where the network is."""
        return next(self.network.parameters()).device

    @property
    def measures(self) -> bool:
        """With stored statistics, and without norms, it looks at none."""
        return self.mode.statistics != "stored" and bool(norms_of(self.network))

    def __call__(self, image: Tensor, moments: Sequence[Moments] | None = None) -> Tensor:
        """As in `Bounded`: the translated Image."""
        return self.finished(self.seen(image), moments)

    def finished(self, x: Tensor, moments: Sequence[Moments] | None = None) -> Tensor:
        """The Image [1, 3, H, W] that the network makes of what it is given."""
        return colored(self.made(x, moments).clamp_(0, 1)).contiguous()

    def seen(self, image: Tensor) -> Tensor:
        """What is made of the Image for the network."""
        return self.prepare(image.to("cpu", torch.float32))

    def run(
        self, x: Tensor, rows: int, moments: Sequence[Moments] | None, found: list[Moments] | None
    ) -> Tensor:
        """As in `Bounded`."""
        mode = replace(self.mode, moments=moments)
        return strips.paint(self.network, x, mode, rows, record=found, form=self.form)

    def needed(self, height: int, width: int, rows: int) -> int:
        """As in `Bounded`; what is made for the network is made before it works."""
        running = strips.memory(self.network, height, width, rows, self.form.dtype)
        return max(running, self.prepare.needed(height, width))

    def thinnest(self, width: int) -> int:
        """As in `Bounded`."""
        return strips.thinnest(self.network, width, self.form.dtype)

    def samples(self, x: Tensor, count: int) -> Iterator[Tensor]:
        """Images made of what the network is given, with the dropout of `count` seeds from the mode's on."""
        seed, worker = self.mode.dropout, self
        assert seed is not None
        for index in range(count):
            worker = replace(worker, mode=replace(self.mode, dropout=seed + index))
            yield worker.finished(x)
        self.largest = worker.largest


def translator(
    network: PictureNetwork,
    mode: Mode,
    prepare: Preparation,
    options: TranslateOptions,
    sample: Tensor,
    work: int | None = None,
) -> Translator:
    """A Translator that obeys `options`; `sample` and `work` are as for `suited`."""
    return suited(Translator(network, mode, prepare), options, sample, work)


# Samples


class Spread:
    """How far samples of one picture lie apart, which are added one at a time."""

    def __init__(self, first: Tensor) -> None:
        self.first, self.count = first, 1
        self.sum, self.squares = torch.zeros_like(first), torch.zeros_like(first)

    def add(self, sample: Tensor) -> None:
        """One more sample, an Image [1, 3, H, W]."""
        difference = sample - self.first  # of like numbers, so that the squares' sum is exact enough
        self.sum += difference
        self.squares += difference.square_()
        self.count += 1

    def map(self) -> Tensor:
        """Standard deviation over the samples at each pixel, [1, 1, H, W]: root mean square of channels."""
        variance = self.squares / self.count - (self.sum / self.count).square()
        return variance.clamp_min(0).mean(1, keepdim=True).sqrt()
