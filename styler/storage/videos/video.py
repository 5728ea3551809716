"""Opened videos and animations, whose frames come at the size of the output."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from styler.errors import InputError
from styler.events import Note
from styler.image.size import SMALLEST, Size, fit, resize
from styler.options.fields import OutputSize
from styler.storage.magic import ANIMATIONS
from styler.storage.names import display
from styler.storage.videos import animation, read
from styler.storage.videos.footage import Footage, Frame

_CUT_OFF = 0.9
"""Share of the time that a file promises; with less, a note says that it breaks off."""
_LEADER = 25
"""Frames of a video after which it shows what it is like."""

T = TypeVar("T")


def resized(frame: Frame, size: Size) -> Frame:
    """A frame at another size."""
    alpha = None if frame.alpha is None else resize(frame.alpha, size)
    return replace(frame, image=resize(frame.image, size), alpha=alpha)


@dataclass(frozen=True)
class Video:
    """An opened video or animation.

    Attributes:
        size: (height, width) of the output.
        frames: gives the frames from the n-th on, at their own size.
        moving: False for animations, which have no sound and may loop.
        resized: makes a frame of the output's size.
    """

    path: Path
    footage: Footage
    size: Size
    frames: Callable[[int], Iterator[Frame]]
    moving: bool
    resized: Callable[[Frame, Size], Frame] = resized

    @property
    def count(self) -> int:
        """Frames that there are or that are to be expected, 0 if unknown."""
        return self.footage.frames or round(self.footage.seconds * self.footage.rate)

    def sample(self) -> Tensor:
        """One frame [1, 3, H, W], at its own size: not the first, which may be black."""
        (frame,) = deque(islice(self.frames(0), _LEADER), maxlen=1)
        return frame.image


def open_video(path: Path, wanted: OutputSize, max_pixels: int) -> Video:
    """Open a file for which `magic.is_video` holds; raises InputError if it cannot be used."""
    if path.suffix.lower() in ANIMATIONS:
        footage = animation.inspect(path, max_pixels=max_pixels)
        size = output_size(footage, wanted)
        return Video(path, footage, size, lambda skip: animation.frames(path, skip=skip), moving=False)
    footage = read.inspect(path, max_pixels=max_pixels)
    size = output_size(footage, wanted)
    return Video(path, footage, size, lambda skip: read.frames(path, footage, skip=skip), moving=True)


def output_size(footage: Footage, wanted: OutputSize) -> Size:
    """(height, width) of the output, with even sides, or the footage's own, whatever they are."""
    own = footage.height, footage.width
    if wanted is None:
        return own
    height, width = fit(own, wanted)
    return max(SMALLEST, height - height % 2), max(SMALLEST, width - width % 2)


def readable(video: Video, done: int) -> Iterator[Frame | Note]:
    """Frames that are not done, of the output's size; a video that breaks off ends there, with a note."""
    count, end, seconds = done, math.inf, video.footage.seconds
    try:
        for frame in video.frames(done):
            count, end = count + 1, float((frame.time + frame.duration) * video.footage.time_base)
            yield video.resized(frame, video.size)
    except InputError as error:
        if not count:
            raise
        yield Note(f"{error}; used are the {count} frames before that")
    else:
        if end < _CUT_OFF * seconds:
            yield Note(f"{display(video.path)}: the pictures end after {end:.1f} of {seconds:.1f} s")


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made in another thread while the one before it is in use."""
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = reader.submit(next, items, None)
            yield item
