"""What the `paint_*.py` scripts share: noise, colour ramps, brush strokes with relief, light, and saving.

Canvases are float arrays `[H, W, 3]` in [0, 1] at twice the final size; points are (y, x) in canvas pixels.
"""

import io
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Array = NDArray[np.floating]
STYLES = Path(__file__).resolve().parent.parent / "styles"
SUPERSAMPLE = 2
MAX_BYTES = 295_000
LIGHT = np.array([-0.5, -0.45, 0.74]) / np.linalg.norm([-0.5, -0.45, 0.74])  # y, x, towards the viewer
VIEW = np.array([0.0, 0.0, 1.0])
CHUNK = 48  # strokes painted by one assignment; a later stroke covers an earlier one


def noise(rng: np.random.Generator, shape: tuple[int, int], scale: float, octaves: int = 1) -> Array:
    """Smooth noise `[H, W]` of unit variance, features about `scale` pixels, each octave half as large."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        cell = max(scale / 2**octave, 1.0)
        grid = rng.standard_normal((int(shape[0] / cell) + 4, int(shape[1] / cell) + 4)).astype(np.float32)
        box = (1.0, 1.0, 1.0 + shape[1] / cell, 1.0 + shape[0] / cell)
        layer = Image.fromarray(grid).resize((shape[1], shape[0]), Image.Resampling.BICUBIC, box=box)
        total += np.asarray(layer, np.float32) / 2**octave
    return (total - total.mean()) / total.std()


def colors(*codes: str) -> Array:
    """`[N, 3]` in [0, 1] from `rrggbb` codes."""
    return np.array([[int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)] for code in codes], np.float32)


def ramp(values: Array, palette: Array) -> Array:
    """Linear interpolation in a palette `[N, 3]`, 0 its first colour and 1 its last; adds an axis of 3."""
    stops = np.linspace(0, 1, len(palette))
    channels = [np.interp(values, stops, palette[:, c]) for c in range(3)]
    return np.stack(channels, -1).astype(np.float32)


def smoothstep(low: float, high: float, values: Array) -> Array:
    """0 below `low`, 1 above `high`, a cubic between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def scatter(rng: np.random.Generator, shape: tuple[int, int], spacing: float) -> Array:
    """One jittered point `[N, 2]` per cell of a grid, in random order."""
    y, x = np.mgrid[0 : shape[0] : spacing, 0 : shape[1] : spacing]
    points = np.stack([y.ravel(), x.ravel()], -1) + rng.uniform(0, spacing, (y.size, 2))
    points = points[(points < np.array(shape)).all(-1)]
    return rng.permutation(points).astype(np.float32)


def trace(flow: Array, starts: Array, steps: int, step: float = 4.0) -> Array:
    """Follows a unit vector field `[H, W, 2]` both ways from each start: paths `[N, 2 * steps + 1, 2]`."""
    limit = np.array(flow.shape[:2]) - 1
    halves = []
    for sign in (-step, step):
        points, path = starts, []
        for _ in range(steps):
            index = np.clip(points, 0, limit).astype(int)
            points = points + sign * flow[index[:, 0], index[:, 1]]
            path.append(points)
        halves.append(path)
    return np.stack([*halves[0][::-1], starts, *halves[1]], 1)


def stroke_samples(paths: Array, spacing: float = 0.75, step: float = 4.0) -> tuple[Array, Array]:
    """Points along each path `spacing` pixels apart, and their unit normals; both `[N, M, 2]`."""
    count = int((paths.shape[1] - 1) * step / spacing)
    at = np.linspace(0, paths.shape[1] - 1.001, count)
    low = at.astype(int)
    part = (at - low)[None, :, None]
    points = paths[:, low] * (1 - part) + paths[:, low + 1] * part
    tangents = ndimage.gaussian_filter1d(np.gradient(points, axis=1), 4, axis=1, mode="nearest")
    tangents /= np.linalg.norm(tangents, axis=-1, keepdims=True) + 1e-6
    return points, np.stack([tangents[..., 1], -tangents[..., 0]], -1)


