"""Gradient pictures of a class or a layer on a labelled sheet, as files. A generator of events."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial

import torch
from torch import Tensor

from styler.classifiers import SCORES, activation
from styler.errors import InputError
from styler.events import Event, Note, Stage, Step
from styler.features import ReluRule
from styler.image.size import size_of
from styler.jobs.batch import Summary
from styler.jobs.recipes import check_sheet
from styler.jobs.see.apply import Look, Sight, apply
from styler.jobs.see.view import NO_CLASSIFIER, View, open_view
from styler.options.see import SaliencyOptions
from styler.signals import Heeded
from styler.storage.models import classifiers
from styler.storage.pictures.load import Picture
from styler.storage.pictures.sheet import sheet
from styler.tasks.see.gradients import CAVEAT, METHODS, gradient_of, shown
from styler.tasks.see.gradients import saliency as map_of
from styler.tasks.see.units import Unit

_COLUMNS = ("max |gradient|", "positive", "negative")
_TOP = 5
_CELL = 160
"""Least sides in pixels of the sheet's cells, so that what stands below can be read."""
DEEPEST = "relu5_1"
"""What is looked at without a classifier: the last layer of the built-in network."""


def saliency(
    sources: Sequence[str],
    output: str | None,
    options: SaliencyOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Show which pixels raise and lower a class's score or a layer; a Result for each picture.

    Raises StylerError, as `apply`.
    """
    if options.layer and options.class_ != "auto":
        raise InputError("--layer and --class are two things to look at: give one of them")
    heeded = Heeded(stop)
    begin = partial(_begin, options, heeded)
    return (yield from apply(sources, output, "saliency", options, begin, heeded))


def _begin(options: SaliencyOptions, stop: Callable[[], bool]) -> Generator[Event, None, tuple[View, Look]]:
    """The network, and what looks at a picture; without any classifier a layer of the built-in network."""
    scored, free = not options.layer, options.class_ == options.network == "auto"
    if scored and free and not classifiers.default_classifier():
        scored = False
        yield Note(f"{NO_CLASSIFIER}; shown is {DEEPEST} of the built-in network")
    view = yield from open_view(options, scored)
    unit = None
    if not scored:
        unit, *more = view.units(options.layer or DEEPEST)
        if more:
            raise InputError(f"--layer is {options.layer}: look at one channel at a time")
    elif options.class_ != "auto":
        unit = view.score_of(view.find_class(options.class_))
    return view, partial(_look, view=view, unit=unit, options=options, stop=stop)


def _look(
    picture: Picture,
    image: Tensor,
    view: View,
    unit: Unit | None,
    options: SaliencyOptions,
    stop: Callable[[], bool],
) -> Generator[Event, None, Sight]:
    """A row for each method: the photo, then the gradient in three forms; raw are the gradients."""
    methods: tuple[ReluRule, ...] = METHODS if options.method == "all" else (options.method,)
    check_sheet(len(methods), 1 + len(_COLUMNS), size_of(image), options)
    view.require_memory([unit.layer if unit else SCORES], size_of(image))
    top = _top_classes(view, image) if view.network.classes else []
    unit = unit or view.score_of(top[0][0])
    yield Stage(f"saliency of {unit}", *size_of(image), len(methods))
    gradients = list[Tensor]()
    for index, method in enumerate(methods, 1):
        gradients.append(gradient_of(view.network, image, unit, method))
        yield Step(index, len(methods))
        if index < len(methods) and stop():
            methods = methods[:index]
            break
    if not gradients[0].any():
        yield Note(f"{unit} does not change with the picture: its gradient is 0 everywhere")
    made = sheet(
        [[image, *_parts(gradient)] for gradient in gradients],
        row_labels=methods,
        column_labels=(str(unit), *_COLUMNS),
        captions=[["\n".join(filter(None, _lines(view, method, top)))] for method in methods],
        cell=(max(_CELL, image.shape[-2]), max(_CELL, image.shape[-1])),
    )
    entries = {"unit": str(unit), "top": [name for name, _ in _named(view, top)]}
    return Sight(made, entries, torch.cat(gradients) if options.raw else None)


def _parts(gradient: Tensor) -> list[Tensor]:
    """Saliency map, positive part and negative part, each scaled by its own brightest values."""
    return [shown(part) for part in (map_of(gradient), gradient.clamp_min(0), (-gradient).clamp_min(0))]


def _top_classes(view: View, image: Tensor) -> list[tuple[int, float]]:
    """Numbers and probabilities of the classes with the highest scores."""
    with torch.no_grad():
        chances = activation(view.network, image, SCORES).flatten().softmax(0)
    top = chances.topk(min(_TOP, len(chances)))
    return list(zip(top.indices.tolist(), top.values.tolist(), strict=True))


def _named(view: View, top: list[tuple[int, float]]) -> list[tuple[str, float]]:
    return [(str(view.score_of(index)), chance) for index, chance in top]


def _lines(view: View, method: ReluRule, top: list[tuple[int, float]]) -> list[str]:
    """What stands under the photo of a row: the classes, or that the method shows no evidence."""
    if method != "gradient":
        return [CAVEAT]
    return [f"{name} {chance:.1%}" for name, chance in _named(view, top)]
