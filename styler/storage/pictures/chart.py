"""Charts of losses over steps on a logarithmic axis, as pictures and as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from styler.image.levels import from_pixels
from styler.storage.names import display

_Curve = Sequence[tuple[float, float]]
"""Points (step, value), by rising step."""

WIDTH, HEIGHT = 960, 540
LEFT, TOP, RIGHT, BOTTOM = 72, 16, 232, 48  # margins in pixels; the legend is in the right one
_LINE = 18  # pixels from one line of text to the next
COLORS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f", "#8c564b")
"""Colors that the color-blind can distinguish (Okabe and Ito 2008), and three more."""
_RULE = "#dddddd"


@dataclass(frozen=True)
class _Axes:
    """Axes in pixels: steps from 0 to `last`, values in decades from 10**low to 10**high."""

    last: float
    low: int
    high: int

    def x(self, step: float) -> float:
        """The column of a step."""
        return LEFT + (WIDTH - LEFT - RIGHT) * step / self.last

    def y(self, value: float) -> float:
        """The row of a positive value."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def chart(curves: Mapping[str, _Curve]) -> Tensor:
    """Draw curves by name over a logarithmic axis: an Image [1, 3, HEIGHT, WIDTH].

    Values that are not positive or not finite have no place on such an axis and are left out.
    """
    drawable = {name: [point for point in curve if 0 < point[1] < math.inf] for name, curve in curves.items()}
    axes = axes_for([point for curve in drawable.values() for point in curve])
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(picture)
    _grid(pen, axes)
    named = [(name, COLORS[i % len(COLORS)], curve) for i, (name, curve) in enumerate(drawable.items())]
    for _, color, curve in reversed(named):  # the first one on top
        pen.line([(axes.x(step), axes.y(value)) for step, value in curve], color, 2, joint="curve")
    _legend(pen, named)
    return from_pixels(np.array(picture))


def chart_svg(curves: Mapping[str, _Curve]) -> str:
    """The same chart as the text of an SVG file."""
    drawable = {name: [point for point in curve if 0 < point[1] < math.inf] for name, curve in curves.items()}
    axes = axes_for([point for curve in drawable.values() for point in curve])
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
    for decade in range(axes.low, axes.high + 1):
        y = axes.y(10.0**decade)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{right}" stroke="{_RULE}"/>')
        parts.append(_svg_text(LEFT - 8, y + 4, f"{10.0**decade:g}", "end"))
    for step in ticks(axes.last):
        x = axes.x(step)
        parts.append(f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="{_RULE}"/>')
        parts.append(_svg_text(x, bottom + 18, f"{step}", "middle"))
    parts.append(_svg_text((LEFT + right) / 2, HEIGHT - 8, "step", "middle"))
    for index, (name, curve) in enumerate(drawable.items()):
        color, y = COLORS[index % len(COLORS)], TOP + _LINE * index + _LINE // 2
        points = " ".join(f"{axes.x(step):.1f},{axes.y(value):.1f}" for step, value in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<path d="M{right + 16} {y}h18" stroke="{color}" stroke-width="3"/>')
        last = f"  {curve[-1][1]:.3g}" if curve else ""
        parts.append(_svg_text(right + 42, y + 4, display(name) + last, "start"))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
    return "\n".join([f'{head}font-family="sans-serif" font-size="13">', *parts, "</svg>", ""])


def _svg_text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def axes_for(points: _Curve) -> _Axes:
    """Axes that include all points; never empty."""
    values = [value for _, value in points] or [1.0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return _Axes(max((step for step, _ in points), default=1) or 1, low, max(high, low + 1))


def ticks(last: float) -> Iterator[int]:
    """Round numbers from 0 to `last`, five to ten of them where it is not small."""
    unit = 10 ** math.floor(math.log10(max(last, 1)))
    every = next(unit // part for part in (5, 2, 1) if unit // part and last / (unit // part) <= 10)
    yield from range(0, math.floor(last) + 1, every)


def _grid(pen: ImageDraw.ImageDraw, axes: _Axes) -> None:
    font = ImageFont.load_default(size=13)
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for decade in range(axes.low, axes.high + 1):
        y = axes.y(10.0**decade)
        pen.line([(LEFT, y), (right, y)], _RULE)
        pen.text((LEFT - 8, y), f"{10.0**decade:g}", "black", font, anchor="rm")
    for step in ticks(axes.last):
        x = axes.x(step)
        pen.line([(x, TOP), (x, bottom)], _RULE)
        pen.text((x, bottom + 6), f"{step}", "black", font, anchor="ma")
    pen.text(((LEFT + right) / 2, HEIGHT - 6), "step", "black", font, anchor="md")


def _legend(pen: ImageDraw.ImageDraw, named: Sequence[tuple[str, str, _Curve]]) -> None:
    """Draw names and last values, as many as there is room for."""
    font = ImageFont.load_default(size=13)
    left = WIDTH - RIGHT + 16
    for index, (name, color, curve) in enumerate(named[: (HEIGHT - TOP - BOTTOM) // _LINE]):
        y = TOP + _LINE * index + _LINE // 2
        pen.line([(left, y), (left + 18, y)], color, 3)
        last = f"  {curve[-1][1]:.3g}" if curve else ""
        pen.text((left + 26, y), display(name) + last, "black", font, anchor="lm")
