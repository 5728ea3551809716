"""Paints `styles/mosaic.jpg`: two fish circling a sun, in stone tiles laid in rows along the contours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from strokes import Array, colors, noise, ramp, save, shade, smoothstep

Mask = NDArray[np.bool_]

SHAPE = (1680, 2048)
CENTER = (840.0, 1024.0)
FRAME = 150  # width of the border
SEA = colors("123f5a", "1d6b7c", "4a9a98", "a4c4ae", "e9e0c4")
CREAM = colors("d9cba6", "efe6cc", "f6f0de")
GOLD = colors("8f4a14", "c9821f", "e6b23c", "f4dc86")
RED = colors("5f1c14", "9c3320", "c65a34", "e09a62")
BLACK = colors("1d1a1c", "34302f")
GREEN = colors("23402c", "4f7a45", "a0b060")


@dataclass
class Sketch:
    """What to lay: region number, colour and tile size at each pixel; rows follow the regions' outlines."""

    region: NDArray[np.int64]
    color: Array
    size: Array

    def fill(self, where: Mask, color: Array, size: float) -> None:
        """Makes the mask a new region."""
        self.region[where] = self.region.max() + 1
        self.color[where] = color[where] if color.ndim == 3 else color
        self.size[where] = size


def grid() -> tuple[Array, Array]:
    """Row and column of each pixel."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    return y, x


def draw_sea(sketch: Sketch, y: Array, x: Array) -> None:
    """Wavy bands of sea round the middle, paler towards the sun."""
    r, angle = np.hypot(y - CENTER[0], x - CENTER[1]), np.arctan2(y - CENTER[0], x - CENTER[1])
    wave = r + 24 * np.sin(angle * 10 + r / 90)
    band = np.floor(wave / 77).astype(int)
    tone = np.array([0.95, 0.85, 0.75, 0.62, 0.8, 0.55, 0.3, 0.6, 0.2, 0.45, 0.1, 0.5, 0.0, 0.35, 0.12])
    sea = ramp(tone[band % len(tone)], SEA)
    for i in np.unique(band):
        sketch.fill(band == i, sea, 25)


def draw_sun(sketch: Sketch, y: Array, x: Array) -> None:
    """A red disk with a gold rim and sixteen rays, in turn straight and curved."""
    r, angle = np.hypot(y - CENTER[0], x - CENTER[1]), np.arctan2(y - CENTER[0], x - CENTER[1])
    turn = angle / (2 * np.pi) * 16 + 0.15 * np.sin(r / 34)
    local = np.abs(2 * (turn % 1) - 1)
    odd = np.floor(turn).astype(int) % 2 == 1
    ray = local < (255 - r) / 125
    sketch.fill(ray & odd & (r > 100), ramp(0.95 - (r - 130) / 200, GOLD), 20)
    sketch.fill(ray & ~odd & (r > 100), ramp(0.85 - (r - 130) / 170, RED), 20)
    sketch.fill(r < 150, BLACK[0], 16)
    sketch.fill(r < 134, ramp(1.0 - np.abs(r - 115) / 60, GOLD), 20)
    sketch.fill(r < 92, ramp(1.0 - r / 105, RED), 19)
    sketch.fill(r < 34, CREAM[1], 18)


def draw_fish(sketch: Sketch, y: Array, x: Array, start: float, body: tuple[Array, Array]) -> None:
    """A fish swimming round the sun, its nose at the angle `start`; `body` holds its two palettes.

    In its own coordinates `u` runs from the nose (0) along an arc to the tail (1), `v` from its back (-1) to
    its belly (1).
    """
    r = np.hypot((y - CENTER[0]) * 1.18, x - CENTER[1])
    angle = np.arctan2((y - CENTER[0]) * 1.18, x - CENTER[1])
    u = ((start - angle) / (2 * np.pi) % 1) / 0.335
    mid = 505 + 46 * np.sin(u * 5.5)
    v = (mid - r) / 128
    half = 1.12 * np.clip(np.sin(np.pi * np.clip(u, 0, 1) ** 0.7), 0, 1) ** 0.95 * (1 - 0.25 * u) + 0.1
    half = np.where(u < 0.82, half, 0.2)
    inside = (u > 0.01) & (u < 0.86) & (np.abs(v) < half)
    fork = 0.14 + (u - 0.80) * 4.6
    tail = (u > 0.79) & (np.abs(v) < fork) & (u < 0.93 + 0.09 * np.abs(v))
    fins = (
        fin(u, -v, half, 0.28, 0.68, 0.62)
        | fin(u, v, half, 0.42, 0.56, 0.5)
        | fin(u, v, half, 0.62, 0.74, 0.4)
    )
    outline = ndimage.binary_dilation(inside | tail | fins, iterations=15)
    sketch.fill(outline & ~(inside | tail | fins), BLACK[0], 16)
    stripe = np.sin(70 * u + 9 * np.abs(v)) > 0
    sketch.fill(tail & stripe, body[1][2], 17)
    sketch.fill(tail & ~stripe, body[1][0], 17)
    stripe = np.sin(95 * u + 5 * v) > 0
    sketch.fill(fins & ~inside & stripe, body[1][2], 16)
    sketch.fill(fins & ~inside & ~stripe, body[1][1], 16)
    draw_body(sketch, u, v, half, inside, body)


def fin(u: Array, side: Array, half: Array, first: float, last: float, height: float) -> Mask:
    """A fin that leans back, from `first` to `last` along the body; `side` is positive on its side."""
    at = (u - first - 0.05 * np.maximum(side - half, 0)) / (last - first)
    top = half + height * np.sqrt(np.clip(at * (1 - at) * 4, 0, 1)) * np.clip(at + 0.35, 0, 1)
    return (at > 0) & (at < 1) & (side > half * 0.7) & (side < top)


def draw_body(
    sketch: Sketch, u: Array, v: Array, half: Array, inside: Mask, body: tuple[Array, Array]
) -> None:
    """Back, flank, and belly in long bands; head, gill, mouth and eye."""
    level = v / half
    for low, high, palette, tone in (
        (-1.1, -0.62, body[0], 0.0),
        (-0.62, -0.2, body[0], 0.42),
        (-0.2, 0.18, body[1], 0.45),
        (0.18, 0.56, body[0], 0.85),
        (0.56, 1.1, CREAM, 0.6),
    ):
        scale = 0.22 * (np.sin(u * 62 + 3 * np.sin(level * 9)) > 0)
        sketch.fill(inside & (level >= low) & (level < high), ramp(tone + scale, palette), 18)
    head = inside & (u < 0.215 - 0.05 * level**2)
    sketch.fill(head & (u > 0.19 - 0.05 * level**2), BLACK[1], 14)
    sketch.fill(head & (u <= 0.19 - 0.05 * level**2), ramp(0.75 - 0.5 * u / 0.2 + 0.2 * level, body[1]), 17)
    sketch.fill(head & (np.abs(level - 0.2 - 2.4 * u) < 0.11) & (u < 0.085), BLACK[0], 12)
    eye = np.hypot((u - 0.115) * 7.6, v + 0.2)
    for radius, color in ((0.25, BLACK[0]), (0.185, CREAM[2]), (0.085, BLACK[0])):
        sketch.fill(eye < radius, color, 13)


def draw_corners(sketch: Sketch, y: Array, x: Array) -> None:
    """A scallop shell in each corner of the panel."""
    for cy in (FRAME, SHAPE[0] - FRAME):
        for cx in (FRAME, SHAPE[1] - FRAME):
            r, angle = np.hypot(y - cy, x - cx), np.arctan2(np.abs(y - cy), np.abs(x - cx))
            rib = np.floor(angle / (np.pi / 2) * 7).astype(int) % 2
            edge = 222 + 14 * np.cos(angle * 28 + np.pi)
            sketch.fill(r < edge + 16, BLACK[0], 16)
            sketch.fill((r < edge) & (rib == 0), ramp(0.25 + r / 300, RED), 19)
            sketch.fill((r < edge) & (rib == 1), ramp(1.1 - r / 500, CREAM), 19)
            sketch.fill(r < 66, GOLD[2], 18)


def draw_frame(sketch: Sketch, y: Array, x: Array) -> None:
    """A border: dark line, running waves of white on indigo, red line."""
    top, side = np.minimum(y, SHAPE[0] - 1 - y), np.minimum(x, SHAPE[1] - 1 - x)
    depth = np.minimum(top, side)
    run = np.where(side < top, y / SHAPE[0] * 15, x / SHAPE[1] * 18)
    sketch.fill(depth < FRAME, BLACK[0], 19)
    sketch.fill(depth < FRAME - 20, RED[1], 19)
    band = depth < FRAME - 42
    level = (depth - 56) / 40  # -1 to 1 across the running waves
    part = (run % 1) - 0.5
    spiral = np.arctan2(level + 0.1, part * 2.4) / (2 * np.pi) + np.hypot(level + 0.1, part * 2.4) * 0.9
    crest = np.where(np.hypot(level + 0.1, part * 2.4) < 0.95, (spiral % 1) < 0.5, level < -0.2)
    sketch.fill(band, SEA[0], 17)
    sketch.fill(band & crest, CREAM[1], 17)
    sketch.fill(depth < 22, GOLD[1], 20)


def design() -> Sketch:
    """The whole floor, back to front."""
    y, x = grid()
    sketch = Sketch(np.zeros(SHAPE, np.int64), np.zeros((*SHAPE, 3), np.float32), np.zeros(SHAPE, np.float32))
    draw_sea(sketch, y, x)
    draw_sun(sketch, y, x)
    draw_fish(sketch, y, x, -0.35, (GREEN, GOLD))
    draw_fish(sketch, y, x, -0.35 + np.pi, (SEA, RED))
    draw_corners(sketch, y, x)
    draw_frame(sketch, y, x)
    return sketch


def contour_distance(region: NDArray[np.int64]) -> Array:
    """Distance of each pixel to the nearest other region or to the rim."""
    seam = np.zeros(SHAPE, bool)
    seam[1:] |= region[1:] != region[:-1]
    seam[:, 1:] |= region[:, 1:] != region[:, :-1]
    seam[[0, -1]], seam[:, [0, -1]] = True, True
    return ndimage.distance_transform_edt(~seam).astype(np.float32)


class Floor:
    """Tiles laid so far: `tile` holds each pixel's tile (0 is grout), `height` the tiles' relief."""

    def __init__(self, sketch: Sketch, rng: np.random.Generator) -> None:
        self.sketch, self.rng = sketch, rng
        self.distance = contour_distance(sketch.region)
        dy, dx = np.gradient(ndimage.gaussian_filter(self.distance, 5))
        self.angle = np.arctan2(dy, dx)
        self.tile = np.zeros(SHAPE, np.int32)
        self.height = np.zeros(SHAPE, np.float32)
        self.colors: list[Array] = [np.array([0.50, 0.44, 0.36], np.float32)]

    def lay(self, y: float, x: float, size: float, share: float) -> bool:
        """Lays a tile across the contour at a point if at least `share` of it is free; tells whether it did.

        The part on other tiles or on another region is cut off.
        """
        iy, ix = int(y), int(x)
        if not (0 <= iy < SHAPE[0] and 0 <= ix < SHAPE[1]):
            return False
        reach = int(size * 0.75) + 1
        rows = slice(max(iy - reach, 0), iy + reach + 1)
        cols = slice(max(ix - reach, 0), ix + reach + 1)
        angle = self.angle[iy, ix]
        yy = np.arange(rows.start, min(rows.stop, SHAPE[0]))[:, None] - y
        xx = np.arange(cols.start, min(cols.stop, SHAPE[1]))[None] - x
        u, v = xx * np.cos(angle) + yy * np.sin(angle), yy * np.cos(angle) - xx * np.sin(angle)
        cell = (np.abs(u) < size / 2) & (np.abs(v) < size / 2)
        mine = (self.tile[rows, cols] == 0) & (self.sketch.region[rows, cols] == self.sketch.region[iy, ix])
        if not cell.any() or (cell & mine).sum() < share * max(size * size, cell.sum()):
            return False
        self.cut(rows, cols, u / size * 2, v / size * 2, mine, size)
        self.colors.append(self.pick(iy, ix))
        return True

    def cut(self, rows: slice, cols: slice, u: Array, v: Array, mine: Mask, size: float) -> None:
        """Marks the pixels of a new tile: a crooked square with a bevel and a slight tilt."""
        jitter = self.rng.normal(0, 0.06, 6)
        gap = 1 - 3.4 / size
        edge = np.maximum(
            np.abs(u + jitter[0] * v) / (gap + jitter[1]), np.abs(v + jitter[2] * u) / (gap + jitter[3])
        )
        edge = np.maximum(edge, (np.abs(u) + np.abs(v)) / (1.62 * gap))
        stone = mine & (edge < 1)
        self.tile[rows, cols][stone] = len(self.colors)
        bevel = np.minimum((1 - edge) * size / 2, 3.0) + (jitter[4] * u + jitter[5] * v) * size * 0.35
        self.height[rows, cols][stone] = (2.5 + bevel)[stone]

    def pick(self, y: int, x: int) -> Array:
        """A stone for this place: the sketch's colour, lighter or darker, warmer or cooler."""
        base = self.sketch.color[y, x]
        base = base * self.rng.normal(1, 0.13) + self.rng.normal(0, 0.03) * np.array([1, 0.1, -1])
        return np.clip(base + self.rng.normal(0, 0.018, 3), 0.03, 1).astype(np.float32)

    def lay_rows(self, share: float, part: float = 1.0) -> None:
        """Fills every region row by row from its outline, tile after tile along the row."""
        row = np.floor(self.distance / (self.sketch.size * part)).astype(int)
        middle = np.abs(self.distance / (self.sketch.size * part) - row - 0.5) < 0.75 / (
            self.sketch.size * part
        )
        points = np.argwhere(middle & (self.tile == 0))
        order = np.argsort(row[points[:, 0], points[:, 1]], kind="stable")
        for y, x in points[order]:
            if self.tile[y, x] == 0:
                self.walk(y + 0.5, x + 0.5, share, part)

    def walk(self, y: float, x: float, share: float, part: float) -> None:
        """Lays a tile at a point, then more along its contour, both ways, until one does not fit."""
        if not self.lay(y, x, float(self.sketch.size[int(y), int(x)]) * part, share):
            return
        for direction in (1, -1):
            at = self.beside(y, x, direction, part)
            while self.lay(*at, float(self.sketch.size[self.pixel(*at)]) * part, share):
                at = self.beside(*at, direction, part)

    def pixel(self, y: float, x: float) -> tuple[int, int]:
        """The pixel of a point, or the nearest one on the canvas."""
        return min(max(int(y), 0), SHAPE[0] - 1), min(max(int(x), 0), SHAPE[1] - 1)

    def beside(self, y: float, x: float, direction: int, part: float) -> tuple[float, float]:
        """The place of the next tile along the contour."""
        angle = self.angle[self.pixel(y, x)]
        step = direction * float(self.sketch.size[self.pixel(y, x)]) * part
        return y + step * float(np.cos(angle)), x - step * float(np.sin(angle))


