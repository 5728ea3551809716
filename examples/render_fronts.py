"""Paint house fronts and the labels of their parts: `python examples/render_fronts.py 2000 -o PAIRS`.

The front of a seed is always the same. Each pair is the label picture, left, and the front, right; one in 32
goes to PAIRS/val. `--sheet 32` shows the first pairs on one picture. front_plans.py says what there is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from front_plans import LABELS, Part, Style, plan
from noise import cells, fractal, gradient2, scramble, uniform
from PIL import Image, ImageColor
from render_cats import asked, show, write
from render_light import color, grade, mix, smoothstep, tone
from scipy.ndimage import gaussian_filter

from styler.storage.datasets.find_pairs import write_record

FINE = 2
"""How much finer the canvas is than the picture."""
HELD = 32
NUMBERS = {name: number for number, name in enumerate(LABELS)}


@dataclass
class Canvas:
    """A picture in the making: colors in linear light [F, F, 3], light and glow on them, labels [F, F]."""

    image: np.ndarray
    light: np.ndarray
    glow: np.ndarray
    labels: np.ndarray
    broad: np.ndarray  # noise of a metre, in [-1, 1]
    fine: np.ndarray  # noise of a pixel
    scale: float  # pixels a metre
    foot: float  # metres
    sun: tuple[float, float]  # how far a shadow falls for a metre of depth: to the right, and down

    def view(self, box: tuple[float, float, float, float]) -> View:
        """The part of the canvas in a box."""
        left, low, right, high = box
        side = len(self.image)
        columns = [int(np.clip(round(x * self.scale), 0, side)) for x in (left, right)]
        rows = [int(np.clip(round(side - (y + self.foot) * self.scale), 0, side)) for y in (high, low)]
        return View(self, slice(*rows), slice(*columns), box)

    def cast(self, box: tuple[float, float, float, float], depth: float, amount: float = 0.8) -> None:
        """Darken what lies in the shadow of a box that stands out from the wall by a depth in metres."""
        across, down = (depth * by for by in self.sun)
        left, low, right, high = box
        shadow = (left, low - down, right + across * 0.9, high - 0.4 * down)
        self.view(shadow).shade(1 - amount)


@dataclass
class View:
    """A box of a canvas: x and y run from 0 to 1 within it, u and v are metres."""

    canvas: Canvas
    rows: slice
    columns: slice
    box: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        left, low, right, high = self.box
        canvas = self.canvas
        columns = np.arange(self.columns.start, self.columns.stop, dtype=np.float32)[None] + 0.5
        rows = np.arange(self.rows.start, self.rows.stop, dtype=np.float32)[:, None] + 0.5
        self.u = np.broadcast_to(columns / canvas.scale, (rows.size, columns.size))
        self.v = np.broadcast_to((len(canvas.image) - rows) / canvas.scale - canvas.foot, self.u.shape)
        self.x, self.y = (self.u - left) / (right - left), (self.v - low) / (high - low)
        self.broad = canvas.broad[self.rows, self.columns]
        self.fine = canvas.fine[self.rows, self.columns]

    @property
    def empty(self) -> bool:
        """Whether no pixel of the canvas lies in it."""
        return self.u.size == 0

    def shade(self, factor: float) -> None:
        """Darken its light."""
        self.canvas.light[self.rows, self.columns] *= factor

    def paint(self, shown: np.ndarray, where: np.ndarray | float = 1.0) -> None:
        """Lay a color [3] or [h, w, 3] over it where a weight is."""
        now = self.canvas.image[self.rows, self.columns]
        weight = np.broadcast_to(np.asarray(where, np.float32), self.u.shape)
        self.canvas.image[self.rows, self.columns] = mix(now, shown, weight)

    def claim(self, kind: str, where: np.ndarray | None = None, depth: float = 0.0) -> None:
        """Label it where a mask holds, in full light, with the shadow of a depth in metres."""
        where = np.ones(self.u.shape, bool) if where is None else where
        if depth:
            self.canvas.cast(self.box, depth)
            self.canvas.light[self.rows, self.columns][where] = 1
        self.canvas.labels[self.rows, self.columns][where] = NUMBERS[kind]
        self.canvas.glow[self.rows, self.columns][where] = 0

    def shine(self, shown: np.ndarray, where: np.ndarray | float = 1.0) -> None:
        """Add light of its own."""
        self.canvas.glow[self.rows, self.columns] += shown * np.asarray(where, np.float32)[..., None]


def noised(shown: np.ndarray, view: View, broad: float = 0.12, fine: float = 0.10) -> np.ndarray:
    """A color under the noise of its surface [h, w, 3]."""
    return shown * (1 + broad * view.broad + fine * view.fine)[..., None]


def masonry(view: View, shown: np.ndarray, size: tuple[float, float], joint: float, tint: float, seed: int):
    """Courses of bricks or stones of a size in metres."""
    row = np.floor(view.v / size[1])
    across = view.u / size[0] + 0.5 * (row % 2)
    tints = 1 + tint * (uniform(scramble(np.floor(across), row, seed=seed)) - 0.5)
    edge = np.minimum((across % 1) * size[0], (view.v / size[1] % 1) * size[1])
    return mix(shown * tints[..., None], shown * 0.55 + 0.12, smoothstep(joint, joint * 0.4, edge))


def stuff(view: View, one: Style, kind: str) -> np.ndarray:
    """The wall's material."""
    if kind == "brick" != one.stuff:
        return masonry(view, noised(color(150, 76, 58), view), (0.3, 0.12), 0.03, 0.7, one.seed)
    base = noised(color(*one.wall), view)
    if one.stuff == "brick":
        return masonry(view, base, (0.3, 0.12), 0.03, 0.7, one.seed)
    if one.stuff == "stone":
        return masonry(view, base, (0.85, 0.45), 0.04, 0.24, one.seed)
    worn = smoothstep(0.25, 0.6, view.broad) * 0.25 if one.seed % 3 == 0 else np.zeros_like(view.u)
    return mix(base, base * 0.7 + color(140, 120, 100) * 0.15, worn)


