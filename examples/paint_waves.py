"""Paints `styles/waves.jpg`: a sea of hooked waves under a low sun, like a colour woodblock print."""

from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.interpolate import CubicSpline
from strokes import Array, colors, noise, ramp, save, smoothstep

SHAPE = (1480, 2048)
FINE = 2  # drawn at this many times the canvas, so that lines come out smooth
PAPER = colors("f3e8cf")[0]
FOAM = colors("f6efdc")[0]
SHADE = colors("b9d0cf")[0]
INK = colors("131c3c")[0]
SUN = colors("c4452c")[0]
SKY = colors("33587c", "7d9aa6", "d9cfae", "f0d3a0", "eab98a")
CLOUDS = colors("efe0bd", "e2b48c", "cfd0bd")
BLUES = {
    "far": colors("7fa3b0", "c9d8cf", "5d8ba3", "a9c4c4", "46789a"),
    "mid": colors("2f6690", "a9c6c8", "1f4f80", "5a8fae", "173f70"),
    "near": colors("17386b", "5e93b3", "102a57", "2a5f92", "c3d8d2"),
}
# the back of a wave from its left foot to its tip, its hollow from its right foot to its tip; x right, y up
BACK = (
    (-1.75, 0.0),
    (-1.15, 0.13),
    (-0.66, 0.42),
    (-0.28, 0.78),
    (0.12, 1.0),
    (0.5, 1.02),
    (0.78, 0.88),
    (0.9, 0.64),
)
HOLLOW = (
    (1.75, 0.0),
    (1.1, -0.04),
    (0.6, 0.02),
    (0.24, 0.2),
    (0.12, 0.45),
    (0.26, 0.68),
    (0.55, 0.78),
    (0.9, 0.64),
)


class Print:
    """A print in progress: the colour blocks, and the key block with the ink lines on top of them."""

    def __init__(self) -> None:
        size = (SHAPE[1] * FINE, SHAPE[0] * FINE)
        self.block, self.key = Image.new("RGB", size), Image.new("L", size)
        self.color_pen, self.ink_pen = ImageDraw.Draw(self.block), ImageDraw.Draw(self.key)

    def area(self, points: Array, color: Array, line: float = 0.0) -> None:
        """A flat area, which hides what is below it, with an ink outline `line` canvas pixels wide."""
        xy = [tuple(p) for p in (points * FINE).tolist()]
        self.color_pen.polygon(xy, fill=rgb(color))
        self.ink_pen.polygon(xy, fill=0)
        if line:
            self.ink_pen.line([*xy, xy[0]], fill=255, width=round(line * FINE), joint="curve")

    def stroke(self, points: Array, line: float) -> None:
        """An ink line."""
        xy = [tuple(p) for p in (points * FINE).tolist()]
        self.ink_pen.line(xy, fill=255, width=round(line * FINE), joint="curve")

    def tint(self, points: Array, color: Array, line: float) -> None:
        """A line in the colour block."""
        xy = [tuple(p) for p in (points * FINE).tolist()]
        self.color_pen.line(xy, fill=rgb(color), width=round(line * FINE), joint="curve")

    def blobs(self, points: Array, radii: Array, color: Array, line: float = 0.0) -> None:
        """The union of disks with one outline around it; without `line` only the colour changes."""
        for (x, y), r in zip(points * FINE, (radii + line) * FINE, strict=True):
            box = (x - r, y - r, x + r, y + r)
            self.ink_pen.ellipse(box, fill=255) if line else self.color_pen.ellipse(box, fill=rgb(color))
        for (x, y), r in zip(points * FINE, radii * FINE, strict=True):
            box = (x - r, y - r, x + r, y + r)
            if line:
                self.ink_pen.ellipse(box, fill=0)
                self.color_pen.ellipse(box, fill=rgb(color))


def rgb(color: Array) -> tuple[int, int, int]:
    """A colour for Pillow."""
    red, green, blue = (np.clip(color, 0, 1) * 255).astype(int).tolist()
    return red, green, blue


def spline(points: tuple[tuple[float, float], ...], count: int = 90) -> Array:
    """A smooth curve `[count, 2]` through the points, evenly spaced by chord length."""
    knots = np.array(points)
    at = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(knots, axis=0).T))])
    return CubicSpline(at, knots)(np.linspace(0, at[-1], count)).astype(np.float32)


def place(points: Array, x: float, y: float, size: float, turn: int) -> Array:
    """From a wave's own coordinates to the canvas; `turn` of -1 mirrors it."""
    return np.stack([x + turn * points[:, 0] * size, y - points[:, 1] * size], -1)


