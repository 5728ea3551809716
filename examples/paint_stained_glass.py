"""Paints `styles/stained_glass.jpg`: a leaded window with a sunburst over hills, a river and flowers."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree
from strokes import Array, colors, noise, ramp, save, shade, smoothstep

Labels = NDArray[np.int64]

SHAPE = (2048, 1680)
SUN = (770.0, 840.0)
RAYS = 28
FLOWERS = ((1700, 330, 120), (1800, 690, 100), (1640, 1400, 128), (1840, 1120, 92))  # y, x, radius
PALETTES = {
    "core": colors("ffdf5a", "fff3b0", "ffb52a"),
    "petal": colors("c4160f", "f0401a", "ff8a1e"),
    "flame": colors("f0920c", "ffc62e", "ffe57a"),
    "dusk": colors("3b0f7a", "7a1fa8", "c2308f"),
    "gold": colors("e07a08", "ffb91f", "ffe06a"),
    "sky": colors("0a2a9c", "1767d6", "4fb4f0"),
    "rose": colors("9c0f3f", "dc2f57", "ff7f6e"),
    "teal": colors("04606e", "0aa0a0", "5fd8c0"),
    "hill": colors("0b5a26", "2f9a35", "a6d13a"),
    "far": colors("0a4f66", "1b8f7a", "6fc98a"),
    "river": colors("0c2f9a", "2a86e0", "a5e3f5"),
    "leaf": colors("0a4a20", "1f7f2f", "7abf2a"),
    "bloom": colors("a80a1f", "ec2a2a", "ff7a4a"),
    "border": colors("4a0f86", "8a1f7a", "c8273f"),
    "jewel": colors("0a3aa8", "1a8fd8", "8fe0f0"),
}
NAMES = tuple(PALETTES)


class Window:
    """The design under construction: which piece of glass, and of which palette, lies at each pixel."""

    def __init__(self) -> None:
        self.piece: Labels = np.zeros(SHAPE, np.int64)
        self.palette: Labels = np.zeros(SHAPE, np.int64)
        self.used = 0

    def lay(self, where: NDArray[np.bool_], pieces: Labels, palette: str) -> None:
        """Covers the mask with glass; `pieces` (0 or more) tells its pieces apart."""
        self.piece[where] = self.used + 1 + pieces[where]
        self.palette[where] = NAMES.index(palette)
        self.used += int(pieces.max()) + 2


def grid() -> tuple[Array, Array]:
    """Row and column of each pixel."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    return y, x


def cells(rng: np.random.Generator, y: Array, x: Array, size: float) -> Labels:
    """Voronoi cells about `size` apart of jittered seeds, in the plane of any two coordinates."""
    rows = np.arange(y.min(), y.max() + size, size)
    cols = np.arange(x.min(), x.max() + size, size)
    seeds = np.stack(np.meshgrid(rows, cols, indexing="ij"), -1).reshape(-1, 2)
    seeds[:, 1] += np.repeat(np.arange(rows.size) % 2, cols.size) * size / 2
    seeds += rng.uniform(-0.3, 0.3, seeds.shape) * size
    return cKDTree(seeds).query(np.stack([y.ravel(), x.ravel()], -1))[1].reshape(SHAPE)


def lay_rays(window: Window, rng: np.random.Generator, r: Array, angle: Array) -> None:
    """Curved rays from the sun to the border, in turn gold, sky, rose and teal, cut across at odd places."""
    turn = (angle + 0.16 * np.sin(r / 150)) / (2 * np.pi) * RAYS
    ray = np.floor(turn).astype(int) % RAYS
    offset = rng.uniform(0, 1, RAYS)[ray] + 0.12 * np.sin((turn % 1) * np.pi)
    cut = np.floor(np.log(np.maximum(r, 1) / 300) * 4.4 + offset).astype(int) + 8
    for i, name in enumerate(("gold", "sky", "rose", "sky", "gold", "dusk", "teal")):
        window.lay(ray % 7 == i, ray * 40 + cut, name)


