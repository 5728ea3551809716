"""Strips make what the whole network makes, in the memory that was foretold."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nets import mode_of, picture, psnr, small
from torch import Tensor

from styler.device import Form, peak_memory
from styler.networks import strips
from styler.networks.kinds import build
from styler.networks.layers import Mode, Moments, norms_of
from styler.networks.strips import Map
from styler.networks.unet import UNetArchitecture
from styler.plans import ResidualArchitecture

SIDES = st.integers(16, 70)
LAYOUTS = (torch.contiguous_format, torch.channels_last)
MODES = {"picture": {}, "dropout": {"dropout": 3}, "stored": {"statistics": "stored", "dropout": 4}}

NETWORKS = {
    "johnson": small("johnson"),
    "johnson, transposed": small("johnson", upsampling="transposed"),
    "unet": small(halvings=4),
    "unet, resizing": small(halvings=4, upsampling="resize", norm="instance"),
    "shallow": small(halvings=1),
    "no norms": small(halvings=4, norm="none"),
    "foreign": small(halvings=4, bias=True, bottleneck_norm=True, slope=0.2, last="shifted"),
    "encoder-decoder": small("encoder-decoder", halvings=4),
    "residual": small("residual"),
    "residual, resizing": small("residual", upsampling="resize"),
    "residual, deep": small("residual", halvings=4, width=2),
    "residual, flat": small("residual", halvings=0, width=2),
    "residual, no norms": small("residual", norm="none"),
}
FEW = ("johnson", "unet", "unet, resizing", "encoder-decoder", "residual")
for one in NETWORKS.values():
    one.eval().requires_grad_(False)


@settings(max_examples=60, deadline=None)
@given(
    SIDES,
    SIDES,
    st.integers(1, 70),
    st.sampled_from(list(NETWORKS)),
    st.sampled_from(LAYOUTS),
    st.sampled_from(list(MODES)),
)
def test_strips_are_the_whole(
    height: int, width: int, rows: int, name: str, layout: torch.memory_format, mode: str
) -> None:
    network, image = NETWORKS[name], picture(height, width)
    how = mode_of(network, **MODES[mode])
    found = strips.paint(network, image, how, rows, form=Form(torch.float32, layout))
    assert found.shape == image.shape
    assert psnr(found, network(image, how)) > 90


@pytest.mark.parametrize("name", NETWORKS)
def test_many_strips_of_a_tall_picture(name: str) -> None:
    image, network = picture(403, 21), NETWORKS[name]
    mode = mode_of(network, dropout=3)
    whole = network(image, mode)
    assert psnr(strips.paint(network, image, mode, 16), whole) > 100
    assert whole.std() > 0.02


@pytest.mark.parametrize("name", ["johnson", "unet", "residual"])
def test_bfloat16_is_computed_in_bfloat16(name: str) -> None:
    image, network = picture(80, 40), NETWORKS[name]
    found = strips.paint(network, image, mode_of(network), 16, form=Form(torch.bfloat16))
    assert found.dtype == torch.float32
    assert 25 < psnr(found, network(image, mode_of(network))) < 80


@pytest.mark.parametrize("name", FEW)
def test_given_moments_take_the_place_of_the_pictures_own(name: str) -> None:
    network, image = NETWORKS[name], picture(70, 30)
    channels = [norm.weight.shape[-1] for norm in norms_of(network)]
    moments = [Moments(torch.full((1, c), 0.1), torch.full((1, c), 0.5)) for c in channels]
    for statistics in ("picture", "stored"):
        mode = mode_of(network, statistics=statistics, dropout=2, moments=moments)
        found = strips.paint(network, image, mode, 16)
        assert psnr(found, network(image, mode)) > 100
        assert psnr(found, network(image, replace(mode, statistics="picture", moments=None))) < 60


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_the_norms_see_is_recorded_while_painting(
    name: str, shared: bool, layout: torch.memory_format
) -> None:
    """Whole and in strips alike, with the picture's own moments and with given ones."""
    network, image, form = NETWORKS[name], picture(70, 30), Form(torch.float32, layout)
    own, records = mode_of(network), {16: list[Moments](), 70: list[Moments]()}
    strips.paint(network, picture(50, 40, seed=1), own, 50, record=(other := []))
    mode = replace(own, moments=other) if shared else own
    for rows, record in records.items():
        painted = strips.paint(network, image, mode, rows, record=record, form=form)
        assert psnr(painted, network(image, mode)) > 100
    assert [m.mean.shape[1] for m in records[16]] == [norm.weight.shape[-1] for norm in norms_of(network)]
    for one, two in zip(records[16], records[70], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-5)
    if not shared:
        assert psnr(network(image, replace(own, moments=records[70])), network(image, own)) > 90


