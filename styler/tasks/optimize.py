"""Style transfer by optimization: an image with the content's features and the style's statistics.

Gatys, Ecker and Bethge 2016, coarse to fine as in Gatys et al. 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from styler.device import require
from styler.engine.minimize import at_once, minimize
from styler.engine.parameterization import PixelImage
from styler.engine.solvers import LBFGS, Adam, SciPy, Solver
from styler.errors import DivergedError, InputError
from styler.events import Event, Stage
from styler.features import Extractor, borderless
from styler.image.size import SMALLEST, Size, fit, long_side, resize, scales
from styler.losses.perceptual import (
    STYLE_ERRORS,
    StyleMoments,
    Term,
    Walk,
    content_error,
    moments,
    objective,
    shares,
    total_variation,
)
from styler.options.optimize import OptimizeOptions
from styler.options.shared import Padding

T = TypeVar("T")


def optimize(
    content: Tensor,
    styles: Sequence[Tensor],
    extractor: Extractor,
    options: OptimizeOptions,
    init: Tensor | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Tensor]:
    """Paint `content` in the style of `styles`.

    Args:
        content: Image [1, 3, H, W] on the extractor's device; the result has its aspect.
        styles: Images of any sizes; several are blended evenly, by their statistics.
        extractor: the network whose features are compared.
        options: `size` bounds the result.
        init: where to start if `options.init` names a file.
        stop: asked after each step; once true, the picture as it stands is returned, at its full size.

    Yields a Stage for each scale and a Step for each step of it. Returns the Image, in [0, 1].

    Raises:
        InputError: for a layer that the network does not have, or a picture too small for it.
        DivergedError: with the best `image` so far.
    """
    schedule = sizes((content.shape[-2], content.shape[-1]), options)
    size = schedule[-1]
    walk = partial(extractor.walk, pooling=options.pooling, padding=padding_for(extractor, options))
    image = start(content, styles[0], options, init)
    for index, scale in enumerate(schedule, 1):
        terms = make_terms(content, styles, walk, options, scale)
        yield Stage(f"scale {index} of {len(schedule)}", *scale, options.steps)
        parameterization = PixelImage(resize(image, scale))
        solver = _make_solver(parameterization, options)
        try:
            evaluate = at_once(objective(walk, terms))
            image = yield from minimize(parameterization, evaluate, solver, options.steps, stop)
        except DivergedError as error:
            best = error.image if isinstance(error.image, Tensor) else image
            raise DivergedError(str(error), resize(best.clamp(0, 1), size)) from error
        image = image.clamp(0, 1)
        if stop():
            break
    return resize(image, size)


def output_size(content: Size, options: OptimizeOptions) -> Size:
    """(height, width) of the result, with the content's aspect; InputError if that is too thin for a VGG."""
    size = fit(content, options.size)
    if min(size) < SMALLEST:
        least = math.ceil(SMALLEST * max(content) / min(content))
        raise InputError(
            f"the output would be {size[1]} x {size[0]} pixels, which is too thin; use --size {least} or more"
        )
    return size


def sizes(content: Size, options: OptimizeOptions) -> list[Size]:
    """(height, width) of each scale, coarse to fine; the last one is the result's."""
    return scales(output_size(content, options), options.scales)


def style_side(options: OptimizeOptions) -> int | None:
    """Longest side in pixels that styles are looked at with, None for their own; never under the result's."""
    side = long_side(options.size)
    return None if side is None else round(side * max(1.0, options.style_scale))


def memory(extractor: Extractor, options: OptimizeOptions, size: Size) -> int:
    """Bytes that a step at `size` needs at its peak, the network's weights and the pictures left out.

    Counted are each ReLU's output, which is kept for the way back, each pooling's as an allowance, the
    largest activation four times over while it is made (input, padded input, output, gradient) and the
    solver's vectors, of which there are two for each pair in the history.
    """
    widths, needed = extractor.widths(), extractor.needed(layers(options))
    activations, largest, shrink = 0.0, 0.0, 1
    for name in needed:
        shrink *= 4 if name.startswith("pool") else 1
        largest = max(largest, 4 * widths[name] / shrink)
        if name.startswith(("relu", "pool")):
            activations += 4 * widths[name] / shrink
    vectors = {"lbfgs": 2 * options.history + 12, "adam": 10, "scipy": 4 * options.history + 24}
    return round((activations + 4 * largest + 12 * vectors[options.optimizer]) * size[0] * size[1])