def lay_sun(window: Window, r: Array, angle: Array) -> None:
    """A disk, a ring of sixteen petals, and flames between their tips."""
    turn = angle / (2 * np.pi) * 16
    for reach, base, name, shift in (
        (345, 250, "flame", 0.5),
        (262, 150, "petal", 0.0),
        (176, 96, "gold", 0.5),
    ):
        local = 2 * ((turn + shift) % 1) - 1
        arch = base + (reach - base) * np.sqrt(np.clip(1 - np.abs(local) ** 1.7, 0, 1))
        window.lay(r < arch, np.floor(turn + shift).astype(int) % 16, name)
    window.lay(r < 100, np.floor(angle / (2 * np.pi) * 8 + 0.25).astype(int) % 8, "core")
    window.lay(r < 46, np.zeros(SHAPE, int), "core")


def lay_land(window: Window, rng: np.random.Generator, y: Array, x: Array) -> None:
    """Three hills, a meadow, and a river winding down between them."""
    hills = (
        (1210 - 130 * np.exp(-(((x - 330) / 300) ** 2)) - 60 * np.sin(x / 300), "far", 120),
        (1330 - 120 * np.exp(-(((x - 1330) / 330) ** 2)) + 40 * np.sin(x / 260), "hill", 118),
        (1500 - 90 * np.exp(-(((x - 240) / 340) ** 2)) + 30 * np.sin(x / 210 + 2), "far", 110),
        (1640 + 60 * np.cos(x / 300), "leaf", 104),
    )
    for top, name, size in hills:
        window.lay(y > top, cells(rng, (y - top) * 1.7, x * 0.8 + y * 0.3, size), name)
    bend = 880 + 190 * np.sin((y - 1200) / 150) * smoothstep(1250, 1500, y) - (y - 1300) * 0.1
    half = 34 + (y - 1300) * 0.17
    river = (np.abs(x - bend) < half) & (y > 1350)
    strip = np.floor((x - bend + half) / (2 * half + 1) * 2).astype(int).clip(0, 1)
    piece = np.floor((y - 1200 + 45 * strip) / 105 + 0.002 * (x - bend)).astype(int).clip(0)
    window.lay(river, piece * 2 + strip, "river")


def lay_flowers(window: Window, y: Array, x: Array) -> None:
    """Round blooms: six petals with a notch, each split into an outer and an inner piece, and a gold eye."""
    for i, (cy, cx, radius) in enumerate(FLOWERS):
        r = np.hypot(y - cy, x - cx) / radius
        turn = np.arctan2(y - cy, x - cx) / (2 * np.pi) * 6 + 0.37 * i + 0.25 * r
        local = 2 * (turn % 1) - 1
        petal = np.floor(turn).astype(int) % 6
        edge = 0.74 + 0.26 * np.sqrt(np.clip(1 - np.abs(local) ** 2.2, 0, 1))
        window.lay(r < edge, petal, ("bloom", "dusk")[i % 2])
        window.lay(r < edge * 0.62, petal, ("petal", "rose")[i % 2])
        window.lay(r < 0.25, np.zeros(SHAPE, int), "gold")


def lay_border(window: Window, y: Array, x: Array) -> None:
    """A frame of oblong pieces with a jewel in each of its fields."""
    top = np.minimum(y, SHAPE[0] - 1 - y)
    side = np.minimum(x, SHAPE[1] - 1 - x)
    depth = np.minimum(top, side)
    upright = side < top
    run = np.where(upright, y / SHAPE[0] * 14, x / SHAPE[1] * 11.5)
    field = np.floor(run).astype(int) + 40 * upright + 80 * ((y > SHAPE[0] / 2) + 2 * (x > SHAPE[1] / 2))
    frame = depth < 92
    window.lay(frame, field, "border")
    size = np.where(upright, SHAPE[0] / 14, SHAPE[1] / 11.5)
    jewel = np.hypot((run % 1 - 0.5) * size * 0.85, depth - 46) < 34
    window.lay(frame & jewel, field, "jewel")


def design(rng: np.random.Generator) -> Window:
    """The whole window, back to front."""
    y, x = grid()
    r, angle = np.hypot(y - SUN[0], x - SUN[1]), np.arctan2(y - SUN[0], x - SUN[1]) + np.pi
    window = Window()
    lay_rays(window, rng, r, angle)
    lay_sun(window, r, angle)
    lay_land(window, rng, y, x)
    lay_flowers(window, y, x)
    lay_border(window, y, x)
    return window