def wall(view: View, part: Part) -> None:
    """The wall of a front, a gable, a dormer or a chimney."""
    one = part.look["style"]
    shown = stuff(view, one, part.kind)
    where = np.ones(view.u.shape, bool)
    slope = 1 - np.abs(view.x * 2 - 1)
    if part.form == "gable":
        where = view.y < np.maximum(slope, 0)
    elif part.form == "dormer":
        where = view.y < 0.72 + 0.28 * slope
    elif part.form == "stepped":
        where = view.y < np.clip(np.floor((slope + 0.15) * 5) / 5, 0, 1)
    elif part.form == "front":
        damp = smoothstep(1.0, 0.0, view.v + 0.4 * view.broad)
        shown = shown * (1 - 0.35 * damp)[..., None]
    view.paint(shown, where)
    view.claim(part.kind, where)
    view.canvas.light[view.rows, view.columns][where] = 1
    if part.form in ("gable", "stepped", "dormer"):
        edge = where & ~np.roll(where, max(2, round(0.2 * view.canvas.scale)), axis=0)
        kind, shade = (one.cover, one.roof) if part.form == "dormer" else ("cornice", one.trim)
        view.paint(noised(color(*shade), view), edge)
        view.claim(kind, edge)
    if part.form == "chimney":
        view.paint(shown * 0.7, view.y > 0.88)


def roof(view: View, part: Part) -> None:
    """Tiles or slates of a pitched roof."""
    one = part.look["style"]
    slope = 0.5 if part.form == "pitched" else 0.12
    where = view.y * slope < np.minimum(view.x, 1 - view.x) * (view.box[2] - view.box[0]) / 2.4
    row = np.floor(view.v / 0.24)
    across = view.u / 0.26 + 0.5 * (row % 2)
    tints = 0.8 + 0.5 * uniform(scramble(np.floor(across), row, seed=one.seed))
    lap = smoothstep(0.0, 0.35, view.v / 0.24 % 1) * 0.45 + 0.6
    tints = tints if part.kind == "tiles" else 0.9 + (tints - 1.05) * 0.5
    shown = noised(color(*one.roof), view, 0.22) * (tints * lap)[..., None]
    view.paint(shown, where)
    view.claim(part.kind, where)
    view.canvas.light[view.rows, view.columns][where] = 0.92


def arched(view: View, part: Part) -> np.ndarray:
    """Where the box or, in the form of an arch, its arch is."""
    if part.form != "arch":
        return np.ones(view.u.shape, bool)
    half = (view.box[2] - view.box[0]) / 2
    below = view.v < view.box[3] - half
    return below | (np.hypot(view.u - view.box[0] - half, view.v - view.box[3] + half) < half)


