"""What networks are trained on: crops of photos, or noise; each a function of (seed, step) alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from styler.errors import InputError
from styler.networks.texture import TextureNetwork
from styler.options.fast import TrainFastOptions
from styler.processes import Group
from styler.storage.datasets.photos import Pictures
from styler.storage.pictures.load import load_picture
from styler.tasks.train_fast import Inputs

CALIBRATION = 4
"""Batches of photos that tell how far photos are from the styles."""
SAMPLES = 4
"""Pictures in a preview of each style."""
SAMPLE_SIDE = 256
"""Their long side in pixels."""


@dataclass(frozen=True)
class Feed:
    """What a network is trained on.

    Attributes:
        batch: step -> this process's part of the inputs, on the CPU.
        calibration: batches of photos that are not trained on, the same in all processes; none of noise.
        samples: inputs for previews, of one picture each, the same throughout.
        pictures: the datasets that it comes from, none for noise.
    """

    batch: Callable[[int], Inputs]
    calibration: Sequence[Tensor]
    samples: Sequence[Inputs]
    pictures: Sequence[Pictures] = ()

    def digest(self) -> str:
        """Tells datasets apart; empty for noise."""
        return " ".join(pictures.digest() for pictures in self.pictures)

    def skipped(self) -> int:
        """How many pictures could not be read so far."""
        return sum(len(pictures.skipped) for pictures in self.pictures)


def photo_feed(dataset: str, options: TrainFastOptions, group: Group) -> Feed:
    """Crops of the photos in a folder or list; a few are held out for the previews.

    Raises:
        InputError: if there is none.
    """
    pictures = Pictures(dataset, options.seed, hold_out=SAMPLES)
    count = options.batch * group.size
    return Feed(
        lambda step: pictures.batch(step, options.batch, options.crop, group.rank * options.batch),
        [pictures.batch(options.steps + i, count, options.crop) for i in range(CALIBRATION)],
        _readable(pictures) or [pictures.batch(options.steps, 1, SAMPLE_SIDE)],
        [pictures],
    )


def noise_feed(network: TextureNetwork, options: TrainFastOptions, group: Group) -> Feed:
    """Noise for a texture network."""
    first, count = group.rank * options.batch, options.batch * group.size

    def batch(step: int) -> Inputs:
        seed = int(np.random.default_rng((options.seed, step)).integers(2**63))
        noise = network.noise(options.crop, options.crop, seed, count)
        return [scale[first : first + options.batch] for scale in noise]

    samples = [network.noise(SAMPLE_SIDE, SAMPLE_SIDE, seed) for seed in range(SAMPLES)]
    return Feed(batch, [], samples)


def moved(inputs: Inputs, place: torch.device) -> Inputs:
    """The same on another device."""
    if isinstance(inputs, Tensor):
        return inputs.to(place)
    return [noise.to(place) for noise in inputs]


def _readable(pictures: Pictures) -> list[Inputs]:
    """The pictures that are held out, as far as they can be read."""
    found: list[Inputs] = []
    for path in pictures.held:
        try:
            found.append(load_picture(path, long_side=SAMPLE_SIDE).image)
        except InputError as error:
            pictures.skipped[str(path)] = str(error)
    return found
