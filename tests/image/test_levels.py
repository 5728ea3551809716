"""Bytes and values in [0, 1]."""

import numpy as np
import pytest
import torch

from styler.image.levels import from_pixels, to_levels, to_pixels, to_unit


def test_every_level_comes_back() -> None:
    levels = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(to_levels(to_unit(levels)), levels)
    assert torch.equal(to_unit(levels), levels.float() / 255)


def test_16_bits_are_scaled_and_floats_stay() -> None:
    deep = torch.from_numpy(np.array([0, 1, 65535], np.uint16))
    assert torch.equal(to_unit(deep), torch.tensor([0.0, 1.0, 65535.0]) / 65535)
    values = torch.rand(3)
    assert to_unit(values) is values


@pytest.mark.parametrize(
    ("value", "level"),
    [(-1, 0), (2, 255), (float("nan"), 0), (float("inf"), 255), (0.5, 128), (1.5 / 255, 2), (1.49 / 255, 1)],
)
def test_values_are_clamped_and_rounded(value: float, level: int) -> None:
    assert to_levels(torch.tensor([value])).item() == level


def test_pixels_become_planes_and_come_back() -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    image = from_pixels(pixels)
    assert image.shape == (1, 3, 4, 5) and image.is_contiguous() and image.dtype == torch.float32
    assert image[0, 2, 3, 4] * 255 == pixels[3, 4, 2]
    assert np.array_equal(to_pixels(image), pixels)