def window(view: View, part: Part) -> None:
    """Frame, bars and panes: dark, with the sky in them, and lamplight in a few."""
    one, number, canvas = part.look["style"], float(part.look["number"]), view.canvas
    where = arched(view, part)
    wide, high = view.box[2] - view.box[0], view.box[3] - view.box[1]
    reach = np.minimum(np.minimum(view.x, 1 - view.x) * wide, np.minimum(view.y, 1 - view.y) * high)
    glass = (
        color(20, 24, 30)
        + color(150, 172, 200) * (0.34 * smoothstep(0.1, 1, view.y + 0.2 * view.broad))[..., None]
    )
    across, down = (2 if wide > 0.55 else 1), max(1, round(high / wide * 2))
    bar = 0.045
    bars = np.minimum(
        np.abs((view.x * across + 0.5) % 1 - 0.5) * wide / across,
        np.abs((view.y * down + 0.5) % 1 - 0.5) * high / down,
    )
    frame = (reach < 0.09) | (bars < bar)
    view.paint(glass, where)
    view.paint(noised(color(*one.frame), view, 0.04, 0.05), frame & where)
    view.claim("window", where)
    deep = 0.16
    shade = (view.box[3] - view.v) < deep * canvas.sun[1]
    shade |= view.u - view.box[0] < deep * canvas.sun[0]
    canvas.light[view.rows, view.columns][shade & where] *= 0.3
    if number < 0.05:
        view.shine(color(255, 170, 80) * 0.55, where & ~frame)


def door(view: View, part: Part) -> None:
    """A panelled leaf under a light."""
    one, number = part.look["style"], float(part.look["number"])
    where = arched(view, part)
    wide = view.box[2] - view.box[0]
    leaf = noised(color(*one.paint), view, 0.08, 0.08)
    leaves = 2 if wide > 1.1 else 1
    x, y = view.x * leaves % 1, view.y / 0.8 * 3 % 1
    panel = np.minimum(np.minimum(x, 1 - x) * wide / leaves, np.minimum(y, 1 - y) * 0.8)
    leaf = (
        leaf
        * (0.72 + 0.28 * smoothstep(0.06, 0.12, panel) + 0.25 * smoothstep(0.05, 0.0, np.abs(panel - 0.1)))[
            ..., None
        ]
    )
    light = (view.y > 0.8) if number < 0.7 else (view.y > 0.45) & (np.abs(x - 0.5) < 0.34)
    leaf = np.where(
        light[..., None], color(34, 40, 48) + color(150, 170, 190) * 0.25 * view.y[..., None], leaf
    )
    edge = (
        np.minimum(np.minimum(view.x, 1 - view.x) * wide, (1 - view.y) * (view.box[3] - view.box[1])) < 0.06
    )
    edge |= np.abs(view.y - 0.8) * (view.box[3] - view.box[1]) < 0.035
    leaf = np.where(edge[..., None], color(*one.frame) * 0.9, leaf)
    view.paint(leaf, where)
    knob = np.hypot((view.x - 0.86) * wide, view.v - view.box[1] - 1.05) < 0.06
    view.paint(color(214, 178, 96), knob & where)
    view.claim("door", where)
    view.canvas.light[view.rows, view.columns][where & (view.y > 0.9)] *= 0.45
    view.canvas.light[view.rows, view.columns][where] *= 0.85


def ledge(view: View, part: Part) -> None:
    """A cornice or a sill: a moulded course, lit on top and dark beneath."""
    one = part.look["style"]
    cornice = part.kind == "cornice"
    view.claim(part.kind, None, 0.34 if cornice else 0.18)
    wave = 0.62 + 0.5 * view.y
    if cornice:
        wave = wave + 0.16 * np.sin(view.y * 9.4)
        if one.seed % 2 and view.box[3] - view.box[1] > 0.3:
            teeth = (view.u / 0.24 % 1 < 0.5) & (view.y < 0.42) & (view.y > 0.08)
            wave = np.where(teeth, wave * 0.62, wave)
    view.paint(noised(color(*one.trim), view, 0.06, 0.06) * wave[..., None])


def trim(view: View, part: Part) -> None:
    """Surrounds of openings."""
    one = part.look["style"]
    where = arched(view, part)
    view.claim("trim", where, 0.05 if part.form != "arch" else 0.0)
    view.paint(noised(color(*one.trim), view, 0.06, 0.06) * 0.95, where)


