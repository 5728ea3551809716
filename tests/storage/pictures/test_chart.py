"""Loss curves and the log they are drawn from."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from styler.errors import OutputError
from styler.storage.journal import Journal
from styler.storage.pictures.chart import COLORS, HEIGHT, WIDTH, axes_for, chart, ticks


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


def test_a_log_goes_on_after_the_steps_that_are_done(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    journal = Journal(path)
    for step in (10, 20, 30):
        journal.add({"step": step, "losses": {"content": 1.0, "style": float(step)}})
    with path.open("a") as file:
        file.write('{"step": 40, "loss')  # killed here
    again = Journal(path, 20)
    again.add({"step": 30, "losses": {"content": 2.0, "style": 3.0}})
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [10, 20, 30]
    assert again.curves() == {
        "total": [(10, 11.0), (20, 21.0), (30, 5.0)],
        "content": [(10, 1.0), (20, 1.0), (30, 2.0)],
        "style": [(10, 10.0), (20, 20.0), (30, 3.0)],
    }
    assert Journal(path).entries == []


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "log.jsonl")
    (tmp_path / "log.jsonl").unlink()
    (tmp_path / "log.jsonl").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        journal.add({"step": 1, "losses": {}})