def lead_distance(piece: Labels) -> Array:
    """Distance of each pixel to the nearest seam between two pieces, in pixels."""
    seam = np.zeros(SHAPE, bool)
    seam[1:] |= piece[1:] != piece[:-1]
    seam[:, 1:] |= piece[:, 1:] != piece[:, :-1]
    return ndimage.distance_transform_edt(~seam).astype(np.float32)


def mirror(at: Array) -> Labels:
    """Indices into 2048 samples that run to and fro, so that the noise has no seam."""
    return np.abs(np.mod(at, 4094) - 2047).astype(int)


def streaks(rng: np.random.Generator, number: Labels) -> Array:
    """Streaky glass: stretched noise `[H, W]`, in one of six directions by piece."""
    y, x = grid()
    total = np.zeros(SHAPE, np.float32)
    source = noise(rng, (2048, 2048), 26, octaves=3)
    for i, angle in enumerate(np.linspace(0, np.pi, 6, endpoint=False)):
        u = y * np.cos(angle) + x * np.sin(angle) + 60 * np.sin((x - y) / 210)
        v = (x * np.cos(angle) - y * np.sin(angle)) * 0.16
        layer = source[mirror(u), mirror(v)]
        total = np.where(number % 6 == i, layer, total)
    return ndimage.gaussian_filter(total, 1.5)


def glass(rng: np.random.Generator, window: Window) -> Array:
    """Colour of the light through the glass: a palette per piece, graded across it, streaked and uneven."""
    _, number = np.unique(window.piece, return_inverse=True)
    number = number.reshape(SHAPE)
    y, x = grid()
    count = number.max() + 1
    area = np.bincount(number.ravel(), minlength=count)
    cy = np.bincount(number.ravel(), y.ravel(), count) / area
    cx = np.bincount(number.ravel(), x.ravel(), count) / area
    angle, shift = rng.uniform(0, 2 * np.pi, count), rng.normal(0.5, 0.2, count)
    slope = rng.uniform(0.1, 0.3, count) / np.sqrt(area)
    grade = (np.sin(angle) * slope)[number] * (y - cy[number]) + (np.cos(angle) * slope)[number] * (
        x - cx[number]
    )
    value = shift[number] + 2 * grade + 0.2 * streaks(rng, number) + 0.05 * noise(rng, SHAPE, 9)
    color = np.zeros((*SHAPE, 3), np.float32)
    for i, name in enumerate(NAMES):
        here = window.palette == i
        color[here] = ramp(value[here], PALETTES[name])
    return color * rng.uniform(0.88, 1.15, count)[number][..., None]


def paint() -> Array:
    """The finished canvas: glass lit from behind, darker by the lead, with ripples; then the lead over it."""
    rng = np.random.default_rng(5)
    window = design(rng)
    distance = lead_distance(window.piece)
    color = glass(rng, window)
    color *= (0.5 + 0.68 * (1 - np.exp(-np.maximum(distance - 6, 0) / 11)))[..., None]
    ripple, shine = shade(noise(rng, SHAPE, 22, octaves=2), relief=1.6, gloss=0.35)
    color = color * (0.55 + 0.45 * ripple)[..., None] + 0.5 * np.maximum(shine - 0.12, 0)[..., None]
    width = 6.6 + 1.0 * noise(rng, SHAPE, 60)
    dome = np.sqrt(np.clip(1 - (distance / width) ** 2, 0, 1)) * 7 + 0.35 * noise(rng, SHAPE, 7)
    light, gleam = shade(dome, relief=0.8, gloss=0.5)
    metal = np.array([0.085, 0.082, 0.095]) * light[..., None] + 0.5 * gleam[..., None] * [0.9, 0.95, 1.0]
    lead = 1 - smoothstep(-0.9, 0.9, distance - width)[..., None]
    picture = color * (1 - lead) + metal * lead
    bloom = ndimage.gaussian_filter(picture, (22, 22, 0))
    return np.clip(picture + 0.22 * bloom, 0, 1)


if __name__ == "__main__":
    save(paint(), "stained_glass.jpg")
