"""From photos to pairs of an input and the photo, for `styler train-translate`. A generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from styler.errors import InputError, OutputError
from styler.events import Event, Note
from styler.image import conditions
from styler.image.conditions import Pair, pair_of
from styler.image.size import size_of
from styler.jobs import batch
from styler.jobs.batch import Summary
from styler.jobs.recipes import Record, forecast_of, output_size, prove, record_of, source_of
from styler.jobs.records import open_picture, own_size, prepare, recipe_of, save
from styler.options.translate import PairsOptions
from styler.storage import disk
from styler.storage.datasets import find_pairs
from styler.storage.inputs import STREAM, Job, plan
from styler.storage.names import display
from styler.storage.pictures.load import Picture
from styler.tasks.translate import is_blank

_ENDING = ".png"
"""Of all pictures that are written: another format would blur lines and invent colors."""
_INPUTS, _PHOTOS = "A", "B"
"""Folders of the layout with two."""


@dataclass(frozen=True)
class Request:
    """What is to be made of photos, and where: a kind of `conditions.CONDITIONS`, and a folder."""

    kind: str
    output: str
    options: PairsOptions

    @property
    def condition(self) -> Record:
        """The kind of input and its parameters, as checkpoints have it."""
        return {"name": self.kind, **conditions.parameters_for(self.kind, self.options)}

    @property
    def record(self) -> Record:
        """How all pairs of a folder are made."""
        options = self.options
        return {
            "version": 1,
            "names": [self.kind, "photo"],
            "condition": self.condition,
            "layout": options.layout,
            "size": options.plain()["size"],
            "seed": options.seed,
        }

    def targets(self, job: Job) -> tuple[Path, ...]:
        """The files that a job writes: one side by side, or the input and the photo."""
        if self.options.layout == "side-by-side":
            return (Path(job.target),)
        name = Path(job.target).relative_to(self.output)
        return Path(self.output, _INPUTS, name), Path(self.output, _PHOTOS, name)


def pairs(
    photos: Sequence[str],
    output: str,
    kind: str,
    options: PairsOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Make an aligned set of pairs, as PNG, and tell in `pairs.json` how; a Result for each photo.

    What is there already is left alone unless `options.overwrite` says otherwise, so an interrupted run is
    begun again to go on. Transparency is laid on white.

    Args:
        photos: files, folders, globs and "-".
        output: the folder; pairs are named like their photos.
        kind: of the inputs, one of `conditions.CONDITIONS`.
        stop: asked between photos.

    Raises:
        StylerError: for what would stop all of them; what is wrong with one photo is in its Result.
    """
    request = Request(kind, output, options)
    conditions.check_heeded(kind, options)
    make = conditions.condition(kind, conditions.parameters_for(kind, options))
    if output == STREAM:
        raise OutputError("pairs do not fit into standard output: give a folder with -o")
    prepare(options)
    planned = plan(photos, output, kind, batch=True, ending=_ENDING)
    if not options.dry_run:
        _check_alike(request, planned.jobs)
    doer = partial(_pair_up, request=request, make=make)
    selection = batch.select(planned, options, partial(finished, request=request))
    return (yield from batch.work(selection, doer, stop))


def finished(job: Job, request: Request) -> bool:
    """Whether all that a job writes is there and is to be left alone."""
    return not request.options.overwrite and all(path.exists() for path in request.targets(job))


def _check_alike(request: Request, jobs: Sequence[Job]) -> None:
    """Raise InputError if the folder has pairs that were made otherwise and would not all be replaced."""
    folder, overwrite = Path(request.output), request.options.overwrite
    before = find_pairs.read_record(folder)
    if before and before != request.record:
        replaced = {path for job in jobs for path in request.targets(job)} if overwrite else set()
        if find_pairs.pictures_in(folder, _ENDING) - replaced:
            advice = "it leaves some of them" if overwrite else "or add --overwrite"
            raise InputError(
                f"{display(request.output)} has pairs that were made otherwise, see {find_pairs.RECORD}: "
                f"choose another folder, {advice}"
            )
    disk.refuse_link(folder / find_pairs.RECORD, overwrite)
    prove(folder / find_pairs.RECORD, True, [])


def _pair_up(job: Job, request: Request, make: conditions.InputMaker) -> Generator[Event, None, Record]:
    """Make the pair of one photo, or with `dry_run` tell which; returns its record."""
    begun, options = time.monotonic(), request.options
    targets = request.targets(job)
    if job.video:
        raise InputError(f"{display(job.source)} is a video, and pairs are made of photos: leave it out")
    if options.dry_run:
        return _forecast(job, request)
    for target in targets:
        disk.refuse_link(target, options.overwrite)
        prove(target, True, [job.source])
    photo = yield from open_picture(job.source, options, options.size)
    size = output_size(size_of(photo.image), options.size, options)
    draw = np.random.default_rng((options.seed, int(photo.sha256[:16], 16)))  # the same for equal photos
    pair = pair_of(photo.on_white, size, make, draw)
    if request.kind == "edges" and is_blank(pair.inputs):
        yield Note(f"{display(job.source)}: no edges were found in it, so the input is a blank sheet")
    find_pairs.write_record(Path(request.output), request.record)
    _save_pair(pair, targets, photo, request)
    return record_of(job.source, str(targets[-1]), options, "cpu", begun, [size])


def _save_pair(pair: Pair, targets: Sequence[Path], photo: Picture, request: Request) -> None:
    """Write a pair, side by side into one file or into two, each with the recipe and the photo's credits."""
    images: list[Tensor] = [pair.inputs, pair.targets]
    if len(targets) == 1:
        images = [torch.cat(images, 3)]
    height, width = size_of(pair.targets)
    recipe = recipe_of(
        "pairs",
        request.options,
        {request.kind.replace("-", "_"): True, "output": Path(request.output).name},
        condition=request.condition,
        content=source_of(photo),
        size=[width, height],
    )
    # Of two files one may be there, and what is finished never comes here.
    options, content = replace(request.options, overwrite=True), replace(photo, alpha=None)
    for target, image in zip(targets, images, strict=True):
        save(target, image, recipe, options, content)


def _forecast(job: Job, request: Request) -> Record:
    """Forecast of the pair of one photo, by its header."""
    options = request.options
    height, width = size = output_size(own_size(job.source, options), options.size, options)
    return forecast_of(job, [size], [f"{width} x {height}"], request.targets(job))
