"""Strips translate what the whole generator translates, in the memory that was foretold."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from styler.device import Form, peak_memory
from styler.networks import pix2pix_strips
from styler.networks.pix2pix import Generator, GeneratorArchitecture, Mode, build, initialize
from styler.networks.transform import Moments

SIDES = st.integers(16, 70)
LAYOUTS = (torch.contiguous_format, torch.channels_last)
MODES = {"picture": Mode(), "dropout": Mode(dropout=3), "stored": Mode("stored", dropout=4)}


def made(kind: str, **more: object) -> Generator:
    plan = {"width": 4, "halvings": 2 if kind == "residual" else 4, "blocks": 2, **more}
    network = build(GeneratorArchitecture(kind, **plan))  # type: ignore[arg-type]
    initialize(network, 0)
    draw = torch.Generator().manual_seed(0)
    for name, values in (*network.named_parameters(), *network.named_buffers()):
        if values.dim() > 1:
            nn.init.normal_(values, 0, values[0].numel() ** -0.5, generator=draw)
        else:
            least = 0.5 if "var" in name or "weight" in name else -0.5
            nn.init.uniform_(values, least, 1.5, generator=draw)
    return network.requires_grad_(False)


NETWORKS = {
    "unet": made("unet"),
    "unet, resizing": made("unet", upsampling="resize", norm="instance"),
    "shallow": made("unet", halvings=1),
    "no norms": made("unet", norm="none"),
    "foreign": made("unet", bias=True, bottleneck_norm=True, slope=0.2, last="shifted"),
    "encoder-decoder": made("encoder-decoder"),
    "residual": made("residual"),
    "residual, resizing": made("residual", upsampling="resize"),
    "residual, deep": made("residual", halvings=4, width=2),
    "residual, flat": made("residual", halvings=0, width=2),
}


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def psnr(x: Tensor, y: Tensor) -> float:
    return -10 * float(torch.log10((x.double() - y.double()).square().mean() + 1e-30))


@settings(max_examples=40, deadline=None)
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
    found = pix2pix_strips.paint(network, image, rows, MODES[mode], form=Form(torch.float32, layout))
    assert found.shape == image.shape
    assert psnr(found, network(image, MODES[mode])) > 90


@pytest.mark.parametrize("name", NETWORKS)
def test_many_strips_of_a_tall_picture(name: str) -> None:
    image, network, mode = picture(403, 21), NETWORKS[name], MODES["dropout"]
    whole = network(image, mode)
    assert psnr(pix2pix_strips.paint(network, image, 16, mode), whole) > 100
    assert whole.std() > 0.02


@pytest.mark.parametrize("kind", ["unet", "residual"])
def test_bfloat16_is_computed_in_bfloat16(kind: str) -> None:
    image, network = picture(80, 40), NETWORKS[kind]
    found = pix2pix_strips.paint(network, image, 16, Mode(), form=Form(torch.bfloat16))
    assert found.dtype == torch.float32
    assert 25 < psnr(found, network(image)) < 80


@pytest.mark.parametrize("kind", ["unet", "encoder-decoder", "residual"])
def test_given_moments_take_the_place_of_the_pictures_own(kind: str) -> None:
    network, image = NETWORKS[kind], picture(70, 30)
    channels = [len(norm.weight) for norm in network.norms()]
    moments = [Moments(torch.full((1, c), 0.1), torch.full((1, c), 0.5)) for c in channels]
    for statistics in ("picture", "stored"):
        mode = Mode(statistics, 2, moments)  # type: ignore[arg-type]
        found = pix2pix_strips.paint(network, image, 16, mode)
        assert psnr(found, network(image, mode)) > 100
        assert psnr(found, network(image, Mode(dropout=2))) < 60


@pytest.mark.parametrize("name", ["unet", "unet, resizing", "encoder-decoder", "residual"])
@pytest.mark.parametrize("shared", [False, True])
def test_what_the_norms_see_is_found_while_painting(name: str, shared: bool) -> None:
    """Whole and in strips alike, with the picture's own moments and with given ones."""
    network, image = NETWORKS[name], picture(70, 30)
    lists: dict[int, list[Moments]] = {16: [], 70: []}
    pix2pix_strips.paint(network, picture(50, 40, seed=1), 50, Mode(), found=(other := []))
    mode = Mode(moments=other) if shared else Mode()
    for rows, found in lists.items():
        painted = pix2pix_strips.paint(network, image, rows, mode, found=found)
        assert psnr(painted, network(image, mode)) > 100
    assert [m.mean.shape[1] for m in lists[16]] == [len(norm.weight) for norm in network.norms()]
    for one, two in zip(lists[16], lists[70], strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-5)
    if not shared:
        assert psnr(network(image, Mode(moments=lists[70])), network(image)) > 90
    assert not any(norm._forward_pre_hooks for norm in network.norms())


def test_stored_statistics_are_not_those_of_the_picture() -> None:
    network, image = NETWORKS["unet"], picture(40, 30)
    stored, own = (pix2pix_strips.paint(network, image, 16, Mode(name)) for name in ("stored", "picture"))  # type: ignore[arg-type]
    assert psnr(stored, own) < 40


def test_paints_into_a_tensor_that_is_there() -> None:
    image, network = picture(40, 30), made("unet", outputs=1).requires_grad_(True)
    for rows in (16, 40):
        out = torch.empty(1, 1, 40, 30)
        assert pix2pix_strips.paint(network, image, rows, Mode(), out) is out
        assert psnr(out, network(image).detach()) > 100
        assert not out.requires_grad


@given(
    st.sampled_from(["unet", "encoder-decoder", "residual"]),
    st.integers(16, 4000),
    st.integers(16, 4000),
    st.integers(16, 5000),
)
def test_memory_grows_with_size_and_rows(kind: str, height: int, width: int, rows: int) -> None:
    network = NETWORKS[kind]
    needed = pix2pix_strips.memory(network, height, width, rows)
    assert needed <= pix2pix_strips.memory(network, height, width + 1, rows)
    assert needed <= pix2pix_strips.memory(network, height, width, rows + 1)
    assert needed >= pix2pix_strips.memory(network, height, width, rows, torch.bfloat16)


def test_twelve_megapixels_take_less_than_two_gigabytes() -> None:
    with torch.device("meta"):
        network = build(GeneratorArchitecture())
    rows = pix2pix_strips.thinnest(network, 4000)
    assert pix2pix_strips.memory(network, 3000, 4000, rows) < 2e9
    assert pix2pix_strips.memory(network, 3000, 4000, 3000) > 4e9


def test_memory_is_that_foretold_and_less_than_for_the_whole() -> None:
    """A picture of two megapixels; the memory of a process is measured as a whole, so bounds are wide."""
    network = build(GeneratorArchitecture(width=16, halvings=6)).requires_grad_(False)
    image, form = torch.rand(1, 3, 1600, 1280), Form(torch.float32, torch.channels_last)
    pix2pix_strips.paint(network, image[:, :, :64, :64], 64, Mode(), form=form)
    peaks = []
    for rows in (128, 1600):
        with peak_memory(torch.device("cpu")) as peak:
            pix2pix_strips.paint(network, image, rows, Mode(), form=form)
            peaks.append(peak())
    if None not in peaks:
        assert peaks[0] < peaks[1]
        for rows, risen in zip((128, 1600), peaks, strict=True):
            assert risen < pix2pix_strips.memory(network, 1600, 1280, rows)
