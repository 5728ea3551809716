"""Style transfer by optimization: an image with the content's features and the style's statistics.

Gatys, Ecker and Bethge 2016, coarse to fine as in Gatys et al. 2017.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from styler.device import form_for, room_for
from styler.engine.memory import layers, plan
from styler.engine.minimize import STILL, minimize
from styler.engine.parameterization import (
    DetailImage,
    HalfChromaImage,
    Parameterization,
    PixelImage,
    Protected,
    PyramidImage,
)
from styler.engine.solvers import LBFGS, Adam, SciPy, Solver
from styler.engine.terms import Style, as_styles, make_terms, typical, view_of
from styler.engine.tiles import View
from styler.errors import CheckpointError, DivergedError, InputError
from styler.events import Checkpoint, Event, Note, Stage, Step, relay
from styler.features import Extractor
from styler.image import color
from styler.image.levels import same
from styler.image.palette import reduced
from styler.image.size import SMALLEST, Size, fit, long_side, resize, scales, settling, size_of
from styler.options.optimize import OptimizeOptions
from styler.options.shared import Coloring

_LEAST_RATE = 0.002
"""Of Adam, half a level: a smaller one takes steps that no picture in levels shows."""
SHARE = 0.9
"""Share of the free memory that the work may take."""
_GROWN = 100.0
"""Times its lowest value that no loss becomes with steps of a fair size."""
_FLAT = 0.02
"""Standard deviation of each channel below which a style is flat."""
_SETTLED = 2
"""Scale, counted from 0, from which on a picture keeps its forms and colors."""
Ends = tuple[float, float]
"""First and last loss of the steps at a scale."""
FADES = (1.0, 0.5, 0.1)
"""Weight of the content at each scale, coarse to fine, and at all further ones: by then forms are settled."""


def optimize(
    content: Tensor,
    styles: Sequence[Tensor | Style],
    extractor: Extractor,
    options: OptimizeOptions,
    init: Tensor | None = None,
    stop: Callable[[], bool] = lambda: False,
    protect: Tensor | None = None,
    resume: Checkpoint | None = None,
) -> Generator[Event, None, Tensor]:
    """Paint `content` in the style of `styles`.

    `options.color` says with whose colors; with `colors_only` nothing is painted, and there are no events.

    Args:
        content: Image [1, 3, H, W] on the extractor's device; the result has its aspect.
        styles: Images of any sizes, or Styles; several are blended by their statistics.
        extractor: the network whose features are compared.
        options: `size` bounds the result.
        init: where to start if `options.init` names a file.
        stop: asked after each step; once true, the picture as it stands is returned, at its full size.
        protect: mask [1, 1, h, w] of the content, 1 where that stays as it is.
        resume: of a run with the same arguments, to go on from.

    Yields a Stage for each scale, a Step for each step of it and, if `options.checkpoint` or
    `options.resume` names a file, Checkpoints. Returns the Image, in [0, 1].

    Raises:
        InputError: for a layer that the network does not have, a picture too small for it, or masks that
            leave nothing to paint.
        DeviceError: if memory does not suffice.
        DivergedError: with the best `image` so far.
    """
    schedule = sizes(size_of(content), options)
    size, chosen = schedule[-1], as_styles(styles, options)
    images = [_reduced(style, options.style_colors) for style in chosen]
    if options.colors_only:
        image = color.colors_only(resize(content, size), color.palette(images), options.color)
    else:
        subject, images = color.before(content, images, options.color)
        chosen = [replace(style, image=image) for style, image in zip(chosen, images, strict=True)]
        painting = _paint(subject, chosen, extractor, options, init, stop, schedule, protect, resume)
        image = yield from _recolored(painting, content, options.color)
    return image if protect is None else torch.lerp(image, resize(content, size), resize(protect, size))


def _paint(
    content: Tensor,
    styles: Sequence[Style],
    extractor: Extractor,
    options: OptimizeOptions,
    init: Tensor | None,
    stop: Callable[[], bool],
    schedule: Sequence[Size],
    protect: Tensor | None,
    resume: Checkpoint | None,
) -> Generator[Event, None, Tensor]:
    """Paint with colors as they are, at the sizes of a schedule."""
    size, last = schedule[-1], len(schedule) - 1
    extractor = _formed(extractor, options, content.device)
    chosen = plan(extractor, options, size, room_for(options.memory, content.device, SHARE))
    view = view_of(extractor, options, chosen.side)
    begun, moved, losses = resume or Checkpoint(0, None), resume is not None, list[Ends]()
    image = begun.image if begun.image is not None else _first(content, styles, options, init)
    usual = typical(extractor, layers(options), view.walk)
    every = options.checkpoint_every if options.checkpoint or options.resume else 0
    counted = zip(schedule, steps_of(options, last + 1), strict=True)
    for stage, (scale, steps) in list(enumerate(counted))[begun.stage :]:
        weight = extractor.content_weight * FADES[min(stage, _SETTLED)]
        terms = make_terms(content, styles, view, options, scale, usual, weight, protect)
        yield Stage(f"scale {stage + 1} of {last + 1}", *scale, steps)
        picture = _protected(parameterize(image, scale, options, stage, last), content, protect, scale)
        before = picture.finished(picture().detach()) if stage >= _SETTLED else resize(image, scale)
        solver = make_solver(picture, options, chosen.history)
        first = _restore(solver, begun) if stage == begun.stage else 0
        try:
            run = minimize(picture, view.evaluation(terms), solver, steps, stop, first, every)
            image = picture.finished((yield from relay(run, partial(_noting, view, stage, image))))
        except DivergedError as error:
            best = error.best if isinstance(error.best, Tensor) else image
            raise DivergedError(str(error), resize(best.clamp(0, 1), size)) from error
        moved, losses = moved or not same(image, before), [*losses, *ends(solver)]
        if stop():
            return resize(image, size)
    yield from remarks(options, moved, losses, "give --style-weight more, or another style")
    return resize(image, size)


def _recolored(
    run: Generator[Event, None, Tensor], photo: Tensor, kind: Coloring
) -> Generator[Event, None, Tensor]:
    """Pass on a painting in progress; its pictures get the colors of the finished one."""
    if kind in ("style", "content-to-style"):  # which leave the painted picture as it is
        return (yield from run)

    def recolor(event: Event) -> Iterator[Event]:
        if isinstance(event, Step) and event.image is not None:
            event = replace(event, image=color.after(event.image.clamp(0, 1), photo, kind))
        yield event

    try:
        return color.after((yield from relay(run, recolor)), photo, kind)
    except DivergedError as error:
        image = error.best
        raise DivergedError(
            str(error), color.after(image, photo, kind) if isinstance(image, Tensor) else image
        ) from error


def _first(content: Tensor, styles: Sequence[Style], options: OptimizeOptions, init: Tensor | None) -> Tensor:
    """The Image that the first scale begins with."""
    image = start(content, styles[0].image, options, init)
    return tinted(image, styles) if options.init == "content" else image


def _reduced(style: Style, count: int) -> Tensor:
    """The Image of a style in so many colors, 0 for its own; kept for the next content with its targets."""
    if not count:
        return style.image
    key = ("colors", count)
    if key not in style.known:
        style.known[key] = reduced(style.image, count), {}
    return style.known[key][0]


def _formed(extractor: Extractor, options: OptimizeOptions, device: torch.device) -> Extractor:
    """The network in the number type of the options: a copy, unless it has one, for it is the caller's."""
    if extractor.form is not None:
        return extractor
    return extractor.until(layers(options)).compute_in(form_for(options.precision, device))


