"""The texture network: sizes, seeds, edges that meet, and several textures in one network."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from styler.networks.layers import Mode, norms_of, wrapped
from styler.networks.texture import TextureArchitecture, TextureNetwork

ONE = torch.ones(1, 1)
ALONE = Mode(mix=ONE)


@cache
def network(scales: int = 5, channels: int = 8, styles: int = 1) -> TextureNetwork:
    """A network whose norms are not those of a fresh one, for with these all styles are the same."""
    torch.manual_seed(0)
    made = TextureNetwork(TextureArchitecture(scales, channels, styles))
    with torch.no_grad():
        for norm in norms_of(made):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_()
        made.last.conv.weight.mul_(0.1)  # most pixels in [0, 1], where nothing is clamped
    return made


def sample(height: int, width: int, seed: int = 0, mix: Tensor = ONE, scales: int = 5) -> Tensor:
    with torch.no_grad():
        return network(scales, styles=mix.shape[1]).sample(height, width, mix, seed)


def counted(scales: int, channels: int, styles: int) -> int:
    """Parameters, added up from the paper's figure 2."""
    k, c = scales, channels
    joined = sum(19 * (c * i) ** 2 for i in range(2, k + 1))  # 3x3, 3x3 and 1x1
    normalized = 3 * k * c + sum(c * i + 3 * c * i for i in range(2, k + 1))
    return k * (27 * c + 10 * c**2) + joined + 3 * c * k + 3 + 2 * styles * normalized


@pytest.mark.parametrize(("scales", "channels", "styles"), [(5, 8, 1), (6, 8, 3), (2, 4, 2), (1, 8, 1)])
def test_parameters_are_the_formula_s(scales: int, channels: int, styles: int) -> None:
    made = TextureNetwork(TextureArchitecture(scales, channels, styles))
    assert sum(p.numel() for p in made.parameters()) == counted(scales, channels, styles)


def test_parameters_are_the_docstring_s() -> None:
    assert (counted(5, 8, 0), counted(5, 8, 1) - counted(5, 8, 0)) == (70_067, 1_136)
    assert "70,067 parameters and 1,136" in str(TextureNetwork.__doc__)


@settings(max_examples=20, deadline=None)
@given(st.integers(16, 70), st.integers(16, 70), st.integers(1, 6))
def test_sizes_are_exact(height: int, width: int, scales: int) -> None:
    painted = sample(height, width, scales=scales)
    assert painted.shape == (1, 3, height, width)
    assert painted.isfinite().all()


@torch.no_grad()
def test_a_sample_is_clamped() -> None:
    made = TextureNetwork()
    made.last.conv.weight.mul_(10)
    painted = made(made.noise(32, 32, seed=1), ALONE)
    assert painted.min() < 0
    assert painted.max() > 1
    assert torch.equal(made.sample(32, 32, ONE, seed=1), painted.clamp(0, 1))


def test_noise_doubles_from_coarse_to_fine() -> None:
    shapes = [tuple(z.shape) for z in network().noise(50, 32, seed=3, count=2)]
    assert shapes == [(2, 3, h, w) for h, w in ((4, 2), (8, 4), (16, 8), (32, 16), (64, 32))]


def test_the_seed_decides() -> None:
    torch.manual_seed(1)
    first = sample(48, 40, seed=7)
    torch.manual_seed(2)
    assert torch.equal(first, sample(48, 40, seed=7))
    assert (first - sample(48, 40, seed=8)).abs().mean() > 0.02


def test_a_sample_depends_on_no_other() -> None:
    alone, together = (network().noise(32, 32, seed=4, count=count) for count in (1, 3))
    assert all(torch.equal(a, b[:1]) for a, b in zip(alone, together, strict=True))
    assert not torch.equal(together[-1][0], together[-1][1])
    three = sample(32, 32, seed=4, mix=torch.ones(3, 1))
    torch.testing.assert_close(three[:1], sample(32, 32, seed=4))
    assert (three[0] - three[1]).abs().mean() > 0.02


@torch.no_grad()
def test_a_size_the_stride_does_not_divide_is_cut_out() -> None:
    assert torch.equal(sample(33, 47), sample(48, 48)[..., :33, :47])


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, -1), (2, 1)])
@torch.no_grad()
def test_noise_that_moves_moves_the_picture(rows: int, columns: int) -> None:
    made = network()
    noise = made.noise(64, 48, seed=5)
    moved = [z.roll((rows << k, columns << k), (-2, -1)) for k, z in enumerate(noise)]
    expected = made(noise, ALONE).roll((rows * made.stride, columns * made.stride), (-2, -1))
    torch.testing.assert_close(made(moved, ALONE), expected, rtol=0, atol=1e-4)


