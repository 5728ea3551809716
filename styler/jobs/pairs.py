"""From photos to pairs of an input and the photo, for `styler train-translate`. A generator of events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from styler import device
from styler.errors import InputError, OutputError
from styler.events import Event, Note
from styler.image import conditions
from styler.image import size as geometry
from styler.image.conditions import Pair
from styler.image.size import Size
from styler.jobs import batch
from styler.jobs.batch import Summary
from styler.jobs.records import Record
from styler.options.fields import format_size
from styler.options.translate import PairsOptions
from styler.storage import disk, inputs
from styler.storage.datasets.find_pairs import RECORD, read_record
from styler.storage.datasets.photos import is_picture
from styler.storage.films import read
from styler.storage.inputs import Job
from styler.storage.names import display
from styler.storage.pictures.load import Picture, load_picture, measure
from styler.storage.pictures.save import save_picture
from styler.version import __version__

ENDING = ".png"
"""Of all pictures that are written: another format would blur lines and invent colors."""
INPUTS, PHOTOS = "A", "B"
"""Folders of the layout with two."""


@dataclass(frozen=True)
class Order:
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
            "size": format_size(options.size),
            "seed": options.seed,
        }

    def targets(self, job: Job) -> tuple[Path, ...]:
        """The files that a job writes: one side by side, or the input and the photo."""
        if self.options.layout == "side-by-side":
            return (Path(job.target),)
        name = Path(job.target).relative_to(self.output)
        return Path(self.output, INPUTS, name), Path(self.output, PHOTOS, name)


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
    order = Order(kind, output, options)
    conditions.check_heeded(kind, options)
    make = conditions.condition(kind, conditions.parameters_for(kind, options))
    if output == inputs.STREAM:
        raise OutputError("pairs do not fit into standard output: give a folder with -o")
    device.prepare(options.seed, options.threads)
    plan = inputs.plan(photos, output, kind, read.is_film, batch=True, ending=ENDING)
    if not options.dry_run:
        check_alike(order, plan.jobs)
    doer = partial(pair_up, order=order, make=make)
    return (yield from batch.run(plan, options, partial(finished, order=order), lambda _: doer, stop))


def finished(job: Job, order: Order) -> bool:
    """Whether all that a job writes is there and is to be left alone."""
    return not order.options.overwrite and all(path.exists() for path in order.targets(job))


def check_alike(order: Order, jobs: Sequence[Job]) -> None:
    """Raise InputError if the folder has pairs that were made otherwise and would not all be replaced."""
    folder = Path(order.output)
    before = read_record(folder)
    if before and before != order.record:
        there = {path for path in folder.rglob(f"*{ENDING}") if is_picture(path)}
        replaced = {path for job in jobs for path in order.targets(job)} if order.options.overwrite else set()
        if there - replaced:
            advice = "it leaves some of them" if order.options.overwrite else "or add --overwrite"
            raise InputError(
                f"{display(order.output)} has pairs that were made otherwise, see {RECORD}: "
                f"choose another folder, {advice}"
            )
    disk.prove_writable(folder / RECORD, overwrite=True)


def tell(order: Order) -> None:
    """Say in the folder how its pairs are made, unless it says so already."""
    if read_record(Path(order.output)) != order.record:
        text = json.dumps(order.record, indent=2) + "\n"
        disk.write(Path(order.output, RECORD), text.encode())


def pair_up(job: Job, order: Order, make: conditions.InputMaker) -> Generator[Event, None, Record]:
    """Make the pair of one photo, or with `dry_run` tell which; returns its record."""
    begun, options = time.monotonic(), order.options
    targets, shown = order.targets(job), display(job.source)
    if job.film:
        raise InputError(f"{shown} is a video, and pairs are made of photos: leave it out")
    if options.dry_run:
        return forecast(job, order)
    sources = [] if job.source == inputs.STREAM else [job.source]
    for target in targets:
        disk.prove_writable(target, overwrite=True, inputs=sources)
    photo = load_picture(
        job.source, max_pixels=options.max_pixels, long_side=geometry.long_side(options.size)
    )
    for text in photo.warnings:
        yield Note(f"{shown}: {text}")
    size = sized(_size(photo.image), options)
    pair = pair_of(photo, size, make, options.seed)
    tell(order)
    save(pair, targets, photo, order)
    return {
        "input": job.source,
        "output": str(targets[-1]),
        "seed": options.seed,
        "device": "cpu",
        "seconds": round(time.monotonic() - begun, 2),
        "sizes": [list(size)],
    }


def pair_of(photo: Picture, size: Size, make: conditions.InputMaker, seed: int) -> Pair:
    """An input [1, 3, H, W] and the photo, on white, that it is made of; the photo settles what is random."""
    image = geometry.resize(photo.on_white, size)
    draw = np.random.default_rng((seed, int(photo.sha256[:16], 16)))
    return Pair(make(image, draw).expand(-1, 3, -1, -1), image)


def sized(size: Size, options: PairsOptions) -> Size:
    """The (height, width) of a photo's pair; raises InputError if it is too thin or too large."""
    wanted = geometry.fit(size, options.size)
    batch.check_size(wanted, options)
    return wanted


def save(pair: Pair, targets: Sequence[Path], photo: Picture, order: Order) -> None:
    """Write a pair, side by side into one file or into two, each with the recipe and the photo's credits."""
    pictures: list[Tensor] = [pair.inputs, pair.targets]
    if len(targets) == 1:
        pictures = [torch.cat(pictures, 3)]
    recipe = recipe_of(photo, _size(pair.targets), order)
    for target, picture in zip(targets, pictures, strict=True):
        save_picture(
            target,
            picture,
            recipe=recipe if order.options.metadata else None,
            credits=photo.credits if order.options.metadata else None,
            overwrite=True,  # of two files one may be there, and what is finished never comes here
        )


def recipe_of(photo: Picture, size: Size, order: Order) -> dict[str, Any]:
    """What makes a pair and can make it again; no path, no time."""
    chosen = {order.kind.replace("-", "_"): True, "output": Path(order.output).name}
    return {
        "version": 1,
        "command": "pairs",
        "options": {**chosen, **order.options.changed(), "seed": order.options.seed},
        "condition": order.condition,
        "content": {"name": photo.name, "sha256": photo.sha256},
        "styles": [],
        "size": [size[1], size[0]],
        "versions": {"styler": __version__, "torch": torch.__version__},
    }


def forecast(job: Job, order: Order) -> Record:
    """What would be made of a photo, by its header."""
    if job.source == inputs.STREAM:
        size = _size(load_picture(job.source, max_pixels=order.options.max_pixels).image)
    else:
        size = measure(job.source, max_pixels=order.options.max_pixels)
    size = sized(size, order.options)
    shown = " and ".join(display(path) for path in order.targets(job))
    message = f"{display(job.source)} -> {shown}: {size[1]} x {size[0]}"
    return {"input": job.source, "output": None, "sizes": [list(size)], "message": message}


def _size(image: Tensor) -> Size:
    return image.shape[-2], image.shape[-1]
