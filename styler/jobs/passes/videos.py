"""One video or animation through a trained network, frame by frame. A generator of events."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from styler.errors import InputError
from styler.events import Event, Note, Stage, Step
from styler.image.masks import bled
from styler.image.size import Size, resize, size_of
from styler.jobs.recipes import Record, prove, record_of
from styler.jobs.records import partial_for
from styler.options.shared import PassOptions, Precision
from styler.storage import magic
from styler.storage.magic import ANIMATIONS
from styler.storage.names import display, fit_name
from styler.storage.pictures.load import read_recipe as read_picture_recipe
from styler.storage.videos import animation, encode, parts, read
from styler.storage.videos.footage import Frame
from styler.storage.videos.join import join
from styler.storage.videos.read import codecs
from styler.storage.videos.video import Video, ahead, readable
from styler.tasks.onepass import OnePass
from styler.tasks.steady import Shot, followed, from_tensors, to_tensors

Writer = encode.VideoWriter | animation.AnimationWriter


def precision_begun(target: Path, options: PassOptions) -> Precision | None:
    """Precision of the interrupted video that `target` goes on with, None if there is nothing to obey.

    On another machine `auto` could come out differently.
    """
    if not options.resume or options.precision != "auto":
        return None
    known = parts.identity_of(target).get("options")
    precision = known.get("precision") if isinstance(known, dict) else None
    return precision if precision in ("float32", "bfloat16") else None


def apply(
    video: Video,
    target: Path,
    network: OnePass,
    options: PassOptions,
    recipe: Mapping[str, Any],
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Record]:
    """Let a network work on one video; returns its record.

    Finished segments of a video, and frames of an animation, are kept beside the target (see `parts`).

    Args:
        target: file of an ending in `magic.CONTAINERS` or `magic.ANIMATIONS`; the two may be mixed.
        recipe: with the content's hash; without the size, and whether it was interrupted.
        stop: asked after each frame; once true, the frames that are done become a video that can be played,
            TARGET with -partial in its name, which is removed when the whole one is there.

    Raises:
        StylerError: for input and output alike; whole segments are kept.
    """
    begun = time.monotonic()
    unfinished = parts.is_unfinished(target)
    prove(target, options.overwrite or unfinished, [str(video.path)])
    if options.resume and unfinished:
        options = replace(options, overwrite=True)
    for note in video.footage.notes:
        yield Note(f"{display(video.path)}: {note}")
    size = _frame_size(video, network)
    whole = {**recipe, "size": [size[1], size[0]]}
    writer = yield from _open_writer(video, size, target, options, whole)
    before, output = part_left(target, whole), target
    with closing(writer):
        last, broken = yield from _work(video, size, writer, network, options.steady, stop)
        if broken:
            whole["interrupted"], output = True, before or Path(partial_for(str(target)))
        options = replace(options, overwrite=options.overwrite or (broken and bool(before)))
        yield from _write(video, output, writer, options, whole, last)
        if broken:
            yield Note(f"{display(output)} ends with frame {writer.done}: add --resume to go on")
        elif before:
            before.unlink(missing_ok=True)
    more = {"losses": {}, "frames": writer.done}
    return record_of(str(video.path), str(output), options, network.device, begun, [size], **more)


def _frame_size(video: Video, network: OnePass) -> Size:
    """(height, width) of the frames that are written; of enlarged ones both are even, as codecs like them."""
    size = network.output(video.size)
    if size == video.size:
        return size
    return size[0] - size[0] % 2, size[1] - size[1] % 2


def part_left(target: Path, recipe: Mapping[str, Any]) -> Path | None:
    """The part of the same video that an interrupted run wrote, None if there is none."""
    path = target.with_name(fit_name(f"{target.stem}-partial", target.suffix))
    try:
        left = read.read_recipe(path) if magic.has_comment(path) else read_picture_recipe(path)
    except InputError:
        return None
    same = left.get("interrupted") is True and left.get("content") == recipe.get("content")
    return path if same and not path.is_symlink() else None


def _open_writer(
    video: Video, size: Size, target: Path, options: PassOptions, recipe: Mapping[str, Any]
) -> Generator[Event, None, Writer]:
    """Open the writer of the frames, which has those of an interrupted run if there was one."""
    identity = {
        **recipe,
        "options": {**recipe.get("options", {}), "memory": None},  # which may change, as may what is free
        "input": recipe["content"]["sha256"],
    }
    writer: Writer
    if target.suffix.lower() in ANIMATIONS:
        folder = parts.claim(target, identity, resume=options.resume, overwrite=options.overwrite)
        writer = animation.AnimationWriter(target, video.footage.time_base, folder)
    else:
        writer = yield from _open_video(video, size, target, options, identity)
    if writer.done:
        yield Note(f"{display(target)} goes on after frame {writer.done}")
    return writer


def _open_video(
    video: Video, size: Size, target: Path, options: PassOptions, identity: Mapping[str, Any]
) -> Generator[Event, None, encode.VideoWriter]:
    """Open the writer of a video that is encoded in segments."""
    encoding = encode.encoding_for(target, video.footage, size, options.crf)
    if encoding.codec == "libx264" and encoding.pixels == "yuv444p":
        height, width = size
        yield Note(f"{width}x{height} is odd, and H.264 of that plays in few browsers: --size makes it even")
    made_by = {**identity, "crf": options.crf, "PyAV": codecs().__version__}
    return encode.VideoWriter(target, encoding, made_by, resume=options.resume, overwrite=options.overwrite)


def _work(
    video: Video, size: Size, writer: Writer, network: OnePass, steady: bool, stop: Callable[[], bool]
) -> Generator[Event, None, tuple[int | None, bool]]:
    """Make all frames that are not done yet and give them to the writer.

    Returns the duration of the last one, and whether some are missing because of `stop`.
    """
    total, last = video.count, writer.last
    steady = steady and network.measures
    shot = from_tensors(writer.state, network.device) if writer.state else None
    yield Stage("video", *size, total)
    frames = ahead(readable(video, writer.done))
    for frame in frames:
        if isinstance(frame, Note):
            yield frame
            continue
        shot = followed(shot, frame.image, network.moments) if steady else None
        frame = _grown(frame, size)
        known = (shot.moments, shot.place) if shot else ()
        image = resize(network(frame.image, *known), size)
        writer.add(replace(frame, image=image), partial(_state, shot))
        last = frame.duration
        while network.budget.notes:
            yield Note(network.budget.notes.pop(0))
        yield Step(writer.done, max(total, writer.done), image=image)
        if stop():
            return last, any(isinstance(more, Frame) for more in frames)
    return last, False


def _grown(frame: Frame, size: Size) -> Frame:
    """A frame whose transparency has that size, and whose own colors suffice where it is to grow."""
    if frame.alpha is None or size == size_of(frame.alpha):
        return frame
    return replace(frame, image=bled(frame.image, frame.alpha), alpha=resize(frame.alpha, size))


def _state(shot: Shot | None) -> dict[str, Tensor] | None:
    return None if shot is None else to_tensors(shot)


def _write(
    video: Video,
    target: Path,
    writer: Writer,
    options: PassOptions,
    recipe: Mapping[str, Any],
    last: int | None,
) -> Generator[Event, None, None]:
    """Write the frames that are done; the segments go once all of the video is there."""
    metadata = recipe if options.metadata else None
    if isinstance(writer, animation.AnimationWriter):
        loop = 0 if video.moving else video.footage.loop
        writer.save(target, loop, metadata, overwrite=options.overwrite)
    else:
        notes = join(
            target,
            writer.segments(),
            writer.encoding,
            sound=video.path if video.moving else None,
            last=last,
            credits=video.footage.credits,
            recipe=metadata,
            whole="interrupted" not in recipe,
            overwrite=options.overwrite,
        )
        for note in notes:
            yield Note(f"{display(target)}: {note}")
    if "interrupted" not in recipe:
        writer.remove()
