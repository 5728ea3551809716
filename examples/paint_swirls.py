"""Paints `styles/swirls.jpg`: a night sky of whirls over a lake, in thick strokes along a flow field."""

import numpy as np
from scipy import ndimage
from strokes import (
    Array,
    colors,
    noise,
    paint_strokes,
    ramp,
    relight,
    save,
    scatter,
    smoothstep,
    trace,
)

SHAPE = (1640, 2048)
BAND = 34  # pixels of stream function per radian of a band
NIGHT = colors("0b1440", "14226b", "1d3fa0", "2b63bf", "4f93d0", "9cc6dc", "e9ecd0")
GLOW = colors("1d3fa0", "3f86b8", "b4c878", "f4cf3a", "f7a81c", "fbd24a", "fff6cf")
HILLS = colors("080d2c", "101f52", "174a63", "3a7560", "9a8f3f", "e0a83a")
WATER = colors("0a1238", "123079", "2455ac", "3f8cc0", "a8cfd0")
# y, x, radius, strength: whirls of the sky (positive turns clockwise)
WHIRLS = ((560, 700, 290, 1.0), (690, 1400, 225, -1.0), (240, 1240, 150, 0.8), (850, 230, 170, -0.8))
# y, x, radius of the core: stars; the last one is the moon
STARS = (
    (170, 230, 30),
    (120, 690, 24),
    (420, 1130, 22),
    (390, 190, 22),
    (860, 1040, 26),
    (700, 1850, 30),
    (110, 1430, 22),
    (960, 640, 20),
    (250, 1800, 64),
)


def distances(y: Array, x: Array) -> Array:
    """Distance of each pixel to each star in units of its core, `[S, H, W]`."""
    return np.stack([np.hypot(y - sy, x - sx) / radius for sy, sx, radius in STARS])


