"""Activation maximization: the picture that excites a channel or a class the most.

Olah et al. 2017 (Fourier spectra of decorrelated colors, random movements), or the original form of Simonyan
et al. 2013.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping

import torch
from torch import Tensor

from styler.classifiers import Network
from styler.engine.minimize import LIMITS, STILL, minimize
from styler.engine.parameterization import FourierImage, PixelImage
from styler.engine.solvers import Adam, FixedSteps, Solver
from styler.events import Event, Note, Stage
from styler.image.levels import at_limits, same
from styler.image.size import Size
from styler.image.warp import turned
from styler.options.see import ImagineOptions
from styler.tasks.see.units import Unit, Value, descent, raising, value_of

_SHIFT, _SCALE, _ANGLE = 8.0, 0.1, math.radians(10)
"""Largest movements before each look: pixels, share of the size, radians."""
_PLAIN_STEP, _DECAY = 0.003, 0.02
"""Of `--plain`: mean change of a value in a step, and the share of the way back to the mean that is L2."""


def imagine(
    network: Network,
    unit: Unit,
    size: Size,
    options: ImagineOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Tensor]:
    """Make the Image [1, 3, H, W] that excites `unit`; yields a Stage and a Step for each step.

    Which picture it is depends on `options.seed`, but with `plain_`, which starts from the network's mean.
    """
    draw = torch.Generator().manual_seed(options.seed)
    image, solver = _start(network, size, options, draw)
    value = value_of(network, unit)

    def evaluate(current: Tensor) -> tuple[Mapping[str, Tensor], Tensor]:
        seen = value if options.plain_ else _moved(value, draw)
        raised, gradient = descent(seen, current)
        return {str(unit): -raised}, gradient

    yield Stage(str(unit), *size, options.steps)
    before = image().detach().clone()
    made = yield from raising(minimize(image, evaluate, solver, options.steps, stop))
    if same(before, made):
        yield Note(f"{unit}: {STILL}: give --steps or --learning-rate more")
    elif at_limits(made):
        rate = f"use a smaller --learning-rate than {options.learning_rate:g}"
        yield Note(f"{unit}: {LIMITS}: {'give fewer --steps' if options.plain_ else rate}")
    return made.clamp(0, 1)


def _start(
    network: Network, size: Size, options: ImagineOptions, draw: torch.Generator
) -> tuple[FourierImage | PixelImage, Solver]:
    """The image to begin with, and what moves it."""
    if options.plain_:
        mean = network.mean.expand(1, 3, *size)
        pixels = PixelImage(mean)
        return pixels, FixedSteps(
            pixels.parameter.data, _PLAIN_STEP, bounded=False, center=mean, decay=_DECAY
        )
    image = FourierImage.noise(size, draw).to(network.mean.device)
    return image, Adam(image.parameter.data, options.learning_rate, bounded=False)


def _moved(value: Value, draw: torch.Generator) -> Value:
    """The value of an Image that is shifted, turned and scaled at random, so that no pixel matters alone."""
    down, right, scale, angle = (2 * torch.rand(4, generator=draw) - 1).tolist()
    shift = (_SHIFT * down, _SHIFT * right)
    return lambda image: value(turned(image, _ANGLE * angle, 1 + _SCALE * scale, shift))
