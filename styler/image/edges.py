"""Thin lines: the edges of a photo, or the lines of a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from styler.errors import InputError
from styler.image.color import LUMA
from styler.options.translate import EdgeOptions

_Plane = NDArray[np.floating[Any]]  # [H, W]
Mask = NDArray[np.bool_]  # [H, W]

_OPPONENTS = np.array([LUMA, (1, -1, 0), (-0.5, -0.5, 1)], np.float32)
"""Rows that turn a color into luma, red minus green, and blue minus yellow, in which edges are sought."""
_FAINTEST = 0.03
"""Smallest difference between two areas, of the range of values; below it the line between them is noise."""
_SOFTEST = 0.02
"""Sharpness of the softest edge, relative to a sharp one under the same blur: it is 7 times as wide."""
WIDE = 3
"""Ratio of the second blur to the first, which tells contours from texture."""
CONNECTED, APART = np.ones((3, 3), bool), np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
"""Pixels that touch at a corner are of one line, and not of one area between lines."""
_FAINTEST_INK = 0.1
"""Darkness of the faintest stroke of a drawing, relative to its paper."""
_GRAIN = 0.7
"""Blur, in pixels, that removes the grain of a drawing's paper."""
REACH = 5
"""Radius, in pixels, within which a stroke is at least half as dark as the darkest pixel."""
WIDTHS, WIDER = (1 / 50, 1 / 16), 2.5
"""Half the width of the widest stroke: its bounds relative to the long side, and its ratio to the median."""
SAMPLES, FITS = 96, 6
"""Fit of the paper's brightness: points along the long side, and rounds."""

PALEST = 0.6
"""Brightness of the paper whose color is black."""
_COLORED, _FILLED = 0.15, 0.02
"""Difference of channels from which a pixel has a color, and the share of such pixels in a filled drawing."""


@dataclass(frozen=True)
class Edges:
    """Parameters of the edge detection, in pixels of the photo; see `EdgeOptions`."""

    sigma: tuple[float, float] = (1.0, 3.0)
    strong: float = 90.0
    weak: float = 75.0
    shortest: int = 10


def edges_for(options: EdgeOptions) -> Edges:
    """The edge detection of the options; raises InputError if the thresholds are the wrong way round."""
    if options.weak > options.strong:
        raise InputError(f"--weak is {options.weak:g}, over --strong of {options.strong:g}: lower it")
    return Edges(options.sigma, options.strong, options.weak, options.shortest)


# Of a photo


def draw(image: Tensor, edges: Edges, sigma: float) -> Tensor:
    """The contours of an Image [1, 3, H, W] as one-pixel lines, 0 on 1: [1, 1, H, W].

    Canny 1986, with these differences: the gradient is that of the colors (Di Zenzo 1986), the thresholds are
    percentiles of its strength, so that contrast does not matter, and the strength is the mean of that at
    `sigma` and at a blur three times as wide, so that contours outlast texture. Short lines are left out.
    """
    colors = np.tensordot(_OPPONENTS, image[0].float().cpu().numpy(), 1)
    strength, angle = gradient(colors, sigma)
    thin = ridges(strength, angle, _SOFTEST / sigma**2)
    steady = (strength + WIDE * gradient(colors, WIDE * sigma)[0]) / 2
    faintest = _FAINTEST / (sigma * np.sqrt(2 * np.pi))
    strong, weak = (max(faintest, np.percentile(steady, p)) for p in (edges.strong, edges.weak))
    return _drawn(lines(thinned(thin & (steady >= weak)), steady >= strong, edges.shortest))


def gradient(colors: _Plane, sigma: float) -> tuple[_Plane, _Plane]:
    """Strength per pixel and angle of the steepest change of [C, H, W] after a Gaussian blur.

    The larger eigenvalue of the structure tensor, and its direction (Di Zenzo 1986): gradients of channels
    that point in opposite directions add up and do not cancel. Borders reflect.
    """
    blurred = ndimage.gaussian_filter(colors, (0, sigma, sigma), mode="reflect")
    down, right = (ndimage.sobel(blurred, axis, mode="reflect") / 8 for axis in (1, 2))
    yy, xx, xy = (down * down).sum(0), (right * right).sum(0), (down * right).sum(0)
    spread = np.hypot((yy - xx) / 2, xy)
    return np.sqrt((yy + xx) / 2 + spread), np.arctan2(2 * xy, xx - yy) / 2