def sky_phase(y: Array, x: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Phase of the sky's bands `[H, W]` and the direction along them `[H, W, 2]`.

    A wind with slow waves and bell-shaped whirls; each whirl adds its polar angle, which turns its rings
    into a spiral. The angle's jump of a whole turn is invisible in a phase; its gradient is written out.
    """
    stream = 0.9 * y + 90 * np.sin(x / 330 + y / 500) + 26 * noise(rng, SHAPE, 380)
    for cy, cx, radius, strength in WHIRLS:
        r = np.hypot(y - cy, (x - cx) * 0.92) / radius
        stream = stream + strength * 3.4 * radius * np.exp(-0.5 * r**1.7)
    phase = stream / BAND
    dy, dx = np.gradient(phase)
    for cy, cx, _, strength in WHIRLS:
        turn, square = np.sign(strength), (y - cy) ** 2 + (x - cx) ** 2 + 1
        phase = phase + turn * np.arctan2(y - cy, x - cx)
        dy, dx = dy + turn * (x - cx) / square, dx - turn * (y - cy) / square
    return phase, unit(dx, -dy)


def unit(vy: Array, vx: Array) -> Array:
    """A vector field `[H, W, 2]` of length one."""
    return (np.stack([vy, vx], -1) / (np.hypot(vy, vx) + 1e-6)[..., None]).astype(np.float32)


def along(stream: Array) -> Array:
    """Unit vectors along the contours of a stream function."""
    dy, dx = np.gradient(stream)
    return unit(dx, -dy)


def shores(x: Array, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Heights `[W]` of the far ridge, the near ridge and the shore line."""
    rough = noise(rng, (3, x.size), 90)
    far = (
        1130
        - 120 * np.exp(-(((x - 420) / 330) ** 2))
        - 90 * np.exp(-(((x - 1650) / 260) ** 2))
        + 14 * rough[0]
    )
    near = (
        1240
        - 110 * np.exp(-(((x - 1130) / 330) ** 2))
        - 60 * np.exp(-(((x - 60) / 300) ** 2))
        + 10 * rough[1]
    )
    return far, near, 1330 + 22 * np.sin(x / 260 + 1) + 4 * rough[2]


def scene(rng: np.random.Generator) -> tuple[Array, Array]:
    """The colour sketch `[H, W, 3]` and the direction of the brush `[H, W, 2]`."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    phase, wind = sky_phase(y, x, rng)
    stars = distances(y, x)
    color, flow = paint_sky(y, phase, stars), sky_flow(y, x, wind, stars)
    far, near, shore = shores(x[0], rng)
    for top, tone in ((far, 0.0), (near, -0.12)):
        depth = y - top
        land = depth > 0
        bands = 0.32 + tone + 0.2 * np.sin(depth / 15 + x / 240) + 0.45 * np.exp(-depth / 26)
        color[land] = ramp(bands, HILLS)[land]
        flow[land] = along(depth + 16 * np.sin(x / 70 + depth / 30))[land]
    lake = y > shore
    color[lake] = paint_lake(y, x, shore, rng)[lake]
    flow[lake] = along(y + 9 * np.sin(x / 60 + y / 17))[lake]
    return color, flow


def paint_sky(y: Array, phase: Array, stars: Array) -> Array:
    """Bands along the wind, paler in the whirls and low down; gold rings around the stars."""
    bands = 0.36 + 0.26 * np.sin(phase) + 0.13 * np.sin(3 * phase + 1)
    for cy, cx, radius, _ in WHIRLS:
        rows, cols = np.ogrid[: SHAPE[0], : SHAPE[1]]
        bands = bands + 0.26 * np.exp(-(((rows - cy) ** 2 + (cols - cx) ** 2) / (0.8 * radius) ** 2))
    sky = ramp(bands + 0.16 * smoothstep(700, 1150, y), NIGHT)
    nearest = stars.min(0)
    halo = 1.05 - 0.23 * nearest + 0.1 * np.sin(nearest * 5.2)
    blend = (1 - smoothstep(2.4, 4.6, nearest))[..., None]
    return sky * (1 - blend) + ramp(halo, GLOW) * blend


def sky_flow(y: Array, x: Array, wind: Array, stars: Array) -> Array:
    """The wind, bent into rings around the stars."""
    for (sy, sx, _), distance in zip(STARS, stars, strict=True):
        weight = (1 - smoothstep(2.8, 5.0, distance))[..., None]
        wind = wind * (1 - weight) + unit(x - sx, sy - y) * weight
    return unit(wind[..., 0], wind[..., 1])


def paint_lake(y: Array, x: Array, shore: Array, rng: np.random.Generator) -> Array:
    """Dark ripples, and the moon's and two stars' light broken on them."""
    ripple = np.sin((y - shore) / 9 + 2.2 * noise(rng, SHAPE, 120))
    water = ramp(0.36 + 0.2 * ripple + 0.12 * noise(rng, SHAPE, 160), WATER)
    spread = 26 + (y - 1300) * 0.32
    light = np.zeros(SHAPE, np.float32)
    for sx, strength in ((1800, 1.0), (1040, 0.75), (640, 0.6), (230, 0.65)):
        light = np.maximum(light, strength * np.exp(-(((x - sx - 14 * ripple) / spread) ** 2)))
    light = light * (0.65 + 0.45 * ripple)
    blend = smoothstep(0.18, 0.5, light)[..., None]
    return water * (1 - blend) + ramp(0.45 + 0.6 * light, GLOW) * blend


def pick_paints(color: Array, starts: Array, rng: np.random.Generator) -> Array:
    """Two paints per stroke `[N, 2, 3]`: the sketch's colour jittered, and a lighter or darker sister."""
    limit = np.array(SHAPE) - 1
    index = np.clip(starts, 0, limit).astype(int)
    base = color[index[:, 0], index[:, 1]]
    value = rng.normal(1, 0.13, (len(base), 1))
    base = base * value + rng.normal(0, 0.022, base.shape)
    lift = rng.choice([-0.10, 0.12, 0.26], (len(base), 1), p=[0.35, 0.4, 0.25])
    return np.clip(np.stack([base, base * (1 + lift) + lift * 0.35], 1), 0, 1).astype(np.float32)


def paint() -> Array:
    """The finished canvas."""
    rng = np.random.default_rng(11)
    color, flow = scene(rng)
    canvas = ndimage.gaussian_filter(color, (6, 6, 0)) * 0.6
    height = 0.3 * noise(rng, SHAPE, 6)
    for width, spacing, steps in ((50, 30, 16), (34, 21, 15), (22, 18, 11)):
        starts = scatter(rng, SHAPE, spacing)
        paths = trace(flow, starts, steps)
        paint_strokes(canvas, height, paths, width, pick_paints(color, starts, rng), rng)
    height = ndimage.gaussian_filter(height, 1.0)
    return relight(canvas, height, relief=2.6)


if __name__ == "__main__":
    save(paint(), "swirls.jpg")
