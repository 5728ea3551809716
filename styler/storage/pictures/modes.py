"""Convert pictures of any mode, color profile, gamma and primaries to sRGB and alpha; tell HDR."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_Warn = Callable[[str], None]
Pixels = NDArray[Any]  # [H, W, 3] or [H, W], uint8 or float32 in [0, 1]

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}  # what ICC calls our modes
HIDDEN = 4  # below this alpha, of 255, eight bits keep no trustworthy color
_FILL_SIDE = 1024  # hidden colors are looked up on a grid of at most this side


@dataclass(frozen=True)
class Layers:
    """The layers of a picture: `color` in mode L, RGB, CMYK, LAB or F (gray in [0, 1]), `alpha` in mode L."""

    color: Image.Image
    alpha: Image.Image | None


def loses_depth(image: Image.Image) -> bool:
    """Whether Pillow will read only 8 of the 16 bits a channel of an opened, not yet loaded picture."""
    if image.mode.startswith(("I", "F")) or not getattr(image, "tile", None):
        return False
    arguments = image.tile[0].args  # type: ignore[attr-defined]  # only opened files have it
    top = arguments[-1] if image.format == "PPM" and isinstance(arguments, tuple) else 0
    return ";16" in str(arguments) or (isinstance(top, int) and top > 255)


def layers(image: Image.Image, warn: _Warn) -> Layers:
    """The layers of a loaded picture: deep gray is scaled, not clipped; hidden colors are filled."""
    if image.mode.startswith(("I", "F")):
        return _deep_layers(image, warn)
    if image.has_transparency_data:
        both = image.convert("LA" if image.mode in {"1", "L", "LA", "La"} else "RGBA")
        return _filled(both.convert(both.mode[:-1]), both.getchannel("A"))
    if image.mode in _SPACES:
        return Layers(image, None)
    return Layers(image.convert("L" if image.mode == "1" else "RGB"), None)


def _deep_layers(image: Image.Image, warn: _Warn) -> Layers:
    values = np.asarray(image)
    color = Image.fromarray(_unit(values, warn))
    mark = image.info.get("transparency")
    if not isinstance(mark, int):
        return Layers(color, None)
    return _filled(color, Image.fromarray(np.where(values == mark, 0, 255).astype(np.uint8)))


def _filled(color: Image.Image, alpha: Image.Image) -> Layers:
    low, high = alpha.getextrema()
    if low == high == 255:
        return Layers(color, None)
    return Layers(Image.fromarray(fill_hidden(np.asarray(color), np.asarray(alpha))), alpha)


def _unit(values: NDArray[Any], warn: _Warn) -> NDArray[np.float32]:
    """Deep gray in [0, 1]: integers by 65535, floats as they are; values outside are stretched to fit."""
    white = 1 if values.dtype.kind == "f" else 65535
    if not np.isfinite(values).all():
        warn("some of its values are not finite and were read as black")
        values = np.nan_to_num(values, nan=0, posinf=0, neginf=0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= white:
        scaled: NDArray[np.float32] = np.multiply(values, np.float32(1 / white), dtype=np.float32)
        return scaled
    warn(f"its values go from {low:g} to {high:g}, which were stretched from black to white")
    return ((values.astype(np.float64) - low) / max(high - low, 1e-12)).astype(np.float32)


def lies(orientation: object) -> bool:
    """Whether `upright` turns a picture of that EXIF orientation by a quarter."""
    return isinstance(orientation, int) and 5 <= orientation <= 8


def upright(split: Layers, orientation: object) -> Layers:
    """Turn by an EXIF orientation; anything but 2 to 8 leaves the picture as it is."""
    turn = TURNS.get(orientation) if isinstance(orientation, int) else None
    if turn is None:
        return split
    alpha = None if split.alpha is None else split.alpha.transpose(turn)
    return Layers(split.color.transpose(turn), alpha)


def fitted(size: tuple[int, int], long_side: int | None, minimum: int) -> tuple[int, int]:
    """`size` shrunk to a long side in pixels, the short side not below `minimum`; never enlarged."""
    scale = min(1.0, (long_side or max(size)) / max(size))
    scale = max(scale, min(1.0, minimum / min(size)))
    return round(size[0] * scale), round(size[1] * scale)


def shrink(split: Layers, size: tuple[int, int]) -> Layers:
    """Resize with Lanczos; colors that were hidden are filled by now, so they do not leak."""
    alpha = None if split.alpha is None else _resized(split.alpha, size)
    return Layers(_resized(split.color, size), alpha)


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


@cache
def srgb_profile() -> bytes:
    """The sRGB ICC profile, always the same bytes: the creation time in its header is a constant."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)
    return bytes(profile)


