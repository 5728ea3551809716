"""Training of networks that enlarge: pairs of small and large pictures, networks, losses, validation."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from styler.device import form_for
from styler.engine.fit import TrainingState, fit
from styler.errors import InputError
from styler.events import TrainStep
from styler.features import Extractor
from styler.image.conditions import Pair
from styler.image.degrade import BLOCK, Degradation, degraded
from styler.image.size import SMALLEST, resize
from styler.losses.metrics import enlarging_scores
from styler.losses.perceptual import grid_pattern
from styler.networks.enlarge import JOHNSON, SRRESNET, EnlargeArchitecture, EnlargeNetwork
from styler.networks.layers import initialize
from styler.networks.patch import (
    HALVINGS,
    DenseDiscriminator,
    Discriminator,
    PatchArchitecture,
    PatchDiscriminator,
    smallest_side,
)
from styler.options.enlarge import Enlarger, TrainEnlargeOptions
from styler.processes import ALONE, Group
from styler.tasks.enlarge.enlarger import STORED
from styler.tasks.train_translate import GAN, RIVALS, PictureLoss, optimizers, perceptual_loss, step_of

BETAS = (0.9, 0.99)
"""Moment decays of Adam (Wang et al. 2021)."""
ARCHITECTURES: Mapping[Enlarger, EnlargeArchitecture] = {
    "plain": EnlargeArchitecture(),
    "johnson": JOHNSON,
    "srresnet": SRRESNET,
}
LEAST = BLOCK + SMALLEST
"""The shortest side of a small picture that a pair can be made of, in pixels."""
BICUBIC = "bicubic "
"""Before a kind of pair in scores: those of bicubic enlargement."""
_VALIDATED = {"clean": 0.0, "damaged": 0.5}
"""Strengths of the damage in pictures that are validated on."""


def train_enlarge(
    networks: GAN[EnlargeNetwork],
    extractor: Extractor | None,
    batches: Callable[[int], Pair],
    options: TrainEnlargeOptions,
    start: TrainingState | None = None,
    stop: Callable[[], bool] = lambda: False,
    group: Group = ALONE,
) -> Generator[TrainStep | TrainingState, None, TrainingState]:
    """Train a network that enlarges, and its discriminator if there is one; see `train_translate`."""
    form, more = form_for(options.precision, networks.accuracy.device), dict[str, PictureLoss]()
    if options.perceptual_weight:
        assert extractor is not None
        weight, layers = options.perceptual_weight, options.perceptual_layers
        more["generator/perceptual"] = perceptual_loss(extractor, form, weight, layers)
    if options.grid_weight:
        more["generator/grid"] = _grid_loss(options)
    step = step_of(networks, more, form, group=group)
    adam = optimizers(networks, options, BETAS)
    return (yield from fit(step, batches, networks, adam, options, start, stop, group, RIVALS))


def _grid_loss(options: TrainEnlargeOptions) -> PictureLoss:
    """Power of patterns in step with the small pixels, in the difference to the true picture."""
    period = int(options.factor)
    window = period * (options.crop - BLOCK)
    return lambda image, targets: options.grid_weight * grid_pattern(image.float() - targets, period, window)


def new_enlarger(options: TrainEnlargeOptions) -> GAN[EnlargeNetwork]:
    """Networks with random weights, from torch's own seed."""
    generator = EnlargeNetwork(architecture_for(options))
    if not (options.gan_weight or options.feature_weight):
        return GAN(generator, None, options)
    discriminator = _discriminator(options)
    initialize(discriminator, options.seed + 1)
    return GAN(generator, discriminator, options)


