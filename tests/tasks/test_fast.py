"""Painting pictures: strength, color, number types, memory that runs out, borders."""

import math
from typing import Any

import pytest
import torch
from nets import MIX, STYLED, picture, psnr, small
from PIL import Image

from styler.device import Form
from styler.errors import DeviceError
from styler.image.color import luma
from styler.networks import strips
from styler.networks.flow import Run, X
from styler.networks.residual import ResidualArchitecture, ResidualNetwork
from styler.networks.strips import EXACT
from styler.options.fast import FastOptions
from styler.storage.pictures.save import save_picture
from styler.tasks import fast, onepass
from styler.tasks.fast import Painter

CPU = torch.device("cpu")
NETWORK = small("johnson").eval().requires_grad_(False)
NEVER = 2**62


def painter(**changes: Any) -> Painter:
    return Painter(NETWORK, MIX, FastOptions(**changes))


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 23), (33, 70), (69, 47)])
def test_every_size_comes_back_clamped(height: int, width: int) -> None:
    image = picture(height, width)
    found = painter()(image)
    assert found.shape == image.shape and found.dtype == torch.float32
    torch.testing.assert_close(found, NETWORK(image, STYLED).clamp(0, 1))


def test_strength_goes_from_the_photo_to_the_painting() -> None:
    image = picture(20, 30)
    full = painter()(image)
    assert torch.equal(painter(strength=0)(image), image)
    with torch.no_grad():
        assert torch.equal(full, NETWORK(image, STYLED).clamp(0, 1))
    torch.testing.assert_close(painter(strength=0.25)(image), 0.75 * image + 0.25 * full)


def test_color_luminance_has_the_paintings_luma_only() -> None:
    image = picture(20, 30)
    gray = luma(image).expand(-1, 3, -1, -1)
    found = painter(color="luminance")(gray)
    torch.testing.assert_close(found, luma(painter()(gray)).expand(-1, 3, -1, -1), atol=1e-5, rtol=0)


def test_what_was_given_is_not_changed() -> None:
    image = picture(20, 30)
    before = image.clone()
    painter(strength=0)(image).zero_()
    painter(strength=0.5, color="luminance")(image).zero_()
    assert torch.equal(image, before)


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_constant_picture_has_no_border(level: float) -> None:
    image = torch.full((1, 3, 50, 61), level)
    with torch.no_grad():
        found = NETWORK(image, STYLED)
    inside = found[..., 12:-12, 12:-12]
    assert found.var((2, 3)).max() <= inside.var((2, 3)).max() + 1e-9
    assert (found - inside.mean((2, 3), keepdim=True)).abs().max() < 1e-4


def test_a_border_is_as_calm_as_the_middle() -> None:
    """Of noise, whose statistics are the same everywhere, the border's variance is at most a little more."""
    found = painter()(picture(160, 160))
    band = torch.cat([found[..., :8, :].flatten(2), found[..., -8:, :].flatten(2)], 2)
    assert band.var(2).mean() <= 1.35 * found[..., 40:-40, 40:-40].flatten(2).var(2).mean()


def test_saved_pictures_are_rounded(tmp_path) -> None:
    save_picture(tmp_path / "a.png", torch.full((1, 3, 16, 16), 99.6 / 255))
    assert Image.open(tmp_path / "a.png").getpixel((3, 3)) == (100, 100, 100)


# Memory


class Short(ResidualNetwork):
    """Runs out of memory as often as it is told."""

    failures = 0
    error: Exception = MemoryError()

    def flow(self, x: X, run: Run[X]) -> X:
        if self.failures:
            self.failures -= 1
            raise self.error
        return super().flow(x, run)


def short(failures: int, error: Exception) -> Painter:
    network = Short(ResidualArchitecture(width=4, styles=2)).eval()
    network.load_state_dict(NETWORK.state_dict())
    network.failures, network.error = failures, error
    return Painter(network, MIX, FastOptions())


SHORTAGES = (
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
)


