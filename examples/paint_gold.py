"""Paints `styles/gold.jpg`: a tree of spirals in gold leaf and enamel, over a meadow of ornaments."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from strokes import Array, colors, noise, ramp, save, shade, smoothstep

SHAPE = (2048, 1720)
FINE = 2  # drawn at this many times the canvas, so that edges come out smooth
MEADOW = 1560  # row where the meadow begins
GOLD = colors("3a2208", "7c4d12", "b9822a", "dcae45", "f1d27a", "fff3c4")
LEAF = colors("c99a3c")[0]
DARK, UMBER = colors("24140d", "6e3414")
IVORY, BLACK, SILVER = colors("f0e6cc", "17120f", "b9b7ac")
RUST, BRICK, ROSE, VIOLET = colors("a8481e", "7d2418", "c8736a", "5c3a6e")
TEAL, BLUE, MOSS, LIME = colors("1f6b6a", "274a8c", "4d6a2c", "a4b04a")
BRIGHT = (RUST, BRICK, ROSE, VIOLET, TEAL, BLUE, IVORY, LIME, SILVER)


class Panel:
    """A panel in progress: colour, relief (0 to 255), and where it is metal rather than enamel."""

    def __init__(self) -> None:
        size = (SHAPE[1] * FINE, SHAPE[0] * FINE)
        self.images = Image.new("RGB", size, rgb(LEAF)), Image.new("L", size, 60), Image.new("L", size, 255)
        self.pens = tuple(ImageDraw.Draw(image) for image in self.images)

    def inks(self, color: Array | None, height: int) -> tuple[tuple[int, int, int], int, int]:
        """What each pen lays down; no colour means gold."""
        return rgb(LEAF if color is None else color), height, 255 if color is None else 0

    def disk(self, y: float, x: float, radius: float, color: Array | None, height: int) -> None:
        """A filled circle."""
        box = tuple(FINE * edge for edge in (x - radius, y - radius, x + radius, y + radius))
        for pen, ink in zip(self.pens, self.inks(color, height), strict=True):
            pen.ellipse(box, fill=ink)

    def shape(self, points: Array, color: Array | None, height: int) -> None:
        """A filled polygon of (y, x) points."""
        xy = [tuple(p) for p in (points[:, ::-1] * FINE).tolist()]
        for pen, ink in zip(self.pens, self.inks(color, height), strict=True):
            pen.polygon(xy, fill=ink)

    def line(self, points: Array, width: float, color: Array | None, height: int) -> None:
        """A line with round ends through (y, x) points."""
        xy = [tuple(p) for p in (points[:, ::-1] * FINE).tolist()]
        for pen, ink in zip(self.pens, self.inks(color, height), strict=True):
            pen.line(xy, fill=ink, width=max(round(width * FINE), 1), joint="curve")
        for y, x in (points[0], points[-1]):
            self.disk(y, x, width / 2, color, height)


def rgb(color: Array) -> tuple[int, int, int]:
    """A colour for Pillow."""
    red, green, blue = (np.clip(color, 0, 1) * 255).astype(int).tolist()
    return red, green, blue


def pick(rng: np.random.Generator, palette: tuple[Array, ...] = BRIGHT) -> Array:
    """One of the enamels, a little lighter or darker."""
    return palette[rng.integers(len(palette))] * rng.uniform(0.82, 1.15)


def circle(y: float, x: float, radius: float, count: int, start: float = 0.0) -> Array:
    """Points `[count, 2]` around a circle."""
    turn = start + 2 * np.pi * np.arange(count) / count
    return np.stack([y + radius * np.sin(turn), x + radius * np.cos(turn)], -1)


def spiral(panel: Panel, rng: np.random.Generator, y: float, x: float, radius: float) -> None:
    """A raised gold or dark spiral on a disk."""
    ground = None if rng.random() < 0.7 else pick(rng, (DARK, BRICK, TEAL, RUST))
    if ground is not None:
        panel.disk(y, x, radius, ground, 50)
    turns = 1.6 + radius / 26
    t = np.linspace(0.06, 1, 110)
    angle = rng.uniform(0, 6) + rng.choice([-1, 1]) * 2 * np.pi * turns * t
    path = np.stack([y + 0.9 * radius * t * np.sin(angle), x + 0.9 * radius * t * np.cos(angle)], -1)
    width = 0.42 * radius / turns
    panel.line(path, width + 2.5, DARK if ground is None else BLACK, 70)
    panel.line(path, width, None if ground is not None or rng.random() < 0.75 else IVORY, 190)


def rings(panel: Panel, rng: np.random.Generator, y: float, x: float, radius: float) -> None:
    """Rings one in another, off centre."""
    color: Array | None = pick(rng)
    panel.disk(y, x, radius, DARK, 60)
    shares = np.arange(0.9, 0.1, -rng.uniform(0.17, 0.26))
    for i, share in enumerate(shares):
        panel.disk(y + (1 - share) * radius * 0.2, x, radius * share, color if i % 2 else None, 110 + 25 * i)
        color = pick(rng)


def eye(panel: Panel, rng: np.random.Generator, y: float, x: float, radius: float) -> None:
    """An almond with a dark iris."""
    t = np.linspace(-1, 1, 30)
    tilt = rng.uniform(0, np.pi)
    rim = np.concatenate([np.stack([0.5 * (1 - t**2), t], -1), np.stack([-0.5 * (1 - t**2), t], -1)[::-1]])
    turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
    for size, color, height in ((1.0, DARK, 60), (0.86, pick(rng, (IVORY, SILVER, LIME)), 130)):
        panel.shape(np.array([y, x]) + radius * size * rim @ turn, color, height)
    panel.disk(y, x, radius * 0.36, None, 170)
    panel.disk(y, x, radius * 0.24, pick(rng, (BLACK, BLUE, TEAL)), 200)


def flower(panel: Panel, rng: np.random.Generator, y: float, x: float, radius: float) -> None:
    """Petals round a gold eye, each with a spot."""
    count, color, spot = int(rng.integers(5, 10)), pick(rng), pick(rng)
    for py, px in circle(y, x, radius * 0.62, count, rng.uniform(0, 6)):
        panel.disk(py, px, radius * 0.4, DARK, 70)
        panel.disk(py, px, radius * 0.33, color, 130)
        panel.disk(py, px, radius * 0.15, spot, 170)
    panel.disk(y, x, radius * 0.38, DARK, 90)
    panel.disk(y, x, radius * 0.3, None, 210)


def pearls(panel: Panel, rng: np.random.Generator, y: float, x: float, radius: float) -> None:
    """A gold boss in a ring of beads."""
    color = pick(rng, (IVORY, SILVER, RUST, TEAL, BLACK))
    panel.disk(y, x, radius, DARK, 50)
    for py, px in circle(y, x, radius * 0.76, max(int(radius / 2.6), 7)):
        panel.disk(py, px, radius * 0.16, color, 170)
    panel.disk(y, x, radius * 0.5, None, 120)
    panel.disk(y, x, radius * 0.3, None, 220)


Ornament = Callable[[Panel, np.random.Generator, float, float, float], None]


def pack(rng: np.random.Generator, largest: float, smallest: float) -> Array:
    """Circles `[N, 3]` (y, x, radius) over the canvas that do not overlap, the large ones first."""
    found = np.zeros((0, 3))
    for radius in np.geomspace(largest, smallest, 26):
        for y, x in rng.uniform((0, 0), SHAPE, (int((26000 if radius > 12 else 60000) / radius), 2)):
            gap = np.hypot(found[:, 0] - y, found[:, 1] - x) - found[:, 2]
            if not len(found) or gap.min() > radius + 1.5:
                found = np.vstack([found, (y, x, radius)])
    return found.astype(np.float32)


def lay_ground(panel: Panel, rng: np.random.Generator) -> None:
    """Gold ornaments everywhere, coloured ones in the meadow."""
    hill = np.stack(
        [MEADOW + 60 * np.sin(np.arange(0, SHAPE[1] + 20, 20) / 260 + 1), np.arange(0, SHAPE[1] + 20, 20)], -1
    )
    panel.shape(np.concatenate([hill, [[SHAPE[0], SHAPE[1]], [SHAPE[0], 0]]]), MOSS * 0.62, 50)
    high: tuple[Ornament, ...] = (spiral, spiral, spiral, spiral, pearls, rings, eye)
    low: tuple[Ornament, ...] = (flower, flower, flower, rings, pearls, eye, spiral)
    for y, x, radius in pack(rng, 70, 4):
        below = y > MEADOW + 60 * np.sin(x / 260 + 1)
        if radius < 9:
            panel.disk(y, x, radius * 0.85, pick(rng) if below else (None, DARK, RUST)[rng.integers(3)], 150)
        else:
            ornaments = low if below else high
            ornaments[rng.integers(len(ornaments))](panel, rng, y, x, radius)


def curl(y: float, x: float, heading: float, length: float, turn: int) -> tuple[Array, Array]:
    """A branch that winds itself up at its end: points `[N, 2]` and headings `[N]`."""
    t = np.linspace(0, 1, 170)
    angle = heading + turn * (0.9 * t + 11.5 * t**3.6)
    step = length / len(t) * (1 - 0.45 * t)
    return np.stack([y + np.cumsum(step * np.sin(angle)), x + np.cumsum(step * np.cos(angle))], -1), angle


def grow(
    limbs: list[tuple[Array, float]],
    rng: np.random.Generator,
    root: tuple[float, float, float],
    length: float,
    width: float,
    turn: int,
    depth: int,
) -> None:
    """Adds a branch (its path, its width at the root) to the list, and the branches that spring from it.

    `root` is y, x and heading; branches leave on the outer side and wind the other way.
    """
    path, angle = curl(*root, length, turn)
    if depth < 4:
        for part in (0.22, 0.36, 0.48)[: 3 if depth < 3 else 2]:
            i = int((part + rng.uniform(-0.04, 0.04)) * len(path))
            side = (path[i][0], path[i][1], angle[i] - turn * rng.uniform(0.55, 0.95))
            grow(limbs, rng, side, length * rng.uniform(0.52, 0.72), width * 0.66, -turn, depth + 1)
    limbs.append((path, width))


def lay_limb(panel: Panel, path: Array, width: float) -> None:
    """A tapering gold branch with a dark rim, a dark vein and beads where it is wide."""
    taper = width * (1 - 0.68 * np.linspace(0, 1, len(path)) ** 0.8)
    for share, extra, color, height in (
        (1.0, 9.0, DARK, 60),
        (1.0, 2.0, UMBER, 130),
        (0.66, 0.0, None, 190),
        (0.36, 0.0, None, 230),
    ):
        for i in range(0, len(path) - 3, 3):
            panel.line(path[i : i + 4], taper[i] * share + extra, color, height)
    if width > 13:
        panel.line(path[4:-30], max(width * 0.07, 2), RUST, 150)
    for i in range(6, len(path) - 50, 9 if width > 20 else 14):
        panel.disk(path[i, 0], path[i, 1], taper[i] * 0.17, BLACK if i % 2 else IVORY, 220)


def lay_trunk(panel: Panel, rng: np.random.Generator) -> None:
    """A trunk of upright oblongs in black, white, silver and gold, flaring at its foot."""
    for y in np.arange(1010, SHAPE[0] + 8, 4.0):
        panel.line(np.array([[y, trunk_edge(y, -1) - 6], [y, trunk_edge(y, 1) + 6]]), 9, DARK, 70)
    y = 1006.0
    while y < SHAPE[0]:
        tall = rng.uniform(22, 58)
        left, right = trunk_edge(y + tall / 2, -1), trunk_edge(y + tall / 2, 1)
        x = left
        while x < right - 4:
            wide = min(rng.uniform(11, 30), right - x)
            color = (None, None, None, BLACK, IVORY, SILVER, RUST, TEAL)[rng.integers(8)]
            top, bottom = y + rng.uniform(0, 6), y + tall - rng.uniform(0, 5)
            panel.shape(
                np.array([[top, x], [top, x + wide - 3], [bottom, x + wide - 3], [bottom, x]]), color, 160
            )
            if wide > 17 and rng.random() < 0.6:
                panel.disk(
                    (top + bottom) / 2, x + wide / 2 - 1.5, wide * 0.22, BLACK if color is None else None, 220
                )
            x += wide
        y += tall


def trunk_edge(y: float, side: int) -> float:
    """Column of the trunk's left (-1) or right (1) edge at a row."""
    middle = 860 + 26 * np.sin(y / 150)
    return float(middle + side * (58 + 130 * np.exp((y - SHAPE[0]) / 150) + 26 * np.exp((1010 - y) / 60)))


