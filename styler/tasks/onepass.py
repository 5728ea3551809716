"""A trained network on pictures of any size: whole or in strips, in the number type that suits."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor

from styler.device import Form, form_for, free_memory
from styler.errors import DeviceError
from styler.image.size import Size, fit, resize
from styler.losses.metrics import psnr
from styler.networks.layers import Moments
from styler.networks.strips import EXACT, LEAST
from styler.options.shared import PassOptions

SHARE = 0.6
"""Of the memory that is free, what the work may take."""
COMFORT = 3 * 2**29
"""Bytes above which a CPU works in strips even so: up to half as much time again, and far less memory."""
SAMPLE = 256
"""Long side in pixels at which number types are compared."""
WORTH = 2**20
"""Pixels of work from which comparing number types takes less time than it can save."""
ALIKE = 40.0
"""PSNR in dB from which a picture cannot be told from the one in float32."""


@dataclass(eq=False, kw_only=True)
class Bounded(ABC):
    """A network that makes Images of Images, one at a time, in the memory there is.

    What it is called with, and how its result is finished, is the subclass's; planning, and going on where
    memory runs out, is here.

    Attributes:
        form: number type and memory format.
        room: bytes that the work may take.
        comfort: bytes that it may take to be done whole.
        largest: pixels that a strip may have; fewer once memory has run out.
        notes: what a person should know; for the caller to tell and to empty.
    """

    form: Form = EXACT
    room: float = math.inf
    comfort: float = math.inf
    largest: float = math.inf
    notes: list[str] = field(default_factory=list)

    @property
    @abstractmethod
    def place(self) -> torch.device:
        """Where the network is."""

    @property
    @abstractmethod
    def measures(self) -> bool:
        """Whether what it makes of a picture depends on the picture's statistics."""

    @abstractmethod
    def __call__(self, image: Tensor, moments: Sequence[Moments] | None = None) -> Tensor:
        """The finished Image, float32 [1, 3, H, W] on the CPU, of an image on any device; it is clamped.

        `moments` are statistics to use in place of the picture's own. DeviceError if memory will not do.
        """

    @abstractmethod
    def seen(self, image: Tensor) -> Tensor:
        """What the network is given for an Image [1, 3, H, W], float32 [1, C, H, W] on the CPU."""

    @abstractmethod
    def run(
        self, x: Tensor, rows: int, moments: Sequence[Moments] | None, found: list[Moments] | None
    ) -> Tensor:
        """What the network makes of `x`, float32 [1, C', H, W] on the CPU, in strips of so many rows.

        No gradients come with it. `found`, if it is a list, gets the statistics of the norms, in their order.
        """

    @abstractmethod
    def needed(self, height: int, width: int, rows: int) -> int:
        """Bytes that `run` takes."""

    @abstractmethod
    def thinnest(self, width: int) -> int:
        """Rows of the thinnest strips that still save memory."""

    def moments(self, image: Tensor) -> list[Moments]:
        """The statistics by which the network works on an image by itself, in the order of its norms."""
        found: list[Moments] = []
        self.made(self.seen(image), None, found)
        return found

    def made(
        self, x: Tensor, moments: Sequence[Moments] | None = None, found: list[Moments] | None = None
    ) -> Tensor:
        """What the network makes of what it is given, in ever thinner strips until memory does."""
        height, width = x.shape[2:]
        while True:
            rows, _ = self.plan(height, width)
            try:
                return self.run(x, rows, moments, found)
            except (MemoryError, RuntimeError) as error:
                if not is_shortage(error):
                    raise
                if found is not None:
                    found.clear()
                if rows <= LEAST:
                    raise DeviceError(too_large(width, height)) from error
            self.thin(rows, width)

    def plan(self, height: int, width: int) -> tuple[int, int]:
        """How an image of that size is worked on: the rows of a strip (all: whole), and the bytes it takes.

        Raises DeviceError, with a size that would do, if no strips are thin enough.
        """
        rows = self.rows(height, width)
        needed = self.needed(height, width, rows)
        if needed <= self.room:
            return rows, needed
        room = f"{needed / 1e9:.2f} GB of memory, and it may take {self.room / 1e9:.2f}"
        raise DeviceError(
            f"{too_large(width, height)}: it takes {room}; use --size {self.possible((height, width))}"
        )

    def rows(self, height: int, width: int) -> int:
        """Rows of the strips: all where memory is plenty, else so few that it is spared."""
        whole = self.needed(height, width, height)
        if whole <= min(self.room, self.comfort) and height * width <= self.largest:
            return height
        return max(LEAST, int(min(self.thinnest(width), self.largest // width, height - 1)))

    def possible(self, size: Size) -> int:
        """The long side of about the largest picture of the same aspect for which there is room."""
        side = max(size)
        while side > LEAST:
            side = side * 19 // 20
            height, width = fit(size, side)
            if self.needed(height, width, self.rows(height, width)) <= self.room:
                break
        return side

    def thin(self, rows: int, width: int) -> None:
        """From now on, strips of half as many pixels at most."""
        self.largest = rows * width // 2
        self.notes.append(f"memory ran out; going on in strips of {max(LEAST, rows // 2)} rows")
        if self.place.type == "cuda":
            torch.cuda.empty_cache()


Worker = TypeVar("Worker", bound=Bounded)


def suited(worker: Worker, options: PassOptions, sample: Tensor, work: int | None = None) -> Worker:
    """The same one that obeys `options`, which leave it open or say how precisely and in what memory.

    Args:
        worker: its network is where it is to work.
        options: precision and memory are obeyed, or chosen where they are left open.
        sample: an Image [1, 3, H, W] such as will be worked on.
        work: pixels that will be worked on in all, or None for many.
    """
    place = worker.place
    comfort = COMFORT if place.type == "cpu" and not options.memory else math.inf
    worker = replace(worker, room=room_for(options, place), comfort=comfort)
    exact, rough = form_for("float32", place), form_for("bfloat16", place)
    if options.precision != "auto":
        return replace(worker, form=rough if options.precision == "bfloat16" else exact)
    small = work is not None and work < WORTH
    return replace(worker, form=exact if small else chosen(worker, shrunk(sample), exact, rough))


def room_for(options: PassOptions, place: torch.device) -> float:
    """Bytes that the work may take: what `--memory` says, or a share of what is free."""
    free = free_memory(place)
    return options.memory * 1e9 or (math.inf if free is None else SHARE * free)


def chosen(worker: Bounded, sample: Tensor, exact: Form, rough: Form) -> Form:
    """The rough form if it is faster on the sample and its picture as good to the eye, else the exact one."""
    right, long = timed(replace(worker, form=exact), sample)
    found, short = timed(replace(worker, form=rough), sample)
    return rough if short < long and psnr(found, right) >= ALIKE else exact


def timed(worker: Bounded, sample: Tensor) -> tuple[Tensor, float]:
    """What the network makes of the sample, clamped, and the seconds once warm: the better of two."""
    times, x = [], worker.seen(sample)
    for _ in range(3):
        begun = time.perf_counter()
        made = worker.made(x).clamp_(0, 1)
        times.append(time.perf_counter() - begun)
    return made, min(times[1:])


def shrunk(sample: Tensor) -> Tensor:
    """The sample with a long side of SAMPLE at most, and no side too short for the network."""
    height, width = fit((sample.shape[2], sample.shape[3]), min(SAMPLE, max(sample.shape[2:])))
    return resize(sample.float(), (max(LEAST, height), max(LEAST, width)))


def is_shortage(error: Exception) -> bool:
    """Whether memory ran out; a CPU has no error class of its own for that."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    text = str(error).lower()
    return known or any(words in text for words in ("not enough memory", "allocate memory", "out of memory"))


def too_large(width: int, height: int) -> str:
    """The beginning of a message."""
    return f"a picture of {width} x {height} pixels is too large to paint here"