def bristles(rng: np.random.Generator, count: int, length: int, width: int) -> Array:
    """Hair marks `[count, length, width]` of unit variance: sharp across the stroke, slow along it."""
    marks = rng.standard_normal((count, length // 24 + 2, width)).astype(np.float32)
    marks += 1.5 * rng.standard_normal((count, 1, width)).astype(np.float32)
    marks = ndimage.gaussian_filter1d(marks, 1.3, axis=2)
    at = np.linspace(0, marks.shape[1] - 1.001, length)
    part = (at % 1)[None, :, None].astype(np.float32)
    marks = marks[:, at.astype(int)] * (1 - part) + marks[:, at.astype(int) + 1] * part
    return marks / (marks.std() + 1e-6)


def paint_strokes(
    canvas: Array, height: Array, paths: Array, width: float, paints: Array, rng: np.random.Generator
) -> None:
    """Lays impasto strokes `width` pixels wide on canvas and height map, in order, in place.

    `paints` is `[N, 2, 3]`: a stroke's colour and the second colour its hairs carry. A stroke is a ribbon of
    samples along and across its path; it starts thick, piles paint up at its sides, and ends in dry hairs.
    """
    for i in range(0, len(paths), CHUNK):
        lay_ribbons(canvas, height, paths[i : i + CHUNK], width, paints[i : i + CHUNK], rng)


def lay_ribbons(
    canvas: Array, height: Array, paths: Array, width: float, paints: Array, rng: np.random.Generator
) -> None:
    """One chunk of `paint_strokes`."""
    points, normals = stroke_samples(paths)
    n, m = points.shape[:2]
    across = np.linspace(-1, 1, int(width / 0.75))[None, None]  # 1 at the edge of the brush
    along = np.linspace(0, 1, m)[None, :, None]
    hair = bristles(rng, n, m, across.size)
    breadth = rng.uniform(0.7, 1.15, (n, 1, 1)) * np.clip(np.sqrt(along * 12), 0.35, 1)
    where = points[:, :, None] + normals[:, :, None] * (across * breadth * width / 2)[..., None]
    dry = (hair * 0.35 + 1.1 - 1.3 * smoothstep(0.6, 1.0, along) - 0.5 * across**6) > 0
    index = np.rint(where).astype(int)
    inside = dry & ((index >= 0) & (index < np.array(canvas.shape[:2]))).all(-1)
    mix = np.clip(0.28 + 0.3 * hair, 0, 1)[..., None]
    color = paints[:, None, None, 0] * (1 - mix) + paints[:, None, None, 1] * mix
    relief = 0.75 + 0.5 * np.abs(across) ** 3 - across**8 + 0.22 * hair + 0.3 * (along < 0.12)
    relief = relief * rng.uniform(0.7, 1.2, (n, 1, 1))
    rows, cols = index[inside].T
    canvas[rows, cols] = color[inside]
    height[rows, cols] = relief[inside]


def shade(height: Array, relief: float, gloss: float = 0.25) -> tuple[Array, Array]:
    """Diffuse light (1 on level ground) and highlight `[H, W]` of a height map lit from the upper left."""
    dy, dx = np.gradient(height * relief)
    normal = np.stack([-dy, -dx, np.ones_like(dx)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    half = (LIGHT + VIEW) / np.linalg.norm(LIGHT + VIEW)
    diffuse = normal @ LIGHT / LIGHT[2]
    return diffuse.astype(np.float32), (gloss * np.clip(normal @ half, 0, 1) ** 40).astype(np.float32)


def relight(canvas: Array, height: Array, relief: float, gloss: float = 0.2) -> Array:
    """The canvas under raking light: shadows multiply, highlights add."""
    diffuse, shine = shade(height, relief, gloss)
    flat = gloss * (0.5 + 0.5 * LIGHT[2]) ** 20  # the shine of level ground: cos(a / 2) ** 40
    lit = canvas * (0.25 + 0.75 * np.clip(diffuse, 0.1, 1.5))[..., None]
    return np.clip(lit + (shine - flat)[..., None], 0, 1)


def shrink(canvas: Array) -> Image.Image:
    """The finished picture at its final size, 8 bits."""
    picture = Image.fromarray((np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8))
    size = (canvas.shape[1] // SUPERSAMPLE, canvas.shape[0] // SUPERSAMPLE)
    return picture.resize(size, Image.Resampling.LANCZOS)


def save(canvas: Array, name: str) -> None:
    """Writes the picture to the first argument, or to `styles/`, at the best quality under `MAX_BYTES`."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else STYLES / name
    picture = shrink(canvas)
    for quality in range(94, 40, -2):
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=quality, optimize=True, progressive=True)
        if data.tell() < MAX_BYTES:
            break
    path.write_bytes(data.getvalue())
    print(f"{path}: {picture.width} x {picture.height}, quality {quality}, {data.tell() // 1000} KB")