def to_srgb(color: Image.Image, profile: bytes | None, warn: _Warn) -> Pixels:
    """The color layer as sRGB [H, W, 3]: uint8, or float32 for deep gray."""
    if color.mode != "F":
        return np.array(_managed(color, profile, warn))
    gray = np.clip(np.asarray(color), 0, 1)
    if profile is None:
        return np.repeat(gray[..., None], 3, axis=2)
    # The color engine knows no deep gray here: its curve is read off at 256 levels and drawn through.
    levels = np.arange(256, dtype=np.uint8)
    curve = np.array(_managed(Image.fromarray(levels[None]), profile, warn))[0] / 255
    return np.stack([np.interp(gray * 255, levels, curve[:, c]) for c in range(3)], axis=2).astype(np.float32)


def _managed(color: Image.Image, profile: bytes | None, warn: _Warn) -> Image.Image:
    """Mode L, RGB, CMYK or LAB to sRGB, through the profile if there is one that fits."""
    if profile and profile != srgb_profile():
        managed = _through(color, profile, warn)
        if managed is not None:
            return managed
    if color.mode == "LAB":
        return _transformed(color, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if color.mode == "CMYK":
        warn("it is CMYK without a usable color profile, so its colors are approximate")
    return color.convert("RGB")


def _through(color: Image.Image, profile: bytes, warn: _Warn) -> Image.Image | None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = source.profile.xcolor_space.strip()
        if space == "RGB" and color.mode == "L":
            color = color.convert("RGB")
        if space == _SPACES[color.mode]:
            return _transformed(color, source)
        warn(f"its color profile is for {space} and does not fit, so it was ignored")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        warn("its color profile is broken and was ignored")
    return None


def _transformed(color: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    target = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    done = ImageCms.profileToProfile(color, source, target, outputMode="RGB")
    if done is None:
        raise ValueError("profileToProfile works in place only when asked to")
    return done


def fill_hidden(color: Pixels, alpha: NDArray[np.uint8]) -> Pixels:
    """Give pixels hidden under transparency the nearest visible color, so that nothing unseen is styled.

    `color` is [H, W] or [H, W, 3], `alpha` [H, W] of 0 to 255. The nearest color is sought on a coarse
    grid; if nothing there is visible it is the mean visible color, or gray if there is none.
    """
    from scipy import ndimage  # 18 MB that only transparent pictures need

    hidden = alpha < HIDDEN
    step = -(-max(alpha.shape) // _FILL_SIDE)
    gaps = hidden[::step, ::step]
    filled = color.copy()
    if gaps.all():
        filled[hidden] = _mean_color(color, ~hidden)
        return filled
    rows, columns = ndimage.distance_transform_edt(gaps, return_distances=False, return_indices=True)
    y, x = hidden.nonzero()
    filled[hidden] = color[rows[y // step, x // step] * step, columns[y // step, x // step] * step]
    return filled


def _mean_color(color: Pixels, visible: NDArray[np.bool_]) -> Pixels:
    gray = 128 if color.dtype == np.uint8 else 0.5
    mean = color[visible].mean(axis=0) if visible.any() else gray
    return np.asarray(mean, dtype=color.dtype)


# Gamma and primaries that a PNG declares, and HDR

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


def apply_chunks(pixels: Pixels, info: Mapping[Any, Any], warn: Callable[[str], None]) -> Pixels:
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
