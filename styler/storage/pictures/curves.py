"""Honor gamma and primaries that a PNG declares, and tell HDR in pictures of any format."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_GAMMA, _LIKE = 0.45455, 0.05
"""Exponent of a PNG that is shown as it is, and the relative difference that is none."""
_NEAR = 0.01
"""Difference of chromaticities that is none."""
_PRIMARIES = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""Chromaticities x, y of sRGB's white, red, green and blue."""
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
"""XYZ to the responses of the eye's cones, in which whites are adapted (Lam 1985)."""
_BAND = 256
"""Rows that are converted at once."""
_HEAD = 1 << 16
"""Bytes of a file in which its color is declared."""
_HDR_CURVES = {16, 18}
"""PQ and HLG (ITU-T H.273)."""

Pixels = NDArray[Any]  # [H, W, 3], uint8 or float32 in [0, 1]


def to_srgb(pixels: Pixels, info: Mapping[Any, Any], warn: Callable[[str], None]) -> Pixels:
    """Pixels of a PNG in sRGB, by its chunks gAMA and cHRM; as they are where a better chunk tells.

    W3C PNG, third edition, 11.3.2: a value is the light to the power of the gamma.
    """
    gamma, points = info.get("gamma"), info.get("chromaticity")
    if info.get("icc_profile") or "srgb" in info or (gamma is None and points is None):
        return pixels
    if gamma is not None and not 0.01 <= gamma <= 100:
        warn(f"its gamma is {gamma:g}, which cannot be, and was ignored")
        gamma = None
    if gamma is not None and abs(gamma / _GAMMA - 1) <= _LIKE:
        gamma = None
    other = points is not None and not np.allclose(points, _PRIMARIES, atol=_NEAR)
    matrix = _matrix(points) if points is not None and other else None
    if other and matrix is None:
        warn("its primaries cannot be, and were ignored")
    if gamma is None and matrix is None:
        return pixels
    light = _light(np.arange(256) / 255, gamma)
    bands = [pixels[row : row + _BAND] for row in range(0, len(pixels), _BAND)]
    return np.concatenate([_converted(band, light, gamma, matrix) for band in bands])


def _converted(band: Pixels, table: Pixels, gamma: float | None, matrix: Pixels | None) -> Pixels:
    """Some rows in sRGB; `table` has the light of all levels."""
    light = table[band] if band.dtype == np.uint8 else _light(band, gamma)
    shown = _encoded(light if matrix is None else light @ matrix.T)
    return np.round(255 * shown).astype(np.uint8) if band.dtype == np.uint8 else shown.astype(np.float32)


def _light(values: Pixels, gamma: float | None) -> Pixels:
    """Light of values in [0, 1]; without a gamma they are sRGB's."""
    if gamma is not None:
        return np.asarray(values ** (1 / gamma))
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _encoded(light: Pixels) -> Pixels:
    """Values of sRGB (IEC 61966-2-1) of light."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def _matrix(points: Sequence[float]) -> Pixels | None:
    """Light of these primaries to light of sRGB's, with white adapted; None where they span no colors."""
    try:
        ours, theirs = _xyz(_PRIMARIES), _xyz(points)
        cones = [_BRADFORD @ rgb.sum(1) for rgb in (ours, theirs)]
        adapted = np.linalg.inv(_BRADFORD) @ np.diag(cones[0] / cones[1]) @ _BRADFORD
        matrix = np.linalg.inv(ours) @ adapted @ theirs
    except (np.linalg.LinAlgError, ValueError):
        return None
    return matrix if np.isfinite(matrix).all() and np.abs(matrix).max() < 100 else None


def _xyz(points: Sequence[float]) -> Pixels:
    """Matrix from light of primaries to XYZ."""
    x, y = np.array(points, float).reshape(4, 2).T
    if y.min() <= 0:
        raise ValueError
    white, *columns = np.stack([x / y, np.ones(4), (1 - x - y) / y], 1)
    rgb = np.stack(columns, 1)
    return np.asarray(rgb * np.linalg.solve(rgb, white))


def is_hdr(file: BinaryIO) -> bool:
    """Whether an AVIF, HEIC or PNG says that its values are on a curve of HDR."""
    before = file.tell()  # from where the decoder goes on
    file.seek(0)
    head = file.read(_HEAD)
    file.seek(before)
    for mark, place in ((b"colrnclx", 11), (b"\x00\x00\x00\x04cICP", 9)):
        at = head.find(mark)
        if 0 <= at < len(head) - place and head[at + place] in _HDR_CURVES:
            return True
    return False
