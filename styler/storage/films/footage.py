"""What moving pictures are made of, whatever the file: facts known at the start, and timed frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from torch import Tensor


@dataclass(frozen=True)
class Footage:
    """What is known of moving pictures before they are read.

    Attributes:
        height: of the pictures in pixels, upright.
        width: likewise.
        time_base: seconds that one unit of `Frame.time` is.
        rate: frames a second, on the average; only a hint where they come at uneven times.
        frames: how many, or 0 if the file does not tell.
        seconds: how long, or 0 if the file does not tell.
        turn: quarter turns counterclockwise by which what is stored comes upright.
        aspect: width of a pixel over its height.
        matrix: how colors are coded: 1 for BT.709, 5 for BT.601, as in ITU-T H.273.
        loop: how often an animation is repeated, 0 for ever; None: it is played once, or is no animation.
        credits: title and the like.
        notes: what is lost of this file.
    """

    height: int
    width: int
    time_base: Fraction
    rate: Fraction
    frames: int = 0
    seconds: float = 0.0
    turn: int = 0
    aspect: Fraction = Fraction(1)
    matrix: int = 1
    loop: int | None = None
    credits: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frame:
    """One picture of many, with the time at which it is shown and for how long, in units of the time base.

    `image` is [1, 3, H, W] and `alpha`, None where all is opaque, [1, 1, H, W], in [0, 1].
    """

    image: Tensor
    time: int
    duration: int
    alpha: Tensor | None = None
