"""Feature inversion: pictures that a network sees as it sees a given one (Mahendran and Vedaldi 2015)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial

import torch
from torch import Tensor

from styler.engine.minimize import at_once, minimize
from styler.engine.parameterization import PixelImage
from styler.engine.solvers import LBFGS
from styler.events import Event, Stage
from styler.features import Extractor, borderless
from styler.image.size import size_of
from styler.losses.perceptual import Term, Walk, alpha_norm, gradient_norm, objective
from styler.options.synthesis import InvertOptions

HISTORY = 20
"""Pairs of vectors that L-BFGS remembers: here it has to find details, where a painting needs forms."""
_VARIATION = {"1": 0.0, "2": 0.01, "3": 0.1, "4": 0.4, "5": 0.3}
"""Weight of the total variation by block, chosen by eye: the first one leaves nothing to be guessed."""
_SCALE = 6.84
"""What makes the mean over pixels of [0, 1] the sum of Mahendran and Vedaldi, over their usual norm."""
_WALL = 23.0
"""Weight of the alpha-norm of pixels in [0, 1]: theirs (8e-10 / 2, of 255 levels, alpha 6) as a mean."""


def invert(
    features: Tensor,
    layer: str,
    start: Tensor,
    extractor: Extractor,
    options: InvertOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Tensor]:
    """Reconstruct a picture from its features [1, C, h, w] at a layer.

    Args:
        start: Image [1, 3, H, W] to begin with, usually `noise`.
        stop: asked after each step; once true, the picture as it stands is returned.

    Yields a Stage and a Step for each step. Returns the Image, in [0, 1].

    Raises:
        DivergedError: with the best `image` so far.
    """
    terms = [Term("features", layer, 1.0, lambda x: relative_error(x, features))]
    if weight := regularizer_weight(layer, options):
        norm = alpha_norm if options.regularizer == "alpha" else partial(gradient_norm, beta=options.beta)
        terms.append(Term(options.regularizer, "image", weight, norm))
    image = PixelImage(start)
    yield Stage(layer, *size_of(start), options.steps)
    evaluate = at_once(objective(walk_of(extractor, options), terms))
    solver = LBFGS(image.parameter.data, HISTORY)
    return (yield from minimize(image, evaluate, solver, options.steps, stop)).clamp(0, 1)


def walk_of(extractor: Extractor, options: InvertOptions) -> Walk:
    """The network as the options run it."""
    padding = borderless(extractor) if options.padding == "auto" else options.padding
    return partial(extractor.walk, pooling=options.pooling, padding=padding)


def relative_error(x: Tensor, features: Tensor) -> Tensor:
    """Squared distance of features over the squared norm of those that are wanted; a scalar."""
    return (x - features).square().sum() / features.square().sum().clamp_min(1e-12)


def regularizer_weight(layer: str, options: InvertOptions) -> float:
    """Weight of the regularizer at a layer; that of the total variation grows with the depth."""
    if options.regularizer == "none":
        return 0.0
    if options.regularizer == "alpha":
        return options.strength * _WALL
    block = next(character for character in layer if character.isdigit())
    return options.strength * _SCALE * _VARIATION[block]


def noise(like: Tensor, seed: int) -> Tensor:
    """Noise around middle gray, of an Image's size; from the seed alone, whatever the device."""
    drawn = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
    return (0.5 + 0.1 * drawn).to(like)


def spread(images: Tensor) -> Tensor:
    """Standard deviation of reconstructions [N, 3, H, W] at each pixel, over all colors: [1, 1, H, W]."""
    return images.var(0, correction=0, keepdim=True).mean(1, keepdim=True).sqrt()
