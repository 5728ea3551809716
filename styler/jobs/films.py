"""From a film or an animation to what a network makes of it, frame by frame. A generator of events."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor

from styler.errors import InputError
from styler.events import Event, Note, Stage, Step
from styler.image import size as geometry
from styler.options.fields import OutputSize
from styler.options.shared import PassOptions, Precision
from styler.storage import disk
from styler.storage.films import animation, encode, join, read
from styler.storage.films.footage import Footage, Frame
from styler.storage.names import display
from styler.tasks.onepass import OnePass
from styler.tasks.steady import Shot, followed, from_tensors, to_tensors

CUT_OFF = 0.9  # of the time that a file promises; with less it is told to break off
LEADER = 25  # frames of a film after which it shows what it is like


@dataclass(frozen=True)
class _Source:
    """What is to be worked on; `frames` gives those from the n-th on, `moving` is False for animations."""

    path: Path
    footage: Footage
    size: geometry.Size
    frames: Callable[[int], Iterator[Frame]]
    moving: bool


def film(
    source: Path,
    target: Path,
    network: OnePass,
    options: PassOptions,
    recipe: Mapping[str, Any],
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, dict[str, Any]]:
    """Let a network work on one film or animation; returns the record of what was done.

    What is done of a film is kept beside the target (see `encode`); an animation has no `--resume`.

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
    unfinished = encode.parts_of(target).exists()  # so what is there is what the interruption left
    disk.prove_writable(target, overwrite=options.overwrite or unfinished, inputs=[source])
    if options.resume and unfinished:
        options = replace(options, overwrite=True)
    for note in found.footage.notes:
        yield Note(f"{display(source)}: {note}")
    whole = {**recipe, "size": [found.size[1], found.size[0]]}
    sink = yield from _sink(found, target, options, whole)
    with closing(sink):
        last = yield from _made(found, sink, network, options.steady, stop)
        if stop():
            whole["interrupted"] = True
        yield from _written(found, target, sink, options, whole, last)
        if stop():
            resumable = isinstance(sink, encode.FilmWriter)
            again = "--resume to go on" if resumable else "--overwrite to begin anew"
            yield Note(f"{display(target)} ends with frame {sink.done}: add {again}")
    return {
        "input": str(source),
        "output": str(target),
        "seed": options.seed,
        "device": str(network.device),
        "seconds": round(time.monotonic() - begun, 2),
        "sizes": [list(found.size)],
        "losses": {},
        "frames": sink.done,
    }


def _open(path: Path, options: PassOptions) -> _Source:
    """Look at the file; raises InputError if it cannot be used."""
    moving = path.suffix.lower() not in animation.FORMATS
    if not moving:
        footage = animation.inspect(path, max_pixels=options.max_pixels)
        size = output_size(options.size, footage)
        return _Source(path, footage, size, lambda skip: animation.frames(path, skip=skip), moving)
    footage = read.inspect(path, max_pixels=options.max_pixels)
    size = output_size(options.size, footage)
    return _Source(path, footage, size, lambda skip: read.frames(path, footage, skip=skip), moving)


def glance(path: Path, options: PassOptions) -> tuple[Footage, Tensor]:
    """What a film is, and one frame [1, 3, H, W] of it: not the first, which may be black."""
    found = _open(path, options)
    (frame,) = deque(islice(found.frames(0), LEADER), maxlen=1)
    return found.footage, frame.image


def begun_with(target: Path, options: PassOptions) -> Precision | None:
    """The precision of the interrupted film that `target` goes on with, None if there is nothing to obey.

    Measured anew, `auto` could come out differently.
    """
    if not options.resume or options.precision != "auto":
        return None
    known = encode.identity_of(target).get("options")
    found = known.get("precision") if isinstance(known, dict) else None
    return found if found in ("float32", "bfloat16") else None


def output_size(size: OutputSize, footage: Footage) -> geometry.Size:
    """(height, width) that `--size` asks for, with even sides, or the footage's own, whatever they are."""
    own = footage.height, footage.width
    if size is None:
        return own
    height, width = geometry.fit(own, size)
    return max(geometry.SMALLEST, height - height % 2), max(geometry.SMALLEST, width - width % 2)


