"""Style transfer by optimization: an image with the content's features and the style's statistics.

Gatys, Ecker and Bethge 2016, coarse to fine as in Gatys et al. 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from styler.device import room_for
from styler.engine.memory import layers, plan, reach
from styler.engine.minimize import minimize
from styler.engine.parameterization import HalfChromaImage, Parameterization, PixelImage, PyramidImage, in_rgb
from styler.engine.solvers import LBFGS, Adam, SciPy, Solver
from styler.engine.tiles import View
from styler.errors import DivergedError, InputError
from styler.events import Event, Note, Stage, relay
from styler.features import Extractor, borderless
from styler.image.levels import to_levels
from styler.image.size import SMALLEST, Size, fit, long_side, resize, scales, seen
from styler.losses.perceptual import (
    STYLE_ERRORS,
    Gather,
    Part,
    StyleMoments,
    Term,
    Walk,
    as_map,
    content_scale,
    covariance,
    moments,
    shares,
    squares,
    structure,
    structure_distance,
    structure_sums,
    total_variation,
)
from styler.networks.vgg import Typical
from styler.options.optimize import OptimizeOptions
from styler.options.shared import ContentLoss, Padding, StyleLoss
from styler.tasks import colors

PHOTO_MEAN, PHOTO_DEVIATIONS = 0.45, (0.40, 0.08, 0.04)
"""Mean of photos, and their standard deviations in luma and the two axes of chroma."""
SHARE = 0.9
"""Share of the free memory that the work may take."""
_GROWN = 100.0
"""Times its lowest value that no loss becomes with steps of a fair size."""
FADE = 0.6
"""Weight of the content at each finer scale, over that at the one before: large forms are settled by then."""


def optimize(
    content: Tensor,
    styles: Sequence[Tensor],
    extractor: Extractor,
    options: OptimizeOptions,
    init: Tensor | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Tensor]:
    """Paint `content` in the style of `styles`.

    `options.color` says with whose colors; with `colors_only` nothing is painted, and there are no events.

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
        DeviceError: if memory does not suffice.
        DivergedError: with the best `image` so far.
    """
    schedule = sizes((content.shape[-2], content.shape[-1]), options)
    size = schedule[-1]
    if options.colors_only:
        return colors.colors_only(resize(content, size), colors.palette(styles), options.color)
    subject, styles = colors.before(content, styles, options.color)
    painting = _paint(subject, styles, extractor, options, init, stop, schedule)
    return (yield from colors.finishing(painting, content, options.color))


def _paint(
    content: Tensor,
    styles: Sequence[Tensor],
    extractor: Extractor,
    options: OptimizeOptions,
    init: Tensor | None,
    stop: Callable[[], bool],
    schedule: Sequence[Size],
) -> Generator[Event, None, Tensor]:
    """Paint with colors as they are, at the sizes of a schedule."""
    size = schedule[-1]
    chosen = plan(extractor, options, size, room_for(options.memory, content.device, SHARE))
    view = view_of(extractor, options, chosen.side)
    image, moved = start(content, styles[0], options, init), False
    usual = typical(extractor, layers(options), view.walk)
    for index, scale in enumerate(schedule, 1):
        last = index == len(schedule)
        steps = options.steps if last else options.coarse_steps
        weight = extractor.content_weight * FADE ** (index - 1)
        terms = make_terms(content, styles, view, options, scale, usual, weight)
        yield Stage(f"scale {index} of {len(schedule)}", *scale, steps)
        begun = resize(image, scale)
        parameterization = parameterize(begun, options, last)
        solver = make_solver(parameterization, options, chosen.history)
        try:
            run = minimize(parameterization, view.evaluation(terms), solver, steps, stop)
            image = yield from relay(run, partial(_noting, view))
        except DivergedError as error:
            best = error.image if isinstance(error.image, Tensor) else image
            raise DivergedError(str(error), resize(best.clamp(0, 1), size)) from error
        image = image.clamp(0, 1)
        moved = moved or not torch.equal(to_levels(image), to_levels(begun))
        if stop():
            break
    if not (moved or stop()):
        yield Note("no step has changed the picture by a level: give --style-weight more, or another style")
    return resize(image, size)


def view_of(extractor: Extractor, options: OptimizeOptions, side: int | None = None) -> View:
    """The network's look at images, whole or in tiles of some side."""
    walk = partial(extractor.walk, pooling=options.pooling, padding=padding_for(extractor, options))
    strides = {name: field.stride for name, field in extractor.receptive_fields().items()}
    return View(walk, {"image": 1, **strides}, reach(extractor, options), side)


