"""Sizes, scales and resampling."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from styler.errors import InputError
from styler.image.size import fit, resize, scales, settling

SIDES = st.integers(16, 6000)


@given(SIDES, SIDES, st.integers(16, 4096))
def test_fit_keeps_the_aspect_to_half_a_pixel(height: int, width: int, long_side: int) -> None:
    fitted = fit((height, width), long_side)
    assert max(fitted) == long_side
    short, scale = min(fitted), long_side / max(height, width)
    assert abs(short - min(height, width) * scale) <= 0.5 or short == 1


@given(SIDES, SIDES, st.integers(0, 6))
def test_scales_rise_to_the_size_by_halves(height: int, width: int, count: int) -> None:
    if count and min(height, width) / 2 ** (count - 1) < 20:
        return
    found = scales((height, width), count)
    assert found[-1] == (height, width)
    assert count in (0, len(found))
    for coarse, fine in itertools.pairwise(found):
        assert abs(2 * max(coarse) - max(fine)) <= 1
        assert min(coarse) >= 16


def test_too_many_scales_are_refused() -> None:
    with pytest.raises(InputError, match="--scales is 9"):
        scales((512, 512), 9)


def test_scales_of_the_default_size() -> None:
    assert scales((384, 512)) == [(192, 256), (384, 512)]
    assert scales((96, 128)) == [(48, 64), (96, 128)]
    assert scales((768, 1024)) == [(192, 256), (384, 512), (768, 1024)]
    assert scales((384, 512), 2) == [(192, 256), (384, 512)]
    assert scales((384, 512), 1) == [(384, 512)]


def test_forms_settle_at_the_same_sizes_whatever_the_print():
    assert settling((288, 384)) == [(144, 192), (288, 384)]
    assert settling((360, 479)) == [(180, 240), (360, 479)]
    assert settling((384, 512)) == [(144, 192), (288, 384), (384, 512)]
    assert settling((1024, 768)) == [(192, 144), (384, 288), (512, 384), (1024, 768)]
    assert settling((40, 500)) == [(40, 500)]
    assert [max(size) for size in settling((1800, 2500))] == [192, 384, 512, 1024, 2500]
    assert [max(size) for size in settling((2500, 2560))] == [192, 384, 512, 1024, 2048, 2560]
    for side in range(480, 9000, 61):
        sides = [max(size) for size in settling((side // 2, side))]
        assert sides[:2] == [192, 384] and sides == sorted(set(sides))
        assert all(1.25 <= after / before < 2.6 for before, after in itertools.pairwise(sides))


@pytest.mark.parametrize("size", [(5, 7), (64, 90), (31, 200)])
def test_resized_constant_is_constant(size: tuple[int, int]) -> None:
    resized = resize(torch.full((1, 3, 32, 45), 0.7), size)
    assert resized.shape == (1, 3, *size)
    torch.testing.assert_close(resized, torch.full_like(resized, 0.7))


def test_resize_stays_in_range_and_smooths_what_shrinks() -> None:
    board = (torch.arange(64) % 2).float().expand(1, 1, 64, 64)
    assert resize(board, (64, 8)).std() < 0.05
    edge = (torch.arange(8) > 3).float().expand(1, 1, 8, 8)
    enlarged = resize(edge, (40, 40))
    assert enlarged.min() == 0
    assert enlarged.max() == 1
