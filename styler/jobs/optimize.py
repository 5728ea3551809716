"""Style transfer by optimization, from picture files to picture files. A generator of events."""

from __future__ import annotations

import re
import time
import typing
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from torch import Tensor

from styler.errors import DivergedError, InputError
from styler.events import Event, Note, relay
from styler.image.size import Size, size_of
from styler.jobs.batch import Summary, select, work
from styler.jobs.recipes import Record, forecast_of, prove, record_of
from styler.jobs.records import open_picture, own_size, partial_for, prepare, save
from styler.jobs.studio import Studio, check_count, open_studio, remarks
from styler.jobs.watch import Watch, check_one, load_saved, prove_files
from styler.options.fields import flag_of
from styler.options.optimize import INITS, OptimizeOptions, all_masks
from styler.storage import disk
from styler.storage.inputs import STREAM, Job, is_several, plan
from styler.storage.names import display
from styler.storage.styles import weighted
from styler.tasks import optimize as task

_MOST = 8
"""Styles that can be told from contents by their place on the command line alone."""


def optimize(
    pictures: Sequence[str],
    styles: Sequence[str],
    output: str | None,
    options: OptimizeOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Paint pictures and folders of pictures in the style of others; a Result for each.

    Args:
        pictures: contents: files, folders, globs and "-". Without `styles`, one content and then its styles.
        styles: files, or "-", with weights as in FILE:0.3; several are blended.
        output: file, folder or "-", see `inputs.plan`.
        options: everything else; with `dry_run` nothing is written, and the Results are forecasts.
        stop: asked between steps and between pictures; once true, the picture in hand is saved as it stands.

    Raises:
        StylerError: for one content, what is wrong with it; DivergedError comes after the best picture was
            saved beside as -partial. For many, only what would stop all of them; what is wrong with one is in
            its Result, as `error` and `message`.
    """
    contents, words, note = _roles(pictures, styles)
    styles, weights = zip(*map(weighted, words), strict=True)
    check_count(options, len(styles))
    for text in (*filter(None, [note]), *remarks(styles, weights)):
        yield Note(text)
    inits = [] if options.init in INITS else [options.init]
    if [*contents, *styles, *inits, *all_masks(options)].count(STREAM) > 1:
        raise InputError("standard input (-) can only be one of the pictures")
    planned = plan(contents, output, "-".join(map(_stem, styles)), videos=False)
    check_one(planned.many, options)
    if options.resume:
        for job in planned.jobs:
            disk.refuse_link(job.target, options.overwrite)
        options = replace(options, overwrite=True)  # of the picture that the interrupted run left
    skips = (planned.many or options.dry_run) and not options.overwrite
    selection = select(planned, options, lambda job: skips and Path(job.target).exists())
    studio = yield from open_studio(selection.jobs[:1], styles, weights, inits, options)
    paint = partial(paint_content, studio=studio, stop=stop, many=planned.many)
    return (yield from work(selection, paint, stop))


# Contents and styles


def _roles(pictures: Sequence[str], styles: Sequence[str]) -> tuple[Sequence[str], Sequence[str], str]:
    """Contents, styles, and a note where photos may have been taken for styles.

    Raises InputError for pictures without `styles` that cannot be one content and its styles.
    """
    if styles:
        return pictures, styles, ""
    advice = "name the styles with --style FILE, and all others are painted"
    for word in pictures:
        if is_several(word):
            raise InputError(f"{display(word)} is a folder or a pattern, of several pictures: {advice}")
    content, *styles = pictures
    if not styles:
        raise InputError(f"{display(content)} has no style: add --style FILE")
    if len(styles) > _MOST:
        raise InputError(
            f"these are {len(pictures)} pictures, and {len(styles)} is too many styles: {advice}"
        )
    if len(styles) == 1 and not _alike(content, styles[0]):
        return [content], styles, ""
    *some, last = map(display, styles)
    named = f"{', '.join(some)} and {last} are its styles" if some else f"{last} is its style"
    return [content], styles, f"{display(content)} is the content and {named}; if not, {advice}"


def _alike(content: str, style: str) -> bool:
    """Whether two names are of one series, as of one camera: equal but for their numbers."""
    return content != style and re.sub(r"\d+", "0", content) == re.sub(r"\d+", "0", style)


def _stem(source: str) -> str:
    return "stdin" if source == STREAM else Path(source).stem


# The work


def paint_content(
    job: Job, studio: Studio, stop: Callable[[], bool], many: bool = False
) -> Generator[Event, None, Record]:
    """Paint one content, or with `dry_run` forecast that; returns the record."""
    begun, options = time.monotonic(), studio.options
    if options.dry_run:
        return _forecast(job, studio)
    prove(job.target, options.overwrite, [job.source, *studio.sources])
    prepare(options)  # of many, each is as if alone
    content = yield from open_picture(job.source, options, options.size)
    image = content.image.to(studio.device)
    if studio.masks.sizes:
        own = size_of(image) if job.source == STREAM else own_size(job.source, options)
        studio.masks.check(own, content.name)
    sizes = task.sizes(size_of(image), options)
    plan = studio.plan(sizes[-1])
    if plan.side:
        height, width = sizes[-1]
        yield Note(f"{width} x {height} pixels are painted {plan}, history {plan.history}")
    recipe = studio.recipe(content, sizes[-1], plan)
    watch = _watch(job, studio, sizes, recipe)
    try:
        image = yield from relay(studio.paint(image, plan, stop, watch.checkpoint), watch)
    except DivergedError as error:
        recipe["losses"] = watch.rounded
        watch.finish(None, recipe)
        partial = partial_for(job.target)
        save(partial, typing.cast(Tensor, error.best), recipe, options, content)
        raise DivergedError(f"{error}; the best picture so far is {display(partial)}") from error
    recipe["losses"], target = watch.rounded, job.target
    if stop() and watch.step < watch.total:
        recipe |= {"interrupted": True, "step": watch.step, "of": watch.total}
        yield watch.stopped()
        target = partial_for(target) if many else target  # or the next run would take it for done
    finished = studio.larger(image) if studio.larger else image
    recipe["size"] = list(reversed(size_of(finished)))
    save(target, finished, recipe, options, content)
    watch.finish(image, recipe)
    made = [*sizes, size_of(finished)] if studio.larger else sizes
    return record_of(job.source, target, options, studio.device, begun, made, losses=recipe["losses"])


def _watch(job: Job, studio: Studio, sizes: Sequence[Size], recipe: Record) -> Watch:
    """What listens to a painting, once the files that it will write are proved."""
    options = studio.options
    schedule = task.steps_of(options, len(sizes))
    prove_files(options, job.target, sum(schedule), [job.source, *studio.sources])
    entries = [
        ("content", recipe["content"]),
        *((f"style {i}", s) for i, s in enumerate(recipe["styles"], 1)),
    ]
    entries += [(f"mask {i}", mask) for i, mask in enumerate(recipe.get("masks", []), 1)]
    entries += [(name, recipe[name]) for name in ("init", "network") if name in recipe]
    ingredients = {name: entry["sha256"] for name, entry in entries}
    ingredients |= {flag_of(name): value for name, value in recipe["options"].items()}
    saved = load_saved(options.resume, ingredients, studio.device) if options.resume else None
    return Watch(job.target, options, schedule, sizes[-1], ingredients, saved, display(job.source))


def _forecast(job: Job, studio: Studio) -> Record:
    """Forecast of one content, by its header: size, scales, steps and memory."""
    options = studio.options
    size = own_size(job.source, options)
    studio.masks.check(size, job.source)
    sizes = task.sizes(size, options)
    plan = studio.plan(sizes[-1])
    shown = [f"{width} x {height}" for height, width in sizes]
    coarse = f"{options.coarse_steps} steps at {shown[0]}, " if shown[1:] else ""
    steps = (
        f"{coarse}{options.steps} steps at {' and '.join(shown[1:])}" if coarse else f"{options.steps} steps"
    )
    if options.colors_only:
        steps = "colors only"
    facts = [shown[-1], steps, str(plan)]
    if studio.larger:
        height, width = studio.larger.output(sizes[-1])
        facts.append(f"enlarged to {width} x {height}")
    return forecast_of(job, sizes, facts)