def test_stored_statistics_are_not_those_of_the_picture() -> None:
    network, image = NETWORKS["unet"], picture(40, 30)
    stored, own = (strips.paint(network, image, Mode(name), 16) for name in ("stored", "picture"))
    assert psnr(stored, own) < 40


@pytest.mark.parametrize("kind", ["johnson", "unet"])
def test_paints_into_a_tensor_that_is_there(kind: str) -> None:
    image, network = picture(40, 30), small(kind, outputs=1)
    for rows in (16, 40):
        out = torch.empty(1, 1, 40, 30)
        assert strips.paint(network, image, mode_of(network), rows, out) is out
        assert psnr(out, network(image, mode_of(network)).detach()) > 100
        assert not out.requires_grad


@pytest.mark.parametrize("layout", LAYOUTS)
def test_moments_of_strips_are_those_of_the_map(layout: torch.memory_format) -> None:
    x = (torch.randn(1, 5, 37, 300) * 0.1 + 20).contiguous(memory_format=layout)
    mean, variance = strips.measured(strips.as_map(x), 8)
    right = x.double()
    torch.testing.assert_close(mean.double(), right.mean((2, 3)), rtol=1e-6, atol=0)
    torch.testing.assert_close(variance.double(), right.var((2, 3), correction=0), rtol=5e-3, atol=0)


def test_a_map_can_be_written_over_what_it_is_made_of() -> None:
    x = torch.arange(20.0).view(1, 1, 20, 1)

    def above(a: int, b: int) -> Tensor:
        return torch.cat([x[:, :, max(a - 1, 0) : max(a, 1)], x[:, :, a : b - 1]], 2)

    strips.write(x, Map(20, above), 4)
    assert x.flatten().tolist() == [0.0, *range(19)]


@given(
    st.sampled_from(["johnson", "unet", "encoder-decoder", "residual"]),
    st.integers(16, 4000),
    st.integers(16, 4000),
    st.integers(16, 5000),
)
def test_memory_grows_with_size_and_rows(name: str, height: int, width: int, rows: int) -> None:
    network = NETWORKS[name]
    needed = strips.memory(network, height, width, rows)
    assert needed <= strips.memory(network, height, width + 1, rows)
    assert needed <= strips.memory(network, height, width, rows + 1)
    assert needed >= strips.memory(network, height, width, rows, torch.bfloat16)


@pytest.mark.parametrize(
    ("config", "whole"), [(ResidualArchitecture(), 2e9), (UNetArchitecture(), 4e9)], ids=["johnson", "unet"]
)
def test_twelve_megapixels_take_less_than_two_gigabytes(
    config: ResidualArchitecture | UNetArchitecture, whole: float
) -> None:
    with torch.device("meta"):
        network = build(config)
    rows = strips.thinnest(network, 4000)
    assert strips.memory(network, 3000, 4000, rows) < 2e9
    assert strips.memory(network, 3000, 4000, 3000) > whole


def test_memory_is_that_foretold_and_less_than_for_the_whole() -> None:
    """A picture of two megapixels; the memory of a process is measured as a whole, so bounds are wide."""
    network = build(UNetArchitecture(width=16, halvings=6)).requires_grad_(False)
    image, form = torch.rand(1, 3, 1600, 1280), Form(torch.float32, torch.channels_last)
    strips.paint(network, image[:, :, :64, :64], Mode(), 64, form=form)
    peaks = []
    for rows in (128, 1600):
        with peak_memory(torch.device("cpu")) as peak:
            strips.paint(network, image, Mode(), rows, form=form)
            peaks.append(peak())
    if None not in peaks:
        assert peaks[0] < peaks[1]
        for rows, risen in zip((128, 1600), peaks, strict=True):
            assert risen < strips.memory(network, 1600, 1280, rows)
