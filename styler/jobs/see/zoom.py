"""Videos of dreams within dreams: each frame zooms into the one before and is dreamed of again."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from styler.errors import InputError, OutputError
from styler.events import Event, Item, Result
from styler.image.size import Size, resize, size_of
from styler.jobs.batch import Summary
from styler.jobs.recipes import Record, forecast_of, output_size, prove, record_of, source_of
from styler.jobs.records import open_picture, own_size, recipe_of
from styler.jobs.see.dream import check, open_subject
from styler.options.see import DreamOptions
from styler.storage import disk
from styler.storage.films import animation, encode
from styler.storage.films.footage import Footage, Frame
from styler.storage.films.join import join
from styler.storage.films.read import codecs
from styler.storage.inputs import STREAM, Job, is_several
from styler.storage.magic import ANIMATIONS, CONTAINERS
from styler.storage.names import display, fit_name
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
        stop: asked after each step; once true, the frames that are done become a film.

    Raises StylerError.
    """
    check(options)
    job = _job(sources, output)
    if not options.dry_run:
        prove(job.target, options.overwrite, [job.source])
    if Path(job.target).suffix.lower() in CONTAINERS:
        codecs()  # raises where the extra is not installed, before anything is done
    if options.dry_run:
        height, width = output_size(own_size(job.source, options), options.size, options)
        record = forecast_of(job, [(height, width)], [f"{width} x {height}", f"{options.frames} frames"])
    else:
        record = yield from _film(job, options, stop)
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
    return Job(sources[0], target, film=True)


def _film(job: Job, options: DreamOptions, stop: Callable[[], bool]) -> Generator[Event, None, Record]:
    begun = time.monotonic()
    view, subject = yield from open_subject(options)
    picture = yield from open_picture(job.source, options, options.size)
    size = _even(output_size(size_of(picture.image), options.size, options), job.target)
    image, draws = resize(picture.on_white, size).to(view.device), subject.draws(options.seed)
    recipe = recipe_of(
        "dream",
        options,
        {"network": view.about["name"]},
        network=view.about,
        content=source_of(picture),
        size=[size[1], size[0]],
        **subject.entries,
    )
    writer = _Writer(job.target, size, recipe, options)
    try:
        for index in range(options.frames):
            yield Item(index + 1, options.frames, f"frame {index + 1}")
            image = task.zoomed(image, options.zoom) if index else image
            image = yield from task.dream(image, draws, options, stop)
            writer.add(image.cpu())
            if stop():
                recipe["interrupted"] = True
                break
        writer.save({**recipe, **draws.entries})
    finally:
        writer.close()
    return record_of(job.source, job.target, options, view.device, begun, [size], frames=writer.count)


def _even(size: Size, target: str) -> Size:
    """The size with even sides for a video, which H.264 wants."""
    if Path(target).suffix.lower() not in CONTAINERS:
        return size
    return size[0] - size[0] % 2, size[1] - size[1] % 2


class _Writer:
    """Takes the frames one by one, and writes an animation that loops, or a video, whole or not at all."""

    def __init__(self, target: str, size: Size, recipe: Mapping[str, object], options: DreamOptions) -> None:
        self.count, self._target, self._options, unit = 0, target, options, Fraction(1, RATE)
        self._film: encode.FilmWriter | animation.AnimationWriter
        if Path(target).suffix.lower() in ANIMATIONS:
            self._film = animation.AnimationWriter(target, unit)
        else:
            encoding = encode.encoding_for(target, Footage(*size, unit, Fraction(RATE)), size, _CRF)
            identity = {"dream": dict(recipe)}
            self._film = encode.FilmWriter(target, encoding, identity, resume=False, overwrite=True)

    def add(self, image: Tensor) -> None:
        """Append a frame."""
        self._film.add(Frame(image, self.count, 1), lambda: None)
        self.count += 1

    def save(self, recipe: Mapping[str, object]) -> None:
        """Write the frames so far."""
        film, overwrite = self._film, self._options.overwrite
        metadata = recipe if self._options.metadata else None
        if isinstance(film, animation.AnimationWriter):
            film.save(self._target, 0, metadata, overwrite=overwrite)
        else:
            segments = film.segments()
            join(self._target, segments, film.encoding, last=1, recipe=metadata, overwrite=overwrite)

    def close(self) -> None:
        """Remove what is not needed any more."""
        self._film.close()
        self._film.remove()