def _discriminator(options: TrainEnlargeOptions) -> Discriminator:
    """Discriminator of large pictures; InputError if the crops are too small for it."""
    side = int(options.factor) * (options.crop - BLOCK)
    if options.discriminator == "dense":
        return DenseDiscriminator(side, options.discriminator_width)
    config = PatchArchitecture(
        inputs=3,
        width=options.discriminator_width,
        halvings=HALVINGS[int(options.field)],
        scales=options.scales,
        spectral=options.spectral,
    )
    if side < (least := smallest_side(config)):
        crop = math.ceil(least / int(options.factor)) + BLOCK
        raise InputError(
            f"--crop is {options.crop}, too small for --field {options.field}: use --crop {crop}, "
            "or a smaller --field"
        )
    return PatchDiscriminator(config)


def architecture_for(options: TrainEnlargeOptions) -> EnlargeArchitecture:
    """Architecture of the network that enlarges."""
    return replace(
        ARCHITECTURES[options.network],
        factor=4 if options.factor == "4" else 2,
        width=options.width,
        blocks=options.blocks,
        upsampling=options.upsampling,
    )


# What it learns from


def pair_of(image: Tensor, options: TrainEnlargeOptions, inputs: int, draw: np.random.Generator) -> Pair:
    """A small picture, damaged as is drawn for it, and the Image [1, 3, H, W] that it was.

    The level of cleaning is the most damage that there may be, not the damage that there is: so the network
    looks for itself, and at level 0 it knows of none.
    """
    level = 0.0 if draw.random() < options.clean_pairs else draw.random()
    worst = Degradation(options.blur, options.noise, options.jpeg)
    small, target = degraded(image, int(options.factor), level * draw.random(), worst, draw)
    return Pair(leveled(small, level, inputs), target)


def leveled(small: Tensor, level: float, inputs: int) -> Tensor:
    """A small Image [N, 3, h, w] with the level of cleaning as a fourth channel, if the network has it."""
    return small if inputs == 3 else torch.cat([small, torch.full_like(small[:, :1], level)], 1)


def joined(pairs: Sequence[Pair]) -> Pair:
    """A batch of pairs."""
    return Pair(torch.cat([pair.inputs for pair in pairs]), torch.cat([pair.targets for pair in pairs]))


# Validation


def validation_pairs(
    pictures: Sequence[Tensor], options: TrainEnlargeOptions, inputs: int
) -> dict[str, list[Pair]]:
    """Pairs of whole pictures, Images [1, 3, H, W], by what was done to the small ones."""
    factor, worst = int(options.factor), Degradation(options.blur, options.noise, options.jpeg)
    pairs: dict[str, list[Pair]] = {}
    for name, strength in _VALIDATED.items():
        pairs[name] = []
        for index, picture in enumerate(pictures):
            height, width = (side // factor * factor for side in picture.shape[-2:])
            draw = np.random.default_rng((options.seed, index))
            small, target = degraded(picture[..., :height, :width], factor, strength, worst, draw)
            pairs[name].append(Pair(leveled(small, strength, inputs), target))
    return pairs


@torch.inference_mode()
def validate(
    network: EnlargeNetwork, pairs: Mapping[str, Sequence[Pair]], extractor: Extractor
) -> dict[str, dict[str, float]]:
    """Mean `enlarging_scores` of a network, and of bicubic enlargement, by kind of pair."""
    device, scores = next(network.parameters()).device, {}
    for kind, some in pairs.items():
        ours = [network(pair.inputs.to(device), STORED).clamp(0, 1) for pair in some]
        plain = [bicubic(pair.inputs[:, :3], network.scale).to(device) for pair in some]
        for name, images in (("", ours), (BICUBIC, plain)):
            each = [
                enlarging_scores(image, pair.targets.to(device), extractor)
                for image, pair in zip(images, some, strict=True)
            ]
            if each:
                scores[name + kind] = {
                    key: float(f"{sum(one[key] for one in each) / len(each):.5g}") for key in each[0]
                }
    return scores


def bicubic(image: Tensor, factor: int) -> Tensor:
    """An Image enlarged without a network."""
    height, width = image.shape[-2:]
    return resize(image, (factor * height, factor * width))
