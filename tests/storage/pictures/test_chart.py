"""Charts of losses."""

from __future__ import annotations

import math
from itertools import pairwise
from xml.etree import ElementTree

import pytest
import torch

from styler.storage.pictures.chart import COLORS, HEIGHT, WIDTH, axes_for, chart, chart_svg, ticks


def test_a_curve_goes_where_its_values_are() -> None:
    points = [(float(step), 10.0 ** (1 - step / 50)) for step in range(1, 101)]
    picture = chart({"total": [(1.0, 1.0)], "style/relu1_1": points})
    assert picture.shape == (1, 3, HEIGHT, WIDTH)
    assert picture.min() >= 0 and picture.max() <= 1
    axes = axes_for(points)
    assert (axes.low, axes.high) == (-1, 1)
    ink = torch.tensor([int(COLORS[1][i : i + 2], 16) / 255 for i in (1, 3, 5)])
    for step, value in points[10::20]:
        pixel = picture[0, :, round(axes.y(value)), round(axes.x(step))]
        assert torch.allclose(pixel, ink, atol=0.02)


def test_odd_values_are_left_out() -> None:
    for values in ([], [0.0], [math.nan, math.inf, -1.0], [1e-30, 1e30]):
        assert chart({"a": list(enumerate(values))}).isfinite().all()


@pytest.mark.parametrize("last", [1, 7, 10, 99, 4000, 40_000])
def test_ticks_are_few_and_even(last: int) -> None:
    found = list(ticks(last))
    assert found[0] == 0 and found[-1] <= last and 2 <= len(found) <= 11
    assert len({after - before for before, after in pairwise(found)}) == 1


def test_an_svg_has_a_line_for_each_curve_and_escapes_names() -> None:
    text = chart_svg({"total": [(1, 1.0), (2, 0.1)], "<b>": [(1, 0.5), (2, math.nan)], "none": []})
    root = ElementTree.fromstring(text)
    lines = [node for node in root if node.tag.endswith("polyline")]
    assert len(lines) == 3 and lines[0].attrib["points"].count(",") == 2
    assert any("<b>" in (node.text or "") for node in root)
