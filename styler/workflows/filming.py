"""From a film or an animation to a painted one, frame by frame. A generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from styler import geometry
from styler.errors import InputError
from styler.events import Event, Note, Stage, Step
from styler.networks.transform import Moments
from styler.options import FastOptions
from styler.storage import animation, files, remux, segments, video
from styler.storage.footage import Footage, Frame
from styler.tasks.fast import Painter
from styler.tasks.film import Shot, followed, from_tensors, learned, to_tensors

CUT_OFF = 0.9  # of the frames that a file promises; with less it is told to break off


@dataclass(frozen=True)
class _Source:
    """What is to be painted; `frames` gives those from the n-th on, `moving` is False for animations."""

    path: Path
    footage: Footage
    size: geometry.Size
    frames: Callable[[int], Iterator[Frame]]
    moving: bool


def film(
    source: Path,
    target: Path,
    painter: Painter,
    options: FastOptions,
    recipe: Mapping[str, Any],
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, dict[str, Any]]:
    """Paint one film or animation; returns the record of what was done.

    What is done of a film is kept beside the target (see `segments`); an animation has no `--resume`.

    Args:
        source: file for which `video.is_film` holds.
        target: file of an ending in `video.CONTAINERS` or `animation.FORMATS`; the two may be mixed.
        recipe: what made it, without what is told of the file here.
        stop: asked after each frame; once true, what there is becomes a film that can be played.

    Raises:
        StylerError: for input and output alike; whole segments are kept.
    """
    begun = time.monotonic()
    found = _open(source, options)
    if options.resume and segments.parts_of(target).exists():
        options = replace(options, overwrite=True)  # what is there is what the interruption left
    files.prove_writable(target, overwrite=options.overwrite, inputs=[source])
    for note in found.footage.notes:
        yield Note(f"{files.display(source)}: {note}")
    whole = {**recipe, "size": [found.size[1], found.size[0]]}
    sink = yield from _sink(found, target, options, whole)
    with closing(sink):
        last = yield from _painted(found, sink, painter, options.steady, stop)
        if stop():
            whole["interrupted"] = True
        yield from _written(found, target, sink, options, whole, last)
    return {
        "input": str(source),
        "output": str(target),
        "seed": options.seed,
        "device": str(painter.mix.device),
        "seconds": round(time.monotonic() - begun, 2),
        "sizes": [list(found.size)],
        "losses": {},
        "frames": sink.done,
    }


def _open(path: Path, options: FastOptions) -> _Source:
    """Look at the file; raises InputError if it cannot be used."""
    moving = path.suffix.lower() not in animation.FORMATS
    if not moving:
        footage = animation.inspect(path, max_pixels=options.max_pixels)
        size = output_size(options.size, footage)
        return _Source(path, footage, size, lambda skip: animation.frames(path, skip=skip), moving)
    footage = video.inspect(path, max_pixels=options.max_pixels)
    size = output_size(options.size, footage)
    return _Source(path, footage, size, lambda skip: video.frames(path, footage, skip=skip), moving)


def output_size(size: str, footage: Footage) -> geometry.Size:
    """(height, width) that `--size` asks for, with even sides, or the footage's own, whatever they are."""
    own = footage.height, footage.width
    if size == "full":
        return own
    if not size.isdecimal() or int(size) < geometry.SMALLEST:
        raise InputError(
            f"--size is '{size}'; for a film it is 'full' or its long side, {geometry.SMALLEST} or more"
        )
    height, width = geometry.fit(own, int(size))
    return max(geometry.SMALLEST, height - height % 2), max(geometry.SMALLEST, width - width % 2)


Sink = segments.Segments | animation.Roll


def _sink(
    found: _Source, target: Path, options: FastOptions, recipe: Mapping[str, Any]
) -> Generator[Event, None, Sink]:
    """What takes the painted frames, with those of an interrupted run if there was one."""
    if target.suffix.lower() in animation.FORMATS:
        return animation.Roll(target, found.footage.time_base)
    made = segments.encoding(target, found.footage, found.size, options.crf)
    if made.codec == "libx264" and made.pixels == "yuv444p":
        height, width = found.size
        yield Note(f"{width}x{height} is odd, and H.264 of that plays in few browsers: --size makes it even")
    order = {
        **recipe,
        "input": files.sha256_of(found.path),
        "crf": options.crf,
        "PyAV": video.codecs().__version__,
    }
    sink = segments.Segments(target, made, order, resume=options.resume, overwrite=options.overwrite)
    if sink.done:
        yield Note(f"{files.display(target)} goes on after frame {sink.done}")
    return sink


def _painted(
    found: _Source, sink: Sink, painter: Painter, steady: bool, stop: Callable[[], bool]
) -> Generator[Event, None, int | None]:
    """Paint all frames that are not done yet into `sink`; returns the duration of the last one."""
    total, last = _count(found.footage), None
    shot = from_tensors(sink.state, painter.mix.device) if sink.state else None
    yield Stage("film", *found.size, total)
    for frame in _readable(found, sink.done):
        if isinstance(frame, Note):
            yield frame
            continue
        shot = followed(shot, frame.image) if steady else None
        found: list[Moments] = []
        image = painter(frame.image, shot.moments if shot else None, found if shot and shot.asks else None)
        shot = learned(shot, found) if shot and found else shot
        sink.add(replace(frame, image=image), partial(_carried, shot))
        last = frame.duration
        while painter.notes:
            yield Note(painter.notes.pop(0))
        yield Step(sink.done, max(total, sink.done), image=image)
        if stop():
            sink.interrupt(_carried(shot))
            break
    return last


def _readable(found: _Source, done: int) -> Iterator[Frame | Note]:
    """The frames that are not done, of the output's size; a film that breaks off ends there, with a note."""
    total, count = found.footage.frames, done
    try:
        for frame in found.frames(done):
            count += 1
            yield _resized(frame, found.size)
    except InputError as error:
        if not count:
            raise
        yield Note(f"{error}; painted are the {count} frames before that")
    else:
        if count < CUT_OFF * total:
            yield Note(f"{files.display(found.path)} breaks off after {count} of {total} frames")


def _carried(shot: Shot | None) -> dict[str, Tensor] | None:
    return None if shot is None else to_tensors(shot)


def _count(footage: Footage) -> int:
    """How many frames there are or are to be expected, 0 if nothing tells."""
    return footage.frames or round(footage.seconds * footage.rate)


def _resized(frame: Frame, size: geometry.Size) -> Frame:
    alpha = None if frame.alpha is None else geometry.resize(frame.alpha, size)
    return replace(frame, image=geometry.resize(frame.image, size), alpha=alpha)


def _written(
    found: _Source,
    target: Path,
    sink: Sink,
    options: FastOptions,
    recipe: Mapping[str, Any],
    last: int | None,
) -> Generator[Event, None, None]:
    """Write what there is; the parts go once all of the film is there."""
    told = recipe if options.metadata else None
    if isinstance(sink, animation.Roll):
        loop = 0 if found.moving else found.footage.loop
        sink.save(target, loop, told, overwrite=options.overwrite)
        return
    notes = remux.join(
        target,
        sink.pieces(),
        sink.made,
        sound=found.path if found.moving else None,
        last=last,
        credits=found.footage.credits,
        recipe=told,
        whole="interrupted" not in recipe,
        overwrite=options.overwrite,
    )
    for note in notes:
        yield Note(f"{files.display(target)}: {note}")
    if "interrupted" not in recipe:
        sink.remove()