T = TypeVar("T")
Sink = encode.FilmWriter | animation.AnimationWriter


def _sink(
    found: _Source, target: Path, options: PassOptions, recipe: Mapping[str, Any]
) -> Generator[Event, None, Sink]:
    """What takes the frames that are made, with those of an interrupted run if there was one."""
    if target.suffix.lower() in animation.FORMATS:
        return animation.AnimationWriter(target, found.footage.time_base)
    made = encode.encoding_for(target, found.footage, found.size, options.crf)
    if made.codec == "libx264" and made.pixels == "yuv444p":
        height, width = found.size
        yield Note(f"{width}x{height} is odd, and H.264 of that plays in few browsers: --size makes it even")
    order = {
        **recipe,
        "options": {**recipe.get("options", {}), "memory": None},  # which may change, as may what is free
        "input": disk.sha256_of(found.path),
        "crf": options.crf,
        "PyAV": read.codecs().__version__,
    }
    sink = encode.FilmWriter(target, made, order, resume=options.resume, overwrite=options.overwrite)
    if sink.done:
        yield Note(f"{display(target)} goes on after frame {sink.done}")
    return sink


def _made(
    found: _Source, sink: Sink, network: OnePass, steady: bool, stop: Callable[[], bool]
) -> Generator[Event, None, int | None]:
    """Make all frames that are not done yet, into `sink`; returns the duration of the last one."""
    total, last = frame_count(found.footage), None
    steady = steady and network.measures
    shot = from_tensors(sink.state, network.device) if sink.state else None
    yield Stage("video", *found.size, total)
    for frame in ahead(_readable(found, sink.done)):
        if isinstance(frame, Note):
            yield frame
            continue
        shot = followed(shot, frame.image, network.moments) if steady else None
        image = network(frame.image, shot.moments if shot else None)
        sink.add(replace(frame, image=image), partial(_carried, shot))
        last = frame.duration
        while network.budget.notes:
            yield Note(network.budget.notes.pop(0))
        yield Step(sink.done, max(total, sink.done), image=image)
        if stop():
            break
    return last


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same, each made in another thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, items, None)
            yield item


def _readable(found: _Source, done: int) -> Iterator[Frame | Note]:
    """The frames that are not done, of the output's size; a film that breaks off ends there, with a note."""
    count, end, seconds = done, math.inf, found.footage.seconds
    try:
        for frame in found.frames(done):
            count, end = count + 1, float((frame.time + frame.duration) * found.footage.time_base)
            yield _resized(frame, found.size)
    except InputError as error:
        if not count:
            raise
        yield Note(f"{error}; used are the {count} frames before that")
    else:
        if end < CUT_OFF * seconds:
            yield Note(f"{display(found.path)}: the pictures end after {end:.1f} of {seconds:.1f} s")


def _carried(shot: Shot | None) -> dict[str, Tensor] | None:
    return None if shot is None else to_tensors(shot)


def frame_count(footage: Footage) -> int:
    """How many frames there are or are to be expected, 0 if nothing tells."""
    return footage.frames or round(footage.seconds * footage.rate)


def _resized(frame: Frame, size: geometry.Size) -> Frame:
    alpha = None if frame.alpha is None else geometry.resize(frame.alpha, size)
    return replace(frame, image=geometry.resize(frame.image, size), alpha=alpha)


def _written(
    found: _Source,
    target: Path,
    sink: Sink,
    options: PassOptions,
    recipe: Mapping[str, Any],
    last: int | None,
) -> Generator[Event, None, None]:
    """Write what there is; the parts go once all of the film is there."""
    told = recipe if options.metadata else None
    if isinstance(sink, animation.AnimationWriter):
        loop = 0 if found.moving else found.footage.loop
        sink.save(target, loop, told, overwrite=options.overwrite)
        return
    notes = join.join(
        target,
        sink.segments(),
        sink.encoding,
        sound=found.path if found.moving else None,
        last=last,
        credits=found.footage.credits,
        recipe=told,
        whole="interrupted" not in recipe,
        overwrite=options.overwrite,
    )
    for note in notes:
        yield Note(f"{display(target)}: {note}")
    if "interrupted" not in recipe:
        sink.remove()
