"""Networks that enlarge: parameters counted by others, shapes, constants, strips, reach, mixtures."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from nets import enlarger
from torch import nn

from styler.device import Form
from styler.networks import strips
from styler.networks.enlarge import JOHNSON, SRRESNET, EnlargeArchitecture, EnlargeNetwork, mixed
from styler.networks.flow import enlarged
from styler.networks.layers import Mode
from styler.networks.patch import DenseDiscriminator
from styler.plans import check

STORED = Mode("stored")
PLAIN = EnlargeArchitecture(inputs=3)
SMALL = {"width": 6, "blocks": 2}
KINDS = {
    "ours": PLAIN,
    "ours x2": replace(PLAIN, factor=2),
    "nearest": replace(PLAIN, upsampling="nearest"),
    "bilinear": replace(PLAIN, upsampling="bilinear"),
    "transposed": replace(PLAIN, upsampling="transposed"),
    "johnson": JOHNSON,
    "srresnet": SRRESNET,
}
EACH = pytest.mark.parametrize("kind", KINDS)


def network(kind: str, **more: object) -> EnlargeNetwork:
    return enlarger(replace(KINDS[kind], **{**SMALL, **more}))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize(
    ("config", "theirs", "biases"),
    [
        (PLAIN, 731_120, 0),
        (replace(PLAIN, factor=2), 710_348, 0),
        # Those of others have biases before batch norms, which take them out: 11 and 33 of 64 channels.
        (JOHNSON, 401_859, 11 * 64),
        (SRRESNET, 1_549_462, 33 * 64),
        (replace(SRRESNET, factor=2), 1_401_749, 33 * 64),
    ],
)
def test_parameters_are_as_many_as_others_count(
    config: EnlargeArchitecture, theirs: int, biases: int
) -> None:
    assert count(EnlargeNetwork(config)) == theirs - biases


def test_so_are_those_of_srgans_discriminator() -> None:
    discriminator = DenseDiscriminator(96)
    assert count(discriminator.hidden) == 4_689_088 and count(discriminator) == 23_565_505
    assert discriminator(torch.rand(2, 3, 96, 96))[0][-1].shape == (2, 1, 1, 1)


@EACH
@pytest.mark.parametrize("size", [(16, 16), (17, 31)])
def test_output_is_exactly_as_many_times_as_large(kind: str, size: tuple[int, int]) -> None:
    net = network(kind)
    made = net(torch.rand(2, 3, *size), STORED)
    assert made.shape == (2, 3, net.scale * size[0], net.scale * size[1])


@pytest.mark.parametrize("factor", [1, 3, 8])
def test_other_factors_are_refused(factor: int) -> None:
    with pytest.raises(ValueError, match="factor"):
        check(EnlargeArchitecture(factor=factor))  # type: ignore[arg-type]


def test_at_first_it_is_nearly_bilinear() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 4, 24, 24)
    made = EnlargeNetwork()(image)
    assert (made - enlarged(image[:, :3], 4)).abs().max() < 0.1


@pytest.mark.parametrize("kind", ["ours", "ours x2", "nearest", "bilinear"])
def test_a_constant_is_as_constant_at_the_border(kind: str) -> None:
    """With borders of zeros it would get darker there."""
    net = network(kind)
    made = net(torch.full((1, 3, 24, 24), 0.4))
    middle = made[..., 44:52, 44:52].mean((2, 3)) if net.scale == 4 else made[..., 20:28, 20:28].mean((2, 3))
    period = made.unfold(2, net.scale, net.scale).unfold(3, net.scale, net.scale).mean((4, 5))
    assert (period - middle[..., None, None]).abs().max() < 1e-4


@EACH
@pytest.mark.parametrize("rows", [16, 24])
def test_strips_are_the_whole(kind: str, rows: int) -> None:
    net, image = network(kind), torch.rand(1, 3, 61, 19)
    whole = strips.paint(net, image, STORED, 61)
    made = strips.paint(net, image, STORED, rows)
    assert made.shape == whole.shape and (made - whole).abs().max() < 1e-5


@EACH
def test_reach_is_that_of_the_gradients(kind: str) -> None:
    """No row beyond it has any; of ours, the outermost has."""
    net = network(kind)
    assert net.reach is not None
    image = torch.rand(1, 3, 2 * net.reach + 9, 20, requires_grad=True)
    middle = net.reach + 4
    net(image, STORED)[..., net.scale * middle : net.scale * (middle + 1), :].square().sum().backward()
    assert image.grad is not None
    touched = image.grad.abs().sum((0, 1, 3)).nonzero().flatten()
    assert touched.min() >= middle - net.reach and touched.max() <= middle + net.reach
    if kind.startswith("ours"):
        assert touched.min() == middle - net.reach and net.reach == 1 + 2 * 2 + 1 + 1


def test_reach_of_the_default_is_21_pixels() -> None:
    assert EnlargeNetwork().reach == 21


def test_memory_in_strips_is_less_than_of_the_whole() -> None:
    net = network("ours", width=64)
    assert strips.memory(net, 2000, 3000, 64) < strips.memory(net, 2000, 3000, 2000) / 3


def test_a_picture_is_corrected_in_its_own_number_type() -> None:
    """Rounded are small numbers only: with all of the picture in bfloat16 it would be off by 1/512."""
    net, image = network("ours"), torch.rand(1, 3, 24, 24)
    with torch.no_grad():
        net.last.conv.weight.mul_(0.01)
        rough, exact = net(image, STORED, Form(torch.bfloat16)), net(image, STORED)
    assert rough.dtype == torch.float32 and (rough - exact).abs().max() < 5e-4


def test_half_of_each_is_between() -> None:
    one, two = network("ours"), enlarger(replace(PLAIN, **SMALL), seed=1)
    half = mixed(one, two, 0.5, 0)
    for name, value in half.state_dict().items():
        assert torch.allclose(value, (one.state_dict()[name] + two.state_dict()[name]) / 2)
    image = torch.rand(1, 3, 20, 20)
    assert torch.equal(mixed(one, two, 0, 0)(image), one(image))
    assert torch.allclose(mixed(one, two, 1, 0)(image), two(image), atol=1e-6)


@pytest.mark.parametrize("level", [0.0, 0.7])
def test_a_level_of_cleaning_is_a_bias(level: float) -> None:
    """Also at the border."""
    net, image = enlarger(EnlargeArchitecture(**SMALL)), torch.rand(1, 3, 20, 20)
    with_level = net(torch.cat([image, torch.full_like(image[:, :1], level)], 1))
    plain = mixed(net, None, 1, level)
    assert plain.config.inputs == 3 and torch.allclose(plain(image), with_level, atol=1e-5)


def test_the_sides_of_the_last_kernel_are_in_large_pixels() -> None:
    """Of a kernel of 9 at four times the size, a ninth of which is one small pixel."""
    net = EnlargeNetwork(JOHNSON)
    assert net.reach is not None and net.reach >= 4 + 8 + math.ceil(4 / 4)


@EACH
@pytest.mark.parametrize("height", [16, 39, 100])
def test_strips_work_on_each_row_once(kind: str, height: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the few that a layer needs of its neighbors; strips that overlap do many of them twice."""
    net, image, counts = network(kind), torch.rand(1, 3, height, 20), list[int]()
    flow = net.flow
    monkeypatch.setattr(net, "flow", lambda x, run: (counts.append(x.shape[2]), flow(x, run))[1])
    whole = net(image, STORED)
    made = strips.paint(net, image, STORED, 16)
    assert (made - whole).abs().max() < 1e-5
    assert sum(counts[1:]) == height and max(counts[1:]) <= 16 + (net.reach or 0)