def finger(root: Array, heading: float, length: float, bend: float) -> tuple[Array, Array]:
    """A claw of foam: disks along a curve that bends more towards its tip, and thins out."""
    at = np.linspace(0, 1, 26)
    angle = heading + bend * at**1.6
    steps = np.stack([np.cos(angle), np.sin(angle)], -1) * length / len(at)
    thickness = length * 0.2 * (1 - at**1.5) + 1.2
    return (root + np.cumsum(steps, 0)).astype(np.float32), thickness.astype(np.float32)


def claws(rng: np.random.Generator, edge: Array, size: float, turn: int) -> tuple[list[Array], list[Array]]:
    """Fingers hanging from the edge of the crest, each with two smaller ones at its side."""
    spines, widths = [], []
    lengths = np.hypot(*np.diff(edge, axis=0).T)
    reach = np.concatenate([[0], np.cumsum(lengths)])
    at, along = 0.0, reach[-1]
    while at < along:
        i = int(np.searchsorted(reach, at).clip(1, len(edge) - 1))
        part = at / along
        direction = np.arctan2(*(edge[i] - edge[i - 1])[::-1])
        length = size * (0.085 + 0.12 * part) * rng.uniform(0.8, 1.25)
        heading = direction + turn * rng.uniform(0.5, 1.1)
        for share, lean, bend in ((1.0, 0.0, 1.5), (0.62, 0.75, 1.7), (0.5, -0.65, 1.9)):
            spine, width = finger(edge[i], heading + turn * lean, length * share, turn * bend)
            spines.append(spine)
            widths.append(width)
        at += length * rng.uniform(0.42, 0.62)
    return spines, widths


def draw_foam(
    sheet: Print, rng: np.random.Generator, back: Array, hollow: Array, size: float, turn: int
) -> None:
    """The white crest: its cap, the claws over the hollow, their blue undersides, and spray."""
    bumps = back[34:][::2]
    sheet.blobs(bumps, rng.uniform(0.022, 0.045, len(bumps)) * size, FOAM, line=size * 0.006 + 1.5)
    spines, widths = claws(rng, (0.45 * back + 0.55 * hollow)[40:], size, turn)
    more, wider = claws(rng, hollow[52:], size, turn)
    spines, widths = spines + more, widths + wider
    sheet.blobs(np.concatenate(spines), np.concatenate(widths), FOAM, line=size * 0.006 + 1.5)
    draw_cap(sheet, back, hollow, size)
    for spine, width in zip(spines, widths, strict=True):
        inner = spine + np.array([-0.25 * turn, 0.35]) * width[:, None]
        sheet.tint(inner[3:20], SHADE, max(width[6] * 0.5, 1.2))
        sheet.stroke(spine[6:17], max(size * 0.0035, 1.4))
    for share in (0.05, 0.12, 0.2, 0.28, 0.36):
        curve = ((1 - share) * back + share * hollow)[54:-9]
        sheet.tint(curve, SHADE, size * 0.013)
    draw_spray(sheet, rng, back[40:], size)