def beam(view: View, part: Part) -> None:
    """A beam of a timber frame."""
    dark = color(86, 60, 42) if part.look["style"].seed % 2 else color(58, 44, 38)
    view.claim("beam")
    view.paint(noised(dark, view, 0.2, 0.2))


def pillar(view: View, part: Part) -> None:
    """A pilaster: round by its shading, with a base and a capital."""
    one = part.look["style"]
    view.claim("pillar", None, 0.16)
    turn = 0.66 + 0.4 * np.sin(np.pi * np.clip(view.x * 0.9 + 0.1, 0, 1))
    flutes = 1 - 0.1 * (np.sin(view.x * 25) > 0.4)
    ends = (view.v > view.box[3] - 0.4) | (view.v < view.box[1] + 0.45)
    view.paint(noised(color(*one.trim), view, 0.06, 0.06) * np.where(ends, 0.98, turn * flutes)[..., None])


def shutter(view: View, part: Part) -> None:
    """A leaf of slats in a frame."""
    one = part.look["style"]
    view.claim("shutter", None, 0.06)
    wide, high = view.box[2] - view.box[0], view.box[3] - view.box[1]
    edge = np.minimum(np.minimum(view.x, 1 - view.x) * wide, np.minimum(view.y, 1 - view.y) * high) < 0.07
    edge |= np.abs(view.y - 0.5) * high < 0.05
    slats = 0.6 + 0.55 * (view.v / 0.13 % 1)
    view.paint(noised(color(*one.shutter), view, 0.06, 0.05) * np.where(edge, 1.0, slats)[..., None])


def balcony(view: View, part: Part) -> None:
    """A slab under a railing, through which one sees."""
    one = part.look["style"]
    high = view.box[3] - view.box[1]
    slab = view.v < view.box[1] + 0.16
    lattice = (
        (np.abs(view.u / 0.17 % 1 - 0.5) < 0.17)
        | (view.v > view.box[3] - 0.07)
        | (view.x < 0.02)
        | (view.x > 0.98)
    )
    if one.seed % 2:
        lattice |= (
            np.abs(np.hypot(view.u / 0.34 % 1 - 0.5, (view.v - view.box[1] - 0.16 - high * 0.4) / 0.34) - 0.4)
            < 0.09
        )
    view.canvas.cast((view.box[0], view.box[1], view.box[2], view.box[1] + 0.2), 0.8)
    view.claim("balcony")
    iron = color(30, 30, 34) if one.seed % 5 else color(228, 226, 220)
    view.paint(noised(iron, view, 0.1, 0.1), lattice & ~slab)
    view.paint(
        noised(color(*one.trim), view, 0.06, 0.06) * (0.6 + 0.4 * (view.v > view.box[1] + 0.08))[..., None],
        slab,
    )


def shop(view: View, part: Part) -> None:
    """A shop: a sign over glass with goods behind it, and perhaps an awning."""
    one, number = part.look["style"], float(part.look["number"])
    paint = color(*one.paint)
    view.claim("shop", None, 0.1)
    wide, high = view.box[2] - view.box[0], view.box[3] - view.box[1]
    view.paint(noised(paint, view, 0.06, 0.06))
    goods = uniform(scramble(np.floor(view.u / 0.22), np.floor(view.v / 0.3), seed=int(number * 999)))
    inside = (
        color(44, 40, 36)
        + (color(224, 178, 108) * 0.5)[None, None] * (goods * smoothstep(0.75, 0.2, view.y))[..., None]
    )
    inside = inside + color(150, 172, 200) * (0.25 * smoothstep(0.3, 1, view.y + 0.6 * view.broad))[..., None]
    panes = max(1, round(wide / 1.3))
    x = view.x * panes % 1
    glass = (view.y > 0.17) & (view.y < 0.78) & (np.minimum(x, 1 - x) * wide / panes > 0.07)
    view.paint(inside, glass)
    view.shine(color(255, 190, 110) * 0.18, glass)
    sign = (view.y > 0.83) & (view.y < 0.97)
    letters = (uniform(scramble(np.floor(view.u / 0.09), seed=int(number * 777))) > 0.35) & (
        np.abs(view.x - 0.5) < 0.3
    )
    view.paint(paint * 0.7, sign)
    view.paint(color(232, 214, 160), sign & letters & (np.abs(view.y - 0.9) * high < 0.1))
    if part.form == "awning":
        cloth = (view.box[0] - 0.1, view.box[1] + high * 0.62, view.box[2] + 0.1, view.box[1] + high * 0.86)
        over = view.canvas.view(cloth)
        view.canvas.cast(cloth, 1.0, 0.6)
        over.claim("awning")
        over.canvas.light[over.rows, over.columns] = 1
        striped = np.where(
            (over.u / 0.34 % 1 < 0.5)[..., None], color(*part.look["awning"]), color(236, 230, 218)
        )
        over.paint(noised(striped, over, 0.05, 0.05) * (0.75 + 0.35 * over.y)[..., None])


