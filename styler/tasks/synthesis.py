"""Pictures of features alone: textures (Gatys et al. 2015), and inversions (Mahendran and Vedaldi 2015).

A texture is an image from noise with the statistics of a style's features, coarse to fine, and with a border
that wraps around where it is to repeat itself. An inversion is a picture that a network sees as it sees a
given one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from functools import partial

import torch
from torch import Tensor

from styler.engine.minimize import STILL, at_once, minimize
from styler.engine.parameterization import (
    HalfChromaImage,
    Parameterization,
    PixelImage,
    PyramidImage,
    inner,
    wrapped,
)
from styler.engine.solvers import LBFGS
from styler.engine.terms import Region, style_error, typical
from styler.events import Event, Note, Stage
from styler.features import Extractor, borderless
from styler.image.color import match_colors
from styler.image.levels import same
from styler.image.size import SMALLEST, Size, resize, scales, seen, shrink_periodic, size_of
from styler.losses.perceptual import WHOLE, Term, Walk, alpha_norm, gradient_norm, objective
from styler.losses.style import LEVELS, STATISTICS
from styler.options.optimize import OptimizeOptions
from styler.options.shared import StyleLoss
from styler.options.synthesis import TEXTURE_LAYERS, InvertOptions, TextureOptions
from styler.tasks import optimize as painting

# Textures


def texture(
    style: Tensor,
    size: Size,
    extractor: Extractor,
    options: TextureOptions,
    up_to: str,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Tensor]:
    """Make a texture of a style.

    Args:
        style: Image [1, 3, H, W] on the extractor's device, at the size at which it is seen.
        size: (height, width) of the texture.
        up_to: the deepest layer that is matched.
        stop: asked after each step; once true, the texture as it stands is returned, at its full size.

    Yields a Stage for each scale and a Step for each step of it. Returns the Image, in [0, 1].

    Raises:
        InputError: for a layer that the network does not have, or a picture too small for it.
        DivergedError: with the best `image` so far.
    """
    schedule, likeness = sizes(size, options), as_painting(options, extractor, up_to)
    moved, losses = False, list[painting.Ends]()
    image = match_colors(_white_noise(schedule[0], options.seed).to(style), style)
    for index, scale in enumerate(schedule, 1):
        last = index == len(schedule)
        steps = options.steps if last else options.coarse_steps
        evaluate = at_once(_objective(style, scale[0] / schedule[-1][0], extractor, options, up_to))
        parameterization = _parameterize(_enlarged(image, scale, options), options, last)
        yield Stage(f"{up_to}, scale {index} of {len(schedule)}", *scale, steps)
        solver = painting.make_solver(parameterization, likeness, options.history)
        before = parameterization().detach().clone()
        image = (yield from minimize(parameterization, evaluate, solver, steps, stop)).clamp(0, 1)
        moved, losses = moved or not same(before, image), [*losses, *painting.ends(solver)]
        if not last and stop():
            break
    yield from painting.remarks(likeness, moved, losses, "give --steps more, or another style")
    image = _enlarged(image, schedule[-1], options)
    return shrink_periodic(image, size) if options.tileable else image


def sizes(size: Size, options: TextureOptions) -> list[Size]:
    """(height, width) of each scale, coarse to fine.

    Each is exactly half the next of a texture that repeats itself, and the coarsest a multiple of 16, so that
    every pooling wraps around; the last one is then a little larger than the texture.
    """
    schedule = scales(size, options.scales)
    if not options.tileable:
        return schedule
    doublings = len(schedule) - 1
    height, width = (SMALLEST * math.ceil(side / (SMALLEST << doublings)) for side in size)
    return [(height << i, width << i) for i in range(doublings + 1)]


def texture_size(style: Size, options: TextureOptions) -> Size:
    """(height, width) of the texture of a style of that size."""
    wanted = style if options.size is None else options.size
    return (wanted, wanted) if isinstance(wanted, int) else wanted


def depths(extractor: Extractor, up_to: str) -> tuple[str, ...]:
    """The layers that are matched up to a layer, shallow to deep; InputError for one that is not there."""
    reached = extractor.needed({up_to})
    return tuple(name for name in reached if name in TEXTURE_LAYERS or name == up_to)


def count(widths: Sequence[int], loss: StyleLoss) -> int:
    """Numbers that make a texture: symmetric matrices of layers with so many channels, means or quantiles."""
    matrices, means = sum(width * (width + 1) // 2 for width in widths), sum(widths)
    return {"gram": matrices, "mean": means, "sliced": LEVELS * means}.get(loss, matrices + means)


def as_painting(options: TextureOptions, extractor: Extractor, up_to: str) -> OptimizeOptions:
    """The same solver and layers as options of `styler optimize`, for memory and solver."""
    names = tuple((name, 1.0) for name in depths(extractor, up_to))
    shared = {name: getattr(options, name) for name in ("optimizer", "history", "learning_rate")}
    return OptimizeOptions(
        style_layers=names,
        content_layers=names[:1],
        content_loss="squared",
        parameterization=options.parameterization,
        **shared,
    )


def _objective(
    style: Tensor, scale: float, extractor: Extractor, options: TextureOptions, up_to: str
) -> Callable[[Tensor], dict[str, Tensor]]:
    """The objective at a scale relative to the full size, at which the style is smaller too."""
    names = depths(extractor, up_to)
    padding = borderless(extractor) if options.padding == "auto" else options.padding
    walk = partial(extractor.walk, pooling=options.pooling, padding=padding)
    usual, statistic = typical(extractor, set(names), walk), STATISTICS[options.style_loss]
    own = size_of(style)
    with torch.no_grad():
        found = walk(resize(style, seen(own, round(scale * max(own)))), set(names))
        gather = statistic.gather([None])
        targets = {name: statistic.targets(gather(features, WHOLE), [None]) for name, features in found}
    region = [Region(None, 1.0, ())]
    terms = [
        Term(f"style/{name}", name, 1 / len(names), error, gather)
        for name in names
        for error in (style_error(statistic, region, [None], targets[name], usual[name]),)
    ]
    border = "circular" if options.tileable else padding
    return objective(partial(extractor.walk, pooling=options.pooling, padding=border), terms)


def _parameterize(start: Tensor, options: TextureOptions, last: bool) -> Parameterization:
    if options.parameterization == "pixels":
        return PixelImage(start)
    return (HalfChromaImage if last else PyramidImage)(start, options.tileable)


def _enlarged(image: Tensor, size: Size, options: TextureOptions) -> Tensor:
    """The image at a finer scale; across the border where it repeats itself."""
    ratio = size[0] // image.shape[-2]
    if not options.tileable or ratio == 1:
        return resize(image, size)
    grown = resize(wrapped(image, 2), (size[0] + 4 * ratio, size[1] + 4 * ratio))
    return inner(grown, 2 * ratio)


def _white_noise(size: Size, seed: int) -> Tensor:
    """White noise, an Image [1, 3, H, W]; from the seed alone, whatever the device."""
    return torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(seed))


# Feature inversion

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
    walk = walk_of(extractor, options)
    solver = LBFGS(image.parameter.data, HISTORY)
    run = minimize(image, at_once(objective(walk, terms)), solver, options.steps, stop)
    made = (yield from run).clamp(0, 1)
    with torch.no_grad():
        before, after = (
            float(relative_error(dict(walk(x, {layer}))[layer], features)) for x in (start, made)
        )
    if same(start, made):
        yield Note(f"{layer}: {STILL}: give --steps more, or --strength less")
    elif after > before:
        yield Note(f"{layer}: the features are no nearer than those of noise: use a smaller --strength")
    return made


def as_inversion(layers: Sequence[str]) -> OptimizeOptions:
    """The same solver and layers as options of `styler optimize`, for memory."""
    names = tuple((name, 1.0) for name in layers)
    return OptimizeOptions(
        style_layers=names,
        content_layers=names,
        content_loss="squared",
        parameterization="pixels",
        history=HISTORY,
    )


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
