"""Pictures that excite a channel or a class the most, as files. A generator of events."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator

from torch import Tensor

from styler.errors import InputError
from styler.events import Event, Result
from styler.image.size import Size, size_of
from styler.jobs.batch import Summary
from styler.jobs.recipes import Record, check_sheet, check_size, prove, record_of
from styler.jobs.records import prepare, recipe_of, save
from styler.jobs.see.view import View, open_view
from styler.options.see import ImagineOptions
from styler.signals import Heeded
from styler.storage.inputs import picture_target
from styler.storage.names import slug
from styler.storage.pictures.sheet import sheet
from styler.tasks.see import imagine as task
from styler.tasks.see.units import Unit


def imagine(
    output: str | None, options: ImagineOptions, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, Summary]:
    """Make the picture that excites a channel or a class, or a labelled sheet of several; one Result.

    Args:
        output: file, folder or "-"; None is LAYER-NUMBER.png or CLASS.png in the current folder.
        stop: asked after each step; once true, what is there is saved.

    Raises StylerError.
    """
    options.check()
    begun, size, heeded = time.monotonic(), _size(options), Heeded(stop)
    target = picture_target(output, slug(options.channel or options.class_))
    prove(target, options.overwrite, [])
    view = yield from open_view(options, bool(options.class_))
    units = (
        [view.class_of(view.find_class(options.class_))] if options.class_ else view.units(options.channel)
    )
    if len(units) > 1:
        columns = _columns(units)
        check_sheet(math.ceil(len(units) / columns), columns, size, options)
    view.require_memory({unit.layer for unit in units}, size)
    images = list[Tensor]()
    for unit in units:
        prepare(options)
        images.append((yield from task.imagine(view.network, unit, size, options, heeded)))
        if len(images) < len(units) and heeded():
            break
    image = images[0] if len(units) == 1 else _sheet(images, units, size)
    recipe = _recipe(view, units, size_of(image), options)
    if heeded.yes:
        recipe["interrupted"] = True
    save(target, image, recipe, options)
    yield Result(record_of("", target, options, view.device, begun, [size_of(image)]))
    return Summary(done=1)


def _size(options: ImagineOptions) -> Size:
    """(height, width) of a picture; raises InputError for one that it cannot have."""
    size = options.size
    if size is None:
        raise InputError("--size is full, and there is no picture whose size it could be: give pixels")
    height_width = (size, size) if isinstance(size, int) else size
    check_size(height_width, options)
    return height_width


def _columns(units: list[Unit]) -> int:
    """Of a sheet that is as high as wide, or nearly."""
    return math.ceil(math.sqrt(len(units)))


def _sheet(images: list[Tensor], units: list[Unit], size: Size) -> Tensor:
    columns = _columns(units)
    rows = range(0, len(images), columns)
    return sheet(
        [images[row : row + columns] for row in rows],
        captions=[[str(unit) for unit in units[row : row + columns]] for row in rows],
        cell=size,
    )


def _recipe(view: View, units: list[Unit], size: Size, options: ImagineOptions) -> Record:
    certain = {"network": view.about["name"]}
    names = [str(unit) for unit in units]
    return recipe_of("imagine", options, certain, network=view.about, size=[size[1], size[0]], units=names)
