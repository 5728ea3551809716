"""Lines that a picture is made of: edges of a photo, or a drawing cleaned to the same thin lines."""

from __future__ import annotations

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

Plane = NDArray[np.floating[Any]]  # [H, W]
Mask = NDArray[np.bool_]  # [H, W]

OPPONENTS = np.array([LUMA, (1, -1, 0), (-0.5, -0.5, 1)], np.float32)
"""Rows that make luma, red minus green and blue minus yellow of a color: what differs in none is no edge."""
FAINTEST = 0.03
"""Difference of two areas, of the range of values, below which the line between them is noise."""
SOFTEST = 0.02
"""Sharpness of the softest edge, relative to a sharp one under the same blur: it is 7 times as wide."""
WIDE = 3
"""How many times wider the second blur is, which tells contours from texture."""
CONNECTED, APART = np.ones((3, 3), bool), np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
"""Pixels that touch at a corner are of one line, and not of one area between lines."""
FAINTEST_INK = 0.1
"""How much darker than its paper, relative to it, the faintest stroke of a drawing is."""
GRAIN = 0.7
"""Blur in pixels that takes the grain off a drawing's paper."""
REACH = 5
"""Pixels around, of which a stroke's are at least half as dark as the darkest: so blurred ones stay thin."""
WIDTHS, WIDER = (1 / 50, 1 / 16), 2.5
"""Half the width of the widest stroke: of the long side at least and at most, and of most strokes' own."""
SAMPLES, FITS = 96, 6
"""Of the surface of light on a paper: points along the long side, and how often it is fitted."""


