"""Strips paint what the whole network paints, in the memory that was foretold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from styler.device import Form
from styler.networks import strips
from styler.networks.strips import Map
from styler.networks.transform import Architecture, Moments, TransformNetwork

SIDES = st.integers(16, 70)
LAYOUTS = (torch.contiguous_format, torch.channels_last)


def made(upsampling: str = "nearest", styles: int = 2) -> TransformNetwork:
    torch.manual_seed(0)
    network = TransformNetwork(Architecture(4, styles, upsampling)).eval()
    for block in network.blocks():  # so that no two rows of the tables are alike
        torch.nn.init.normal_(block.norm.weight, 1, 0.3)
        torch.nn.init.normal_(block.norm.bias, 0, 0.3)
    return network.requires_grad_(False)


NETWORKS = {name: made(name) for name in ("nearest", "transpose")}
MIX = torch.tensor([[0.7, 0.3]])


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def psnr(x: Tensor, y: Tensor) -> float:
    return -10 * float(torch.log10((x.double() - y.double()).square().mean() + 1e-30))


@settings(max_examples=25, deadline=None)
@given(SIDES, SIDES, st.integers(1, 70), st.sampled_from(list(NETWORKS)), st.sampled_from(LAYOUTS))
def test_strips_are_the_whole(
    height: int, width: int, rows: int, name: str, layout: torch.memory_format
) -> None:
    network, image = NETWORKS[name], picture(height, width)
    found = strips.paint(network, image, MIX, rows, form=Form(torch.float32, layout))
    assert found.shape == image.shape
    assert psnr(found, network(image, MIX)) > 90


def test_many_strips_of_a_tall_picture() -> None:
    image = picture(403, 21)
    assert psnr(strips.paint(NETWORKS["nearest"], image, MIX, 16), NETWORKS["nearest"](image, MIX)) > 100


def test_bfloat16_is_computed_in_bfloat16() -> None:
    image, network = picture(80, 40), NETWORKS["nearest"]
    found = strips.paint(network, image, MIX, 16, form=Form(torch.bfloat16))
    assert found.dtype == torch.float32
    assert 30 < psnr(found, network(image, MIX)) < 80


def test_given_moments_take_the_place_of_the_pictures_own() -> None:
    network, image = NETWORKS["nearest"], picture(70, 30)
    channels = [len(block.norm.weight[0]) for block in network.blocks()]
    moments = [Moments(torch.full((1, c), 0.1), torch.full((1, c), 0.5)) for c in channels]
    found = strips.paint(network, image, MIX, 16, moments=moments)
    assert psnr(found, network(image, MIX, moments)) > 100
    assert psnr(found, network(image, MIX)) < 60


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shared", [False, True])
def test_what_the_norms_see_is_found_while_painting(layout: torch.memory_format, shared: bool) -> None:
    """Whole and in strips alike, with the picture's own moments and with given ones."""
    network, image, form = NETWORKS["nearest"], picture(70, 30), Form(torch.float32, layout)
    lists: dict[int, list[Moments]] = {16: [], 70: []}
    strips.paint(network, picture(50, 40, seed=1), MIX, 50, found=(other := []))
    moments = other if shared else None
    for rows, found in lists.items():
        made = strips.paint(network, image, MIX, rows, moments=moments, found=found, form=form)
        assert psnr(made, network(image, MIX, moments)) > 100
    assert [m.mean.shape[1] for m in lists[16]] == [b.conv.out_channels for b in network.blocks()]
    for one, two in zip(lists[16], lists[70], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-5)
    if not shared:
        assert psnr(network(image, MIX, lists[70]), network(image, MIX)) > 90
    assert not any(block.norm._forward_pre_hooks for block in network.blocks())


def test_paints_into_a_tensor_that_is_there() -> None:
    image, network = picture(40, 30), made().requires_grad_(True)
    for rows in (16, 40):
        out = torch.empty_like(image)
        assert strips.paint(network, image, MIX, rows, out) is out
        assert psnr(out, network(image, MIX).detach()) > 100
        assert not out.requires_grad


@pytest.mark.parametrize("layout", LAYOUTS)
def test_moments_of_strips_are_those_of_the_map(layout: torch.memory_format) -> None:
    x = (torch.randn(1, 5, 37, 300) * 0.1 + 20).contiguous(memory_format=layout)
    mean, variance = strips.measured(strips.stored(x), 8)
    right = x.double()
    torch.testing.assert_close(mean.double(), right.mean((2, 3)), rtol=1e-6, atol=0)
    torch.testing.assert_close(variance.double(), right.var((2, 3), correction=0), rtol=5e-3, atol=0)


def test_a_map_can_be_written_over_what_it_is_made_of() -> None:
    x = torch.arange(20.0).view(1, 1, 20, 1)

    def above(a: int, b: int) -> Tensor:
        return torch.cat([x[:, :, max(a - 1, 0) : max(a, 1)], x[:, :, a : b - 1]], 2)

    strips.write(x, Map(20, above), 4)
    assert x.flatten().tolist() == [0.0, *range(19)]


@given(st.integers(16, 4000), st.integers(16, 4000), st.integers(16, 5000))
def test_memory_grows_with_size_and_rows(height: int, width: int, rows: int) -> None:
    network = NETWORKS["nearest"]
    needed = strips.memory(network, height, width, rows)
    assert needed <= strips.memory(network, height, width + 1, rows)
    assert needed <= strips.memory(network, height, width, rows + 1)
    assert needed >= strips.memory(network, height, width, rows, torch.bfloat16)


def test_twelve_megapixels_take_less_than_two_gigabytes() -> None:
    with torch.device("meta"):
        network = TransformNetwork(Architecture(32))
    rows = strips.thinnest(network, 4000)
    assert strips.memory(network, 3000, 4000, rows) < 2e9 < strips.memory(network, 3000, 4000, 3000)
