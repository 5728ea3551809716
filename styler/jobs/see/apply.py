"""Looking at pictures and folders of pictures, from files to files. A generator of events."""

from __future__ import annotations

import io
import time
from collections import Counter
from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from styler.errors import InputError
from styler.events import Event
from styler.image.size import resize, size_of
from styler.jobs.batch import Summary, select, work
from styler.jobs.recipes import Record, forecast_of, output_size, prove, record_of, source_of
from styler.jobs.records import open_picture, own_size, partial_for, prepare, recipe_of, save
from styler.jobs.see.view import View
from styler.options.see import LookOptions
from styler.signals import Heeded
from styler.storage import disk
from styler.storage.inputs import STREAM, Job, plan
from styler.storage.pictures.load import Picture


@dataclass(frozen=True, eq=False)
class Sight:
    """What a command made of a picture.

    Attributes:
        image: to be saved.
        entries: further entries of the recipe.
        raw: values to be saved beside it, as they are.
        certain: options that the recipe always has, files by their base names.
    """

    image: Tensor
    entries: Record = field(default_factory=dict)
    raw: Tensor | None = None
    certain: Record = field(default_factory=dict)


Look = Callable[[Picture, Tensor], Generator[Event, None, Sight]]
"""Makes a Sight of a loaded picture and its Image, at the size asked for, on the device."""


def apply(
    sources: Sequence[str],
    output: str | None,
    command: str,
    options: LookOptions,
    begin: Callable[[], Generator[Event, None, tuple[View, Look]]],
    stop: Heeded,
    transparent: bool = False,
) -> Generator[Event, None, Summary]:
    """Look at pictures and folders of pictures; a Result for each. What is wrong with one of many is in it.

    Args:
        output: file, folder or "-", see `inputs.plan`.
        begin: loads the network, once it is certain that there is something to do.
        stop: asked between pictures, and by what `begin` gives. A picture that was left for it is, of many,
            saved as -partial, so that the next run begins it anew.
        transparent: whether results have the picture's transparency; else it is laid on white.
    """
    planned = plan(sources, output, command, videos=False)
    skips = (planned.many or options.dry_run) and not options.overwrite
    selection = select(planned, options, lambda job: skips and Path(job.target).exists())
    stems = Counter(_stem(job.target) for job in planned.jobs)
    shared = frozenset(stem for stem, count in stems.items() if count > 1)
    for job in selection.jobs[:1]:
        _prove(job, options, shared)
    view, look = yield from begin()
    task = _Task(command, options, view, look, transparent, planned.many, stop, shared)
    return (yield from work(selection, partial(_look_at, task=task), stop))


@dataclass(frozen=True, eq=False)
class _Task:
    """What a command does to each picture; outputs of several kinds, as a.jpg and a.png, share a stem."""

    command: str
    options: LookOptions
    view: View
    look: Look
    transparent: bool
    many: bool
    stop: Heeded
    shared: frozenset[Path]


def _look_at(job: Job, task: _Task) -> Generator[Event, None, Record]:
    begun, options, view = time.monotonic(), task.options, task.view
    if options.dry_run:
        height, width = output_size(own_size(job.source, options), options.size, options)
        return forecast_of(job, [(height, width)], [f"{width} x {height}"])
    _prove(job, options, task.shared)
    prepare(options)  # of many, each is as if alone
    picture = yield from open_picture(job.source, options, options.size)
    size = output_size(size_of(picture.image), options.size, options)
    picture = replace(picture, image=resize(picture.image, size))
    image = picture.image if task.transparent else picture.on_white
    sight = yield from task.look(picture, image.to(view.device))
    recipe = recipe_of(
        task.command,
        options,
        {"network": view.about["name"], **sight.certain},
        network=view.about,
        content=source_of(picture),
        size=[size[1], size[0]],
        **sight.entries,
    )
    target = job.target
    if task.stop.yes:
        recipe["interrupted"] = True
        target = partial_for(target) if task.many else target
    save(target, sight.image, recipe, options, picture if task.transparent else None)
    if sight.raw is not None:
        _save_raw(_raw_target(target, task.shared), sight.raw, options)
    return record_of(job.source, target, options, view.device, begun, [size_of(sight.image)])


def _prove(job: Job, options: LookOptions, shared: Collection[Path]) -> None:
    """Raise OutputError unless all that the job writes can be written."""
    if options.dry_run:
        return
    prove(job.target, options.overwrite, [job.source])
    if getattr(options, "raw", False):
        prove(_raw_target(job.target, shared), options.overwrite, [job.source])


def _raw_target(target: str, shared: Collection[Path]) -> Path:
    """The file of the values: NAME.npy, or NAME.png.npy where another output has the stem NAME too.

    Raises InputError where there is no file beside which it could lie.
    """
    if target == STREAM:
        raise InputError("--raw writes a second file beside the picture: give a file with -o")
    stem = _stem(target)
    return Path(f"{target if stem in shared else stem}.npy")


def _stem(target: str) -> Path:
    return Path(target).parent / Path(target).stem


def _save_raw(target: Path, values: Tensor, options: LookOptions) -> None:
    buffer = io.BytesIO()
    np.save(buffer, values.detach().float().cpu().numpy(), allow_pickle=False)
    disk.write(target, buffer.getvalue(), overwrite=options.overwrite)
