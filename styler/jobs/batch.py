"""From files, folders and films to what a trained network makes of them. A generator of events."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from styler import processes
from styler.errors import InputError, OutputError
from styler.events import Event, Item, Note, Result
from styler.image import size as geometry
from styler.image.size import SMALLEST, Size
from styler.jobs import films
from styler.jobs.records import Record, Studio
from styler.options.shared import BatchOptions, OutputOptions, PassOptions
from styler.storage import disk, inputs
from styler.storage.films import encode, read
from styler.storage.inputs import Job, Plan
from styler.storage.names import display
from styler.storage.pictures.load import Picture, load_picture, measure
from styler.storage.pictures.save import save_picture
from styler.tasks.onepass import SAMPLE, Bounded


@dataclass(frozen=True)
class Summary:
    """How many inputs were worked on, left alone as their output exists, given up, and not come to."""

    done: int = 0
    skipped: int = 0
    failed: int = 0
    left: int = 0

    @property
    def exit_code(self) -> int:
        """1 if an input failed, else 0; what was skipped is no failure."""
        return int(self.failed > 0)

    def __str__(self) -> str:
        parts = {
            "done": self.done,
            "skipped (their outputs exist)": self.skipped,
            "failed": self.failed,
            "not begun": self.left,
        }
        return ", ".join(f"{count} {what}" for what, count in parts.items() if count or what == "done")


def apply(
    sources: Sequence[str],
    output: str | None,
    label: str,
    options: PassOptions,
    studio_for: Callable[[int], Studio],
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Let a network work on pictures, folders of pictures and films; a Result for each.

    Args:
        sources: files, folders, globs and "-".
        output: file, folder or "-", see `inputs.plan`.
        label: what distinguishes an output's name from the input's.
        options: everything else; with `dry_run` nothing is written, and the Results tell what would be.
        studio_for: the network at its place, for so many inputs.
        stop: asked between pictures and between frames; once true, what is in hand is finished.

    Raises:
        StylerError: for one input, what is wrong with it. For many, only what would stop all of them;
            what is wrong with one is in its Result, as `error` and `message`.
    """
    plan = inputs.plan(sources, output, label, read.is_film)
    batch = plan.many or options.dry_run

    def begin(count: int) -> Doer:
        return partial(do, studio=studio_for(count), many=plan.many, stop=stop)

    return (yield from run(plan, options, lambda job: batch and finished(job, options), begin, stop))


Doer = Callable[[Job], Generator[Event, None, Record]]
"""Does one job, and returns its record."""


def run(
    plan: Plan,
    options: BatchOptions,
    finished: Callable[[Job], bool],
    begin: Callable[[int], Doer],
    stop: Callable[[], bool],
) -> Generator[Event, None, Summary]:
    """Do this process's share of a plan but what is finished; `begin` gives what does so many jobs."""
    for text in plan.notes:
        yield Note(text)
    jobs = inputs.part(plan.jobs, options.shard, *process())
    if len(jobs) < len(plan.jobs):
        yield Note(f"{len(jobs)} of {len(plan.jobs)} inputs are in this part")
    todo = [job for job in jobs if not finished(job)]
    done, failed = yield from work(todo, begin(len(todo)), plan.many, stop)
    return Summary(done, len(jobs) - len(todo), failed, len(todo) - done - failed)


def process() -> tuple[int, int]:
    """The number of this process and how many there are, as torchrun says; (0, 1) without it."""
    if not processes.launched():
        return 0, 1
    return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])


def finished(job: Job, options: PassOptions) -> bool:
    """Whether a job's output is there already and is to be left alone."""
    return not replaces(job, options) and Path(job.target).exists()


def replaces(job: Job, options: PassOptions) -> bool:
    """Whether an output that exists is to be replaced: if asked, or if it is an unfinished film."""
    return options.overwrite or (job.film and encode.parts_of(job.target).exists())


# Many inputs


def work(
    jobs: Sequence[Job], doer: Doer, many: bool, stop: Callable[[], bool]
) -> Generator[Event, None, tuple[int, int]]:
    """Do the jobs one after another; returns how many were done and how many failed.

    Of many, one that fails is told in its Result, and the next is begun.
    """
    done = failed = 0
    for index, job in enumerate(jobs, 1):
        if stop():
            break
        if many:
            yield Item(index, len(jobs), display(job.source))
        try:
            record = yield from doer(job)
            done += 1
        except Exception as error:
            if not many or ends_all(error, job):
                raise
            record, failed = failure(job, error), failed + 1
        yield Result(record)
    return done, failed


def ends_all(error: Exception, job: Job) -> bool:
    """Whether an error would come again with each input: the disk is full, or the place cannot be written."""
    if not isinstance(error, OutputError):
        return False
    if getattr(error.__cause__, "errno", None) in disk.FULL:
        return True
    try:
        disk.prove_writable(job.target, overwrite=True)
    except OutputError:
        return not Path(job.target).is_dir()
    return False


def failure(job: Job, error: Exception) -> Record:
    """The record of an input of which nothing could be made."""
    text = " ".join(str(error).split())
    message = text if display(job.source) in text else f"{display(job.source)}: {text}"
    return {"input": job.source, "output": None, "error": type(error).__name__, "message": message}


