"""Parameterizations: what they begin with, what they can hold, and their gradients."""

from __future__ import annotations

import pytest
import torch

from styler.engine.parameterization import (
    LEVELS,
    DetailImage,
    HalfChromaImage,
    PixelImage,
    Protected,
    PyramidImage,
    halved,
    in_rgb,
    on_axes,
)
from styler.image.size import resize

ALL = (PixelImage, PyramidImage, HalfChromaImage)


def noise(height: int = 40, width: int = 56) -> torch.Tensor:
    return torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (40, 56)])
def test_a_gray_picture_is_held_exactly(kind, size):
    start = noise(*size)[:, :1].expand(-1, 3, -1, -1)
    assert torch.allclose(kind(start)(), start, atol=1e-12)


@pytest.mark.parametrize("kind", ALL)
def test_luma_and_the_mean_of_colors_are_held(kind):
    start = noise()
    shown = kind(start)()
    assert shown.shape == start.shape
    assert torch.allclose(on_axes(shown)[:, 0], on_axes(start)[:, 0], atol=1e-12)
    assert torch.allclose(shown.mean((2, 3)), start.mean((2, 3)), atol=0.02)


@pytest.mark.parametrize("kind", [PyramidImage, HalfChromaImage])
def test_color_that_changes_from_pixel_to_pixel_cannot_be_held(kind):
    rows = torch.arange(32)
    checks = ((rows + rows[:, None]) % 2).double().expand(1, 1, 32, 32)
    start = in_rgb(torch.cat([torch.full_like(checks, 0.8), 0.1 * checks, -0.1 * checks], 1))
    chroma = on_axes(kind(start)())[:, 1:, 4:-4, 4:-4]
    assert chroma.std((2, 3)).max() < 1e-3 < on_axes(start)[:, 1:].std((2, 3)).min()


@pytest.mark.parametrize("kind", [PyramidImage, HalfChromaImage])
def test_smooth_color_is_held(kind):
    ramp = torch.linspace(0, 1, 64, dtype=torch.float64).expand(64, 64)
    start = torch.stack([ramp, ramp.T, 1 - ramp])[None]
    assert (kind(start)() - start).abs().max() < 0.02


@pytest.mark.parametrize("kind", ALL)
def test_gradients(kind):
    image = kind(noise(16, 19))

    def call(parameter):
        return torch.func.functional_call(image, {"parameter": parameter}, ())

    assert torch.autograd.gradcheck(call, image.parameter.detach().requires_grad_())


@pytest.mark.parametrize("size", [(80, 112), (79, 111), (81, 112)])
def test_detail_leaves_the_smaller_picture_as_it_is(size):
    smaller = resize(noise(10, 14), (40, 56))
    image = DetailImage(smaller, size)
    assert (resize(image().clamp(0, 1), (40, 56)) - smaller).abs().mean() < 0.003
    before, draw = image(), torch.Generator().manual_seed(1)
    image.parameter.data += 0.1 * torch.randn(image.parameter.shape, generator=draw, dtype=torch.float64)
    change = on_axes(image() - before)
    assert change[:, :1].std() > 0.04 and change[:, 1:].abs().max() < 1e-9
    shrunk = torch.nn.functional.interpolate(change[:, :1], (40, 56), mode="bicubic", antialias=True)
    assert shrunk.std() < 0.1 * change[:, :1].std()


def test_what_is_cut_off_is_made_up_for():
    smaller = resize(noise(10, 14), (40, 56))
    image = DetailImage(smaller, (80, 112))
    draw = torch.Generator().manual_seed(1)
    image.parameter.data += 0.5 * torch.randn(image.parameter.shape, generator=draw, dtype=torch.float64)
    cut = image().detach().clamp(0, 1)
    before, after = (
        on_axes(resize(x, (40, 56)) - smaller).abs().mean((0, 2, 3))
        for x in (cut, image.finished(image().detach()))
    )
    assert (after < 0.5 * before).all()  # of luma, and of each axis of chroma


@pytest.mark.parametrize("kind", [PixelImage, HalfChromaImage])
def test_a_soft_mask_counts_once(kind):
    image = Protected(kind(noise()), 1 - noise(), torch.full((1, 1, 40, 56), 0.5, dtype=torch.float64))
    assert torch.equal(image.finished(image()), image().clamp(0, 1))


def test_gradients_of_detail():
    image = DetailImage(noise(8, 9), (16, 17))

    def call(parameter):
        return torch.func.functional_call(image, {"parameter": parameter}, ())

    assert torch.autograd.gradcheck(call, image.parameter.detach().requires_grad_())


def test_sizes_of_the_parameters():
    pixels = 40 * 56
    assert PixelImage(noise()).parameter.numel() == 3 * pixels
    assert HalfChromaImage(noise()).parameter.numel() == pixels + 2 * pixels // 4
    levels = sum(3 * pixels // 4**level for level in range(1, LEVELS))
    assert PyramidImage(noise()).parameter.numel() == pixels + levels


def test_axes_are_orthonormal_and_halving_keeps_constants():
    assert torch.allclose(in_rgb(on_axes(noise())), noise(), atol=1e-12)
    assert torch.allclose(halved(torch.full((1, 2, 17, 9), 0.3)), torch.full((1, 2, 9, 5), 0.3))
