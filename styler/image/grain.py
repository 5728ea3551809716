"""Gray grain on photos: something to paint in flat areas, where a network would weave. NumPy alone."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from styler.image.fit import Size

Floats = NDArray[np.float32]

Place = tuple[float, float]
"""Pixels down and right."""

STILL: Place = (0.0, 0.0)
COARSE = 1.5
"""Standard deviation of the smooth part of the grain, relative to the white one."""
_BLUR = 1.8
"""Standard deviation in pixels of the Gaussian that makes noise smooth."""
_STREAM = 3
"""What sets these random numbers apart from others of the same seed."""
_REACH = 8
"""Pixels from the middle of that Gaussian to its ends."""
FLAT = 1 / 255
"""Local contrast below which a photo is flat, and standard deviation of the grain that makes up for it."""
_ROWS, _AROUND = 256, 4
"""Rows that are looked at at once, and rows around them that their contrast depends on."""
_BANDS = 9
"""Bands of grain that are kept for the next frame of a video: those of 4K."""


def noise_for(photo: Floats, amount: float, place: Place = STILL) -> Floats:
    """What comes to a photo [3, H, W] that a network paints, [H, W]: its grain; without any, `lacking`.

    Grain that lies on a picture of a video moves with it, to `place`; what leaves enters on the other side.
    """
    size = photo.shape[1], photo.shape[2]
    if not amount:
        return lacking(photo)
    noise = np.float32(amount) * grain(size, 0, 0)
    moved: Floats = np.roll(noise, [round(way) for way in place], (0, 1))
    return moved


def noise_anew(photo: Floats, amount: float, *seed: int) -> Floats:
    """As `noise_for`, in training: other noise for each seed, [H, W]."""
    size = photo.shape[1], photo.shape[2]
    if amount:
        return np.float32(amount) * grain(size, *seed)
    lack = flatness(photo)
    draw = np.random.default_rng((*seed, _STREAM))
    move = [int(draw.integers(side)) for side in size]
    moved: Floats = np.float32(FLAT) * lack * np.roll(_sheet(size), move, (0, 1)) if lack.any() else lack
    return moved


def lacking(photo: Floats) -> Floats:
    """The grain that the flat places of a photo [3, H, W] lack, [H, W]; 0 elsewhere.

    Networks normalize what they see: of a place without contrast they make nothing, and of an even ramp
    bands. Half a level of noise, less than a camera's, is enough for them to paint.
    """
    height, width = photo.shape[1:]
    noise = np.zeros((height, width), np.float32)
    for index, top in enumerate(range(0, height, _ROWS)):
        above, bottom = max(0, top - _AROUND), min(height, top + _ROWS)
        lack = flatness(photo[:, above : bottom + _AROUND])[top - above :][: bottom - top]
        if lack.any():
            noise[top:bottom] = np.float32(FLAT) * lack * _band(index, width)[: bottom - top]
    return noise


@functools.lru_cache(1)
def _sheet(size: Size) -> Floats:
    """Grain that repeats itself without a seam."""
    return grain(size)


def flatness(photo: Floats) -> Floats:
    """How far each pixel of a photo [3, H, W] is from having contrast around it, [H, W].

    1 without any, also on an even ramp; 0 from `FLAT` on.
    """
    gray = photo.mean(0)
    contrast = np.sqrt(_around(np.square(gray - _around(gray, 1)), _AROUND - 1))
    lack: Floats = np.maximum(0, 1 - contrast / np.float32(FLAT))
    return lack


def _around(x: Floats, reach: int) -> Floats:
    """Means of [H, W] over squares that reach so many pixels far; the border is replicated."""
    height, width = x.shape
    padded, side = np.pad(x, reach, mode="edge"), 2 * reach + 1
    rows, total = np.zeros((height, width + 2 * reach), np.float32), np.zeros_like(x)
    for shift in range(side):
        rows += padded[shift : shift + height]
    for shift in range(side):
        total += rows[:, shift : shift + width]
    mean: Floats = total / np.float32(side * side)
    return mean


@functools.lru_cache(_BANDS)
def _band(index: int, width: int) -> Floats:
    """Rows of an endless sheet of grain, from row `index` * 256 on, which are the same at every height."""
    draws = [np.random.default_rng((number, _STREAM)) for number in range(index, index + 3)]
    whites = [draw.standard_normal((2, _ROWS, width), np.float32) for draw in draws]
    white, other = np.concatenate(whites, 1)
    smooth = _smooth(other[_ROWS - _REACH : 2 * _ROWS + _REACH])[_REACH : _REACH + _ROWS]
    band: Floats = white[_ROWS : 2 * _ROWS] + np.float32(COARSE) * smooth
    return band


def grain(size: Size, *seed: int) -> Floats:
    """White noise plus 1.5 times smooth noise of the same variance, [H, W]; equal for equal seeds.

    The standard deviation is 1 before the smooth part comes to it.
    """
    draw = np.random.default_rng((*seed, _STREAM))
    white, other = (draw.standard_normal(size, np.float32) for _ in range(2))
    return white + np.float32(COARSE) * _smooth(other)


def _smooth(white: Floats) -> Floats:
    """White noise [H, W] after a Gaussian filter, with the variance that it had; periodic."""
    offsets = np.arange(-_REACH, _REACH + 1)
    bell = np.exp(-0.5 * (offsets / _BLUR) ** 2)
    bell /= np.sqrt(np.square(bell).sum())  # so that variances stay
    for axis in (0, 1):
        white = _filtered(white, bell.astype(np.float32), axis)
    return white


def _filtered(x: Floats, bell: Floats, axis: int) -> Floats:
    """Rows or columns of [H, W] weighed with their neighbors; periodic."""
    reach, count = len(bell) // 2, x.shape[axis]
    around = np.take(x, np.arange(-reach, count + reach) % count, axis)
    made: Floats = np.zeros_like(x)
    for shift, weight in enumerate(bell):
        made += weight * (around[shift : shift + count] if axis == 0 else around[:, shift : shift + count])
    return made
