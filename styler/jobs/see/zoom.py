"""Videos of dreams within dreams: each frame zooms into the one before and is dreamed of again."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path

from torch import Tensor

from styler.errors import InputError, OutputError
from styler.events import Event, Item, Note, Result
from styler.image.size import Size, resize, size_of
from styler.jobs.batch import Summary
from styler.jobs.passes.videos import Writer, part_left
from styler.jobs.recipes import Record, forecast_of, output_size, prove, record_of, source_of
from styler.jobs.records import open_picture, own_size, partial_for, recipe_of
from styler.jobs.see.dream import Draws, open_subject, remarks
from styler.options.see import DreamOptions
from styler.signals import Heeded
from styler.storage import disk
from styler.storage.inputs import STREAM, Job, is_several
from styler.storage.magic import ANIMATIONS, CONTAINERS
from styler.storage.names import display, fit_name
from styler.storage.videos import encode, parts
from styler.storage.videos.animation import AnimationWriter
from styler.storage.videos.footage import Footage, Frame
from styler.storage.videos.join import join
from styler.storage.videos.read import codecs
from styler.tasks.see import dream as task

RATE = 12
"""Frames a second."""
_CRF = 18


def zoom(
    sources: Sequence[str],
    output: str | None,
    options: DreamOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Make a video of `options.frames` dreams of one picture: GIF, WebP, PNG, MP4 or another; one Result.

    Args:
        output: file; None is STEM-dream.gif in the current folder.
        stop: asked after each step; once true, the frames that are done become a video with -partial in its
            name, and `resume` goes on after them.

    Raises StylerError.
    """
    options.check()
    job = _job(sources, output)
    if not options.dry_run:
        parts.sweep(job.target)
    unfinished = parts.is_unfinished(job.target)
    if options.resume and not (options.overwrite or unfinished) and Path(job.target).is_file():
        yield Note(f"{display(job.target)} is done already")
        return Summary(skipped=1)
    if not options.dry_run:
        prove(job.target, options.overwrite or unfinished, [job.source])
    if Path(job.target).suffix.lower() in CONTAINERS:
        codecs()  # raises where the extra is not installed, before anything is done
    if options.dry_run:
        height, width = output_size(own_size(job.source, options), options.size, options)
        record = forecast_of(job, [(height, width)], [f"{width} x {height}", f"{options.frames} frames"])
    else:
        record = yield from _write_video(job, options, stop)
    yield Result(record)
    return Summary(done=1)


def _job(sources: Sequence[str], output: str | None) -> Job:
    """The one input and its video; raises StylerError where that cannot be."""
    if len(sources) != 1 or is_several(sources[0]):
        raise InputError("--frames makes a video of one picture: give one, and not a folder or a pattern")
    stem = "stdin" if sources[0] == STREAM else Path(sources[0]).stem
    target = output or ""
    if not output or disk.means_folder(output):
        target = str(Path(target) / fit_name(f"{stem}-dream", ".gif"))
    endings = (*ANIMATIONS, *CONTAINERS)
    if Path(target).suffix.lower() not in endings:
        raise OutputError(f"{display(target)} is no video: it must end in one of {', '.join(endings)}")
    return Job(sources[0], target, video=True)


def _write_video(job: Job, options: DreamOptions, stop: Callable[[], bool]) -> Generator[Event, None, Record]:
    """Dream frame by frame; a frame that was left for a signal is not in the video."""
    begun, target, heeded = time.monotonic(), Path(job.target), Heeded(stop)
    view, subject = yield from open_subject(options)
    picture = yield from open_picture(job.source, options, options.size)
    size = _even(output_size(size_of(picture.image), options.size, options), job.target)
    subject.require_memory(size, options)
    image, draws = resize(picture.on_white, size).to(view.device), subject.draws(options.seed)
    recipe = recipe_of(
        "dream",
        options,
        {"network": view.about["name"], **subject.certain},
        network=view.about,
        content=source_of(picture),
        size=[size[1], size[0]],
        **subject.entries,
    )
    unfinished, before = parts.is_unfinished(target), part_left(target, recipe)
    writer = _open(target, size, recipe, options)
    with closing(writer):
        last = yield from _dream_on(writer, image, draws, options, heeded)
        yield from remarks(picture.name, image, last, options)
        if heeded.yes and writer.done:
            recipe["interrupted"], target = True, before or Path(partial_for(job.target))
            yield Note(f"{display(target)} ends with frame {writer.done}: add --resume to go on")
        if writer.done:
            metadata = {**recipe, **draws.entries} if options.metadata else None
            overwrite = options.overwrite or (options.resume and unfinished) or target == before
            _write(target, writer, metadata, overwrite)
    if not (heeded.yes and writer.done):
        writer.remove()
    if before and not heeded.yes:
        before.unlink(missing_ok=True)
    record = record_of(job.source, str(target), options, view.device, begun, [size], frames=writer.done)
    return record if writer.done else {**record, "output": None, "message": "stopped in the first frame"}


def _dream_on(
    writer: Writer, image: Tensor, draws: Draws, options: DreamOptions, stop: Heeded
) -> Generator[Event, None, Tensor]:
    """Give the writer all frames that it does not have; returns the last.

    One that was left for a signal is none.
    """
    if writer.state:
        yield Note(f"the dream goes on after frame {writer.done}")
        image = draws.resume(writer.state).to(image.device)
    for index in range(writer.done, options.frames):
        yield Item(index + 1, options.frames, f"frame {index + 1}")
        image = task.zoomed(image, options.zoom) if index else image
        image = yield from task.dream(image, draws, options, stop)
        if stop.yes:
            break
        writer.add(Frame(image.cpu(), index, 1), partial(draws.state, image))
        if writer.done < options.frames and stop():
            break
    return image


def _even(size: Size, target: str) -> Size:
    """The size with even sides for a video, which H.264 wants."""
    if Path(target).suffix.lower() not in CONTAINERS:
        return size
    return size[0] - size[0] % 2, size[1] - size[1] % 2


def _open(target: Path, size: Size, recipe: Mapping[str, object], options: DreamOptions) -> Writer:
    """The writer of the frames, which has those of an interrupted run if that is to go on."""
    unit, resume, overwrite = Fraction(1, RATE), options.resume, options.overwrite
    if target.suffix.lower() in ANIMATIONS:
        return AnimationWriter(target, unit, parts.claim(target, recipe, resume=resume, overwrite=overwrite))
    encoding = encode.encoding_for(target, Footage(*size, unit, Fraction(RATE)), size, _CRF)
    made_by = {**recipe, "PyAV": codecs().__version__}
    return encode.VideoWriter(target, encoding, made_by, resume=resume, overwrite=overwrite)


def _write(target: Path, writer: Writer, recipe: Mapping[str, object] | None, overwrite: bool) -> None:
    """Write an animation that loops, or a video, whole or not at all."""
    if isinstance(writer, AnimationWriter):
        writer.save(target, 0, recipe, overwrite=overwrite)
    else:
        join(target, writer.segments(), writer.encoding, last=1, recipe=recipe, overwrite=overwrite)