@dataclass(frozen=True)
class Edges:
    """How edges are drawn, in pixels of the picture that they are drawn of; see `EdgeOptions`."""

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
    `sigma` and at three times as wide a blur, so that contours outlast texture. Lines of few pixels go.
    """
    colors = np.tensordot(OPPONENTS, image[0].float().cpu().numpy(), 1)
    strength, angle = gradient(colors, sigma)
    thin = ridges(strength, angle, SOFTEST / sigma**2)
    steady = (strength + WIDE * gradient(colors, WIDE * sigma)[0]) / 2
    faintest = FAINTEST / (sigma * np.sqrt(2 * np.pi))
    strong, weak = (max(faintest, np.percentile(steady, p)) for p in (edges.strong, edges.weak))
    return _drawn(lines(thinned(thin & (steady >= weak)), steady >= strong, edges.shortest))


def gradient(colors: Plane, sigma: float) -> tuple[Plane, Plane]:
    """Strength per pixel and angle of the steepest change of [C, H, W] after a Gaussian blur.

    The larger eigenvalue of the structure tensor, and its direction (Di Zenzo 1986): gradients of channels
    that point in opposite directions add up and do not cancel. Borders reflect.
    """
    blurred = ndimage.gaussian_filter(colors, (0, sigma, sigma), mode="reflect")
    down, right = (ndimage.sobel(blurred, axis, mode="reflect") / 8 for axis in (1, 2))
    yy, xx, xy = (down * down).sum(0), (right * right).sum(0), (down * right).sum(0)
    spread = np.hypot((yy - xx) / 2, xy)
    return np.sqrt((yy + xx) / 2 + spread), np.arctan2(2 * xy, xx - yy) / 2


def ridges(strength: Plane, angle: Plane, sharpness: float) -> Mask:
    """Where the strength is largest along its own direction: non-maximum suppression, interpolated.

    The neighbors must be lower by `sharpness` of it in sum: an even slope has no line at its end. On a
    plateau of two pixels the one further right, or down, is kept, so that lines are a pixel wide.
    """
    down, right = np.sin(angle), np.cos(angle)
    steep = np.abs(down) > np.abs(right)
    share = np.minimum(np.abs(down), np.abs(right)) / np.maximum(np.abs(down), np.abs(right))
    padded = np.pad(strength, 1, mode="symmetric")
    height, width = strength.shape

    def neighbor(y: int, x: int) -> Plane:
        return padded[1 + y : 1 + y + height, 1 + x : 1 + x + width]

    def along(way: int) -> Plane:
        straight = np.where(steep, neighbor(way, 0), neighbor(0, way))
        other = np.where(steep, neighbor(way, -way), neighbor(-way, way))
        diagonal = np.where(down * right >= 0, neighbor(way, way), other)
        return share * diagonal + (1 - share) * straight

    behind, ahead = along(-1), along(1)
    peak: Mask = (strength >= behind) & (strength > ahead)
    return peak & (2 * strength - behind - ahead >= sharpness * strength)


def lines(candidates: Mask, certain: Mask, shortest: int, touching: Mask = CONNECTED) -> Mask:
    """The connected candidates of which a pixel is certain, and that have `shortest` pixels: hysteresis."""
    labels, count = ndimage.label(candidates, touching)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    kept = np.isin(np.arange(count + 1), labels[certain & candidates]) & (sizes >= shortest)
    kept[0] = False
    found: Mask = kept[labels]
    return found


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
    weak = max(FAINTEST_INK, 4 * noise)
    strong = max(weak, darkness[darkness >= weak].mean() / 2) if (darkness >= weak).any() else weak
    around = ndimage.maximum_filter(darkness, 2 * REACH + 1)
    marks = lines((darkness >= weak) & (darkness >= around / 2), darkness >= strong, shortest)
    marks = ~lines(~marks, ~marks, shortest, APART)  # gaps in a stroke would become loops
    solid = shapes(marks)
    outline = solid & ~ndimage.binary_erosion(solid, border_value=1)
    thin = thinned((marks & ~solid) | outline)
    return _drawn(lines(thin, thin, shortest))


def ink(grey: Plane) -> Plane:
    """How much darker than the paper around it each pixel [H, W] is, relative to the paper: about 0 to 1.

    Of light lines on a dark ground, how much lighter. The paper's light is a quadratic surface fitted to what
    is not ink, that is to what is not much darker than the surface fitted before.
    """
    grey = ndimage.gaussian_filter(grey, GRAIN, mode="reflect")
    low, middle, high = np.percentile(grey, (0.5, 50, 99.5))
    if high - middle > middle - low:
        grey = 1 - grey
    paper = np.maximum(_surface(grey), FAINTEST)
    darkness: Plane = 1 - grey / paper
    return darkness


def _surface(grey: Plane) -> Plane:
    """The quadratic surface [H, W] of what is brightest everywhere."""
    y, x = (np.linspace(-1, 1, size, dtype=np.float32) for size in grey.shape)
    step = max(1, max(grey.shape) // SAMPLES)
    terms = _quadratic(y[::step, None], x[None, ::step])
    bright = grey[::step, ::step].ravel()
    kept = np.ones(len(bright), bool)
    for _ in range(FITS):
        factors = np.linalg.lstsq(terms[kept], bright[kept], rcond=None)[0]
        rest = bright - terms @ factors
        kept = rest >= -max(FAINTEST, np.median(np.abs(rest[kept])))
    surface: Plane = (_quadratic(y[:, None], x[None]) @ factors).reshape(grey.shape)
    return surface


def _quadratic(y: Plane, x: Plane) -> Plane:
    """Terms of a quadratic in y [H, 1] and x [1, W]: [H * W, 6]."""
    return np.stack([a.ravel() for a in np.broadcast_arrays(np.float32(1), y, x, y * x, y * y, x * x)], -1)


def shapes(marks: Mask) -> Mask:
    """The parts of the marks that are much wider than most of them, or than any pen draws."""
    depth = ndimage.distance_transform_edt(marks)
    ridge = depth[marks & (depth == ndimage.maximum_filter(depth, 3))]
    narrow, wide = (share * max(marks.shape) for share in WIDTHS)
    radius = min(wide, max(narrow, WIDER * np.median(ridge))) if len(ridge) else wide
    core: Mask = depth > radius
    if not core.any():
        return core
    # Half as far again as the disk that was taken off, so that right angles are whole.
    found: Mask = marks & (ndimage.distance_transform_edt(~core) <= 1.5 * radius)
    return found


# Of either


def thinned(marks: Mask) -> Mask:
    """The marks with all pixels off that neither end a line nor hold two parts together.

    From each side in turn, those at that side at once, which keeps what is connected connected (Rosenfeld
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
    """Which neighbors each pixel but the outermost has, as bits in the order of NEIGHBORS."""
    height, width = padded.shape[0] - 2, padded.shape[1] - 2
    code = np.zeros((height, width), np.uint8)
    for bit, (y, x) in enumerate(NEIGHBORS):
        code |= padded[1 + y : 1 + y + height, 1 + x : 1 + x + width].view(np.uint8) << bit
    return code


def _removable() -> Mask:
    """For each set of neighbors, whether it stays one part without the pixel: Yokoi's number is 1; [256]."""
    on = (np.arange(256)[:, None] >> np.arange(8)) & 1
    off = 1 - on
    number = sum(off[:, k] - off[:, k] * off[:, k + 1] * off[:, (k + 2) % 8] for k in range(0, 8, 2))
    return np.asarray((number == 1) & (on.sum(1) >= 2))


REMOVABLE = _removable()


def _drawn(marks: Mask) -> Tensor:
    return 1 - torch.from_numpy(marks[None, None].astype(np.float32))
