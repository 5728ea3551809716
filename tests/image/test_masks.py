"""Masks: gray ones, regions paired by color, guides of feature maps."""

from __future__ import annotations

import pytest
import torch

from styler.errors import InputError
from styler.image.masks import fits, guide_at, is_colored, paired, region_colors, soft


def flag(height: int, width: int, *colors: tuple[float, float, float]) -> torch.Tensor:
    """Upright stripes of colors, with noise as of a JPEG."""
    image = torch.zeros(1, 3, height, width)
    for index, color in enumerate(colors):
        start, stop = (width * n // len(colors) for n in (index, index + 1))
        image[..., start:stop] = torch.tensor(color)[:, None, None]
    return (image + 0.03 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)


RED, GREEN, BLUE = (0.9, 0.1, 0.1), (0.1, 0.8, 0.1), (0.0, 0.0, 1.0)


def test_white_counts_and_black_and_transparent_do_not() -> None:
    image, alpha = torch.ones(1, 3, 2, 2), torch.tensor([[[[1.0, 0.5], [0.0, 1.0]]]])
    image[..., 1, 1] = 0
    assert soft(image, alpha).flatten().tolist() == pytest.approx([1.0, 0.5, 0.0, 0.0])
    assert soft(image, None).sum().item() == pytest.approx(3)


def test_colors_are_told_from_grays() -> None:
    assert is_colored(flag(16, 30, RED, GREEN)) and not is_colored(flag(16, 30, (0.2, 0.2, 0.2), (1, 1, 1)))
    assert len(region_colors(flag(16, 30, RED, GREEN, BLUE))) == 3


def test_regions_of_the_same_color_are_paired_whatever_their_place_and_size() -> None:
    pairs = paired(flag(16, 40, RED, GREEN), flag(20, 30, GREEN, BLUE, RED))
    found = {}
    for where, source in pairs:
        columns = tuple((mask[0, 0].mean(0) > 0.5).nonzero().flatten().tolist() for mask in (where, source))
        found[columns[0][0]] = (columns[0], columns[1])
    assert {start: (c[0], c[-1], s[0], s[-1]) for start, (c, s) in found.items()} == {
        0: (0, 19, 20, 29),
        20: (20, 39, 0, 9),
    }


def test_a_color_that_the_style_lacks_is_named() -> None:
    with pytest.raises(InputError, match=r"#\w{6} is a region of the content and not of the style"):
        paired(flag(16, 40, RED, GREEN), flag(16, 40, RED))


def test_a_mask_may_be_of_any_size_of_the_same_shape() -> None:
    assert fits((480, 640), (480, 640)) and fits((48, 64), (480, 640)) and fits((333, 250), (1000, 750))
    assert not fits((640, 480), (480, 640)) and not fits((480, 480), (480, 640))


def test_a_guide_is_the_mask_over_the_places_of_a_map() -> None:
    mask = torch.zeros(1, 1, 9, 13)
    mask[..., 4:] = 1
    guide = guide_at(mask, 4)
    assert guide is not None and guide.shape == (1, 1, 2, 3) and guide.sum() == 1
    assert guide[..., 0].sum() == 0 and guide_at(None, 4) is None
