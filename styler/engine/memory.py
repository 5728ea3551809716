"""Memory of optimizing an image, and the plan that keeps within a budget: whole, or in tiles of some side."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from styler.device import gigabytes
from styler.errors import DeviceError
from styler.features import Extractor
from styler.image.size import SMALLEST, Size
from styler.options.fields import LEAST_TILE
from styler.options.optimize import OptimizeOptions

_SIDES = (1024, 768, 512, 384, 256)
"""Sides of tiles in pixels; the margin makes smaller ones slow."""
_HISTORIES = (5, 3)
"""Pairs that L-BFGS does with where even tiles are too much."""
_PICTURES = 72
"""Bytes a pixel of content, style, image and gradient, and of the copies that are made of them on the way."""


class Plan(NamedTuple):
    """How a step is taken: side of the tiles (None: whole), pairs in L-BFGS's history, bytes at its peak."""

    side: int | None
    history: int
    needed: int

    def __str__(self) -> str:
        """For people."""
        how = "whole" if self.side is None else f"in tiles of {self.side} pixels"
        return f"{how}, {gigabytes(self.needed)[0]}"

    def chosen(self) -> dict[str, object]:
        """The options that tell the plan, for recipes: other tiles round differently."""
        return {} if self.side is None else {"tile": str(self.side), "history": self.history}


def plan(extractor: Extractor, options: OptimizeOptions, size: Size, room: float) -> Plan:
    """The plan of a step at (height, width) `size` that takes least time within `room` bytes.

    Raises DeviceError if there is none.
    """
    plans = [
        Plan(side, history, memory(extractor, options, size, side, history))
        for side, history in _choices(options, size)
    ]
    for possible in plans:
        if possible.needed <= room:
            return possible
    least = min(possible.needed for possible in plans)
    side = max(SMALLEST, int(max(size) * math.sqrt(room / least)))
    advice = ", or --tile auto" if options.tile == "off" else ""
    needs, may = gigabytes(least, room)
    raise DeviceError(
        f"{size[1]} x {size[0]} pixels need about {needs} of memory and may take {may}: "
        f"use --size {side}{advice}"
    )


def _choices(options: OptimizeOptions, size: Size) -> Iterator[tuple[int | None, int]]:
    """Sides and histories from fast to slow."""
    if options.tile == "off":
        yield None, options.history
        return
    sides = [side for side in _SIDES if side < max(size)]
    wanted: list[int | None] = [None, *sides] if options.tile == "auto" else [options.tile]
    yield from ((side, options.history) for side in wanted)
    fewer = [pairs for pairs in _HISTORIES if pairs < options.history and options.optimizer == "lbfgs"]
    yield from ((wanted[-1], pairs) for pairs in fewer)
    if options.tile == "auto":
        least = fewer[-1] if fewer else options.history
        yield from ((side, least) for side in (2 * LEAST_TILE, LEAST_TILE) if side < max(size))


def memory(
    extractor: Extractor,
    options: OptimizeOptions,
    size: Size,
    side: int | None = None,
    history: int | None = None,
) -> int:
    """Bytes that a step at `size` needs at its peak, the network's weights left out.

    Counted are each ReLU's output, which is kept for the way back, each pooling's as an allowance, the
    largest activation four times over while it is made (input, padded input, output, gradient), the photo's
    structure at the content layers, and the solver's vectors, of which there are two for each pair in the
    history. Of tiles of some `side` only one is there at a time, with its margin; pictures, which a whole
    one's activations outweigh, are counted beside them.
    """
    if options.colors_only:
        return 100 * size[0] * size[1]
    kept, largest, maps = _features(extractor, options)
    vectors = {
        "lbfgs": 2 * (history or options.history) + 12,
        "adam": 11,
        "scipy": 4 * options.history + 24,
    }
    planes = {"pixels": 3, "pyramid": 1.5}[options.parameterization]
    solver = 4 * planes * vectors[options.optimizer] + 48 * (planes < 3)
    area = size[0] * size[1]
    if side is None or side >= max(size):
        compared = 2 * sum(maps) if options.content_loss == "structure" else 0
        return round((kept + compared + 4 * largest + solver) * area)
    margin = reach(extractor, options)
    tile = math.prod(min(length, side + 2 * margin) for length in size)
    return round((kept + 4 * largest) * tile + (sum(maps) + max(*maps, solver) + _PICTURES) * area)


def _features(extractor: Extractor, options: OptimizeOptions) -> tuple[float, float, list[float]]:
    """Bytes a pixel of all activations that are kept, of the largest one, and of each content layer's."""
    widths, content, compared = extractor.widths(), dict(options.content_layers), layers(options)
    share = extractor.form.dtype.itemsize / 4 if extractor.form else 1
    kept, largest, maps, shrink = 0.0, 0.0, list[float](), 1
    for name in extractor.needed(layers(options)):
        shrink *= 4 if name.startswith("pool") else 1
        size = 4 * widths[name] / shrink
        largest = max(largest, share * size)
        kept += share * size * name.startswith(("relu", "pool"))
        kept += size * (share < 1 and name in compared)  # once more in float32, for the losses
        maps += [size] if name in content else []
    return kept, largest, maps


def reach(extractor: Extractor, options: OptimizeOptions) -> int:
    """Pixels on each side of a block of places at the layers on which these depend."""
    fields = extractor.receptive_fields()
    return max((fields[name].offset for name in layers(options) - {"image"}), default=0)


def layers(options: OptimizeOptions) -> set[str]:
    """Names of the style and content layers."""
    return {name for name, _ in options.content_layers + options.style_layers}