@torch.no_grad()
def test_opposite_edges_fit() -> None:
    """Tiled noise gives the tiled picture, so at a seam is what the network makes of neighbors."""
    made = network()
    noise = made.noise(32, 48, seed=6)
    tiled = made([z.repeat(1, 1, 2, 2) for z in noise], ALONE)
    torch.testing.assert_close(tiled, made(noise, ALONE).repeat(1, 1, 2, 2), rtol=0, atol=1e-4)


def test_wrapping_is_circular_padding() -> None:
    x = torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    for margin in (0, 1, 2):
        padded = wrapped(x, margin)
        assert torch.equal(padded, torch.nn.functional.pad(x, (margin,) * 4, mode="circular"))
        assert padded.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("scales", [1, 5])
def test_gradients_reach_every_parameter(scales: int) -> None:
    made = network(scales, styles=2)
    trained = {name: p for name, p in made.named_parameters() if p.requires_grad}
    painted = made(made.noise(64, 64, seed=1), Mode(mix=torch.tensor([[0.3, 0.7]])))
    gradients = torch.autograd.grad(painted.pow(3).sum(), list(trained.values()))
    for name, gradient in zip(trained, gradients, strict=True):
        assert gradient.isfinite().all(), name
        assert gradient.abs().max() > 1e-5, name


def test_offsets_that_the_next_norm_takes_out_are_not_trained() -> None:
    made = TextureNetwork()
    frozen = [p for p in made.parameters() if not p.requires_grad]
    assert sum(p.numel() for p in frozen) == 112
    assert not any(p.any() for p in frozen)
    before = made.sample(48, 48, ONE, seed=1)
    for offset in frozen:
        offset.normal_()
    torch.testing.assert_close(made.sample(48, 48, ONE, seed=1), before, rtol=0, atol=1e-4)


def test_a_style_of_weight_0_learns_nothing() -> None:
    made = network(styles=2)
    norms = [norm.weight for norm in norms_of(made)]
    painted = made(made.noise(32, 32, seed=1), Mode(mix=torch.tensor([[0.0, 1.0]])))
    for gradient in torch.autograd.grad(painted.pow(3).sum(), norms):
        assert not gradient[0].any()
        assert gradient[1].any()


def test_mix_chooses_and_blends() -> None:
    first, second = (sample(48, 48, seed=2, mix=mix[None]) for mix in torch.eye(2))
    assert (first - second).abs().mean() > 0.02
    half = sample(48, 48, seed=2, mix=torch.tensor([[0.5, 0.5]]))
    assert (half - first).abs().mean() > 0.005
    assert (half - second).abs().mean() > 0.005


@torch.no_grad()
def test_each_sample_has_its_own_mix() -> None:
    made = network(styles=2)
    noise = made.noise(32, 32, seed=3, count=2)
    both = made(noise, Mode(mix=torch.eye(2)))
    for index in range(2):
        alone = made([z[index : index + 1] for z in noise], Mode(mix=torch.eye(2)[index : index + 1]))
        torch.testing.assert_close(both[index : index + 1], alone)


@torch.no_grad()
def test_it_computes_as_its_noise_is() -> None:
    made = network()
    noise = made.noise(96, 96, seed=2)
    exact = made(noise, ALONE)
    reordered = made([z.contiguous(memory_format=torch.channels_last) for z in noise], ALONE)
    assert reordered.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(reordered, exact, rtol=0, atol=1e-4)
    rough = made([z.bfloat16() for z in noise], ALONE)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).square().mean().sqrt() < 0.2 * exact.std()


def test_it_learns_colors() -> None:
    """A few steps towards a red and a blue flat texture, in one network."""
    torch.manual_seed(0)
    made = TextureNetwork(TextureArchitecture(scales=3, channels=4, styles=2))
    optimizer = torch.optim.Adam(made.parameters(), 2e-2)
    goal = torch.tensor([[0.9, 0.2, 0.1], [0.1, 0.2, 0.8]])[:, :, None, None]
    errors = []
    for step in range(40):
        error = (made(made.noise(32, 32, step, 2), Mode(mix=torch.eye(2))) - goal).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.2 * errors[0]
    means = made.sample(32, 32, torch.eye(2), seed=99).mean((-2, -1))
    torch.testing.assert_close(means, goal[..., 0, 0], rtol=0, atol=0.15)
