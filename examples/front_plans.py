"""Plans of house fronts, as many as there are seeds: render_fronts.py paints them and their labels.

A plan is a row of houses seen straight on, as a list of parts from back to front. Lengths are metres from
the left edge of the picture and from the foot of the houses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

LABELS = {
    "sky": "#0000aa",
    "street": "#808080",
    "wall": "#0000ff",
    "ochre wall": "#5555ff",
    "brick": "#aa00ff",
    "stone": "#aaaaff",
    "window": "#0055ff",
    "door": "#00aaff",
    "cornice": "#00ffff",
    "sill": "#55ffaa",
    "balcony": "#aaff55",
    "shutter": "#ffff00",
    "trim": "#ffaa00",
    "beam": "#aa5500",
    "pillar": "#ff0000",
    "shop": "#aa0000",
    "awning": "#ff55ff",
    "tiles": "#ff55aa",
    "slate": "#5500aa",
    "plants": "#00aa00",
}
"""Kinds of parts and their colors; an empty drawing is all of the first."""

WALLS = {
    "wall": ((232, 222, 204), (238, 236, 228), (226, 212, 186), (214, 206, 196), (222, 214, 206)),
    "ochre wall": ((208, 170, 108), (222, 190, 112), (206, 140, 104), (214, 158, 120), (196, 126, 92)),
    "brick": ((150, 76, 58), (138, 84, 64), (164, 92, 68), (124, 68, 56)),
    "stone": ((186, 178, 164), (168, 162, 152), (196, 184, 160)),
}
TRIMS = ((236, 230, 216), (206, 196, 176), (184, 172, 152), (244, 242, 236), (150, 134, 116))
PAINTS = (
    (38, 74, 62),
    (112, 40, 34),
    (44, 62, 96),
    (92, 62, 40),
    (70, 92, 112),
    (34, 34, 38),
    (150, 128, 92),
)
SHUTTERS = ((62, 96, 78), (86, 110, 132), (122, 54, 44), (104, 78, 54), (214, 208, 192), (70, 84, 98))
ROOFS = {
    "tiles": ((152, 80, 56), (128, 64, 48), (172, 104, 72)),
    "slate": ((84, 88, 98), (66, 70, 80), (104, 104, 106)),
}
AWNINGS = ((168, 44, 40), (40, 88, 72), (46, 66, 116), (206, 166, 72), (120, 40, 70))


@dataclass(frozen=True)
class Part:
    """A part of a front: its kind (of LABELS), its box (left, foot, right, top), and how it looks."""

    kind: str
    box: tuple[float, float, float, float]
    form: str = ""
    look: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Style:
    """What the parts of one house share; colors are 8-bit sRGB."""

    stuff: str
    timber: bool
    wall: tuple[int, int, int]
    trim: tuple[int, int, int]
    frame: tuple[int, int, int]
    paint: tuple[int, int, int]
    shutter: tuple[int, int, int]
    cover: str
    roof: tuple[int, int, int]
    arched: bool
    width: float  # of a window, as a share of its column
    height: float  # of a window, as a share of its storey
    shutters: bool
    sills: bool
    lintels: bool
    balconies: float  # share of the windows above the ground that have one
    pillars: bool
    top: str
    flowers: float
    seed: int


def style(draw: np.random.Generator) -> Style:
    """The style of a house."""

    def one_of(colors: tuple[tuple[int, int, int], ...]) -> tuple[int, int, int]:
        picked = np.array(colors[draw.integers(len(colors))]) * np.exp(draw.normal(0, 0.07)) + draw.normal(
            0, 6, 3
        )
        return tuple(int(value) for value in np.clip(picked, 0, 250))

    stuff = str(draw.choice(tuple(WALLS), p=(0.34, 0.28, 0.22, 0.16)))
    timber = bool(stuff in ("wall", "ochre wall") and draw.random() < 0.22)
    cover = str(draw.choice(tuple(ROOFS)))
    white = draw.random() < 0.85
    return Style(
        stuff,
        timber,
        one_of(WALLS[stuff]),
        one_of(TRIMS),
        one_of(((238, 236, 228),)) if white else one_of(PAINTS),
        one_of(PAINTS),
        one_of(SHUTTERS),
        cover,
        one_of(ROOFS[cover]),
        bool(draw.random() < 0.22),
        float(draw.uniform(0.36, 0.56)),
        float(draw.uniform(0.46, 0.68)),
        bool(draw.random() < 0.3 and not timber),
        bool(draw.random() < 0.75),
        bool(draw.random() < 0.55),
        float(draw.choice((0, 0, 0.25, 0.6))),
        bool(draw.random() < 0.25),
        str(draw.choice(("flat", "pitched", "pitched", "gable", "stepped", "mansard"))),
        float(draw.choice((0, 0, 0.35))),
        int(draw.integers(1 << 16)),
    )


def front(left: float, right: float, draw: np.random.Generator) -> Iterator[Part]:
    """The parts of a house between two places, back to front."""
    one = style(draw)
    ground, storey = float(draw.uniform(3.0, 4.0)), float(draw.uniform(2.6, 3.3))
    floors = int(draw.integers(1, 5))
    eaves = ground + floors * storey
    columns = max(1, round((right - left) / draw.uniform(1.7, 2.7)))
    look = {"style": one}
    yield from _top(one, left, right, eaves, draw)
    yield Part(one.stuff, (left, 0, right, eaves), "front", look)
    if one.timber:
        yield from _beams(one, left, right, ground, storey, floors, columns)
    yield from _bands(one, left, right, ground, eaves)
    if one.pillars:
        for place in {0, columns} | ({*range(columns + 1)} if draw.random() < 0.5 else set()):
            x = left + 0.18 + (right - left - 0.36) * place / columns
            yield Part("pillar", (x - 0.17, 0, x + 0.17, eaves - 0.3), "", look)
    cell = (right - left) / columns
    for floor in range(floors):
        foot = ground + floor * storey
        rails = draw.random() < one.balconies
        for column in range(columns):
            x = left + (column + 0.5) * cell
            yield from window(one, x, foot, cell, storey, rails and columns < 7, draw)
    yield from _ground(one, left, right, ground, columns, draw)


def window(
    one: Style, x: float, foot: float, cell: float, storey: float, rails: bool, draw: np.random.Generator
) -> Iterator[Part]:
    """A window of a floor with what goes with it; `x` is its middle."""
    half = min(one.width * cell, 1.7) / 2
    height = one.height * storey
    low = foot + 0.12 if rails else foot + (storey - height) * 0.55
    high = foot + (storey - height) * 0.55 + height
    look = {"style": one, "number": float(draw.random())}
    form = "arch" if one.arched else ""
    if one.lintels:
        yield Part(
            "trim",
            (x - half - 0.13, low if one.sills else low - 0.1, x + half + 0.13, high + 0.16),
            form,
            look,
        )
    yield Part("window", (x - half, low, x + half, high), form, look)
    room = (cell - 2 * half) / 2 - 0.04
    if one.shutters and room > 0.22:
        wide = min(half, room)
        closed = draw.random() < 0.08
        for side in (-1, 1):
            middle = x + side * (half / 2 if closed else half + wide / 2 + 0.02)
            reach = half / 2 if closed else wide / 2
            yield Part("shutter", (middle - reach, low, middle + reach, high), "", look)
    if rails:
        yield Part("balcony", (x - half - 0.3, foot - 0.08, x + half + 0.3, foot + 0.95), "", look)
    elif one.sills:
        yield Part("sill", (x - half - 0.16, low - 0.16, x + half + 0.16, low), "", look)
    if not rails and draw.random() < one.flowers:
        yield Part("plants", (x - half, low - 0.05, x + half, low + 0.32), "box", look)


def _top(one: Style, left: float, right: float, eaves: float, draw: np.random.Generator) -> Iterator[Part]:
    """Roof, gable and chimney."""
    look = {"style": one}
    wide, middle = right - left, (left + right) / 2
    if one.top == "flat":
        return
    if draw.random() < 0.5:
        x = float(draw.uniform(left + 0.8, right - 0.8))
        tall = eaves + (1.2 + wide * 0.3 if one.top == "gable" else 3.4)
        yield Part("brick", (x - 0.35, eaves, x + 0.35, tall), "chimney", look)
    if one.top in ("gable", "stepped"):
        rise = min(wide * float(draw.uniform(0.45, 0.75)), 4.5)
        yield Part(one.stuff, (left, eaves - 0.05, right, eaves + rise), one.top, look)
        if rise > 2.4 and wide > 3.2:
            yield from window(one, middle, eaves + 0.1, min(wide * 0.4, 2.2), 2.0, False, draw)
        return
    rise = float(draw.uniform(1.6, 3.0))
    yield Part(one.cover, (left - 0.15, eaves - 0.05, right + 0.15, eaves + rise), one.top, look)
    if draw.random() < 0.6 and rise > 1.9:
        number = max(1, round(wide / draw.uniform(2.4, 4)))
        for dormer in range(number):
            x = left + (dormer + 0.5) * wide / number
            yield Part(one.stuff, (x - 0.62, eaves + 0.3, x + 0.62, eaves + 1.72), "dormer", look)
            pane = {"style": one, "number": float(draw.random())}
            yield Part("window", (x - 0.42, eaves + 0.42, x + 0.42, eaves + 1.42), "", pane)


def _bands(one: Style, left: float, right: float, ground: float, eaves: float) -> Iterator[Part]:
    """Cornices at the eaves and above the ground floor."""
    look = {"style": one}
    deep = 0.42 if one.top in ("flat", "mansard") else 0.24
    if one.top not in ("gable", "stepped") or one.seed % 2:
        yield Part("cornice", (left - 0.1, eaves - deep, right + 0.1, eaves + 0.06), "", look)
    if one.seed % 3 and not one.timber:
        yield Part("cornice", (left, ground - 0.26, right, ground - 0.04), "", look)


def _beams(
    one: Style, left: float, right: float, ground: float, storey: float, floors: int, columns: int
) -> Iterator[Part]:
    """The beams of a timber frame."""
    look = {"style": one}
    top, cell = ground + floors * storey, (right - left) / columns
    for floor in range(floors + 1):
        y = ground + floor * storey - 0.12
        yield Part("beam", (left, y - 0.1, right, y + 0.1), "", look)
    for column in range(columns + 1):
        x = min(max(left + column * cell, left + 0.1), right - 0.1)
        yield Part("beam", (x - 0.1, ground - 0.12, x + 0.1, top - 0.12), "", look)


def _ground(
    one: Style, left: float, right: float, ground: float, columns: int, draw: np.random.Generator
) -> Iterator[Part]:
    """Doors, windows and shops of the ground floor."""
    cell = (right - left) / columns
    shop = draw.random() < 0.4
    entrance = int(draw.integers(columns))
    span = max(1, round(3.2 / cell))
    column = 0
    while column < columns:
        x = left + (column + 0.5) * cell
        look = {"style": one, "number": float(draw.random()), "awning": AWNINGS[draw.integers(len(AWNINGS))]}
        if column == entrance:
            half, high = min(0.62, cell * 0.36), min(2.7, ground - 0.7)
            form = "arch" if one.arched else ""
            if one.lintels or draw.random() < 0.5:
                yield Part("trim", (x - half - 0.16, 0, x + half + 0.16, high + 0.2), form, look)
            yield Part("door", (x - half, 0, x + half, high), form, look)
            column += 1
            continue
        until = min(column + span, columns, entrance if entrance > column else columns)
        if shop and (until - column) * cell > 1.5:
            a, b = left + column * cell + 0.18, left + until * cell - 0.18
            yield Part("shop", (a, 0.05, b, ground - 0.42), "awning" if draw.random() < 0.5 else "", look)
            column = until
            continue
        yield from window(one, x, 0.45, cell, ground - 0.6, False, draw)
        column += 1


def loosened(parts: list[Part], draw: np.random.Generator) -> Iterator[Part]:
    """The parts as a hand places them: some are missing, none is quite where it should be."""
    loose = ("window", "door", "sill", "balcony", "shutter", "trim", "shop", "plants")
    for part in parts:
        if part.kind not in loose:
            yield part
        elif draw.random() > 0.12:
            left, low, right, high = part.box
            x, y = draw.normal(0, 0.1, 2)
            wide, tall = np.exp(draw.normal(0, 0.12, 2))
            reach, middle = (right - left) / 2 * wide, (left + right) / 2 + x
            foot = low + (0 if part.kind in ("door", "shop") else y)
            yield Part(
                part.kind,
                (middle - reach, foot, middle + reach, foot + (high - low) * tall),
                part.form,
                part.look,
            )


def plan(seed: int) -> tuple[list[Part], float, float]:
    """The parts of the row of houses of a seed, the height of its picture and where its foot is, metres."""
    draw = np.random.default_rng((seed, 41))
    high = float(draw.choice((draw.uniform(4.5, 8.5), draw.uniform(8.5, 15.5)), p=(0.3, 0.7)))
    foot = float(draw.uniform(0.5, 1.5))
    parts: list[Part] = []
    left = float(draw.uniform(-4.5, 0.7))
    while left < high - 0.4:
        right = left + float(draw.uniform(4.5, 10.5))
        parts += front(left, right, draw)
        left = right + (float(draw.uniform(0.8, 3)) if draw.random() < 0.12 else 0.0)
    if draw.random() < 0.35:
        parts = [*loosened(parts, draw)]
    for _ in range(int(draw.choice((0, 0, 0, 1, 2)))):
        x, wide = float(draw.uniform(0, high)), float(draw.uniform(0.5, 1.6))
        tree = draw.random() < 0.4
        box = (
            (x - wide, 1.6, x + wide, 1.8 + 2.2 * wide)
            if tree
            else (x - wide, -0.1, x + wide, 0.5 + wide * 0.7)
        )
        parts.append(Part("plants", box, "tree" if tree else "bush", {"number": float(draw.random())}))
    return parts, high, foot
