"""Sizes of outputs."""

from __future__ import annotations

from styler.options.fields import SMALLEST as SMALLEST
from styler.options.fields import OutputSize

Size = tuple[int, int]
"""(height, width) in pixels."""


def fit(size: Size, target: OutputSize) -> Size:
    """The size of the same aspect with that long side, or the largest in that box; no side under 1."""
    if target is None:
        return size
    height, width = size
    box = (target, target) if isinstance(target, int) else target
    if height * box[1] > width * box[0]:  # the height is what limits it
        return box[0], max(1, round(width * (box[0] / height)))
    return max(1, round(height * (box[1] / width))), box[1]


def long_side(target: OutputSize) -> int | None:
    """The longest side in pixels that an output of that size can have, None for the input's own."""
    return max(target) if isinstance(target, tuple) else target
