"""The strongest feature maps of layers on a labelled sheet, as files. A generator of events."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial

from torch import Tensor

from styler.classifiers import SCORES, Network
from styler.errors import InputError
from styler.events import Event, Stage, Step
from styler.image.size import size_of
from styler.jobs.batch import Summary
from styler.jobs.see.apply import Look, Sight, apply
from styler.jobs.see.view import View, open_view
from styler.options.see import FeaturesOptions
from styler.signals import Heeded
from styler.storage.pictures.load import Picture
from styler.storage.pictures.sheet import sheet
from styler.tasks.see.gradients import CAVEAT, FeatureMap, shown, traced

_CELL = 160


def features(
    sources: Sequence[str],
    output: str | None,
    options: FeaturesOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Show the strongest maps of layers, each beside the patch of the photo that it sees; a Result for each.

    Raises StylerError, as `apply`.
    """
    heeded = Heeded(stop)
    begin = partial(_begin, options, heeded)
    return (yield from apply(sources, output, "features", options, begin, heeded))


def _begin(options: FeaturesOptions, stop: Callable[[], bool]) -> Generator[Event, None, tuple[View, Look]]:
    view = yield from open_view(options, False)
    layers = _layers(view.network, options.layer)
    return view, partial(_look, view=view, layers=layers, options=options, stop=stop)


def _layers(network: Network, text: str) -> tuple[str, ...]:
    """The layers that the text names, shallow to deep, or the last ReLU at each size of the maps.

    Raises InputError for one that the network does not have, or that sees the whole picture.
    """
    names = {name.strip() for name in text.split(",")} if text else set[str]()
    if SCORES in names or "image" in names:
        raise InputError("scores and the image have no feature maps: see styler layers")
    network.needed(names)
    if not names:
        rectified = [name for name in network.layers if name.startswith(("relu", "fire"))]
        fields = network.receptive_fields()
        names = set({fields[name].stride: name for name in rectified}.values())
    return tuple(name for name in network.layers if name in names)


def _look(
    picture: Picture,
    image: Tensor,
    view: View,
    layers: Sequence[str],
    options: FeaturesOptions,
    stop: Callable[[], bool],
) -> Generator[Event, None, Sight]:
    """For each layer a row of gradient pictures, and one of the patches of the photo under them."""
    view.require_memory(layers, size_of(image))
    widths, fields = view.network.widths(), view.network.receptive_fields()
    steps = sum(min(options.top, widths[name]) for name in layers)
    yield Stage("features", *size_of(image), steps)
    rows: dict[str, list[tuple[FeatureMap, Tensor, Tensor]]] = {}
    found = traced(view.network, image, layers, options.top, options.unit, options.method)
    for index, (one, gradient) in enumerate(found, 1):
        rows_columns = fields[one.layer].box(one.row, one.column, *size_of(image))
        box = (..., *rows_columns)
        part = gradient[box] if options.unit == "max" else gradient
        rows.setdefault(one.layer, []).append((one, shown(part, signed=True), image[box]))
        yield Step(index, steps, image=rows[one.layer][-1][1])
        if index < steps and stop():
            break
    maps = {layer: [one.channel for one, _, _ in row] for layer, row in rows.items()}
    return Sight(_sheet(image, rows, options), {"maps": maps})


def _sheet(
    image: Tensor, rows: dict[str, list[tuple[FeatureMap, Tensor, Tensor]]], options: FeaturesOptions
) -> Tensor:
    """The photo, then two rows for each layer: what excites its maps, and the photo there."""
    note = "" if options.method == "gradient" else CAVEAT
    cells, labels, captions = [[image]], [str(options.method)], [[note]]
    for layer, row in rows.items():
        cells += [[traced for _, traced, _ in row], [patch for _, _, patch in row]]
        labels += [layer, "photo"]
        captions += [[f"{one.channel}: {one.sum:,.0f}" for one, _, _ in row]]
        captions += [[f"at {one.column}, {one.row}" for one, _, _ in row]]
    return sheet(cells, row_labels=labels, captions=captions, cell=_CELL)
