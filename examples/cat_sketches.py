"""Draw rendered cats as people draw with a mouse: `python examples/cat_sketches.py SHEET.jpg [COUNT]`.

A hand has a pen and habits: how it trembles, whether its lines close, what it leaves out, whether an eye is
an almond or a circle. The strokes come from the renderer's own curves (cat_shapes.py), so that a drawing
fits its picture.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import cat_shapes as shapes
import numpy as np
from cat_shapes import SIDES, Points, Shape
from PIL import Image, ImageDraw
from render_cats import show

FINE = 4
"""How much finer strokes are drawn than the sketch is."""


@dataclass(frozen=True)
class Hand:
    """Habits of one who draws; lengths in pixels of a sketch of 256, chances in [0, 1]."""

    pen: float
    pressure: float  # how much the pen's width differs between strokes
    tremble: float
    drift: float  # how far a whole stroke is off its place
    wave: float  # slow deviation along a stroke
    gaps: float
    twice: float  # chance that a stroke is drawn again
    corners: int  # 0: curves, else a stroke has so many corners
    head: str
    ears: str
    eyes: str
    pupils: str
    nose: str
    mouth: str
    whiskers: str
    body: str
    inner: bool
    stripes: int


def hand(draw: np.random.Generator) -> Hand:
    """A hand of a random kind."""

    def one(**chances: float) -> str:
        names, weights = list(chances), np.array(list(chances.values()))
        return str(draw.choice(names, p=weights / weights.sum()))

    careful = draw.random() < 0.45
    rough = float(draw.uniform(0.1, 0.8) if careful else draw.uniform(0.7, 2.2))
    return Hand(
        pen=float(np.exp(draw.uniform(np.log(1.0), np.log(5.5)))),
        pressure=float(draw.uniform(0, 0.3)),
        tremble=0.35 * rough * float(draw.random()),
        drift=1.2 * rough,
        wave=1.1 * rough,
        gaps=float(draw.choice([0, 0.15, 0.5])),
        twice=float(draw.choice([0, 0, 0.15, 0.5])),
        corners=int(draw.choice([0, 0, 0, 0, 7, 12])),
        head=one(outline=5, ellipse=3, open=3),
        ears=one(curves=4, triangles=5, arches=1, zigzag=1),
        eyes=one(almond=4, circle=4, ellipse=2, lids=1, dots=0.7),
        pupils=one(slit=3, round=2, dot=2, none=1.5, ring=1, glint=1.5),
        nose=one(shape=3, triangle=4, ellipse=1, filled=2, vee=1.2, none=0.5),
        mouth=one(halves=5, arcs=3, smile=1, line=1, none=1),
        whiskers=one(curves=4, straight=4, none=2.5),
        body=one(curves=4, lines=2, none=4),
        inner=bool(draw.random() < 0.45),
        stripes=int(draw.choice([0, 0, 0, 3, 5])),
    )


@dataclass(frozen=True)
class Stroke:
    """Points in the view, and whether the area within is inked."""

    points: Points
    filled: bool = False


# What is drawn


def circle(middle, across, high=None, turn: float = 1.0, start: float = 0.0) -> Points:
    """An ellipse about a point, or the part `turn` of it from an angle on."""
    angle = start + np.linspace(0, 2 * np.pi * turn, 30)
    high = across if high is None else high
    return np.stack([middle[0] + across * np.cos(angle), middle[1] + high * np.sin(angle)], 1).astype(
        np.float32
    )


def spread(points: Points) -> tuple[Points, Points]:
    """The middle of a closed curve's bounds and half its extent."""
    low, high = points.min(0), points.max(0)
    return (low + high) / 2, (high - low) / 2