def _protected(
    image: Parameterization, content: Tensor, protect: Tensor | None, scale: Size
) -> Parameterization:
    """An image at a scale that keeps what a mask of the content protects."""
    if protect is None:
        return image
    return Protected(image, resize(content, scale), resize(protect, scale))


def _restore(solver: Solver, begun: Checkpoint) -> int:
    """Let a solver go on from a checkpoint; returns the steps that it has done."""
    if begun.solver is None:
        return 0
    try:
        solver.restore(begun.solver)
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError("the checkpoint's solver does not fit: leave --resume out") from error
    return begun.index


def _noting(view: View, stage: int, start: Tensor, event: Event) -> Iterator[Event]:
    """An event, and before it what the view has noted since the last one; a checkpoint of stage and start."""
    while view.notes:
        yield Note(view.notes.pop(0))
    yield replace(event, stage=stage, image=start) if isinstance(event, Checkpoint) else event


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
    size = output_size(content, options)
    chosen = options.scales or options.parameterization == "pixels"
    return scales(size, options.scales) if chosen else settling(size)


def steps_of(options: OptimizeOptions, count: int) -> list[int]:
    """Steps at each of so many scales: large forms come at the coarsest one, the others only refine them."""
    return [options.coarse_steps if index == 0 < count - 1 else options.steps for index in range(count)]


