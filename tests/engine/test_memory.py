"""Memory of a step, and the plan that keeps within a budget."""

from __future__ import annotations

import math
from typing import Any

import pytest

from styler.engine.memory import LEAST_TILE, memory, plan
from styler.errors import DeviceError
from styler.features import Extractor
from styler.networks.vgg import random_convolutions
from styler.options.fields import parse_layers
from styler.options.optimize import OptimizeOptions

LARGE = (3072, 4096)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor("compact", random_convolutions("compact", (32, 64, 96, 80, 96)))


def options(**changes: Any) -> OptimizeOptions:
    return OptimizeOptions(**changes)


def test_memory_grows_with_area_history_and_depth(extractor: Extractor) -> None:
    nothing, base = (memory(extractor, options(), (side, side)) for side in (0, 100))
    assert memory(extractor, options(), (200, 200)) - nothing == pytest.approx(4 * (base - nothing), rel=1e-6)
    assert memory(extractor, options(history=20), (100, 100)) - base == 10 * 2 * 6 * 100 * 100
    pixels = {"parameterization": "pixels", "content_loss": "squared"}
    plain = [memory(extractor, options(history=h, **pixels), (100, 100)) for h in (10, 20)]
    assert plain[1] - plain[0] == 10 * 2 * 12 * 100 * 100
    assert memory(extractor, options(style_loss="sliced"), (100, 100)) > base
    shallow = options(style_layers=parse_layers("relu1_1"), content_layers=parse_layers("relu2_1"))
    assert memory(extractor, shallow, (100, 100)) < base


def test_tiles_take_less_the_smaller_they_are(extractor: Extractor) -> None:
    needed = [memory(extractor, options(), LARGE, side) for side in (None, 1024, 512, 256)]
    assert needed == sorted(needed, reverse=True)
    assert needed[0] > 2 * needed[2]


def test_the_plan_is_the_fastest_within_the_budget(extractor: Extractor) -> None:
    assert plan(extractor, options(), LARGE, math.inf).side is None
    sides = []
    for room in (20e9, 8e9, 5.5e9, 5e9, 4.3e9, 4e9):
        chosen = plan(extractor, options(), LARGE, room)
        assert chosen.needed <= room
        sides.append((chosen.history, chosen.side or 10**6))
    assert sides == sorted(sides, reverse=True) and sides[0][1] == 10**6 and sides[-1][0] < 10


def test_a_side_is_obeyed_and_what_cannot_be_is_told(extractor: Extractor) -> None:
    assert plan(extractor, options(tile=512), LARGE, math.inf).side == 512
    assert plan(extractor, options(tile="off"), LARGE, math.inf).side is None
    with pytest.raises(DeviceError, match=r"GB of memory and may take 3\.0 GB.*--size.*--tile auto"):
        plan(extractor, options(tile="off"), LARGE, 3e9)
    with pytest.raises(DeviceError, match=r"may take 0\.5 GB: use --size \d+$"):
        plan(extractor, options(), LARGE, 5e8)
    with pytest.raises(DeviceError):
        plan(extractor, options(tile=4096), LARGE, 3e9)


def test_a_small_image_is_never_cut(extractor: Extractor) -> None:
    assert memory(extractor, options(), (64, 64), LEAST_TILE) == memory(extractor, options(), (64, 64))
