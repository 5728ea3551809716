"""Generators and discriminator against plain definitions, and the figures that others have published."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from styler.networks.patch import (
    HALVINGS,
    PatchArchitecture,
    PatchDiscriminator,
    receptive_field,
    smallest_side,
)
from styler.networks.pix2pix import GeneratorArchitecture, Mode, Moments, build, initialize, mask

FORMS = [
    (torch.float32, torch.channels_last),
    (torch.bfloat16, torch.contiguous_format),
    (torch.bfloat16, torch.channels_last),
]
KINDS = ["unet", "encoder-decoder", "residual"]


def made(kind="unet", **more):
    """A small generator whose norms are not what they start as."""
    plan = {"width": 4, "halvings": 2 if kind == "residual" else 5, "blocks": 2, **more}
    network = build(GeneratorArchitecture(kind, **plan))
    return stirred(network)


def stirred(network, seed=0):
    initialize(network, seed)
    draw = torch.Generator().manual_seed(seed)
    for name, values in (*network.named_parameters(), *network.named_buffers()):
        if "weight" in name and values.dim() > 1:
            nn.init.normal_(values, 0, (values[0].numel()) ** -0.5, generator=draw)
        else:
            nn.init.uniform_(values, 0.5 if "var" in name or "weight" in name else -0.5, 1.5, generator=draw)
    return network


def picture(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


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


def plain_residual(width, blocks, norm):
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7, bias=False), norm(width), nn.ReLU()]
    for c in (width, 2 * width):
        layers += [nn.Conv2d(c, 2 * c, 3, 2, 1, bias=False), norm(2 * c), nn.ReLU()]
    layers += [Bottle(4 * width, norm) for _ in range(blocks)]
    for c in (4 * width, 2 * width):
        layers += [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, 1, bias=False), norm(c // 2), nn.ReLU()]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())


def plain(network):
    """A plain twin with the same weights, in training mode and without dropout."""
    shape = network.made
    norm = {"batch": nn.BatchNorm2d, "instance": lambda c: nn.InstanceNorm2d(c, affine=True)}[shape.norm]
    if shape.kind == "residual":
        twin = plain_residual(shape.width, shape.blocks, norm)
    else:
        widths = [shape.width * min(2**k, 8) for k in range(shape.halvings)]
        twin = Nested(3, widths, 3, shape.kind != "unet", norm)
    convolutions = [m for m in twin.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    norms = [m for m in twin.modules() if isinstance(m, nn.BatchNorm2d | nn.InstanceNorm2d)]
    ours = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for sources, targets in ((ours, convolutions), (network.norms(), norms)):
        for source, target in zip(sources, targets, strict=True):
            target.load_state_dict(source.state_dict(), strict=False)
    return twin.train()


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({}, 54_413_955),
        ({"norm": "instance"}, 54_413_955),
        ({"halvings": 7}, 41_828_995),
        ({"kind": "residual", "halvings": 2, "blocks": 6}, 7_841_411),
        ({"kind": "residual", "halvings": 2, "blocks": 9}, 11_383_427),
    ],
)
def test_generators_have_as_many_parameters_as_published(plan, expected):
    with torch.device("meta"):
        assert count(build(GeneratorArchitecture(**plan))) == expected


@pytest.mark.parametrize(
    ("field", "expected"),
    [(1, 9_024), (16, 139_585), (34, 666_433), (70, 2_768_705), (142, 6_964_033), (286, 11_159_361)],
)
def test_discriminators_have_as_many_parameters_as_published(field, expected):
    with torch.device("meta"):
        assert count(PatchDiscriminator(PatchArchitecture(halvings=HALVINGS[field]))) == expected


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
    network = made(norm=norm, **plan)
    twin, image = plain(network), picture(2, 3, 256, 256)
    with torch.no_grad():
        expected = (twin(2 * image - 1) + 1) / 2
        torch.testing.assert_close(network(image, Mode("batch")), expected, atol=1e-5, rtol=0)
        assert expected.std() > 0.1
    if norm == "batch":
        theirs = [module for module in twin.modules() if isinstance(module, nn.BatchNorm2d)]
        for ours, other in zip(network.norms(), theirs, strict=True):
            torch.testing.assert_close(ours.running_mean, other.running_mean)
            torch.testing.assert_close(ours.running_var, other.running_var)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@settings(max_examples=8, deadline=None)
@given(height=st.integers(16, 70), width=st.integers(16, 70), halvings=st.integers(1, 7))
def test_the_output_is_exactly_as_large_as_the_input(kind, upsampling, height, width, halvings):
    halvings = min(halvings, 3) if kind == "residual" else halvings
    network = made(kind, width=2, inputs=1, upsampling=upsampling, halvings=halvings)
    with torch.no_grad():
        found = network(picture(1, 1, height, width))
    assert found.shape == (1, 3, height, width)
    assert found.isfinite().all() and found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (45, 100)])
def test_short_sides_are_reflected_until_they_do(size):
    network, image = made(halvings=6), picture(1, 3, *size)
    rows, columns = (-(-side // 64) * 64 for side in size)
    mirrored = torch.from_numpy(
        np.pad(image.numpy(), ((0, 0), (0, 0), (0, rows - size[0]), (0, columns - size[1])), mode="reflect")
    )
    with torch.no_grad():
        torch.testing.assert_close(network(image), network(mirrored)[..., : size[0], : size[1]])


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_norm_over_a_picture_is_an_instance_norm(kind):
    batch = made(kind, norm="batch")
    instance = made(kind, norm="instance")
    instance.load_state_dict(batch.state_dict(), strict=False)
    one, two = picture(1, 3, 64, 64), picture(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(batch(one), batch(one, Mode("batch")), atol=1e-5, rtol=0)
        torch.testing.assert_close(batch(two), instance(two, Mode("batch")), atol=1e-5, rtol=0)
        assert (batch(two) - batch(two, Mode("batch"))).abs().max() > 0.01


def test_stored_statistics_are_those_of_evaluation():
    network = made(norm="batch")
    twin, image = plain(network), picture(1, 3, 64, 64)
    for ours, theirs in zip(
        network.norms(), [m for m in twin.modules() if isinstance(m, nn.BatchNorm2d)], strict=True
    ):
        theirs.load_state_dict(ours.state_dict(), strict=False)
    with torch.no_grad():
        expected = (twin.eval()(2 * image - 1) + 1) / 2
        before = {name: value.clone() for name, value in network.state_dict().items()}
        torch.testing.assert_close(network(image, Mode("stored")), expected, atol=1e-5, rtol=0)
        assert (network(image) - expected).abs().max() > 0.01
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("kind", KINDS)
def test_moments_that_are_given_take_the_place_of_the_pictures(kind):
    network, image, other = made(kind), picture(1, 3, 64, 64), picture(1, 3, 64, 64, seed=1)
    seen = []
    hooks = [
        norm.register_forward_pre_hook(lambda _, given: seen.append(given[0])) for norm in network.norms()
    ]
    with torch.no_grad():
        expected = network(image)
        moments = [Moments(x.mean((2, 3)), x.var((2, 3), correction=0)) for x in seen]
        for hook in hooks:
            hook.remove()
        assert len(moments) == len(network.norms())
        torch.testing.assert_close(network(image, Mode(moments=moments)), expected, atol=1e-4, rtol=0)
        assert (network(other, Mode(moments=moments)) - network(other)).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_is_a_function_of_the_seed(kind):
    network, image = made(kind), picture(1, 3, 64, 64)
    with torch.no_grad():
        state = torch.get_rng_state()
        one, again, other = (network(image, Mode(dropout=seed)) for seed in (5, 5, 6))
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.equal(one, again)
        assert (one - other).abs().mean() > 1e-3
        assert (one - network(image)).abs().mean() > 1e-3
        network = made(kind, dropout=())
        assert torch.equal(network(image, Mode(dropout=5)), network(image))


def test_dropout_is_where_the_paper_has_it():
    network = build(GeneratorArchitecture(width=1, dropout=(1, 2, 3)))
    assert [layer.place for layer in network.up] == [1, 2, 3, 0, 0, 0, 0, 0]
    assert not any(layer.place for layer in network.down)
    shallow = build(GeneratorArchitecture(width=1, halvings=3))
    assert [layer.place for layer in shallow.up] == [1, 2, 0]  # never on what is painted
    residual = build(GeneratorArchitecture("residual", width=1, halvings=2, blocks=3))
    assert [(block.first.place, block.second.place) for block in residual.residual] == [
        (1, 0),
        (2, 0),
        (3, 0),
    ]


def test_masks_are_fair_and_made_of_rows():
    whole = mask((2, 5, 40, 30), 7, 3)
    assert whole.shape == (2, 5, 40, 30) and set(whole.unique().tolist()) == {0, 2}
    assert abs(whole.float().mean() - 1) < 0.05
    assert torch.equal(mask((2, 5, 9, 30), 7, 3, top=11), whole[:, :, 11:20])
    flat = (whole.float() - 1).permute(2, 0, 1, 3).flatten(1)
    assert (flat @ flat.T / flat.shape[1]).fill_diagonal_(0).abs().max() < 0.3  # no row is like another
    for other in (mask((2, 5, 40, 30), 8, 3), mask((2, 5, 40, 30), 7, 2)):
        assert (whole == other).float().mean() < 0.55


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("dtype", "layout"), FORMS)
def test_other_forms_are_near(kind, dtype, layout):
    network, image = made(kind, width=8), picture(1, 3, 64, 96)
    with torch.no_grad():
        exact = network(image)
        for mode in (Mode(), Mode("batch"), Mode(dropout=1)):
            found = network(image.to(dtype, memory_format=layout), mode)
            assert found.dtype == dtype
            if mode.dropout is None:
                assert (found.float() - exact).square().mean().sqrt() < 0.1 * exact.std()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("upsampling", ["transposed", "resize"])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_reach_every_parameter(kind, upsampling, norm, dtype):
    network = made(kind, upsampling=upsampling, norm=norm)
    image = picture(2, 3, 64, 64).to(dtype, memory_format=torch.channels_last)
    network(image, Mode("batch", dropout=1)).float().square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.any(), name


def test_both_ways_of_enlarging_agree_with_and_without_gradients():
    network, image = made(upsampling="resize", norm="none"), picture(1, 3, 64, 64)
    with torch.no_grad():
        quick = network(image)
    torch.testing.assert_close(network(image).detach(), quick, atol=1e-5, rtol=0)


def test_what_files_of_others_need():
    """Biases where no norm follows, a norm on the innermost map, leaky skips, and a last layer of its own."""
    plan = {"bias": True, "bottleneck_norm": True, "slope": 0.2, "last": "shifted"}
    network, image = made(halvings=3, norm="instance", **plan), picture(1, 3, 24, 32)

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


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_goes_around(kind):
    network, image = made(kind), picture(1, 3, 40, 40)
    twin = build(network.made)
    twin.load_state_dict(network.state_dict())
    for mode in (Mode(), Mode("stored"), Mode(dropout=3)):
        assert torch.equal(network(image, mode), twin(image, mode))


def test_initial_weights_are_those_of_the_paper():
    network = build(GeneratorArchitecture(width=16, norm="batch", halvings=4))
    initialize(network, 3)
    norms = torch.cat([norm.weight.detach() for norm in network.norms()])
    assert abs(norms.mean() - 1) < 0.005 and abs(norms.std() - 0.02) < 0.005
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any()
        elif parameter.dim() == 4:
            assert abs(parameter.mean()) < 0.003 and abs(parameter.std() - 0.02) < 0.003
    twin = build(network.made)
    initialize(twin, 3)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), twin.parameters(), strict=True))


@pytest.mark.parametrize("field", HALVINGS)
def test_a_logit_sees_just_its_patch(field):
    """By the gradient of one in the middle, with respect to a picture."""
    halvings = HALVINGS[field]
    assert receptive_field(halvings) == field
    judge = PatchDiscriminator(PatchArchitecture(inputs=1, width=2, halvings=halvings, norm="none"))
    for parameter in judge.parameters():
        nn.init.constant_(parameter, 0.1)  # no ReLU is shut
    image = torch.full((1, 1, 512, 512), 0.6, requires_grad=True)
    ((*_, logits),) = judge(image)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    rows, columns = image.grad[0, 0].nonzero(as_tuple=True)
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (field, field)


@pytest.mark.parametrize(("field", "side"), [(1, 256), (16, 126), (34, 62), (70, 30), (142, 14), (286, 6)])
def test_as_many_answers_as_published(field, side):
    judge = PatchDiscriminator(PatchArchitecture(width=1, halvings=HALVINGS[field]))
    assert judge(torch.zeros(1, 6, 256, 256))[0][-1].shape == (1, 1, side, side)


def test_the_discriminator_agrees_with_a_plain_one():
    judge = stirred(PatchDiscriminator(PatchArchitecture(inputs=4, width=8)))
    layers, widths = [nn.Conv2d(4, 8, 4, 2, 1), nn.LeakyReLU(0.2)], [8, 16, 32, 64]
    for before, after, stride in zip(widths, widths[1:], (2, 2, 1), strict=False):
        layers += [
            nn.Conv2d(before, after, 4, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.LeakyReLU(0.2),
        ]
    twin = nn.Sequential(*layers, nn.Conv2d(64, 1, 4, 1, 1))
    for ours, theirs in zip(judge.parameters(), twin.parameters(), strict=True):
        theirs.data.copy_(ours)
    image = picture(2, 4, 64, 48)
    (found,) = judge(image)
    torch.testing.assert_close(found[-1], twin(2 * image - 1))
    torch.testing.assert_close(found[1], twin[:5](2 * image - 1))
    assert len(found) == 5


def test_each_scale_judges_a_smaller_picture():
    judge = PatchDiscriminator(PatchArchitecture(width=2, scales=3, halvings=2))
    shapes = [tuple(maps[-1].shape[2:]) for maps in judge(picture(1, 6, 96, 64))]
    assert shapes == [(22, 14), (10, 6), (4, 2)]
    with torch.no_grad():
        half = F.avg_pool2d(2 * picture(1, 6, 96, 64) - 1, 3, 2, 1, count_include_pad=False)
        alone = judge.scales[1][0](half)
        torch.testing.assert_close(judge(picture(1, 6, 96, 64))[1][0], F.leaky_relu(alone, 0.2))


@pytest.mark.parametrize("plan", [{}, {"scales": 2}, {"halvings": 0}, {"halvings": 4, "scales": 3}])
def test_smallest_sides_are_the_smallest(plan):
    made = PatchArchitecture(inputs=1, width=1, norm="none", **plan)
    side, judge = smallest_side(made), PatchDiscriminator(made)
    assert min(judge(torch.zeros(1, 1, side, side))[-1][-1].shape[2:]) >= 1
    if side > 1:
        with pytest.raises(RuntimeError):
            judge(torch.zeros(1, 1, side - 1, side - 1))


def test_spectral_norms_are_one():
    judge = stirred(PatchDiscriminator(PatchArchitecture(width=8, spectral=True, halvings=2)))
    image = picture(1, 6, 32, 32)
    for _ in range(60):
        judge(image)
    for layer in judge.scales[0]:
        assert (layer.norm is None and layer.conv.bias is not None) or layer is judge.scales[0][-1]
        normed = layer.spectral(layer.conv.weight, layer.direction).flatten(1)
        assert torch.linalg.matrix_norm(normed, 2).item() == pytest.approx(1, rel=1e-2)
    before = judge.scales[0][0].direction.clone()
    judge.eval()(image)
    assert torch.equal(judge.scales[0][0].direction, before)


@pytest.mark.parametrize("plan", [{}, {"norm": "instance"}, {"spectral": True, "scales": 2}, {"halvings": 0}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_discriminators_learn_in_any_form(plan, dtype):
    judge = stirred(PatchDiscriminator(PatchArchitecture(width=4, **plan)))
    image = picture(2, 6, 64, 64).to(dtype, memory_format=torch.channels_last).requires_grad_()
    answers = [judge(image), judge(1 - image)]  # as for real and fake, before the way back
    sum(maps[-1].float().square().mean() for answer in answers for maps in answer).backward()
    assert image.grad.isfinite().all() and image.grad.any()
    for name, parameter in judge.named_parameters():
        assert parameter.grad.isfinite().all() and parameter.grad.any(), name