def require_memory(extractor: Extractor, options: OptimizeOptions, size: Size, device: torch.device) -> None:
    """Raise DeviceError if a step at `size` cannot succeed for lack of memory."""
    require(memory(extractor, options, size), device)


def layers(options: OptimizeOptions) -> set[str]:
    """Names of the style and content layers."""
    return {name for name, _ in options.content_layers + options.style_layers}


def padding_for(extractor: Extractor, options: OptimizeOptions) -> Padding:
    """Padding of the convolutions; `auto` is never zero."""
    return borderless(extractor) if options.padding == "auto" else options.padding


def start(content: Tensor, style: Tensor, options: OptimizeOptions, init: Tensor | None) -> Tensor:
    """The Image to begin with, at any size; noise comes from the seed alone, whatever the device."""
    if options.init == "content":
        return content
    if options.init == "style":
        return style
    if options.init == "gray":
        return torch.full_like(content, 0.5)
    if options.init == "noise":
        generator = torch.Generator().manual_seed(options.seed)
        return torch.rand(content.shape, generator=generator).to(content)
    if init is None:
        raise InputError(
            f"--init is '{options.init}', which is neither content, noise, style, gray nor a file"
        )
    return init


def make_terms(
    content: Tensor,
    styles: Sequence[Tensor],
    walk: Walk,
    options: OptimizeOptions,
    size: Size,
) -> list[Term]:
    """The weighted terms of the objective at one scale.

    A term's value is 1 where nothing of its target is met, on every network and at every size, and the
    weights of a kind's layers are shares of its whole; so one weight means the same everywhere.
    """
    terms = []
    with torch.no_grad():
        targets = dict(walk(resize(content, size), {name for name, _ in options.content_layers}))
    for name, share in shares(options.content_layers):
        loss = _loss(content_error, targets[name])
        terms.append(Term(f"content/{name}", name, options.content_weight * share, loss))
    blended = style_moments(styles, walk, options, size)
    for name, share in shares(options.style_layers):
        loss = _loss(STYLE_ERRORS[options.style_loss], blended[name])
        terms.append(Term(f"style/{name}", name, options.style_weight * share, loss))
    if options.tv_weight:
        terms.append(Term("tv", "image", options.tv_weight, total_variation))
    return [term for term in terms if term.weight]


def _loss(error: Callable[[Tensor, T], Tensor], target: T) -> Callable[[Tensor], Tensor]:
    return lambda features: error(features, target).mean()


def style_moments(
    styles: Sequence[Tensor], walk: Walk, options: OptimizeOptions, size: Size
) -> dict[str, StyleMoments]:
    """Mean and second moment of each style layer, averaged over the styles: blend moments, not distances."""
    names = {name for name, _ in options.style_layers}
    each = []
    for style in styles:
        height, width = style.shape[-2:]
        side = min(max(height, width), round(options.style_scale * max(size)))
        with torch.no_grad():
            features = walk(resize(style, fit((height, width), side)), names)
            each.append({name: moments(x) for name, x in features})
    return {
        name: StyleMoments(
            torch.stack([one[name].mean for one in each]).mean(0),
            torch.stack([one[name].second for one in each]).mean(0),
        )
        for name in names
    }


def _make_solver(image: PixelImage, options: OptimizeOptions) -> Solver:
    """The optimizer that the options name, on the pixels of `image`."""
    pixels = image.pixels.data
    if options.optimizer == "adam":
        return Adam(pixels, options.learning_rate)
    return SciPy(pixels, options.history) if options.optimizer == "scipy" else LBFGS(pixels, options.history)
