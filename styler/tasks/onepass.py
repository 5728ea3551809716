"""One pass of a trained network over pictures of any size: whole, or in strips where memory is short."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from styler.device import Form, form_for, gigabytes, room_for
from styler.errors import DeviceError, is_shortage
from styler.image.grain import STILL, Place
from styler.image.size import SMALLEST, Size, fit, resize
from styler.losses.metrics import psnr
from styler.networks import strips
from styler.networks.flow import EXACT
from styler.networks.kinds import ImageNetwork
from styler.networks.layers import Mode, Moments
from styler.networks.strips import LEAST
from styler.options.shared import Precision

COMFORT = 3 * 2**29
"""Bytes above which a CPU works in strips even so: up to half as much time again, and far less memory."""
SAMPLE = 256
"""Long side in pixels at which number types are compared."""
_WORTH = 2**20
"""Pixels of work from which comparing number types takes less time than it can save."""
GRAINING = 60
"""Bytes for each pixel that a picture and its grain take at most while that is made."""
_ALIKE = 40.0
"""PSNR in dB from which a picture cannot be told from the one in float32."""


@dataclass
class Budget:
    """Memory that the work may take.

    Attributes:
        room: bytes.
        comfort: bytes up to which a picture is worked on whole.
        largest: pixels of a strip; fewer once memory has run out.
        notes: messages about memory that ran out, for the caller to show and to empty.
    """

    room: float = math.inf
    comfort: float = math.inf
    largest: float = math.inf
    notes: list[str] = field(default_factory=list)

    def thin(self, rows: int, width: int) -> None:
        """Halve the pixels that a strip may have, from `rows` rows."""
        self.largest = rows * width // 2
        self.notes.append(f"memory ran out; going on in strips of {max(LEAST, rows // 2)} rows")


@dataclass(frozen=True, eq=False)
class OnePass:
    """A trained network that makes Images of Images, one at a time, within a memory budget.

    Attributes:
        network: on its device.
        mode: how it runs: the mix of its styles on the same device, its norms, its dropout.
        prepare: from an Image, float32 [1, 3, H, W] on the CPU, to the network's input [1, C, H, W].
        grained: from that input, and how far its picture has moved in pixels of the input, to itself with
            whatever grain it gets.
        finish: from that Image and the network's output, float32 [1, C', H, W], to the Image to save.
        measures: whether the output depends on statistics of the whole picture.
        level: whether a constant in the network's input makes no difference to its output, as before a norm
            by the picture's own statistics. It is taken away then: beside it the little contrast of a flat
            picture is lost in rounding, in bfloat16 all of it.
        preparing: bytes for each pixel that `prepare` takes at its peak.
        form: number type and memory format.
        budget: memory; copies of a pass share it.
        earlier: networks that the input goes through first, one after another.
        sized: from the (height, width) of an Image to that of the finished one.
        after: pass that the finished Image goes through then.
    """

    network: ImageNetwork
    mode: Mode
    prepare: Callable[[Tensor], Tensor]
    finish: Callable[[Tensor, Tensor], Tensor]
    measures: bool = True
    level: bool = False
    preparing: int = 0
    form: Form = EXACT
    budget: Budget = field(default_factory=Budget)
    earlier: tuple[ImageNetwork, ...] = ()
    sized: Callable[[Size], Size] = lambda size: size
    after: OnePass | None = None
    grained: Callable[[Tensor, Place], Tensor] = lambda x, place: x

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return next(self.network.parameters()).device

    def __call__(
        self, image: Tensor, moments: Sequence[Moments] | None = None, place: Place = STILL
    ) -> Tensor:
        """The finished Image, float32 [1, 3, H, W] on the CPU, of an image on any device.

        `moments` replace the picture's own statistics; its grain has moved to `place`, in pixels of the
        image. Raises DeviceError if memory does not suffice.
        """
        image = image.to("cpu", torch.float32)
        size = image.shape[2], image.shape[3]
        if self.shrinks(size):
            made = resize(image, self.sized(size))
        else:
            made = self.finish(image, self.run(self.prepared(image, place), moments))
        return made if self.after is None else self.after(made)

    def prepared(self, image: Tensor, place: Place = STILL) -> Tensor:
        """The network's input of an Image, float32 [1, 3, H, W] on the CPU, with its grain at `place`."""
        x = self.prepare(image)
        scale = x.shape[3] / image.shape[3]
        return self.grained(x, (scale * place[0], scale * place[1]))

    def shrinks(self, size: Size) -> bool:
        """Whether networks that enlarge have nothing to do: an Image of that size is large enough."""
        height, width = self.sized(size)
        return self.network.scale > 1 and height <= size[0] and width <= size[1]

    def output(self, size: Size) -> Size:
        """(height, width) of what comes of an Image of that size in the end."""
        return self.sized(size) if self.after is None else self.after.output(self.sized(size))

    def moments(self, image: Tensor) -> list[Moments]:
        """Statistics of the image in the network's norms, in their order."""
        collected: list[Moments] = []
        self.run(self.prepared(image.to("cpu", torch.float32)), None, collected)
        return collected

    def run(
        self, x: Tensor, moments: Sequence[Moments] | None = None, collected: list[Moments] | None = None
    ) -> Tensor:
        """Run the network on its input; when out of memory, retry in thinner strips.

        The output is float32 on the CPU, not clamped and without gradients. `collected`, if it is a list,
        gets the statistics of the norms.
        """
        for network in self.earlier:
            x = replace(self, network=network, earlier=()).run(x).clamp_(0, 1)
        if self.level and moments is None and collected is None:
            x = x - x.mean((2, 3), keepdim=True)
        height, width = x.shape[2:]
        while True:
            rows, _ = self._plan(height, width)
            try:
                mode = replace(self.mode, moments=moments)
                return strips.paint(self.network, x, mode, rows, record=collected, form=self.form)
            except (MemoryError, RuntimeError) as error:
                if not is_shortage(error):
                    raise
                if rows <= LEAST:
                    advice = "a smaller one would do" if self.network.scale > 1 else "use a smaller --size"
                    raise DeviceError(f"{too_large((height, width))}: out of memory; {advice}") from error
            if collected is not None:
                collected.clear()
            self.budget.thin(rows, width)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def plan(self, height: int, width: int) -> tuple[int, int]:
        """Rows of a strip (all: whole) for an image of that size, and the bytes that the work takes.

        Of several networks, those of the last, which takes most. Raises DeviceError, with a size that would
        do, if no strips are thin enough.
        """
        scale = math.prod(network.scale for network in self.earlier)
        rows, needed = self._plan(scale * height, scale * width)
        if self.after is None:
            return rows, needed
        return rows, max(needed, self.after.plan(*self.sized((height, width)))[1])

    def _plan(self, height: int, width: int) -> tuple[int, int]:
        """As `plan`, of what comes to the last network."""
        rows = self.rows(height, width)
        needed = self.needed(height, width, rows)
        if needed > self.budget.room:
            side = self.possible((height, width))
            # The --size of `styler enlarge` is that of the output.
            advice = f"use --size {side}" if self.network.scale == 1 else f"a long side of {side} would do"
            raise DeviceError(f"{too_large((height, width))}: {shortage(needed, self.budget.room)}; {advice}")
        return rows, needed

    def rows(self, height: int, width: int) -> int:
        """Rows of the strips: all where memory is plenty, else so few that it is spared.

        On a CPU, where rows depend on few others, strips are the quicker way, too.
        """
        budget, whole = self.budget, self.needed(height, width, height)
        fits = whole <= min(budget.room, budget.comfort) and height * width <= budget.largest
        if fits and (self.network.reach is None or self.device.type != "cpu"):
            return height
        thin, most = strips.thinnest(self.network, width, self.form.dtype), height if fits else height - 1
        rows = max(LEAST, int(min(thin, budget.largest // width, most)))
        while (
            self.network.reach is not None and rows > LEAST and self.needed(height, width, rows) > budget.room
        ):
            rows = max(LEAST, rows // 2)  # which takes longer
        return rows

    def needed(self, height: int, width: int, rows: int) -> int:
        """Bytes that the work takes at its peak; the input is prepared before the network runs."""
        running = strips.memory(self.network, height, width, rows, self.form.dtype)
        return max(running, self.preparing * height * width)

    def possible(self, size: Size) -> int:
        """Long side of about the largest picture of the same aspect for which there is room."""
        side = max(size)
        while side > SMALLEST:
            side = side * 19 // 20
            height, width = fit(size, side)
            if self.needed(height, width, self.rows(height, width)) <= self.budget.room:
                break
        return side


# Memory and number type


def budgeted(task: OnePass, memory: float) -> OnePass:
    """The pass with a budget of `memory` gigabytes, 0 for a share of what is free."""
    comfort = COMFORT if task.device.type == "cpu" and not memory else math.inf
    budget = Budget(room_for(memory, task.device), comfort)
    after = None if task.after is None else replace(task.after, budget=budget)
    return replace(task, budget=budget, after=after)


def formed(task: OnePass, precision: Precision, sample: Tensor | None, work: float) -> OnePass:
    """The pass in the number type of `precision`.

    `auto` is bfloat16 where the machine multiplies it, if the work is worth a look at a sample and that looks
    alike. No clock decides, and no other picture, so that the same command makes the same bytes.

    Args:
        task: its network is on the device where it is to run.
        sample: Image [1, 3, H, W] that will be worked on; None if it is taken for granted.
        work: pixels that will be worked on in all.
    """
    chosen, exact = form_for(precision, task.device), form_for("float32", task.device)
    # Where a network only corrects a picture, a small error is one of a small part: nothing to measure.
    if precision == "auto" and chosen != exact and not task.network.corrects:
        alike = work >= _WORTH and (sample is None or _alike(task, shrunk(sample), chosen, exact))
        chosen = chosen if alike else exact
    after = None if task.after is None else replace(task.after, form=chosen)
    return replace(task, form=chosen, after=after)


def _alike(task: OnePass, sample: Tensor, rough: Form, exact: Form) -> bool:
    """Whether the network's output for the sample is to the eye the same in both forms."""
    x = task.prepared(sample)
    image, right = (replace(task, form=form).run(x).clamp_(0, 1) for form in (rough, exact))
    return bool(psnr(image, right) >= _ALIKE)


def shrunk(sample: Tensor) -> Tensor:
    """The sample with a long side of SAMPLE at most, and no side too short for the network."""
    height, width = fit((sample.shape[2], sample.shape[3]), min(SAMPLE, max(sample.shape[2:])))
    return resize(sample.float(), (max(SMALLEST, height), max(SMALLEST, width)))


def too_large(size: Size) -> str:
    """Beginning of the message about a picture of that (height, width)."""
    return f"a picture of {size[1]} x {size[0]} pixels is too large to paint here"


def shortage(needed: float, room: float) -> str:
    """Part of a message: the bytes needed and those there are."""
    takes, may = gigabytes(needed, room, decimals=2)
    return f"it takes {takes} of memory, and it may take {may}"