def style_side(options: OptimizeOptions) -> int | None:
    """Longest side in pixels that styles are looked at with, None for their own; never under the result's."""
    side = long_side(options.size)
    return None if side is None else round(side * max(1.0, *options.style_scale))


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


def tinted(image: Tensor, styles: Sequence[Style]) -> Tensor:
    """An Image to begin with in the colors of flat styles, where they are painted; of others as it is.

    Away from a flat style's color the solver first wears off all contrast, and its steps are over before it
    comes to the color.
    """
    flat = [style for style in styles if style.image.flatten(2).std(2).max() < _FLAT]
    if not any(style.masks for style in styles):
        if len(flat) < len(styles):
            return image
        weights = image.new_tensor([style.weight for style in styles])
        colors = torch.cat([style.image.mean((2, 3), keepdim=True) for style in styles])
        return torch.einsum("n,nchw->chw", weights / weights.sum(), colors).expand_as(image).clone()
    for style in flat:
        tint = style.image.mean((2, 3), keepdim=True).expand_as(image)
        for where, _ in style.masks:
            image = torch.lerp(image, tint, resize(where, size_of(image)))
    return image


def parameterize(
    start: Tensor, scale: Size, options: OptimizeOptions, stage: int, last: int
) -> Parameterization:
    """The parameterization of an Image at a scale: first large forms and colors, then luma and half chroma.

    From the third scale on forms are settled, and only detail is added: the print is its preview, finer.
    """
    if options.parameterization == "pixels":
        return PixelImage(resize(start, scale))
    if stage == 0 < last:
        return PyramidImage(resize(start, scale))
    return HalfChromaImage(resize(start, scale)) if stage < _SETTLED else DetailImage(start, scale)


def ends(solver: Solver) -> list[Ends]:
    """The Ends of a solver whose last loss may be above its first."""
    return [(solver.first, solver.last)] if isinstance(solver, Adam) else []


def remarks(
    options: OptimizeOptions, moved: bool, losses: Sequence[Ends], advice: str
) -> Generator[Note, None, None]:
    """Notes on a picture that no step changed, or one whose loss ended above where it began at a scale.

    Args:
        losses: `ends` of the solvers of all scales; those of two scales cannot be compared.
        advice: on a picture that stays as it is, where the learning rate is not the reason.
    """
    rate = f"--learning-rate {options.learning_rate:g}"
    if not moved:
        slow = options.optimizer == "adam" and options.learning_rate < _LEAST_RATE
        yield Note(f"{STILL}: {f'{rate} is too small for that' if slow else advice}")
    elif risen := [pair for pair in losses if pair[1] > pair[0]]:
        first, last = risen[-1]
        yield Note(f"the loss rose from {first:.3g} to {last:.3g}: {rate} is too large, use a smaller one")


def make_solver(image: Parameterization, options: OptimizeOptions, history: int) -> Solver:
    """The optimizer that the options name, on the parameter of `image`; `history` is L-BFGS's."""
    x, bounded = image.parameter.data, image.bounded
    if options.optimizer == "adam":
        return Adam(x, options.learning_rate, bounded, _GROWN)
    return SciPy(x, options.history, bounded) if options.optimizer == "scipy" else LBFGS(x, history)
