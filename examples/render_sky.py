"""The evening sky of the lake picture: clear air, and a cumulus layer that is marched through."""

import numpy as np
from noise import banded, fractal, gradient2, scramble, uniform, value3
from render_light import color, mix, smoothstep, unit, vector
from scipy.ndimage import gaussian_filter, map_coordinates


def sky_color(direction, sun):
    """Clear evening sky for unit directions `[..., 3]`: blue above, gold towards the sun at the horizon."""
    up = np.clip(direction[..., 1], 0, 1)
    toward = 0.5 + 0.5 * (direction @ vector(sun[0], 0, sun[2] + 0.9))
    zenith, middle = color(58, 104, 176), color(132, 176, 222)
    blue = mix(np.broadcast_to(middle, direction.shape), zenith, smoothstep(0.02, 0.5, up))
    warm = mix(np.broadcast_to(color(236, 196, 186), direction.shape), color(255, 204, 128) * 1.25, toward**3)
    return mix(blue, warm, np.exp(-up * 9) * (0.45 + 0.5 * toward)) * 1.05


def cloud_density(x, y, z):
    """Density of a broken cumulus layer at points given in kilometres."""
    shape = fractal(value3, x / 1.9, y / 1.2, z / 1.9, octaves=7, gain=0.5, seed=101)
    cover = gradient2(x / 9.0, z / 9.0, 107)
    profile = smoothstep(2.9, 3.15, y) * smoothstep(5.2, 3.3, y)
    return np.clip((shape + 0.45 * cover - 0.36) * profile * 4.5, 0, 1)


def clouds(direction, steps: int = 44):
    """March the cloud layer: its light `[..., 3]` and what it lets through `[...]`, in [0, 1]."""
    up = np.maximum(direction[..., 1], 0.035)
    light, through = np.zeros_like(direction), np.ones_like(up)
    dither = uniform(scramble(*(np.floor(direction[..., i] * 4096) for i in (0, 1)), seed=9))
    for step in range(steps):
        y = 2.9 + 2.3 * (step + dither) / steps
        points = [direction[..., 0] / up * y, y, direction[..., 2] / up * y]
        here = banded(cloud_density, *points)
        ahead = banded(
            cloud_density, *(p + s * 0.55 for p, s in zip(points, vector(-0.8, 0.25, -0.3), strict=True))
        )
        alpha = 1 - np.exp(-here * (2.3 / steps) / up * 3.2)
        lit = np.exp(-ahead * 2.2)
        glow = mix(
            np.broadcast_to(color(120, 136, 186) * 0.75, direction.shape), color(255, 206, 160) * 2.1, lit
        )
        light += (through * alpha)[..., None] * glow
        through = through * (1 - alpha)
    return light, through


def sky(tangents, slopes, sun):
    """Sky with clouds for columns (x/z) and rows (y/z), solved at half size: `[R, C, 3]`."""
    rows, columns = np.meshgrid(slopes[::2], tangents[::2], indexing="ij")
    direction = unit(np.stack([columns, rows, np.ones_like(rows)], -1))
    light, through = clouds(direction)
    clear = sky_color(direction, sun)
    haze = np.exp(-np.maximum(direction[..., 1], 0) * 11)[..., None]
    light, through = gaussian_filter(light, (0.6, 0.6, 0)), gaussian_filter(through, 0.6)
    half = (clear * through[..., None] + light) * (1 - haze) + clear * haze
    grid = np.mgrid[0 : slopes.size, 0 : tangents.size] / 2
    return np.stack([map_coordinates(half[..., i], grid, order=1, mode="nearest") for i in range(3)], -1)
