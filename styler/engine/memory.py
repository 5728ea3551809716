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

_SIDES = (1024, 768, 512, 384, 256, 2 * LEAST_TILE, LEAST_TILE)
"""Sides of tiles in pixels; the margin makes the small ones slow."""
_FAST_AND_FAIR = (512, 256)
"""Sides down to which a shorter history is not wanted, and then is."""
_HISTORIES = (5, 3, 2)
"""Pairs that L-BFGS does with where even tiles are too much."""
_PICTURES = 36
"""Bytes a pixel of content, style, image and gradient, and of the copies that are made of them on the way."""
_BESIDE = 3 * 10**8
"""Bytes of everything else, such as codecs and what the allocator keeps."""


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
    least, fixed = min(possible.needed for possible in plans), memory(extractor, options, (0, 0))
    side = int(max(size) * math.sqrt(max(0, room - fixed) / (least - fixed)))
    advice = f"use --size {side}" if side >= SMALLEST else f"even --size {SMALLEST} takes more"
    advice += ", or --tile auto" if options.tile == "off" else ""
    needs, may = gigabytes(least, room)
    raise DeviceError(
        f"{size[1]} x {size[0]} pixels need about {needs} of memory and may take {may}: {advice}"
    )


def _choices(options: OptimizeOptions, size: Size) -> Iterator[tuple[int | None, int]]:
    """Sides and histories from fast to slow."""
    fewer = [pairs for pairs in _HISTORIES if pairs < options.history and options.optimizer == "lbfgs"]
    if options.tile != "auto":
        side = None if options.tile == "off" else options.tile
        yield from ((side, pairs) for pairs in [options.history, *(fewer if side else [])])
        return
    sides = [side for side in _SIDES if side < max(size)]
    fast, fair = ([side for side in sides if side >= least] for least in _FAST_AND_FAIR)
    yield from ((side, options.history) for side in [None, *fast])
    fewer = fewer or [options.history]
    yield from ((side, pairs) for pairs in fewer for side in fair if side <= _FAST_AND_FAIR[0])
    yield from ((side, fewer[-1]) for side in sides)


def memory(
    extractor: Extractor,
    options: OptimizeOptions,
    size: Size,
    side: int | None = None,
    history: int | None = None,
) -> int:
    """Bytes that a step at `size` takes at its peak, all that a process has beside torch included.

    Counted are each ReLU's output, which is kept for the way back, the largest activation once more, padded,
    the photo's structure at the content layers, the pictures, and the solver's vectors, of which there are
    two for each pair in the history. Of tiles of some `side` only one is there at a time, with its margin.
    Fitted to measurements (benchmarks/tiles.py), from above.
    """
    if options.colors_only:
        return 100 * size[0] * size[1]
    sizes = _sizes(extractor, options)
    share = extractor.form.dtype.itemsize / 4 if extractor.form else 1
    kept = share * sum(size for name, size in sizes.items() if name.startswith("relu"))
    if share < 1:  # once more in float32, for the losses
        kept += sum(sizes[name] for name in layers(options))
    largest, maps = share * max(sizes.values()), [sizes[name] for name, _ in options.content_layers]
    vectors = {
        "lbfgs": 2 * (history or options.history) + 7,
        "adam": 11,
        "scipy": 4 * options.history + 24,
    }
    planes = {"pixels": 3, "pyramid": 1.5}[options.parameterization]
    solver = 4 * planes * vectors[options.optimizer] + 48 * (planes < 3)
    area, margin = math.prod(size), reach(extractor, options)
    tile = area if side is None else math.prod(min(length, side + 2 * margin) for length in size)
    lasting = sum(maps) + max(*maps, solver) + _PICTURES
    if options.style_loss == "sliced":  # projections, their gradient and what sorting takes
        lasting += 3 * sum(sizes[name] for name, _ in options.style_layers)
    weights = 2 * sum(x.numel() * x.element_size() for x in extractor.buffers())  # twice while they are read
    return round(_BESIDE + weights + (kept + largest) * tile + lasting * area)


def _sizes(extractor: Extractor, options: OptimizeOptions) -> dict[str, float]:
    """Bytes in float32 that each layer's activation takes for each pixel of the picture."""
    widths, fields = extractor.widths(), extractor.receptive_fields()
    sizes = {name: 4 * widths[name] / fields[name].stride ** 2 for name in extractor.needed(layers(options))}
    return {"image": 12.0, **sizes}


def reach(extractor: Extractor, options: OptimizeOptions) -> int:
    """Pixels on each side of a block of places at the layers on which these depend."""
    fields = extractor.receptive_fields()
    return max((fields[name].offset for name in layers(options) - {"image"}), default=0)


def layers(options: OptimizeOptions) -> set[str]:
    """Names of the style and content layers."""
    return {name for name, _ in options.content_layers + options.style_layers}
