"""Texture synthesis: an image from noise with the statistics of a style's features (Gatys et al. 2015).

Coarse to fine, and with a border that wraps around where the texture is to repeat itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from functools import partial

import torch
from torch import Tensor

from styler.engine.minimize import at_once, minimize
from styler.engine.parameterization import (
    HalfChromaImage,
    Parameterization,
    PixelImage,
    PyramidImage,
    inner,
    wrapped,
)
from styler.engine.terms import Region, style_error, typical
from styler.events import Event, Stage
from styler.features import Extractor, borderless
from styler.image.color import match_colors
from styler.image.size import SMALLEST, Size, resize, scales, seen, shrink_periodic, size_of
from styler.losses.perceptual import WHOLE, Term, objective
from styler.losses.style import LEVELS, STATISTICS
from styler.options.optimize import OptimizeOptions
from styler.options.shared import StyleLoss
from styler.options.synthesis import TEXTURE_LAYERS, TextureOptions
from styler.tasks import optimize as painting


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
    image = match_colors(_noise(schedule[0], options.seed).to(style), style)
    for index, scale in enumerate(schedule, 1):
        last = index == len(schedule)
        steps = options.steps if last else options.coarse_steps
        evaluate = at_once(_objective(style, scale[0] / schedule[-1][0], extractor, options, up_to))
        parameterization = _parameterize(_enlarged(image, scale, options), options, last)
        yield Stage(f"{up_to}, scale {index} of {len(schedule)}", *scale, steps)
        solver = painting.make_solver(parameterization, likeness, options.history)
        image = (yield from minimize(parameterization, evaluate, solver, steps, stop)).clamp(0, 1)
        if not last and stop():
            break
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


def _noise(size: Size, seed: int) -> Tensor:
    """White noise, an Image [1, 3, H, W]; from the seed alone, whatever the device."""
    return torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(seed))