def plants(view: View, part: Part) -> None:
    """Leaves: a bush, a tree's crown, or a box of flowers."""
    seed = int(float(part.look["number"]) * 9999) if "number" in part.look else part.look["style"].seed
    distance = np.hypot(view.x * 2 - 1, (view.y * 2 - 1) * (1 if part.form == "tree" else 0.85))
    if part.form == "box":
        distance = np.maximum(np.abs(view.x * 2 - 1), view.y) * 0.8
    elif part.form == "bush":
        distance = np.hypot(view.x * 2 - 1, view.y)
    edge = fractal(gradient2, view.u * 2.2, view.v * 2.2, octaves=4, seed=seed)
    where = distance + 0.42 * edge < 0.86
    near = cells(view.u * 9, view.v * 9, seed=seed)[0]
    leaf = mix(
        color(28, 54, 22), color(120, 158, 62), np.clip(0.9 - 1.1 * near + 0.5 * edge + 0.3 * view.y, 0, 1)
    )
    if seed % 3 == 0 or part.form == "box":
        bloom = ((214, 60, 70), (236, 150, 190), (246, 226, 120), (240, 240, 236))[seed % 4]
        number = uniform(scramble(np.floor(view.u * 9), np.floor(view.v * 9), seed=seed))
        leaf = np.where(((near < 0.3) & (number > 0.55))[..., None], color(*bloom), leaf)
    if part.form == "tree":
        trunk = view.canvas.view(
            (
                view.box[0] * 0.5 + view.box[2] * 0.5 - 0.11,
                -0.1,
                view.box[0] * 0.5 + view.box[2] * 0.5 + 0.11,
                view.box[1] + 0.5,
            )
        )
        trunk.paint(noised(color(84, 66, 50), trunk, 0.2, 0.3) * (0.6 + 0.6 * trunk.x)[..., None])
        trunk.claim("plants")
        trunk.canvas.light[trunk.rows, trunk.columns] = 0.8
    view.paint(leaf, where)
    view.claim("plants", where)
    view.canvas.light[view.rows, view.columns][where] = 0.85


PAINTERS: dict[str, Callable[[View, Part], None]] = {
    "wall": wall,
    "ochre wall": wall,
    "brick": wall,
    "stone": wall,
    "tiles": roof,
    "slate": roof,
    "window": window,
    "door": door,
    "cornice": ledge,
    "sill": ledge,
    "trim": trim,
    "beam": beam,
    "pillar": pillar,
    "shutter": shutter,
    "balcony": balcony,
    "shop": shop,
    "plants": plants,
}