def ridges(strength: _Plane, angle: _Plane, sharpness: float) -> Mask:
    """Non-maximum suppression with interpolation: pixels whose strength is largest along its direction.

    The neighbors must be lower by `sharpness` of it in sum: an even slope has no line at its end. On a
    plateau of two pixels the one further right, or down, is kept, so that lines are a pixel wide.
    """
    down, right = np.sin(angle), np.cos(angle)
    steep = np.abs(down) > np.abs(right)
    share = np.minimum(np.abs(down), np.abs(right)) / np.maximum(np.abs(down), np.abs(right))
    padded = np.pad(strength, 1, mode="symmetric")
    height, width = strength.shape

    def neighbor(y: int, x: int) -> _Plane:
        return padded[1 + y : 1 + y + height, 1 + x : 1 + x + width]

    def along(way: int) -> _Plane:
        straight = np.where(steep, neighbor(way, 0), neighbor(0, way))
        other = np.where(steep, neighbor(way, -way), neighbor(-way, way))
        diagonal = np.where(down * right >= 0, neighbor(way, way), other)
        return share * diagonal + (1 - share) * straight

    behind, ahead = along(-1), along(1)
    peak: Mask = (strength >= behind) & (strength > ahead)
    return peak & (2 * strength - behind - ahead >= sharpness * strength)


def lines(candidates: Mask, certain: Mask, shortest: int, touching: Mask = CONNECTED) -> Mask:
    """Hysteresis: connected candidates of at least `shortest` pixels, one of which is certain."""
    labels, count = ndimage.label(candidates, touching)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    chosen = np.isin(np.arange(count + 1), labels[certain & candidates]) & (sizes >= shortest)
    chosen[0] = False
    result: Mask = chosen[labels]
    return result


# Of a drawing


def clean(sketch: Tensor, shortest: int = 10) -> Tensor:
    """The lines of a drawing [1, 1 or 3, H, W] as one-pixel lines, 0 on 1: [1, 1, H, W].

    Pencil or ink, on white or gray or unevenly lit paper, or chalk on black: ink is what differs from the
    paper around it. Strokes become their middle line, filled shapes their outline. Lines of fewer than
    `shortest` pixels are left out.
    """
    values = sketch[0].float().cpu().numpy()
    darkness = ink(np.tensordot(np.array(LUMA, np.float32), values, 1) if len(values) == 3 else values[0])
    noise = np.median(np.abs(darkness)) / 0.6745
    weak = max(_FAINTEST_INK, 4 * noise)
    strong = max(weak, darkness[darkness >= weak].mean() / 2) if (darkness >= weak).any() else weak
    around = ndimage.maximum_filter(darkness, 2 * REACH + 1)
    marks = lines((darkness >= weak) & (darkness >= around / 2), darkness >= strong, shortest)
    marks = ~lines(~marks, ~marks, shortest, APART)  # gaps in a stroke would become loops
    solid = shapes(marks)
    outline = solid & ~ndimage.binary_erosion(solid, border_value=1)
    thin = thinned((marks & ~solid) | outline)
    return _drawn(lines(thin, thin, shortest))


def ink(gray: _Plane) -> _Plane:
    """The darkness [H, W] of each pixel relative to the paper around it, about 0 to 1.

    Light lines on a dark ground are inverted first. The paper's light is a quadratic surface fitted to what
    is not ink, that is to what is not much darker than the surface fitted before.
    """
    gray = ndimage.gaussian_filter(gray, _GRAIN, mode="reflect")
    low, middle, high = np.percentile(gray, (0.5, 50, 99.5))
    if high - middle > middle - low:
        gray = 1 - gray
    paper = np.maximum(_surface(gray), _FAINTEST)
    darkness: _Plane = 1 - gray / paper
    return darkness