def _noting(view: View, event: Event) -> Iterator[Event]:
    """An event, and before it what the view has noted since the last one."""
    while view.notes:
        yield Note(view.notes.pop(0))
    yield event


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
    view: View,
    options: OptimizeOptions,
    size: Size,
    usual: Mapping[str, Typical],
    content_weight: float,
) -> list[Term]:
    """Weighted terms of the objective at one scale.

    A style term's value is 1 where nothing of its target is met, on every network and at every size, and the
    weights of a kind's layers are shares of its whole; so one weight means the same everywhere.

    Args:
        usual: figures of all layers on photos.
        content_weight: what `options.content_weight` is a factor of.
    """
    terms = []
    asked = {name: (name, as_map) for name, _ in options.content_layers}
    targets = view.statistics(resize(content, size), asked)
    for name, share in shares(options.content_layers):
        loss, gather = content_loss(targets.pop(name)[0], usual[name], options.content_loss)
        weight = content_weight * options.content_weight * share
        terms.append(Term(f"content/{name}", name, weight, loss, gather))
    blended = style_moments(styles, view, options, size)
    for name, share in shares(options.style_layers):
        loss = style_loss(blended[name], usual[name], options.style_loss)
        terms.append(Term(f"style/{name}", name, options.style_weight * share, loss, gather_moments))
    if options.tv_weight:
        terms.append(Term("tv", "image", options.tv_weight, total_variation))
    return [term for term in terms if term.weight]


def content_loss(features: Tensor, usual: Typical, kind: ContentLoss) -> tuple[Callable[..., Tensor], Gather]:
    """Content error to a photo's features [1, C, H, W], and the statistics that it takes.

    What depends on the photo alone is computed here.
    """
    if kind == "squared":
        scale = content_scale(features, usual)
        return lambda x: (x / scale).mean(), lambda x, part: (squares(x - part.of(features)),)
    target = structure(features, usual.variance)
    return (
        lambda *sums: structure_distance(target, *sums).mean(),
        lambda x, part: structure_sums(x, target, part),
    )


def style_loss(target: StyleMoments, usual: Typical, kind: StyleLoss) -> Callable[..., Tensor]:
    """Style error of `gather_moments` to the moments of one layer."""
    return lambda *sums: STYLE_ERRORS[kind](StyleMoments(*sums), target, usual).mean()


def gather_moments(features: Tensor, part: Part) -> tuple[Tensor, ...]:
    """Gather moments."""
    return tuple(x * part.share for x in moments(features))


def style_moments(
    styles: Sequence[Tensor], view: View, options: OptimizeOptions, size: Size
) -> dict[str, StyleMoments]:
    """Mean and second moment of each style layer, averaged over the styles: blend moments, not distances."""
    asked = {name: (name, gather_moments) for name, _ in options.style_layers}
    each = []
    for style in styles:
        shown = seen((style.shape[-2], style.shape[-1]), round(options.style_scale * max(size)))
        each.append(view.statistics(resize(style, shown), asked))
    return {
        name: StyleMoments(
            *(torch.stack(same).mean(0) for same in zip(*(one[name] for one in each), strict=True))
        )
        for name in asked
    }


def parameterize(start: Tensor, options: OptimizeOptions, last: bool) -> Parameterization:
    """The parameterization of a scale: large forms and colors first, then luma with half the chroma."""
    if options.parameterization == "pixels":
        return PixelImage(start)
    return HalfChromaImage(start) if last else PyramidImage(start)


def make_solver(image: Parameterization, options: OptimizeOptions, history: int) -> Solver:
    """The optimizer that the options name, on the parameter of `image`; `history` is L-BFGS's."""
    x, bounded = image.parameter.data, image.bounded
    if options.optimizer == "adam":
        return Adam(x, options.learning_rate, bounded, _GROWN)
    return SciPy(x, options.history, bounded) if options.optimizer == "scipy" else LBFGS(x, history)


# Figures on photos


def typical(extractor: Extractor, names: set[str], walk: Walk) -> dict[str, Typical]:
    """Figures of layers on photos: the network's own, else on noise with a photo's spectrum and colors."""
    found = {name: extractor.typical[name] for name in names if name in extractor.typical}
    if missing := names - found.keys():
        with torch.no_grad():
            for name, x in walk(photo_noise().to(extractor.mean), missing):
                found[name] = figures(x)
    return found


def figures(features: Tensor) -> Typical:
    """Figures of the features [1, C, H, W] of a photo."""
    mean, second = moments(features)
    own = covariance(mean, second)
    variance = own.diagonal(dim1=1, dim2=2).mean()
    return Typical(variance.item(), own.square().sum().item(), mean.square().sum().item())


def photo_noise(side: int = 256) -> Tensor:
    """Noise with the spectrum (1/f, Field 1987) and the colors of photos, an Image [1, 3, side, side]."""
    rows, columns = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)
    frequency = (rows.square() + columns.square()).sqrt().clamp_min(1 / side)
    white = torch.randn((1, 3, side, side), generator=torch.Generator().manual_seed(0))
    noise = torch.fft.irfft2(torch.fft.rfft2(white) / frequency)
    noise /= noise.std((2, 3), keepdim=True)
    return (in_rgb(noise * torch.tensor(PHOTO_DEVIATIONS)[:, None, None]) + PHOTO_MEAN).clamp(0, 1)
