"""Inputs made of photos: what each kind is, that it is plain data, and that foreign data is checked."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from styler.errors import InputError
from styler.image import size as geometry
from styler.image.color import luma
from styler.image.conditions import CONDITIONS, condition, parameters_for, smoothed
from styler.image.edges import Edges, draw
from styler.image.palette import nearest, palette
from styler.options.translate import PairsOptions, TrainTranslateOptions
from styler.ui.commands.paint import KINDS


def photo(height: int = 37, width: int = 50) -> torch.Tensor:
    noise = np.random.default_rng(0).random((3, height, width))
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return torch.from_numpy(smooth.astype(np.float32))[None]


def made(name: str, image: torch.Tensor, seed: int = 0, **options) -> torch.Tensor:
    parameters = parameters_for(name, PairsOptions(**options))
    return condition(name, parameters)(image, np.random.default_rng(seed))


@pytest.mark.parametrize("name", CONDITIONS)
@pytest.mark.parametrize("size", [(37, 50), (16, 16), (21, 90)])
def test_inputs_have_the_photos_size_and_their_channels(name, size):
    image = photo(*size)
    before = image.clone()
    result = made(name, image)
    assert result.shape == (1, CONDITIONS[name].channels, *size) and result.dtype == torch.float32
    assert result.min() >= 0 and result.max() <= 1
    assert torch.equal(image, before)


@pytest.mark.parametrize("name", CONDITIONS)
def test_parameters_are_plain_data_and_all_that_matters(name):
    parameters = parameters_for(name, TrainTranslateOptions() if name == "edges" else PairsOptions())
    told = json.loads(json.dumps(parameters))
    first, second = (condition(name, p)(photo(), np.random.default_rng(3)) for p in (parameters, told))
    assert torch.equal(first, second)


def test_the_command_has_the_same_kinds():
    assert KINDS.keys() == CONDITIONS.keys()


def test_edges_are_those_of_the_edges_module():
    wanted = draw(photo(), Edges((2, 2), 80, 70, 3), 2.0)
    assert torch.equal(made("edges", photo(), sigma=(2.0, 2.0), strong=80.0, weak=70.0, shortest=3), wanted)


def test_of_a_range_each_draw_takes_one_sigma():
    drawn = [made("edges", photo(60, 80), seed, sigma=(1.0, 4.0)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_grey_is_luma():
    assert torch.equal(made("grey", photo()), luma(photo()))


def test_blur_keeps_the_mean_and_takes_the_detail():
    result = made("blur", photo(), radius=5.0)
    assert (result.mean() - photo().mean()).abs() < 0.01 and result.std() < photo().std() / 2
    assert torch.equal(made("blur", photo(), radius=0.0), photo())


def test_low_resolution_is_a_small_picture_enlarged():
    image = photo(40, 60)
    small = geometry.resize(image, (10, 15))
    assert torch.equal(made("low-resolution", image, factor=4), geometry.resize(small, (40, 60)))
    assert torch.equal(made("low-resolution", image, factor=1), image)
    assert made("low-resolution", photo(16, 20), factor=64).std() < 0.1


@pytest.mark.parametrize("colors", [2, 5, 256])
def test_palettes_have_so_many_colors_at_most(colors):
    result = made("palette", photo(), colors=colors)
    assert len(result[0].flatten(1).T.unique(dim=0)) <= colors


def test_a_palette_finds_the_colors_that_are_there():
    colors = torch.tensor([[0.1, 0.1, 0.1], [0.9, 0.1, 0.1], [0.2, 0.3, 0.9], [1.0, 1.0, 1.0]])
    index = torch.arange(40 * 40).remainder(4).reshape(40, 40)
    image = colors[index].permute(2, 0, 1)[None]
    assert torch.allclose(palette(image, 4).sort(0)[0], colors.sort(0)[0], atol=1e-6)
    assert torch.allclose(made("palette", image, colors=4), image, atol=1e-6)


def test_every_pixel_has_the_nearest_color():
    image, colors = photo(), palette(photo(), 6)
    distances = (image[0][:, None] - colors.T[:, :, None, None]).square().sum(0)
    assert np.array_equal(nearest(image, colors), distances.argmin(0).numpy())


def test_segments_are_smoother_than_a_palette():
    def outline(image: torch.Tensor) -> int:
        return int((image.diff(dim=-1) != 0).any(1).sum() + (image.diff(dim=-2) != 0).any(1).sum())

    noisy = (
        photo(60, 60) + 0.1 * torch.from_numpy(np.random.default_rng(1).standard_normal((60, 60)))
    ).clamp(0, 1)
    flat = made("palette", noisy.float(), colors=4)
    assert outline(made("segments", noisy.float(), colors=4, radius=3.0)) < outline(flat) / 3


@given(st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_smoothing_leaves_only_labels_that_were_there(count, seed):
    labels = np.random.default_rng(seed).integers(0, count, (12, 17), dtype=np.uint8)
    assert set(np.unique(smoothed(labels, count, 1.5))) <= set(np.unique(labels))
    assert np.array_equal(smoothed(labels, count, 0.0), labels)


@pytest.mark.parametrize(
    ("name", "parameters", "says"),
    [
        ("lines", {}, "no kind of input: choose one of edges, grey"),
        ("edges", {"sigma": "0-1e9"}, "is no range"),
        ("edges", {"sigma": "0-9"}, "--sigma is 0"),
        ("edges", {"sigma": "1-99"}, "--sigma is 99"),
        ("edges", {"sigma": 2.0}, "cannot have sigma = 2.0"),
        ("edges", {"strong": True}, "cannot have strong"),
        ("edges", {"strong": 300}, "--strong is 300"),
        ("edges", {"__class__": "x"}, "cannot have __class__"),
        ("blur", {"radius": 1e9}, "--radius is 1e"),
        ("blur", {"factor": 2}, "cannot have factor"),
        ("palette", {"colors": 10**6}, "--colors is"),
    ],
)
def test_what_foreign_files_say_is_checked(name, parameters, says):
    with pytest.raises(InputError, match=says):
        condition(name, parameters)
