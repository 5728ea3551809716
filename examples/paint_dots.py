"""Paints `styles/dots.jpg`: a garden by a river in the late afternoon, in dots of pure colour."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from strokes import Array, colors, noise, ramp, relight, save, scatter, smoothstep

Mask = NDArray[np.bool_]

SHAPE = (1560, 2048)
SUN = (400, 1130)
SKY = colors("6f9fd8", "a9c3e6", "f0d9b8", "f9c98a")
FAR = colors("4a5a9a", "6d86b4", "8fb08f")
RIVER = colors("2b5fa8", "5b97cf", "b9d3dd", "f6d9a0")
LAWN = colors("33407f", "3f7a55", "9dbb40", "ecd95a")
TREE = colors("16324a", "23603f", "5f9a35", "c9c23f", "f6c24a")
AUTUMN = colors("5a1f3f", "a83a2a", "e0762a", "f7b53c", "fde08a")
PATH = colors("8f6fa0", "d9a98f", "f4dcae")
BLOOMS = colors("d8345f", "f26d8f", "f7f0e0", "f2b52a", "7a4fb0", "e2502a")
# every dot leans towards one of these: the contrasting colours that mix in the eye
SPARKS = colors("2a4fd0", "f28a1f", "8a3fb0", "f7e04a", "1f9a6a", "f0608a")


def grid() -> tuple[Array, Array]:
    """Row and column of each pixel."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    return y, x


def cover(sketch: Array, where: Mask, color: Array) -> None:
    """Paints a mask of the sketch."""
    sketch[where] = color[where]


def draw_distance(sketch: Array, y: Array, x: Array, rng: np.random.Generator) -> None:
    """Sky with a low sun, wooded hills, and the river that mirrors them."""
    sun = np.hypot(y - SUN[0], x - SUN[1])
    glow = np.exp(-sun / 260)
    cloud = 0.14 * noise(rng, SHAPE, 260, octaves=3)
    cover(
        sketch,
        y >= 0,
        ramp(0.05 + y / 1000 + 0.75 * glow + cloud + 0.12 * np.sin(sun / 26) * np.exp(-sun / 500), SKY),
    )
    cover(sketch, sun < 88, ramp(sun / 88, colors("fff6c8", "fff0a0", "ffd23c")))
    for top, tone in ((520 + 50 * np.sin(x / 310 + 2), 0.1), (590 + 30 * np.sin(x / 190), 0.55)):
        crown = 16 * np.abs(np.sin(x / 37)) + 9 * noise(rng, SHAPE, 40)
        cover(sketch, y > top - crown, ramp(tone + 0.14 * noise(rng, SHAPE, 50) + 0.4 * glow, FAR))
    ripple = np.sin(y / 8.5 + 2 * noise(rng, SHAPE, 150))
    mirror = np.exp(-(((x - SUN[1]) / (60 + (y - 650) * 0.35)) ** 2))
    cover(sketch, y > 660, ramp(0.22 + 0.2 * ripple + 0.62 * mirror * (0.7 + 0.3 * ripple), RIVER))


def draw_garden(sketch: Array, y: Array, x: Array, rng: np.random.Generator) -> None:
    """The lawn with the long shadows of its trees, a winding path, and beds of flowers."""
    bank = (
        900 - 130 * np.exp(-((x / 620) ** 2)) - 60 * np.exp(-(((x - 2048) / 300) ** 2)) + 16 * np.sin(x / 120)
    )
    shadow = sum(
        np.exp(-(((y - fy - 0.32 * (fx - x)) / 44) ** 2)) * smoothstep(-30, 60, fx - x) for fy, fx in FEET
    )
    light = 0.72 + 0.13 * noise(rng, SHAPE, 130, octaves=3) - 0.62 * np.clip(shadow, 0, 1)
    lawn = y > bank
    cover(sketch, lawn, ramp(light, LAWN))
    middle = 1080 + 250 * np.sin((y - 800) / 190) + (y - 900) * 0.12
    path = lawn & (np.abs(x - middle) < 14 + (y - 860) * 0.17)
    cover(sketch, path, ramp(light + 0.15, PATH))
    bed = (
        1395
        - 120 * np.exp(-(((x - 1800) / 330) ** 2))
        - 60 * np.exp(-(((x - 80) / 300) ** 2))
        + 22 * np.sin(x / 90)
    )
    clump = noise(rng, SHAPE, 40)
    kind = np.floor(noise(rng, SHAPE, 70) * 1.6 + x / 240).astype(int) % len(BLOOMS)
    cover(sketch, y > bed, ramp(0.25 + 0.2 * clump, TREE))
    cover(sketch, (y > bed) & (clump > -0.15), BLOOMS[kind] * (0.85 + 0.12 * clump)[..., None])


