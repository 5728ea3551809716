"""Painting pictures with a trained network: whole or in strips, in the number type that suits."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from styler.color import luminance_only
from styler.device import Form, form_for, free_memory
from styler.errors import DeviceError
from styler.geometry import Size, fit, resize
from styler.networks import strips
from styler.networks.strips import EXACT, LEAST
from styler.networks.transform import Moments, TransformNetwork
from styler.options import FastOptions

SHARE = 0.6
"""Of the memory that is free, what painting may take."""
COMFORT = 3 * 2**29
"""Bytes above which a CPU paints in strips even so: up to half as much time again, and far less memory."""
SAMPLE = 256
"""Long side in pixels at which number types are compared."""
WORTH = 2**20
"""Pixels to paint from which comparing number types takes less time than it can save."""
ALIKE = 40.0
"""PSNR in dB from which a picture cannot be told from the one in float32."""


@dataclass(eq=False)
class Painter:
    """A network that paints Images, one at a time.

    Attributes:
        network: on its device.
        mix: weights of the styles, [1, S], on the same.
        options: `strength` and `color` apply to the result.
        form: number type and memory format.
        room: bytes that painting may take.
        comfort: bytes that it may take to paint whole.
        largest: pixels that a strip may have; fewer once memory has run out.
        notes: what a person should know; for the caller to tell and to empty.
    """

    network: TransformNetwork
    mix: Tensor
    options: FastOptions
    form: Form = EXACT
    room: float = math.inf
    comfort: float = math.inf
    largest: float = math.inf
    notes: list[str] = field(default_factory=list)

    def __call__(self, image: Tensor, moments: Sequence[Moments] | None = None) -> Tensor:
        """The painted Image, float32 [1, 3, H, W] on the CPU, of an image on any device; it is clamped.

        `moments` are statistics to use in place of the picture's own. DeviceError if memory will not do.
        """
        content = image.to("cpu", torch.float32)
        if self.options.strength == 0:
            return content.clone()
        painted = self.painted(content, moments).clamp_(0, 1)
        if self.options.color == "luminance":
            painted = luminance_only(painted, content)
        return torch.lerp(content, painted, self.options.strength)

    def moments(self, image: Tensor) -> list[Moments]:
        """The statistics by which the network paints an image by itself, in the order of its blocks."""
        found: list[Moments] = []
        self.painted(image.to("cpu", torch.float32), None, found)
        return found

    def painted(
        self,
        content: Tensor,
        moments: Sequence[Moments] | None = None,
        found: list[Moments] | None = None,
    ) -> Tensor:
        """What the network makes of an Image, in ever thinner strips until memory does."""
        out = torch.empty(content.shape)
        while True:
            rows, _ = self.plan(content.shape[2], content.shape[3])
            try:
                with torch.inference_mode():
                    return strips.paint(
                        self.network,
                        content,
                        self.mix,
                        rows,
                        out,
                        moments=moments,
                        found=found,
                        form=self.form,
                    )
            except (MemoryError, RuntimeError) as error:
                if not is_shortage(error):
                    raise
                if found is not None:
                    found.clear()
                if rows <= LEAST:
                    raise DeviceError(too_large(content.shape[3], content.shape[2])) from error
            self.thin(rows, content.shape[3])

    def plan(self, height: int, width: int) -> tuple[int, int]:
        """How an image of that size is painted: the rows of a strip (all: whole), and the bytes it takes.

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
        rows = strips.thinnest(self.network, width, self.form.dtype)
        return max(LEAST, int(min(rows, self.largest // width, height - 1)))

    def needed(self, height: int, width: int, rows: int) -> int:
        """Bytes that painting takes."""
        return strips.memory(self.network, height, width, rows, self.form.dtype)

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
        if self.mix.device.type == "cuda":
            torch.cuda.empty_cache()


def painter(
    network: TransformNetwork,
    mix: Tensor,
    options: FastOptions,
    place: torch.device,
    sample: Tensor,
    work: int | None = None,
) -> Painter:
    """A Painter on `place` that obeys `options`.

    Args:
        network: it is moved to `place`.
        mix: weights of the styles, [1, S].
        options: precision and memory are obeyed, or chosen where they are left open.
        place: where to paint.
        sample: an Image [1, 3, H, W] such as will be painted.
        work: pixels that will be painted in all, or None for many.
    """
    network, mix = network.to(place).eval(), mix.to(place)
    room = room_for(options, place)
    comfort = COMFORT if place.type == "cpu" and not options.memory else math.inf
    exact, rough = form_for("float32", place), form_for("bfloat16", place)
    if options.precision == "auto":
        small = work is not None and work < WORTH
        form = exact if small else chosen(network, mix, shrunk(sample).to(place), exact, rough)
    else:
        form = rough if options.precision == "bfloat16" else exact
    return Painter(network, mix, options, form, room, comfort)


def room_for(options: FastOptions, place: torch.device) -> float:
    """Bytes that painting may take: what `--memory` says, or a share of what is free."""
    free = free_memory(place)
    return options.memory * 1e9 or (math.inf if free is None else SHARE * free)


def chosen(network: TransformNetwork, mix: Tensor, sample: Tensor, exact: Form, rough: Form) -> Form:
    """The rough form if it is faster on the sample and its picture as good to the eye, else the exact one."""
    right, long = timed(network, mix, sample, exact)
    found, short = timed(network, mix, sample, rough)
    return rough if short < long and psnr(found, right) >= ALIKE else exact


def timed(network: TransformNetwork, mix: Tensor, sample: Tensor, form: Form) -> tuple[Tensor, float]:
    """The sample painted, clamped, and the seconds that takes once warm: the better of two."""
    times = []
    with torch.inference_mode():
        for _ in range(3):
            begun = time.perf_counter()
            painted = strips.paint(network, sample, mix, sample.shape[2], form=form)
            painted = painted.clamp_(0, 1).cpu()  # waits for the device
            times.append(time.perf_counter() - begun)
    return painted, min(times[1:])


def shrunk(sample: Tensor) -> Tensor:
    """The sample with a long side of SAMPLE at most, and no side too short for the network."""
    height, width = fit((sample.shape[2], sample.shape[3]), min(SAMPLE, max(sample.shape[2:])))
    return resize(sample.float(), (max(LEAST, height), max(LEAST, width)))


def psnr(image: Tensor, other: Tensor) -> float:
    """Peak signal-to-noise ratio of two Images in dB; infinite if they are equal."""
    error = (image - other).square().mean().item()
    return -10 * math.log10(error) if error else math.inf


def is_shortage(error: Exception) -> bool:
    """Whether memory ran out; a CPU has no error class of its own for that."""
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    text = str(error).lower()
    return known or any(words in text for words in ("not enough memory", "allocate memory", "out of memory"))


def too_large(width: int, height: int) -> str:
    """The beginning of a message."""
    return f"a picture of {width} x {height} pixels is too large to paint here"