def do(job: Job, studio: Studio, many: bool, stop: Callable[[], bool]) -> Generator[Event, None, Record]:
    """Do one job; returns its record."""
    if refusal := studio.refusal(job):
        raise InputError(refusal)
    if not studio.options.dry_run:
        sources = [] if job.source == inputs.STREAM else [job.source]
        disk.prove_writable(job.target, overwrite=replaces(job, studio.options), inputs=sources)
    if job.film:
        return (yield from do_film(job, studio, stop))
    return (yield from do_picture(job, studio, many))


# One input


def do_picture(job: Job, studio: Studio, many: bool) -> Generator[Event, None, Record]:
    """Load a picture, let the network work and save, or with `dry_run` tell what that would take."""
    begun, options = time.monotonic(), studio.options
    if options.dry_run:
        return forecast_picture(job, studio)
    picture = load_picture(
        job.source, max_pixels=options.max_pixels, long_side=geometry.long_side(options.size)
    )
    for text in picture.warnings:
        yield Note(f"{display(job.source)}: {text}" if many else text)
    size = output_size((picture.image.shape[-2], picture.image.shape[-1]), options)
    picture = replace(picture, image=geometry.resize(picture.image, size))
    worker = studio.worker(picture.image, size[0] * size[1])
    made = studio.finish(picture, worker)
    yield from told(worker)
    save(job.target, made.image, studio, made)
    return studio.record(job, (made.image.shape[-2], made.image.shape[-1]), begun)


def do_film(job: Job, studio: Studio, stop: Callable[[], bool]) -> Generator[Event, None, Record]:
    """Let the network work on a film, or with `dry_run` tell what that would take."""
    source, options = Path(job.source), studio.options
    found, frame = films.glance(source, options)
    if options.dry_run:
        count = found.frames or round(found.seconds * found.rate)
        return forecast(job, studio, films.output_size(options.size, found), frame, count)
    content = {"name": source.name, "sha256": disk.sha256_of(source)}
    worker = studio.worker(frame, precision=films.begun_with(Path(job.target), options))
    recipe = studio.recipe({"content": content})
    record = yield from films.film(source, Path(job.target), worker, options, recipe, stop)
    yield from told(worker)
    return record


def told(worker: Bounded) -> Generator[Event, None, None]:
    """What the worker has to tell, which is once."""
    while worker.notes:
        yield Note(worker.notes.pop(0))


def output_size(size: Size, options: PassOptions) -> Size:
    """The (height, width) of a picture's output; raises InputError if it is too thin or too large."""
    wanted = geometry.fit(size, options.size)
    check_size(wanted, options)
    return wanted


def check_size(size: Size, options: OutputOptions) -> None:
    """Raise InputError for a (height, width) that is too thin for the network, or over the limit."""
    shown = f"the output would be {size[1]}x{size[0]} pixels"
    if min(size) < SMALLEST:
        raise InputError(f"{shown}, and {SMALLEST} a side is the least: use a larger --size")
    if size[0] * size[1] > options.max_pixels:
        raise InputError(
            f"{shown}, over the limit of {options.max_pixels:,}: use a smaller --size, or raise --max-pixels"
        )


def save(target: str, image: Tensor, studio: Studio, picture: Picture | None = None) -> None:
    """Write a picture with its recipe, and with the transparency and the credits of what it was made of."""
    options = studio.options
    content = {"content": {"name": picture.name, "sha256": picture.sha256}} if picture else {}
    recipe = studio.recipe({**content, "size": [image.shape[-1], image.shape[-2]]})
    save_picture(
        target,
        image,
        alpha=picture.alpha if picture else None,
        recipe=recipe if options.metadata else None,
        credits=picture.credits if picture and options.metadata else None,
        overwrite=options.overwrite,
        quality=options.quality,
    )


# Dry runs


def forecast_picture(job: Job, studio: Studio) -> Record:
    """What a picture would take, by its header; the first one is a sample, and seen small."""
    options = studio.options
    if job.source == inputs.STREAM:  # which can be read once only
        image = load_picture(job.source, max_pixels=options.max_pixels).image
        return forecast(job, studio, output_size((image.shape[-2], image.shape[-1]), options), image)
    size = output_size(measure(job.source, max_pixels=options.max_pixels), options)
    if not studio.sampled:
        sample = load_picture(job.source, max_pixels=options.max_pixels, long_side=SAMPLE)
        return forecast(job, studio, size, sample.image)
    return forecast(job, studio, size)


def forecast(job: Job, studio: Studio, size: Size, sample: Tensor | None = None, frames: int = 1) -> Record:
    """What the work would take, as a record with no output and a `message` that says it."""
    pixels = frames * size[0] * size[1]
    rows, needed = studio.worker(sample, pixels).plan(*size)
    seconds = pixels * studio.pace(sample)
    facts = (
        f"{size[1]} x {size[0]}" + (f", {frames} frames" if job.film else ""),
        *([f"a sheet of {studio.passes} such"] if studio.passes > 1 else []),
        f"strips of {rows} rows" if rows < size[0] else "whole",
        f"{needed / 1e9:.1f} GB",
        f"about {seconds:.1f} s",
    )
    message = f"{display(job.source)} -> {display(job.target)}: {', '.join(facts)}"
    return {"input": job.source, "output": None, "sizes": [list(size)], "message": message}
