"""Networks from pictures to pictures: plain definitions of torch's own layers, and published figures."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import STYLED, TRANSLATORS, architecture, mode_of, picture, small
from torch import nn

from styler.networks.flow import whole
from styler.networks.kinds import build
from styler.networks.layers import Mode, Moments, layers_of, norms_of
from styler.networks.residual import ResidualNetwork
from styler.plans import ResidualArchitecture

FORMS = [
    (torch.float32, torch.channels_last),
    (torch.bfloat16, torch.contiguous_format),
    (torch.bfloat16, torch.channels_last),
]
ALL = ("johnson", *TRANSLATORS)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


# Plain definitions, of torch's own layers.


class Nested(nn.Module):
    """The U-Net as most people know it: each level holds the one below, and hands on what it was given."""

    def __init__(self, before, widths, outputs, severed, norm, level=0):
        super().__init__()
        here, below = widths[0], widths[1:]
        self.outer, self.skips = level == 0, not severed and level > 0
        down = [] if self.outer else [nn.LeakyReLU(0.2)]
        down.append(nn.Conv2d(before, here, 4, 2, 1, bias=False))
        down += [norm(here)] if below and not self.outer else []
        inside = [Nested(here, below, outputs, severed, norm, level + 1)] if below else []
        wide = 2 * here if below and not severed else here
        after = outputs if self.outer else before
        up = [nn.ReLU(), nn.ConvTranspose2d(wide, after, 4, 2, 1, bias=self.outer)]
        up += [nn.Tanh()] if self.outer else [norm(before)]
        self.model = nn.Sequential(*down, *inside, *up)

    def forward(self, x):
        y = self.model(x)
        return torch.cat([x, y], 1) if self.skips else y


class Bottle(nn.Module):
    """A residual block."""

    def __init__(self, channels, norm):
        super().__init__()
        side = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=False), norm(channels)]
        more = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=False), norm(channels)]
        self.model = nn.Sequential(*side, nn.ReLU(), *more)

    def forward(self, x):
        return x + self.model(x)


def plain_residual(config, norm):
    """Johnson's network and pix2pix's: they differ by their ends, borders, and ways to double."""

    def reflected(before, after, kernel, stride=1):
        return [
            nn.ReflectionPad2d(kernel // 2),
            nn.Conv2d(before, after, kernel, stride, bias=False),
            norm(after),
        ]

    w, ends = config.width, config.kernel
    layers = [*reflected(config.inputs, w, ends), nn.ReLU()]
    for c in (w, 2 * w):
        zero = [nn.Conv2d(c, 2 * c, 3, 2, 1, bias=False), norm(2 * c)]
        layers += [*(zero if config.borders == "zero" else reflected(c, 2 * c, 3, 2)), nn.ReLU()]
    layers += [Bottle(4 * w, norm) for _ in range(config.blocks)]
    for c in (4 * w, 2 * w):
        transposed = [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, 1, bias=False), norm(c // 2)]
        nearest = [nn.Upsample(scale_factor=2), *reflected(c, c // 2, 3)]
        layers += [*(transposed if config.upsampling == "transposed" else nearest), nn.ReLU()]
    return nn.Sequential(*layers, nn.ReflectionPad2d(ends // 2), nn.Conv2d(w, config.outputs, ends))


def plain(network):
    """A plain twin with the same weights, those of the first style, in training mode and without dropout."""
    config = network.config
    norm = {"batch": nn.BatchNorm2d, "instance": lambda c: nn.InstanceNorm2d(c, affine=True)}[config.norm]
    if isinstance(config, ResidualArchitecture):
        twin = plain_residual(config, norm)
        twin = nn.Sequential(twin, nn.Tanh()) if config.pixels == "signed" else twin
    else:
        widths = [config.width * min(2**k, 8) for k in range(config.halvings)]
        twin = Nested(3, widths, 3, not config.skips, norm)
    convolutions = [m for m in twin.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    norms = [m for m in twin.modules() if isinstance(m, nn.BatchNorm2d | nn.InstanceNorm2d)]
    for source, target in zip([layer.conv for layer in layers_of(network)], convolutions, strict=True):
        target.load_state_dict(source.state_dict())
    for source, target in zip(norms_of(network), norms, strict=True):
        values = {name: value[0] if value.dim() > 1 else value for name, value in source.state_dict().items()}
        target.load_state_dict(values, strict=False)
    return twin.train()


def painted(twin, network, image):
    """What the twin makes of an Image."""
    if getattr(network.config, "pixels", "signed") == "unsigned":
        return twin(image)
    return (twin(2 * image - 1) + 1) / 2


FIRST = Mode(mix=torch.tensor([[1.0, 0.0]]))


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({}, 54_413_955),
        ({"norm": "instance"}, 54_413_955),
        ({"halvings": 7}, 41_828_995),
        ({"kind": "residual", "blocks": 6}, 7_841_411),
        ({"kind": "residual", "blocks": 9}, 11_383_427),
    ],
)
def test_generators_have_as_many_parameters_as_published(plan, expected):
    with torch.device("meta"):
        assert count(build(architecture(**plan))) == expected


@pytest.mark.parametrize(("width", "expected"), [(32, 1_679_235), (16, 424_899), (8, 108_771)])
def test_johnson_s_network_has_as_many_parameters_as_the_one_that_all_know(width, expected):
    """That has biases before the norms, too, which take out what they add."""
    network = ResidualNetwork(ResidualArchitecture(width=width))
    assert count(network) + sum(norm.bias.numel() for norm in norms_of(network)) == expected


def test_a_further_style_costs_3200_numbers_at_full_width():
    one, two = (ResidualNetwork(ResidualArchitecture(styles=n)) for n in (1, 2))
    assert count(two) - count(one) == 3200


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize(
    "plan",
    [
        {"kind": "unet", "halvings": 8},
        {"kind": "unet", "halvings": 7},
        {"kind": "encoder-decoder", "halvings": 7},
        {"kind": "residual", "halvings": 2, "blocks": 6},
        {"kind": "residual", "halvings": 2, "blocks": 9},
    ],
)
def test_agrees_with_the_plain_definition(plan, norm):
    network = small(norm=norm, **plan)
    twin, image = plain(network), picture(256, 256, count=2)
    with torch.no_grad():
        expected = painted(twin, network, image)
        torch.testing.assert_close(network(image, Mode("batch")), expected, atol=1e-5, rtol=0)
        assert expected.std() > 0.1
    if norm == "batch":
        theirs = [module for module in twin.modules() if isinstance(module, nn.BatchNorm2d)]
        for ours, other in zip(norms_of(network), theirs, strict=True):
            torch.testing.assert_close(ours.running_mean, other.running_mean)
            torch.testing.assert_close(ours.running_var, other.running_var)


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("upsampling", ["resize", "transposed"])
@pytest.mark.parametrize("size", [(16, 16), (36, 20), (64, 48)])
def test_johnson_s_agrees_with_the_plain_definition(size, upsampling, grad):
    network, image = small("johnson", upsampling=upsampling), picture(*size, count=2)
    with torch.set_grad_enabled(grad):
        found = network(image, FIRST)
    torch.testing.assert_close(found, plain(network)(image), atol=2e-4, rtol=0)


@pytest.mark.parametrize("kind", ALL)
def test_gradients_are_those_of_the_plain_definition(kind):
    network = small(kind, norm="instance", **({"halvings": 3} if kind in TRANSLATORS[:2] else {}))
    twin, image = plain(network), picture(24, 32, count=2)
    network(image, replace(FIRST, mix=FIRST.mix if kind == "johnson" else None)).square().mean().backward()
    painted(twin, network, image).square().mean().backward()
    found = [layer.conv.weight.grad for layer in layers_of(network)]
    convolutions = [m for m in twin.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for one, other in zip(found, convolutions, strict=True):
        expected = other.weight.grad
        torch.testing.assert_close(one, expected, atol=1e-4 * float(expected.abs().max()) + 1e-7, rtol=1e-3)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@settings(max_examples=8, deadline=None)
@given(height=st.integers(16, 70), width=st.integers(16, 70), halvings=st.integers(1, 7))
def test_the_output_is_exactly_as_large_as_the_input(kind, upsampling, height, width, halvings):
    halvings = min(halvings, 3) if kind in ("johnson", "residual") else halvings
    network = small(kind, width=2, inputs=1, upsampling=upsampling, halvings=halvings)
    with torch.no_grad():
        found = network(picture(height, width, channels=1), mode_of(network))
    assert found.shape == (1, 3, height, width) and found.isfinite().all()
    assert kind == "johnson" or (found.min() >= 0 and found.max() <= 1)


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (45, 100)])
def test_short_sides_are_reflected_until_they_do(size):
    network, image = small(halvings=6), picture(*size)
    rows, columns = (-(-side // 64) * 64 for side in size)
    mirrored = torch.from_numpy(
        np.pad(image.numpy(), ((0, 0), (0, 0), (0, rows - size[0]), (0, columns - size[1])), mode="reflect")
    )
    with torch.no_grad():
        torch.testing.assert_close(network(image), network(mirrored)[..., : size[0], : size[1]])


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_a_batch_norm_over_a_picture_is_an_instance_norm(kind):
    batch = small(kind, norm="batch")
    instance = small(kind, norm="instance")
    instance.load_state_dict(batch.state_dict(), strict=False)
    one, two = picture(64, 64), picture(64, 64, count=2)
    with torch.no_grad():
        torch.testing.assert_close(batch(one), batch(one, Mode("batch")), atol=1e-5, rtol=0)
        torch.testing.assert_close(batch(two), instance(two, Mode("batch")), atol=1e-5, rtol=0)
        assert (batch(two) - batch(two, Mode("batch"))).abs().max() > 0.01


def test_stored_statistics_are_those_of_evaluation():
    network = small(norm="batch")
    twin, image = plain(network), picture(64, 64)
    for ours, theirs in zip(
        norms_of(network), [m for m in twin.modules() if isinstance(m, nn.BatchNorm2d)], strict=True
    ):
        theirs.load_state_dict(ours.state_dict(), strict=False)
    with torch.no_grad():
        expected = (twin.eval()(2 * image - 1) + 1) / 2
        before = {name: value.clone() for name, value in network.state_dict().items()}
        torch.testing.assert_close(network(image, Mode("stored")), expected, atol=1e-5, rtol=0)
        assert (network(image) - expected).abs().max() > 0.01
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("kind", ALL)
def test_moments_that_are_given_take_the_place_of_the_pictures(kind):
    network, image, other = small(kind), picture(64, 64), picture(64, 64, seed=1)
    mode, seen = mode_of(network), []
    hooks = [
        norm.register_forward_pre_hook(lambda _, given: seen.append(given[0])) for norm in norms_of(network)
    ]
    with torch.no_grad():
        expected = network(image, mode)
        moments = [Moments(x.mean((2, 3)), x.var((2, 3), correction=0)) for x in seen]
        for hook in hooks:
            hook.remove()
        assert len(moments) == len(norms_of(network))
        shared = replace(mode, moments=moments)
        torch.testing.assert_close(network(image, shared), expected, atol=1e-4, rtol=0)
        assert (network(other, shared) - network(other, mode)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ALL)
def test_moments_of_what_norms_are_given_are_recorded(kind):
    network, image, record = small(kind), picture(40, 48), []
    with torch.no_grad():
        expected = network(image, mode_of(network))
        assert torch.equal(whole(network, image, mode_of(network), record), expected)
        torch.testing.assert_close(
            network(image, mode_of(network, moments=record)), expected, atol=1e-4, rtol=0
        )
    assert [m.mean.shape[1] for m in record] == [norm.weight.shape[-1] for norm in norms_of(network)]


@pytest.mark.parametrize("kind", TRANSLATORS)
def test_dropout_is_a_function_of_the_seed(kind):
    network, image = small(kind), picture(64, 64)
    with torch.no_grad():
        state = torch.get_rng_state()
        one, again, other = (network(image, Mode(dropout=seed)) for seed in (5, 5, 6))
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(one, again)
        assert (one - other).abs().mean() > 1e-3
        assert (one - network(image)).abs().mean() > 1e-3
        network = small(kind, dropout=False if kind == "residual" else ())
        assert torch.equal(network(image, Mode(dropout=5)), network(image))


def test_dropout_is_where_the_paper_has_it():
    network = build(architecture(width=1, dropout=(1, 2, 3)))
    assert [layer.place for layer in network.up] == [1, 2, 3, 0, 0, 0, 0, 0]
    assert not any(layer.place for layer in network.down)
    shallow = build(architecture(width=1, halvings=3))
    assert [layer.place for layer in shallow.up] == [1, 2, 0]  # never on what is painted
    residual = build(architecture("residual", width=1, blocks=3))
    assert [(block.first.place, block.second.place) for block in residual.blocks] == [
        (1, 0),
        (2, 0),
        (3, 0),
    ]


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(("dtype", "layout"), FORMS)
def test_other_forms_are_near(kind, dtype, layout):
    network, image = small(kind, width=8), picture(64, 96)
    with torch.no_grad():
        exact = network(image, mode_of(network))
        for mode in (mode_of(network, **how) for how in ({}, {"statistics": "batch"}, {"dropout": 1})):
            found = network(image.to(dtype, memory_format=layout), mode)
            assert found.dtype == dtype
            if mode.dropout is None:
                assert (found.float() - exact).square().mean().sqrt() < 0.1 * exact.std()


@pytest.mark.parametrize(
    ("kind", "norm"),
    [*product(TRANSLATORS, ["batch", "instance", "none"]), ("johnson", "instance"), ("johnson", "none")],
)
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_reach_every_parameter(kind, upsampling, norm, dtype):
    network = small(kind, upsampling=upsampling, norm=norm)
    image = picture(64, 64, count=2).to(dtype, memory_format=torch.channels_last)
    network(image, mode_of(network, statistics="batch", dropout=1)).float().square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


def test_both_ways_of_enlarging_agree_with_and_without_gradients():
    network, image = small(upsampling="resize", norm="none"), picture(64, 64)
    with torch.no_grad():
        quick = network(image)
    torch.testing.assert_close(network(image).detach(), quick, atol=1e-5, rtol=0)


def test_what_files_of_others_need():
    """Biases where no norm follows, a norm on the innermost map, leaky skips, and a last layer of its own."""
    plan = {"bias": True, "bottleneck_norm": True, "slope": 0.2, "last": "shifted"}
    network, image = small(halvings=3, norm="instance", **plan), picture(24, 32)

    def norm(layer, x):
        return F.instance_norm(x, weight=layer.norm.weight, bias=layer.norm.bias)

    def leaky(x):
        return F.leaky_relu(x, 0.2)

    (a, b, c), (u, v, w) = network.down, network.up
    d1 = F.conv2d(2 * image - 1, a.conv.weight, a.conv.bias, 2, 1)
    d2 = norm(b, F.conv2d(leaky(d1), b.conv.weight, None, 2, 1))
    d3 = norm(c, F.conv2d(leaky(d2), c.conv.weight, None, 2, 1))
    u3 = norm(u, F.conv_transpose2d(leaky(d3), u.conv.weight, None, 2, 1))
    u2 = norm(v, F.conv_transpose2d(torch.cat([leaky(d2), u3.relu()], 1), v.conv.weight, None, 2, 1))
    wide = F.interpolate(torch.cat([leaky(d1), u2.relu()], 1), scale_factor=2)
    u1 = F.conv2d(F.pad(wide, (1, 0, 1, 0)), w.conv.weight, w.conv.bias, padding=1)
    torch.testing.assert_close(network(image), (u1.tanh() + 1) / 2, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", ALL)
def test_the_state_goes_around(kind):
    network, image = small(kind), picture(40, 40)
    twin = build(network.config)
    twin.load_state_dict(network.state_dict())
    for mode in (mode_of(network, **how) for how in ({}, {"statistics": "stored"}, {"dropout": 3})):
        assert torch.equal(network(image, mode), twin(image, mode))


# Styles


def test_a_mix_of_styles_is_the_style_of_mixed_gains_and_offsets():
    network, mix = small("johnson"), torch.tensor([[0.25, 0.75]])
    blend = small("johnson", styles=1)
    blend.load_state_dict(
        {name: mix @ value if ".norm." in name else value for name, value in network.state_dict().items()}
    )
    image = picture(24, 24)
    torch.testing.assert_close(network(image, Mode(mix=mix)), blend(image, Mode(mix=torch.ones(1, 1))))


def test_pictures_of_a_batch_have_styles_of_their_own():
    network, images, mix = small("johnson", styles=3), picture(20, 20, count=3), torch.eye(3)
    together = network(images, Mode(mix=mix))
    apart = [network(images[i : i + 1], Mode(mix=mix[i : i + 1])) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(apart), atol=1e-5, rtol=1e-4)


def test_one_mix_does_for_a_whole_batch():
    network, images = small("johnson"), picture(20, 20, count=3)
    assert torch.equal(network(images, STYLED), network(images, Mode(mix=STYLED.mix.expand(3, -1))))


def test_a_flat_picture_stays_flat():
    with torch.inference_mode():
        flat = small("johnson")(torch.full((1, 3, 40, 36), 0.3), STYLED)
    assert (flat - flat.mean((2, 3), keepdim=True)).abs().max() < 2 / 255  # no border, no checkerboard


@pytest.mark.parametrize("kind", ALL)
def test_convolutions_before_a_norm_have_no_biases(kind):
    for layer in layers_of(small(kind)):
        assert (layer.norm is None) or layer.conv.bias is None