@pytest.mark.parametrize("error", SHORTAGES, ids=lambda error: str(error)[:20])
def test_painting_goes_on_in_thinner_strips(error: Exception) -> None:
    image, paint = picture(100, 40), short(2, error)
    assert psnr(paint(image), painter()(image)) > 90
    assert [note.split("of ")[-1] for note in paint.notes] == ["50 rows", "25 rows"]
    assert paint.plan(100, 40)[0] == 25  # and the next picture begins there
    assert psnr(paint(image), painter()(image)) > 90
    assert len(paint.notes) == 2


def test_memory_that_never_suffices_is_an_error_of_one_line() -> None:
    with pytest.raises(DeviceError, match="40 x 100 pixels is too large"):
        short(NEVER, MemoryError())(picture(100, 40))


def test_other_errors_are_not_taken_for_a_shortage() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"):
        short(1, RuntimeError("shapes differ"))(picture(100, 40))


def test_the_plan_paints_whole_what_fits_and_strips_what_does_not() -> None:
    full = Painter(NETWORK, MIX, FastOptions(), comfort=onepass.COMFORT)
    assert full.plan(512, 512)[0] == 512
    rows, needed = full.plan(40_000, 20_000)
    assert rows < 40_000
    full.room = needed
    assert full.plan(40_000, 20_000) == (rows, needed)
    assert full.plan(512, 512)[0] == 512


def test_the_plan_names_a_size_that_fits() -> None:
    paint = Painter(NETWORK, MIX, FastOptions(), room=2e9)
    with pytest.raises(DeviceError, match=r"^a picture of 40000 x 30000 .* GB .* use --size \d+$") as caught:
        paint.plan(30_000, 40_000)
    side = int(str(caught.value).split()[-1])
    assert 1000 < side < 40_000
    assert paint.plan(side * 3 // 4, side)[1] <= 2e9


def test_memory_is_obeyed() -> None:
    sample = picture(20, 20)
    paint = fast.painter(NETWORK, MIX, FastOptions(memory=1.5, precision="float32"), CPU, sample)
    assert (paint.room, paint.comfort) == (1.5e9, math.inf)
    free = fast.painter(NETWORK, MIX, FastOptions(precision="float32"), CPU, sample)
    assert 0 < free.room <= math.inf
    assert free.comfort == onepass.COMFORT


# Number types


@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_precision_is_obeyed_without_measuring(name: str, monkeypatch) -> None:
    monkeypatch.setattr(onepass, "chosen", None)
    paint = fast.painter(NETWORK, MIX, FastOptions(precision=name), CPU, picture(20, 20))
    assert paint.form.dtype == getattr(torch, name)


def test_little_work_is_done_in_float32_without_measuring(monkeypatch) -> None:
    monkeypatch.setattr(onepass, "chosen", None)
    paint = fast.painter(NETWORK, MIX, FastOptions(), CPU, picture(20, 20), work=400)
    assert paint.form.dtype == torch.float32


@pytest.mark.parametrize(
    ("seconds", "noise", "right"),
    [(0.5, 0.001, torch.bfloat16), (1.5, 0.001, torch.float32), (0.5, 0.1, torch.float32)],
)
def test_bfloat16_must_be_faster_and_alike(
    monkeypatch, seconds: float, noise: float, right: torch.dtype
) -> None:
    rough, sample = Form(torch.bfloat16), picture(20, 20)
    timings = {EXACT: (sample, 1.0), rough: (sample + noise, seconds)}
    monkeypatch.setattr(onepass, "timed", lambda worker, sample: timings[worker.form])
    assert onepass.chosen(painter(), sample, EXACT, rough).dtype == right


@pytest.mark.parametrize(
    ("size", "right"), [((20, 30), (20, 30)), ((500, 1000), (128, 256)), ((2000, 20), (256, 16))]
)
def test_samples_are_small_but_not_too_small(size: tuple[int, int], right: tuple[int, int]) -> None:
    assert tuple(onepass.shrunk(picture(*size)).shape[2:]) == right


def test_auto_measures_and_paints() -> None:
    image = picture(40, 40)
    paint = fast.painter(NETWORK, MIX, FastOptions(), CPU, image)
    assert psnr(paint(image), painter()(image)) > 38
    assert strips.memory(NETWORK, 40, 40, 40, paint.form.dtype) == paint.plan(40, 40)[1]
