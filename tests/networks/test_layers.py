"""Layers: norms, doubling, masks, first weights."""

import pytest
import torch
import torch.nn.functional as F
from nets import architecture

from styler.networks.kinds import build
from styler.networks.layers import Join, Layer, Mode, Norm, by_fours, doubled, initialize, mask, norms_of


def test_the_norm_of_styles_passes_gradcheck():
    norm = Norm(3, styles=2).double()
    x = torch.randn(2, 3, 4, 5, dtype=torch.double, requires_grad=True)
    mode = Mode(mix=torch.tensor([[0.3, 0.7], [1.0, 0.0]], dtype=torch.double))
    assert torch.autograd.gradcheck(lambda x: norm(x, mode), x)
    assert torch.autograd.gradcheck(
        lambda weight: torch.func.functional_call(norm, {"weight": weight}, (x, mode)), norm.weight
    )


@pytest.mark.parametrize("bias", [False, True])
def test_doubling_is_upsampling_and_a_convolution(bias):
    x, weight, offset = torch.randn(2, 5, 7, 6), torch.randn(4, 5, 3, 3), torch.randn(4) if bias else None
    expected = F.conv2d(F.pad(F.interpolate(x, scale_factor=2), (1,) * 4, mode="reflect"), weight, offset)
    torch.testing.assert_close(doubled(x, weight, offset), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [(16, 20), (17, 20), (16, 21), (1, 1)])
@pytest.mark.parametrize("bias", [False, True])
def test_four_pixels_at_once_are_the_same_convolution(size, bias):
    x = torch.randn(2, 16, size[0] + 8, size[1] + 8).to(memory_format=torch.channels_last)
    weight, offset = torch.randn(3, 16, 9, 9, requires_grad=True), torch.randn(3) if bias else None
    x.requires_grad_()
    expected, found = F.conv2d(x, weight, offset), by_fours(x, weight, offset)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)
    upstream = torch.randn_like(expected)
    plain = torch.autograd.grad(expected, (x, weight), upstream)
    torch.testing.assert_close(torch.autograd.grad(found, (x, weight), upstream), plain, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("slope", [0.0, 0.2, 1.0])
def test_an_activation_is_done_in_place(slope):
    x = torch.randn(1, 2, 5, 5)
    expected = F.leaky_relu(x, slope)
    assert Layer((2, 2), slope=slope).finished(x, Mode()) is x
    torch.testing.assert_close(x, expected)


@pytest.mark.parametrize("slope", [0.0, 0.3])
def test_a_join_changes_none_of_its_parts(slope):
    a, b = torch.randn(1, 2, 5, 5), torch.randn(1, 3, 5, 5)
    kept = a.clone(), b.clone()
    both = Join(slope)(a, b)
    assert torch.equal(both, torch.cat([F.leaky_relu(a, slope), b.relu()], 1))
    assert torch.equal(Join(slope)(a), both[:, :2])
    assert torch.equal(a, kept[0]) and torch.equal(b, kept[1])


def test_masks_are_fair_and_made_of_rows():
    whole = mask((2, 5, 40, 30), 7, 3)
    assert whole.shape == (2, 5, 40, 30) and set(whole.unique().tolist()) == {0, 2}
    assert abs(whole.float().mean() - 1) < 0.05
    assert torch.equal(mask((2, 5, 9, 30), 7, 3, top=11), whole[:, :, 11:20])
    flat = (whole.float() - 1).permute(2, 0, 1, 3).flatten(1)
    assert (flat @ flat.T / flat.shape[1]).fill_diagonal_(0).abs().max() < 0.3  # no row is like another
    for other in (mask((2, 5, 40, 30), 8, 3), mask((2, 5, 40, 30), 7, 2)):
        assert (whole == other).float().mean() < 0.55


def test_initial_weights_are_those_of_the_paper():
    network = build(architecture(width=16, norm="batch", halvings=4))
    initialize(network, 3)
    norms = torch.cat([norm.weight.detach() for norm in norms_of(network)])
    assert abs(norms.mean() - 1) < 0.005 and abs(norms.std() - 0.02) < 0.005
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        elif parameter.dim() == 4:
            assert abs(parameter.mean()) < 0.003 and abs(parameter.std() - 0.02) < 0.003
    twin = build(network.config)
    initialize(twin, 3)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), twin.parameters(), strict=True))