def strokes_of(cat: Shape, way: Hand, draw: np.random.Generator) -> list[Stroke]:
    """The strokes of a drawing of a cat, in the view."""
    strokes = [*head_strokes(cat, way), *ear_strokes(cat, way, draw)]
    for side in SIDES:
        strokes += eye_strokes(cat, way, side)
    strokes += [*nose_strokes(cat, way), *mouth_strokes(cat, way), *whisker_strokes(cat, way, draw)]
    if way.stripes:
        strokes += stripe_strokes(cat, way.stripes, draw)
    if way.body != "none":
        for curve in shapes.body_curves(cat):
            strokes.append(Stroke(curve if way.body == "curves" else curve[[0, len(curve) // 3, -1]]))
    return strokes


def head_strokes(cat: Shape, way: Hand) -> list[Stroke]:
    """The head's outline; an open one leaves out what is between an ear's ends."""
    outline = shapes.head_curve(cat)
    if way.head == "ellipse":
        middle, extent = spread(outline)
        return [Stroke(circle(middle, *extent, turn=1.02, start=1.5))]
    if way.head == "outline":
        return [Stroke(outline)]
    angle = np.arctan2(outline[:, 1], outline[:, 0])
    hidden = np.zeros(len(outline), bool)
    for side in SIDES:
        ends = (shapes.ear_points(cat, side)[[0, -1]] @ cat.axes.T)[:, :2]
        first, last = sorted(np.arctan2(ends[:, 1], ends[:, 0]) % (2 * np.pi))
        hidden |= (angle % (2 * np.pi) > first) & (angle % (2 * np.pi) < last)
    parts = np.split(np.arange(len(outline)), np.flatnonzero(np.diff(hidden.astype(int))) + 1)
    return [Stroke(outline[part]) for part in parts if not hidden[part[0]] and len(part) > 2]


def ear_strokes(cat: Shape, way: Hand, draw: np.random.Generator) -> list[Stroke]:
    """The ears, and their hollows if the hand draws these."""
    strokes = []
    for side in SIDES:
        for inner in (False, True)[: 1 + way.inner]:
            curve = shapes.ear_curve(cat, side, inner)
            tip = curve[len(curve) // 2]
            if way.ears == "triangles":
                curve = np.stack([curve[0], tip, curve[-1]])
            elif way.ears == "arches":
                curve = shapes.bend(
                    np.stack([curve[0], (2 * tip + curve[0]) / 3, tip, (2 * tip + curve[-1]) / 3, curve[-1]])
                )
            elif way.ears == "zigzag" and inner:
                share = np.linspace(0, 1, 7)[:, None]
                curve = curve[0] * (1 - share) + tip * share + draw.normal(0, 0.05, (7, 2))
            strokes.append(Stroke(curve.astype(np.float32)))
    return strokes


def eye_strokes(cat: Shape, way: Hand, side: float) -> list[Stroke]:
    """An eye and its pupil."""
    almond, pupil = shapes.eye_curve(cat, side), shapes.pupil_curve(cat, side)
    (middle, extent), (dark, narrow) = spread(almond), spread(pupil)
    radius = float(np.sqrt(extent[0] * extent[1]))
    if way.eyes == "dots":
        return [Stroke(circle(dark, 0.55 * radius), filled=True)]
    eye = {
        "almond": almond,
        "circle": circle(middle, radius, turn=1.03),
        "ellipse": circle(middle, *extent, turn=1.03),
        "lids": almond[: len(almond) // 2 + 1],
    }[way.eyes]
    strokes = [Stroke(eye)]
    if way.eyes == "lids":
        strokes.append(Stroke(circle(dark, 0.75 * extent[1])))
    if way.pupils == "slit":
        strokes.append(Stroke(pupil, filled=True))
    elif way.pupils in ("round", "glint"):
        strokes.append(Stroke(circle(dark, 0.8 * min(extent)), filled=way.pupils == "round"))
        if way.pupils == "glint":
            strokes.append(Stroke(circle(dark, max(narrow[0], 0.3 * radius), narrow[1]), filled=True))
    elif way.pupils == "dot":
        strokes.append(Stroke(circle(dark, 0.28 * radius), filled=True))
    elif way.pupils == "ring":
        strokes.append(Stroke(pupil))
    return strokes


def nose_strokes(cat: Shape, way: Hand) -> list[Stroke]:
    """The nose."""
    curve = shapes.nose_curve(cat)
    middle, extent = spread(curve)
    left, right = middle + extent * (-1, 0.7), middle + extent * (1, 0.7)
    triangle = np.stack([left, right, middle - extent * (0, 1), left]).astype(np.float32)
    kinds = {
        "shape": [Stroke(curve)],
        "triangle": [Stroke(triangle)],
        "ellipse": [Stroke(circle(middle, *extent))],
        "filled": [Stroke(triangle, filled=True)],
        "vee": [Stroke(triangle[1:])],
    }
    return kinds.get(way.nose, [])


def mouth_strokes(cat: Shape, way: Hand) -> list[Stroke]:
    """The mouth."""
    line, left, right = shapes.mouth_curves(cat)
    if way.mouth == "none":
        return []
    if way.mouth == "halves":
        return [Stroke(line), Stroke(np.concatenate([left[::-1], right]))]
    if way.mouth == "line":
        return [Stroke(line)]
    if way.mouth == "smile":
        middle, extent = spread(np.concatenate([left, right]))
        return [Stroke(circle(middle + np.array((0, 0.06)), extent[0], 0.15, turn=0.5, start=np.pi))]
    arcs = []
    for half in (left, right):
        middle, extent = spread(half)
        arcs.append(
            Stroke(
                circle(middle + np.array((0, extent[1])), extent[0], 1.6 * extent[1], turn=0.5, start=np.pi)
            )
        )
    return [Stroke(line), *arcs]


def whisker_strokes(cat: Shape, way: Hand, draw: np.random.Generator) -> list[Stroke]:
    """A few of the whiskers, on each side."""
    if way.whiskers == "none":
        return []
    curves = shapes.whisker_curves(cat, draw)
    few = int(draw.integers(2, 4))
    half = len(curves) // 2
    places = np.unique(np.linspace(0, half - 1, few).astype(int))
    chosen = [curves[first + place] for first in (0, half) for place in places]
    reach = draw.uniform(0.5, 1.0)
    chosen = [curve[: max(3, round(reach * len(curve)))] for curve in chosen]
    return [Stroke(curve[[0, -1]] if way.whiskers == "straight" else curve) for curve in chosen]


def stripe_strokes(cat: Shape, count: int, draw: np.random.Generator) -> list[Stroke]:
    """Stripes on the brow."""
    strokes = []
    for x in np.linspace(-0.45, 0.45, count):
        low, high = 0.48 + 0.1 * draw.random(), 0.80 + 0.12 * draw.random()
        points = np.array([(x * 0.8, low * cat.tall, 0.85), (x, high * cat.tall, 0.5)], np.float32)
        strokes.append(Stroke((points @ cat.axes.T)[:, :2]))
    return strokes


# How it is drawn


def drawn_by(way: Hand, points, scale: float, draw: np.random.Generator) -> list[np.ndarray]:
    """Points [N, 2], in pixels, as a hand draws them: one stroke, or more where it leaves gaps."""
    points = resampled(points, 1.5 * scale)
    if way.corners and len(points) > 3 * way.corners:
        points = resampled(points[np.linspace(0, len(points) - 1, way.corners + 1).astype(int)], 1.5 * scale)
    count = len(points)
    slow = np.stack([np.interp(np.arange(count), *knots(count, way.wave * scale, draw)) for _ in range(2)], 1)
    points = (
        points + slow + draw.normal(0, way.drift * scale, 2) + draw.normal(0, way.tremble * scale, (count, 2))
    )
    if count > 12 and draw.random() < way.gaps:
        first = int(draw.integers(2, count - 6))
        last = first + int(draw.integers(3, max(4, count // 8)))
        return [part for part in (points[:first], points[last:]) if len(part) > 2]
    return [points]


def resampled(points, step: float) -> np.ndarray:
    """Points along the same way, `step` apart."""
    points = np.asarray(points, np.float64)
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    at = np.linspace(0, along[-1], max(2, round(along[-1] / step) + 1))
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], 1)


def knots(count: int, height: float, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Places and heights of a slow wave along so many points."""
    places = np.linspace(0, count - 1, max(3, count // 9))
    return places, draw.normal(0, height, len(places))


def sketch(cat: Shape, draw: np.random.Generator, side: int = 256, way: Hand | None = None) -> Image.Image:
    """A drawing of a cat, black on white, gray levels at the edges of strokes."""
    way = way or hand(draw)
    canvas = Image.new("L", (side * FINE, side * FINE), 255)
    pen, scale = ImageDraw.Draw(canvas), side / 256
    for stroke in strokes_of(cat, way, draw):
        points = placed(cat, stroke.points, side)
        width = max(1.0, way.pen * scale * float(np.exp(draw.normal(0, way.pressure))))
        if stroke.filled:
            pen.polygon([tuple(p) for p in (points * FINE).tolist()], fill=0)
        for _ in range(1 + (draw.random() < way.twice)):
            for part in drawn_by(way, points, scale, draw):
                ink(pen, part * FINE, width * FINE)
    return canvas.reduce(FINE)


def placed(cat: Shape, points: Points, side: int) -> np.ndarray:
    """Pixels of points of the view."""
    return (np.array(cat.place) + np.asarray(points) * (cat.size, -cat.size)) * side


def ink(pen: ImageDraw.ImageDraw, points: np.ndarray, width: float) -> None:
    """Draw a stroke with round ends."""
    pen.line(points.ravel().tolist(), fill=0, width=round(width), joint="curve")
    for x, y in (points[0], points[-1]):
        pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=0)


def main() -> None:
    """Put sketches of the first cats on a sheet."""
    path, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 64
    seeds = range(count)
    show([sketch(shapes.shape(seed), np.random.default_rng((seed, 22))) for seed in seeds], path)


if __name__ == "__main__":
    main()