def rough(side: int, scale: float, size: tuple[float, float], octaves: int, seed: int) -> np.ndarray:
    """Fractal noise [side, side] of a size in metres, made on half the pixels."""
    row, column = np.mgrid[: side // 2, : side // 2].astype(np.float32) * 2 / scale
    half = fractal(gradient2, column / size[0], row / size[1], octaves=octaves, seed=seed)
    return np.asarray(Image.fromarray(half).resize((side, side), Image.Resampling.BILINEAR))


def blank(side: int, high: float, foot: float, draw: np.random.Generator) -> Canvas:
    """Sky over a street."""
    scale = side / high
    seed = int(draw.integers(1 << 16))
    broad = np.clip(rough(side, scale, (1.4, 1.9), 3, seed) * 1.3, -1, 1)
    fine = np.clip(draw.normal(0, 0.6, (side, side)), -1.5, 1.5).astype(np.float32)
    sun = (float(draw.uniform(0.45, 0.75)), float(draw.uniform(0.8, 1.1)))
    empty = np.zeros((side, side, 3), np.float32)
    canvas = Canvas(
        empty,
        np.ones((side, side), np.float32),
        empty.copy(),
        np.full((side, side), NUMBERS["sky"], np.uint8),
        broad,
        fine,
        scale,
        foot,
        sun,
    )
    view = canvas.view((0, -foot, high, high - foot))
    tops, rims = (
        ((70, 126, 196), (120, 150, 184), (96, 140, 200), (170, 178, 190)),
        ((196, 216, 232), (222, 214, 206), (206, 222, 236), (214, 216, 220)),
    )
    kind = int(draw.integers(len(tops)))
    air = mix(color(*rims[kind]), color(*tops[kind]), smoothstep(0.3, 1.1, view.y))
    clouds = rough(side, scale, (3.4, 1.7), 5, seed + 3)
    air = mix(air, color(246, 244, 240), smoothstep(float(draw.uniform(-0.1, 0.4)), 0.75, clouds) * 0.85)
    view.paint(air)
    road(canvas, foot, high, draw)
    return canvas


def road(canvas: Canvas, foot: float, high: float, draw: np.random.Generator) -> None:
    """Pavement of slabs, a curb, and a street of asphalt or cobbles."""
    view = canvas.view((0, -foot, high, 0))
    edge = -float(draw.uniform(0.35, 0.8)) * foot
    slabs = masonry(view, noised(color(168, 162, 152), view, 0.12, 0.1), (0.6, 0.3), 0.03, 0.14, 3)
    paved = draw.random() < 0.5
    lane = noised(color(92, 90, 90) if not paved else color(126, 116, 104), view, 0.1, 0.2)
    if paved:
        lane = masonry(view, lane, (0.22, 0.12), 0.035, 0.6, 5)
    view.paint(np.where((view.v > edge)[..., None], slabs, lane))
    view.paint(color(190, 186, 178), (view.v > edge) & (view.v < edge + 0.1))
    view.paint(color(60, 58, 56), (view.v < edge) & (view.v > edge - 0.06))
    view.claim("street")
    canvas.view((0, -0.5 * foot, high, 0)).shade(0.75)


def render(seed: int, side: int) -> tuple[Image.Image, Image.Image]:
    """The labels and the front of a seed."""
    parts, high, foot = plan(seed)
    draw = np.random.default_rng((seed, 43))
    canvas = blank(side * FINE, high, foot, draw)
    sky = canvas.labels == NUMBERS["sky"]
    for part in parts:
        view = canvas.view(part.box)
        if not view.empty:
            PAINTERS[part.kind](view, part)
    sky &= canvas.labels == NUMBERS["sky"]
    overcast = draw.random() < 0.15
    warm = color(255, 238, 212) if draw.random() < 0.7 else color(255, 222, 178)
    ambient, key = (
        (color(206, 220, 244) * 0.62, warm * 0.75)
        if not overcast
        else (color(226, 230, 238) * 0.95, warm * 0.32)
    )
    light = gaussian_filter(canvas.light, 0.8)[..., None]
    lit = canvas.image * (ambient + key * light) + canvas.glow
    lit[sky] = canvas.image[sky] * 1.05
    shown = tone(grade(lit, 1.05), float(draw.uniform(0.8, 1.0)))
    picture = Image.fromarray((np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8))
    palette = np.array([ImageColor.getrgb(name) for name in LABELS.values()], np.uint8)
    labels = Image.fromarray(palette[canvas.labels[FINE // 2 :: FINE, FINE // 2 :: FINE]])
    return labels, picture.resize((side, side), Image.Resampling.BOX)


def pair(seed: int, side: int) -> Image.Image:
    """Labels and front side by side."""
    both = Image.new("RGB", (2 * side, side))
    for place, picture in enumerate(render(seed, side)):
        both.paste(picture, (place * side, 0))
    return both


def main() -> None:
    """Make the pairs asked for, or a sheet of them."""
    chosen = asked(__doc__, "fronts", 32)
    if chosen.sheet:
        seeds = range(chosen.first, chosen.first + chosen.sheet)
        show([picture for seed in seeds for picture in render(seed, chosen.size)], chosen.output)
        return
    for seed in range(chosen.first, chosen.first + chosen.count):
        folder = chosen.output / ("val" if seed % HELD == HELD - 1 else "train")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{seed:05d}.png"
        if not path.exists():  # so that a broken run goes on
            write(pair(seed, chosen.size), path)
    write_record(chosen.output, {"layout": "side-by-side", "names": ["labels", "front"], "labels": LABELS})


if __name__ == "__main__":
    main()