def lay_tree(panel: Panel, rng: np.random.Generator) -> None:
    """Trunk and winding branches, the thin ones behind."""
    limbs: list[tuple[Array, float]] = []
    for y, x, heading, length, turn in (
        (1060, 820, -2.3, 1650, -1), (1050, 900, -0.85, 1600, 1), (1030, 850, -1.85, 1650, 1),
        (1040, 880, -1.25, 1500, -1), (1180, 815, -2.9, 1250, 1), (1180, 915, -0.2, 1250, -1),
    ):  # fmt: skip
        grow(limbs, rng, (y, x, heading), length, 56, turn, 2)
    for path, width in sorted(limbs, key=lambda limb: limb[1]):
        lay_limb(panel, path, width)
    lay_trunk(panel, rng)


def gild(rng: np.random.Generator, height: Array) -> Array:
    """Gold leaf `[H, W, 3]` over a relief: squares of leaf, wrinkles, and red bole where it is worn."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    wave = (5 * noise(rng, SHAPE, 60)).astype(int)
    sheets = rng.normal(0, 0.05, (40, 40))[
        (y + wave) // 118, (x + wave + 40 * ((y + wave) // 118 % 3)) // 126
    ]
    wrinkles = 0.3 * noise(rng, SHAPE, 12, octaves=2) + 0.6 * noise(rng, SHAPE, 40, octaves=2)
    diffuse, shine = shade(height + 0.8 * wrinkles, relief=0.75, gloss=0.8)
    glow = (
        0.53 + 0.55 * (diffuse - 1) + 0.6 * (shine - 0.22) + sheets + 0.05 * noise(rng, SHAPE, 300, octaves=2)
    )
    worn = smoothstep(1.7, 2.6, noise(rng, SHAPE, 26, octaves=4) - 0.02 * height)[..., None]
    return ramp(glow, GOLD) * (1 - 0.6 * worn) + BRICK * 0.6 * worn


def finish(panel: Panel, rng: np.random.Generator) -> Array:
    """Lights the relief: gold by its reflections, enamel by soft light and a gloss."""
    size = (SHAPE[1], SHAPE[0])
    color, relief, metal = (
        np.asarray(i.resize(size, Image.Resampling.BOX), np.float32) / 255 for i in panel.images
    )
    height = ndimage.gaussian_filter(relief, 1.6) * 9
    gold = gild(rng, height)
    diffuse, shine = shade(height + 0.5 * noise(rng, SHAPE, 12, octaves=2), relief=0.6, gloss=0.45)
    uneven = 1 + 0.09 * noise(rng, SHAPE, 16, octaves=3)
    enamel = color * (diffuse * uneven)[..., None] + (shine - 0.12)[..., None] * 0.6
    return np.clip(gold * metal[..., None] + enamel * (1 - metal[..., None]), 0, 1)


def paint() -> Array:
    """The finished canvas."""
    rng = np.random.default_rng(14)
    panel = Panel()
    lay_ground(panel, rng)
    lay_tree(panel, rng)
    return finish(panel, rng)


if __name__ == "__main__":
    save(paint(), "gold.jpg")
