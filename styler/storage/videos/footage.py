"""Properties of videos and animations, and their frames with times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from torch import Tensor


@dataclass(frozen=True)
class Footage:
    """Properties of a video or an animation that are known before its frames are read.

    Attributes:
        height: of an upright frame, in pixels.
        width: of an upright frame, in pixels.
        time_base: the unit of `Frame.time`, in seconds.
        rate: mean frames a second.
        frames: number of frames, 0 if unknown.
        seconds: duration, 0 if unknown.
        turn: quarter turns counterclockwise that make a stored frame upright.
        aspect: width of a pixel over its height.
        matrix: color matrix: 1 for BT.709, 5 for BT.601 (ITU-T H.273).
        loop: repetitions of an animation, 0 for ever; None where it plays once, and for videos.
        credits: title and the like.
        notes: what of the file is lost.
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
    """A frame, the time at which it is shown, and its duration, both in units of the time base.

    `image` is [1, 3, H, W] and `alpha`, None where all is opaque, [1, 1, H, W], in [0, 1].
    """

    image: Tensor
    time: int
    duration: int
    alpha: Tensor | None = None