def lay_floor(rng: np.random.Generator) -> Floor:
    """Rows of whole tiles, then cut ones, then chips in what is left."""
    floor = Floor(design(), rng)
    for share, part in ((0.86, 1.0), (0.6, 1.0), (0.62, 0.7), (0.6, 0.48), (0.6, 0.33)):
        floor.lay_rows(share, part)
    return floor


def paint() -> Array:
    """The finished canvas: stones with grain, lit from the side, in sandy grout, with age on it."""
    rng = np.random.default_rng(3)
    floor = lay_floor(rng)
    grain = noise(rng, SHAPE, 5, octaves=2)
    cloud = noise(rng, SHAPE, 14, octaves=2)
    stone = np.stack(floor.colors)[floor.tile]
    joint = floor.tile == 0
    stone *= (1 + 0.045 * cloud + 0.03 * grain * (1 + 2 * joint))[..., None]
    height = ndimage.gaussian_filter(floor.height, 0.9) + 0.10 * grain + 0.12 * cloud
    diffuse, shine = shade(height, relief=0.55, gloss=0.3)
    wear = 1 + 0.06 * noise(rng, SHAPE, 400, octaves=3)
    shadow = 1 - 0.22 * smoothstep(0.2, 2.5, ndimage.gaussian_filter(floor.height, 3) - floor.height)
    lit = stone * ((0.35 + 0.65 * diffuse) * wear * shadow)[..., None]
    return np.clip(lit * 1.04 + (shine - 0.09)[..., None] * 0.6, 0, 1)


if __name__ == "__main__":
    save(paint(), "mosaic.jpg")