def _surface(gray: _Plane) -> _Plane:
    """The brightness of the paper as a quadratic surface [H, W]."""
    y, x = (np.linspace(-1, 1, size, dtype=np.float32) for size in gray.shape)
    step = max(1, max(gray.shape) // SAMPLES)
    terms = _quadratic(y[::step, None], x[None, ::step])
    bright = gray[::step, ::step].ravel()
    paper = np.ones(len(bright), bool)
    for _ in range(FITS):
        factors = np.linalg.lstsq(terms[paper], bright[paper], rcond=None)[0]
        rest = bright - terms @ factors
        paper = rest >= -max(_FAINTEST, np.median(np.abs(rest[paper])))
    surface: _Plane = (_quadratic(y[:, None], x[None]) @ factors).reshape(gray.shape)
    return surface


def _quadratic(y: _Plane, x: _Plane) -> _Plane:
    """Terms of a quadratic in y [H, 1] and x [1, W]: [H * W, 6]."""
    return np.stack([a.ravel() for a in np.broadcast_arrays(np.float32(1), y, x, y * x, y * y, x * x)], -1)


def shapes(marks: Mask) -> Mask:
    """The parts of the marks that are much wider than the median mark, or than any pen draws."""
    depth = ndimage.distance_transform_edt(marks)
    ridge = depth[marks & (depth == ndimage.maximum_filter(depth, 3))]
    narrow, wide = (share * max(marks.shape) for share in WIDTHS)
    radius = min(wide, max(narrow, WIDER * np.median(ridge))) if len(ridge) else wide
    core: Mask = depth > radius
    if not core.any():
        return core
    # Half as far again as the disk that was taken off, so that right angles are whole.
    solid: Mask = marks & (ndimage.distance_transform_edt(~core) <= 1.5 * radius)
    return solid


# Of either


def tinted(drawn: Tensor, tint: Sequence[float]) -> Tensor:
    """Lines [N, 1, H, W], 0 on 1, on paper of a color (RGB in [0, 1]): [N, 3, H, W].

    The paper is lighter than the color, so that lines are seen on black, too.
    """
    paper = PALEST + (1 - PALEST) * torch.tensor(tint, dtype=drawn.dtype, device=drawn.device)
    return drawn * paper[:, None, None]


def tint_of(sketch: Tensor) -> tuple[float, float, float] | None:
    """The median of the colors that fill a drawing [1, 3, H, W]; None where there is hardly any.

    Gray is no color: it may be paper, or the edge of a stroke.
    """
    colored = sketch[0].amax(0) - sketch[0].amin(0) >= _COLORED
    if colored.float().mean() < _FILLED:
        return None
    red, green, blue = sketch[0][:, colored].median(1).values.tolist()
    return red, green, blue


def thinned(marks: Mask) -> Mask:
    """Thin marks to lines by removing pixels that neither end a line nor connect two parts.

    Pixels at one side are removed at once, from each side in turn, which preserves connectivity (Rosenfeld
    1975).
    """
    thin = np.pad(marks, 1)
    before = -1
    while before != (before := int(thin.sum())):
        for side in range(0, 8, 2):
            around = _around(thin)
            thin[1:-1, 1:-1] &= ~(REMOVABLE[around] & (around & (1 << side) == 0))
    return thin[1:-1, 1:-1]


NEIGHBORS = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
"""Steps (down, right) to a pixel's neighbors, in a circle that begins at the right."""


def _around(padded: Mask) -> NDArray[np.uint8]:
    """The neighbors of each pixel but the outermost, as bits in the order of NEIGHBORS."""
    height, width = padded.shape[0] - 2, padded.shape[1] - 2
    code = np.zeros((height, width), np.uint8)
    for bit, (y, x) in enumerate(NEIGHBORS):
        code |= padded[1 + y : 1 + y + height, 1 + x : 1 + x + width].view(np.uint8) << bit
    return code


def _removable() -> Mask:
    """Whether each set of neighbors stays connected without the pixel (Yokoi's number is 1): [256]."""
    on = (np.arange(256)[:, None] >> np.arange(8)) & 1
    off = 1 - on
    number = sum(off[:, k] - off[:, k] * off[:, k + 1] * off[:, (k + 2) % 8] for k in range(0, 8, 2))
    return np.asarray((number == 1) & (on.sum(1) >= 2))


REMOVABLE = _removable()


def _drawn(marks: Mask) -> Tensor:
    return 1 - torch.from_numpy(marks[None, None].astype(np.float32))
