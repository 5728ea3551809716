"""The feed-forward network against plain torch layers, and what a picture must not show."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from styler.networks.transform import (
    Architecture,
    Moments,
    Norm,
    TransformNetwork,
    divisible,
    doubled,
)


def made(width=4, styles=1, **more):
    """A small network whose norms are not what they start as, and a mix of its styles for one picture."""
    torch.manual_seed(0)
    network = TransformNetwork(Architecture(width, styles, **more))
    for block in network.blocks():
        nn.init.normal_(block.norm.weight, 1, 0.3)
        nn.init.normal_(block.norm.bias, 0, 0.3)
    return network, torch.eye(styles)[:1]


def plain(network, image):
    """The first style of a network by torch's own layers: reflection, convolution, instance norm."""

    def block(b, x):
        if b.up == 2:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        side = b.conv.weight.shape[-1] // 2
        x = F.conv2d(F.pad(x, (side,) * 4, mode="reflect"), b.conv.weight, b.conv.bias, stride=b.stride)
        x = F.instance_norm(x, weight=b.norm.weight[0], bias=b.norm.bias[0], eps=1e-5)
        return F.relu(x) if b.relu else x

    x = divisible(image)
    for down in network.down:
        x = block(down, x)
    for residual in network.residual:
        x = x + block(residual.second, block(residual.first, x))
    for up in network.up:
        x = block(up, x)
    x = F.conv2d(F.pad(x, (4,) * 4, mode="reflect"), network.last.weight, network.last.bias)
    return x[..., : image.shape[-2], : image.shape[-1]]


def test_parameters_are_as_many_as_in_the_network_that_all_know():
    assert sum(p.numel() for p in TransformNetwork().parameters()) == 1_679_235
    assert sum(p.numel() for p in TransformNetwork(Architecture(16)).parameters()) == 424_899
    assert sum(p.numel() for p in TransformNetwork(Architecture(8)).parameters()) == 108_771


def test_a_further_style_costs_3200_numbers_at_full_width():
    one, two = (TransformNetwork(Architecture(32, n)) for n in (1, 2))
    assert sum(p.numel() for p in two.parameters()) - sum(p.numel() for p in one.parameters()) == 3200


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("size", [(16, 16), (33, 18), (64, 47)])
def test_it_computes_what_plain_layers_do(size, grad):
    network, mix = made()
    image = torch.rand(2, 3, *size)
    with torch.set_grad_enabled(grad):
        found = network(image, mix.expand(2, 1))
    torch.testing.assert_close(found, plain(network, image), atol=2e-4, rtol=0)


@settings(max_examples=12, deadline=None)
@given(st.integers(16, 70), st.integers(16, 70))
def test_the_output_is_as_large_as_the_input(height, width):
    network, mix = made()
    with torch.inference_mode():
        assert network(torch.rand(1, 3, height, width), mix).shape == (1, 3, height, width)


def test_gradients_are_those_of_plain_layers():
    network, mix = made()
    image = torch.rand(2, 3, 20, 24)
    network(image, mix.expand(2, 1)).square().mean().backward()
    found = [p.grad.clone() for p in network.parameters() if p.requires_grad]
    network.zero_grad()
    plain(network, image).square().mean().backward()
    expected = [p.grad for p in network.parameters() if p.requires_grad]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4 * float(other.abs().max()) + 1e-7, rtol=1e-3)


def test_the_norm_passes_gradcheck():
    norm = Norm(3, 2, 1e-5).double()
    x = torch.randn(2, 3, 4, 5, dtype=torch.double, requires_grad=True)
    mix = torch.tensor([[0.3, 0.7], [1.0, 0.0]], dtype=torch.double)
    assert torch.autograd.gradcheck(lambda x: norm(x, mix), x)
    assert torch.autograd.gradcheck(
        lambda weight: torch.func.functional_call(norm, {"weight": weight}, (x, mix)), norm.weight
    )


def test_doubling_is_upsampling_and_a_convolution():
    x, weight = torch.randn(2, 5, 7, 6), torch.randn(4, 5, 3, 3)
    expected = F.conv2d(F.pad(F.interpolate(x, scale_factor=2), (1,) * 4, mode="reflect"), weight)
    torch.testing.assert_close(doubled(x, weight), expected, atol=1e-5, rtol=1e-5)


def test_a_mix_of_styles_is_the_style_of_mixed_gains_and_offsets():
    network, _ = made(styles=2)
    blend, mix = TransformNetwork(Architecture(4, 1)), torch.tensor([[0.25, 0.75]])
    state = {
        name: (mix @ value if ".norm." in name else value) for name, value in network.state_dict().items()
    }
    blend.load_state_dict(state)
    image = torch.rand(1, 3, 24, 24)
    torch.testing.assert_close(network(image, mix), blend(image, torch.ones(1, 1)))


def test_pictures_of_a_batch_have_styles_of_their_own():
    network, _ = made(styles=3)
    images, mix = torch.rand(3, 3, 20, 20), torch.eye(3)
    together = network(images, mix)
    apart = [network(images[i : i + 1], mix[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(apart), atol=1e-5, rtol=1e-4)


def test_moments_of_the_picture_itself_change_nothing():
    network, mix = made()
    image = torch.rand(1, 3, 32, 32)
    moments, x = [], divisible(image)

    def through(block, x):
        y = block.convolved(x)
        moments.append(Moments(y.mean((2, 3)), y.var((2, 3), correction=0)))
        return block(x, mix)

    with torch.no_grad():
        for block in network.down:
            x = through(block, x)
        for residual in network.residual:
            x = x + through(residual.second, through(residual.first, x))
        for block in network.up:
            x = through(block, x)
        torch.testing.assert_close(network(image, mix, moments), network(image, mix), atol=1e-4, rtol=1e-3)


def test_a_flat_picture_stays_flat():
    network, mix = made()
    with torch.inference_mode():
        painted = network(torch.full((1, 3, 40, 36), 0.3), mix)
    assert (painted - painted.mean((2, 3), keepdim=True)).abs().max() < 2 / 255  # no border, no checkerboard


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bfloat16_is_near_float32_in_either_layout(layout):
    network, mix = made(width=8)
    image = torch.rand(1, 3, 48, 48)
    with torch.inference_mode():
        exact = network(image, mix)
        found = network(image.bfloat16().contiguous(memory_format=layout), mix)
    assert found.dtype == torch.bfloat16
    assert (found.float() - exact).square().mean().sqrt() < 0.05 * exact.std()


def test_biases_before_a_norm_are_neither_trained_nor_seen():
    network, mix = made()
    image = torch.rand(1, 3, 20, 20)
    before = network(image, mix)
    for block in network.blocks():
        assert not block.conv.bias.requires_grad
        nn.init.constant_(block.conv.bias, 5.0)
    torch.testing.assert_close(network(image, mix), before)