FEET = ((1010, 420), (930, 760), (1060, 1690), (900, 1950))  # y, x where the trees stand
CROWNS = ((560, 400, 330, TREE), (690, 770, 150, AUTUMN), (560, 1720, 270, AUTUMN), (690, 1970, 170, TREE))


def draw_trees(sketch: Array, y: Array, x: Array, rng: np.random.Generator) -> None:
    """Four trees, their crowns lit from the side of the sun."""
    for (fy, fx), (cy, cx, radius, palette) in reversed(list(zip(FEET, CROWNS, strict=True))):
        trunk = (
            np.abs(x - fx - 10 * np.sin(y / 60))
            < radius * 0.075 + 0.0007 * np.clip(y - fy + 160, 0, 200) ** 2
        ) & ((y > cy) & (y < fy + 8))
        cover(
            sketch,
            trunk,
            ramp(0.5 + (x - fx) / radius * np.sign(SUN[1] - fx) * 5, colors("2a1f4a", "7a4a5a", "e0a060")),
        )
        rim = 1 + 0.13 * noise(rng, SHAPE, 90, octaves=2)
        v, u = (y - cy) / radius, (x - cx) / radius
        leaves = (np.hypot(v * 0.95, u) < rim) & (noise(rng, SHAPE, 34) > -1.7)
        puff = noise(rng, SHAPE, radius * 0.36, octaves=2)
        lit = 0.47 + 0.34 * u * np.sign(SUN[1] - cx) - 0.3 * v + 0.17 * puff
        cover(sketch, leaves, ramp(lit, palette))


def stamp(
    canvas: Array, height: Array, centers: Array, radius: float, paint: Array, rng: np.random.Generator
) -> None:
    """Lays round dabs with a thick rim, in order, in place; `centers` is `[N, 2]`, `paint` `[N, 3]`."""
    reach = int(radius * 1.3) + 1
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    for i in range(0, len(centers), 512):
        part = centers[i : i + 512]
        size, squeeze, tilt = (
            rng.uniform(a, b, (len(part), 1, 1)) for a, b in ((0.8, 1.15), (0.8, 1.2), (0, 3.14))
        )
        a, b = u * np.cos(tilt) + v * np.sin(tilt), v * np.cos(tilt) - u * np.sin(tilt)
        r = np.hypot(a * squeeze, b / squeeze) / (radius * size)
        where = np.rint(part[:, None, None] + np.stack([v, u], -1)).astype(int)
        inside = (r < 1) & ((where >= 0) & (where < np.array(SHAPE))).all(-1)
        rows, cols = where[inside].T
        canvas[rows, cols] = np.broadcast_to(paint[i : i + 512, None, None], (*r.shape, 3))[inside]
        dome = (1 - 0.55 * (1 - r**2) ** 2 - r**8) * rng.uniform(0.7, 1.3, (len(part), 1, 1))
        height[rows, cols] = dome[inside]


def mix(sketch: Array, centers: Array, strength: float, rng: np.random.Generator) -> Array:
    """Pure colours for dots: the sketch's, more saturated, some swapped towards a contrasting spark."""
    index = centers.astype(int)
    base = sketch[index[:, 0], index[:, 1]]
    gray = base.mean(1, keepdims=True)
    vivid = gray + (base - gray) * rng.uniform(1.1, 1.6, (len(base), 1))
    spark = SPARKS[rng.integers(0, len(SPARKS), len(base))]
    share = strength * rng.choice([0.1, 0.35, 0.8], (len(base), 1), p=[0.55, 0.3, 0.15])
    spark = spark * (0.5 + gray) / (0.5 + spark.mean(1, keepdims=True))
    return np.clip((vivid * (1 - share) + spark * share) * rng.normal(1.03, 0.09, (len(base), 1)), 0, 1)


def paint() -> Array:
    """The finished canvas: broad dabs, then two layers of dots, each finer and purer in colour."""
    rng = np.random.default_rng(17)
    y, x = grid()
    sketch = np.zeros((*SHAPE, 3), np.float32)
    draw_distance(sketch, y, x, rng)
    draw_garden(sketch, y, x, rng)
    draw_trees(sketch, y, x, rng)
    canvas = ndimage.gaussian_filter(sketch, (8, 8, 0)) * 0.8
    height = np.zeros(SHAPE, np.float32)
    for radius, spacing, strength in ((18, 19, 0.3), (12, 12.5, 0.6), (9, 13, 0.75)):
        centers = scatter(rng, SHAPE, spacing)
        stamp(canvas, height, centers, radius, mix(sketch, centers, strength, rng), rng)
    height = ndimage.gaussian_filter(height, 1.0) + 0.04 * noise(rng, SHAPE, 4)
    return relight(canvas, height, relief=1.7, gloss=0.12)


if __name__ == "__main__":
    save(paint(), "dots.jpg")