def draw_cap(sheet: Print, back: Array, hollow: Array, size: float) -> None:
    """The white of the crest, which runs down the wave in pointed tongues."""
    for tongue, first in enumerate((30, 46, 36, 52, 42)):
        low, high = 0.4 * tongue / 5, 0.4 * (tongue + 1) / 5
        part = np.linspace(0, 1, len(back) - first)[:, None] ** 0.4
        sides = [(1 - s) * back[first:] + s * hollow[first:] for s in (low, high)]
        middle = (sides[0] + sides[1]) / 2
        edges = [middle + (side - middle) * part * 1.2 for side in sides]
        shape = np.concatenate([edges[0], edges[1][::-1]])
        sheet.area(shape, FOAM)
        sheet.stroke(edges[1][: len(middle) * 2 // 3], 1.2 + size * 0.003)
        sheet.stroke(edges[0][: len(middle) // 3], 1.2 + size * 0.003)


def draw_spray(sheet: Print, rng: np.random.Generator, crest: Array, size: float) -> None:
    """Drops thrown off the crest."""
    count = int(46 * min(size / 260, 1.4))
    start = crest[rng.integers(0, len(crest), count)]
    drops = start + rng.normal(0, 0.11, (count, 2)) * size - np.array([0, 0.13 * size])
    radii = np.minimum(rng.gamma(3.0, 0.0042, count) * size, 10) + 1
    for drop, radius in zip(drops, radii, strict=True):
        sheet.blobs(drop[None], radius[None], FOAM, line=1.3 if radius > 3 else 0.0)


def draw_wave(
    sheet: Print, rng: np.random.Generator, x: float, y: float, size: float, blues: Array, turn: int
) -> None:
    """One hooked wave: bands that run from its foot to its tip, outlined, with foam on top."""
    back, hollow = (place(spline(curve), x, y, size, turn) for curve in (BACK, HOLLOW))
    foot = np.array([[back[0, 0], y + size * 0.06], [hollow[0, 0], y + size * 0.06]])
    sheet.area(np.concatenate([back, hollow[::-1], foot[::-1]]), blues[0])
    bands = 10 + int(size / 38)
    shares = np.concatenate([[0.0], np.cumsum(rng.uniform(0.35, 1.5, bands))])
    shares /= shares[-1]
    for i, (low, high) in enumerate(pairwise(shares)):
        band = [(1 - s) * back + s * hollow for s in (low, high)]
        sheet.area(np.concatenate([band[0], band[1][::-1]]), blues[i % len(blues)])
    for share in shares:
        sheet.stroke((1 - share) * back + share * hollow, 2.0 + size * (0.011 if share in (0, 1) else 0.003))
    for share in np.linspace(0.02, 0.98, bands * 2):
        first, last = np.sort(rng.integers(2, 85, 2))
        sheet.stroke(((1 - share) * back + share * hollow)[first : last + 2], 2.0)
    draw_foam(sheet, rng, back, hollow, size, turn)


def draw_swell(
    sheet: Print, rng: np.random.Generator, y: float, depth: float, blues: Array, reach: float
) -> None:
    """The water below a row of waves: stripes that follow one swelling line, to the bottom of the sheet."""
    x = np.arange(-20, SHAPE[1] + 21, 8, dtype=np.float32)
    phase = rng.uniform(0, 6, 3)
    swell = np.sin(x / reach + phase[0]) + 0.5 * np.sin(x / reach * 2.3 + phase[1])
    top = y
    for i in range(40):
        line = top + depth * (0.5 * swell + 0.12 * np.sin(x / reach * 5 + i * 0.6 + phase[2]))
        points = np.stack([x, line], -1)
        floor = np.array([[x[-1], SHAPE[0] + 60], [x[0], SHAPE[0] + 60]])
        sheet.area(np.concatenate([points, floor]), blues[(i * 2 + i // 5) % len(blues)])
        sheet.stroke(points, 2.6)
        top += depth * rng.uniform(0.14, 0.42)
        if top > SHAPE[0] + depth:
            break


def wind_line(x: Array, y: float) -> Array:
    """A line of moving air: level, with a few long waves."""
    phase = y / 130
    return np.stack([x, y + 15 * np.sin(x / 210 + phase) + 7 * np.sin(x / 83 - 1.7 * phase)], -1)


def draw_sky(sheet: Print, rng: np.random.Generator) -> None:
    """Graded sky in thin streams of air, a red sun that they cross, and tapering clouds."""
    x = np.arange(-20, SHAPE[1] + 21, 8, dtype=np.float32)
    floor = np.array([[x[-1], 800], [x[0], 800]])
    y, sun = -30.0, np.array([1400.0, 300.0])
    while y < 700:
        tone = np.clip(y / 640 + rng.normal(0, 0.055), 0, 1)
        line = wind_line(x, y)
        sheet.area(np.concatenate([line, floor]), ramp(np.array(tone), SKY))
        sheet.stroke(line, rng.uniform(1.9, 3.0))
        y += rng.uniform(11, 30)
    draw_sun(sheet, rng, sun, 215)
    draw_clouds(sheet, rng)


def draw_sun(sheet: Print, rng: np.random.Generator, center: Array, radius: float) -> None:
    """A disk cut into streams of slightly different reds."""
    turn = np.linspace(0, 2 * np.pi, 240)
    disk = center + radius * np.stack([np.cos(turn), np.sin(turn)], -1)
    sheet.area(disk, SUN, line=3)
    y = center[1] - radius + 8
    while y < center[1] + radius - 10:
        half = np.sqrt(radius**2 - (y - center[1]) ** 2) - 14
        x = np.linspace(center[0] - half, center[0] + half, 60)
        line = wind_line(x, y)
        line = line[np.hypot(*(line - center).T) < radius - 5]
        if len(line) > 2:
            sheet.tint(line + np.array([0, 5]), SUN * rng.uniform(0.86, 1.25), 11)
            sheet.stroke(line, 2.4)
        y += rng.uniform(13, 22)


def draw_clouds(sheet: Print, rng: np.random.Generator) -> None:
    """Long clouds that taper to both ends and ride on the streams of air."""
    for y in np.arange(60, 560, 46):
        x = rng.uniform(-400, 100)
        while x < SHAPE[1]:
            length, radius = rng.uniform(240, 640), rng.uniform(10, 21)
            at = np.linspace(0, 1, 120, dtype=np.float32)
            spine = wind_line(x + length * at, y + rng.uniform(-14, 14))
            width = radius * np.sqrt(4 * at * (1 - at)) * (0.75 + 0.25 * np.sin(at * length / 17)) + 1
            if rng.random() < 0.5:
                sheet.blobs(spine, width, CLOUDS[rng.integers(3)], line=1.8)
                sheet.stroke(spine[12:-12] + np.array([0, radius * 0.35]), 2.2)
            x += length + rng.uniform(80, 420)


def draw_sea(sheet: Print, rng: np.random.Generator) -> None:
    """Rows of waves from the horizon to the lower edge, each row's feet behind the next swell."""
    draw_swell(sheet, rng, 560, 40, BLUES["far"], 90)
    for x in range(-60, 2200, 250):
        draw_wave(sheet, rng, x + rng.uniform(-40, 40), 680 + rng.uniform(-14, 20), 130, BLUES["far"], 1)
    draw_swell(sheet, rng, 690, 36, BLUES["mid"], 130)
    for x, y, size, turn in ((330, 900, 260, 1), (1010, 920, 235, 1), (1720, 925, 300, -1)):
        draw_wave(sheet, rng, x, y, size, BLUES["mid"], turn)
    draw_swell(sheet, rng, 900, 46, BLUES["near"], 170)
    draw_wave(sheet, rng, 1330, 1172, 335, BLUES["mid"], 1)
    draw_wave(sheet, rng, 330, 1250, 650, BLUES["near"], 1)
    draw_swell(sheet, rng, 1200, 50, BLUES["near"], 210)
    draw_wave(sheet, rng, 1800, 1420, 440, BLUES["near"], -1)
    draw_swell(sheet, rng, 1370, 44, BLUES["mid"], 150)
    for x, y, size in ((120, 1520, 200), (800, 1510, 250), (1420, 1530, 190)):
        draw_wave(sheet, rng, x, y, size, BLUES["near"], 1)


def print_sheet(sheet: Print, rng: np.random.Generator) -> Array:
    """Colour blocks with the grain of the wood on fibrous paper, the key block a little out of register."""
    size = (SHAPE[1], SHAPE[0])
    color = np.asarray(sheet.block.resize(size, Image.Resampling.BOX), np.float32) / 255
    key = np.asarray(sheet.key.resize(size, Image.Resampling.BOX), np.float32) / 255
    y = np.arange(SHAPE[0], dtype=np.float32)[:, None]
    warp = 30 * noise(rng, SHAPE, 420) + 9 * noise(rng, SHAPE, 110)
    rings = np.sin((y + warp) / 3.1 + 2 * np.sin((y + warp) / 23))
    streak = ndimage.zoom(noise(rng, (SHAPE[0], 16), 5), (1, SHAPE[1] / 16), order=1)
    fibre = noise(rng, SHAPE, 3) + 0.7 * noise(rng, SHAPE, 7)
    cover = 0.93 + 0.045 * rings + 0.02 * streak + 0.028 * fibre + 0.02 * noise(rng, SHAPE, 60, octaves=3)
    cover = np.clip(cover - 0.07 * smoothstep(1.2, 2.6, fibre), 0, 1)[..., None]
    printed = PAPER * (1 - cover) + color * cover
    line = ndimage.shift(ndimage.gaussian_filter(key, 0.8), (1.5, -1.0), order=1)
    ink = smoothstep(0.25, 0.7, line + 0.07 * fibre)[..., None] * 0.93
    aged = printed * (1 - ink) + INK * ink
    return np.clip(aged * (1 + 0.02 * noise(rng, SHAPE, 300))[..., None] * [1.0, 0.985, 0.95], 0, 1)


def paint() -> Array:
    """The finished canvas."""
    rng = np.random.default_rng(8)
    sheet = Print()
    draw_sky(sheet, rng)
    draw_sea(sheet, rng)
    return print_sheet(sheet, rng)


if __name__ == "__main__":
    save(paint(), "waves.jpg")
