"""Painting with a network of styles: strength, color, borders; textures that are too large."""

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch
from nets import MIX, STYLED, picture, small
from PIL import Image

from styler.errors import DeviceError
from styler.image.color import luma
from styler.image.size import resize
from styler.networks import strips
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.options.fast import FastOptions
from styler.storage.models import library
from styler.storage.pictures.save import save_picture
from styler.tasks import fast
from styler.tasks.onepass import Budget, OnePass

NETWORK = small("johnson").eval().requires_grad_(False)


def painter(**changes: Any) -> OnePass:
    return fast.painter(NETWORK, MIX, FastOptions(**changes))


def test_strength_goes_from_the_photo_to_the_painting() -> None:
    image = picture(20, 30)
    full = painter()(image)
    assert torch.equal(painter(strength=0)(image), image)
    with torch.no_grad():
        torch.testing.assert_close(full, NETWORK(image, STYLED).clamp(0, 1))
    torch.testing.assert_close(painter(strength=0.25)(image), 0.75 * image + 0.25 * full)


@pytest.mark.parametrize(("scale", "inner"), [(2.0, (20, 30)), (0.5, (80, 120)), (20.0, (16, 24))])
def test_strokes_of_another_size_are_painted_at_another_size(scale: float, inner: tuple[int, int]) -> None:
    """However large they are to be, no side is shorter than the network can take."""
    image = picture(40, 60)
    assert fast.stroked((40, 60), scale) == inner
    with torch.no_grad():
        painted = NETWORK(resize(image, inner), STYLED).clamp(0, 1)
    torch.testing.assert_close(painter(style_scale=scale)(image), resize(painted, (40, 60)))
    assert torch.equal(painter(style_scale=scale, strength=0)(image), image)


def test_color_photo_has_the_paintings_luma_only() -> None:
    image = picture(20, 30)
    gray = luma(image).expand(-1, 3, -1, -1)
    found = painter(color="photo")(gray)
    torch.testing.assert_close(found, luma(painter()(gray)).expand(-1, 3, -1, -1), atol=1e-5, rtol=0)


def test_grain_is_the_same_each_time_in_whole_pictures_and_in_strips() -> None:
    """Strips of a picture with grain are those of the picture to which the very grain was added before."""
    grainy, image = copy.deepcopy(NETWORK), picture(64, 48)
    grainy.config = replace(grainy.config, grain=0.1)
    paint = fast.painter(grainy, MIX, FastOptions())
    assert torch.equal(paint(image), painter()(fast.with_grain(image, 0.1)))
    assert (paint(image) - painter()(image)).abs().max() > 1e-3
    thin = replace(paint, budget=Budget(largest=16 * 48))
    assert thin.rows(64, 48) == 16
    assert torch.equal(thin(image), replace(painter(), budget=thin.budget)(fast.with_grain(image, 0.1)))
    assert torch.equal(fast.painter(grainy, MIX, FastOptions(strength=0))(image), image)


def test_memory_for_the_grain_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any network: a flat photo and the grain that it gets take 38 bytes a pixel, as measured."""
    monkeypatch.setattr(strips, "memory", lambda *_: 0)
    assert painter().needed(100, 10, 16) >= 38 * 100 * 10


@pytest.mark.parametrize("style", ["stained-glass", "starry-night"])
def test_a_white_sheet_is_painted_in_the_style(style: str) -> None:
    """Without a contrast of its own it would come out in one color."""
    model = library.read(library.locate("", style))
    paint = fast.painter(model.network, torch.ones(1, 1), FastOptions())
    white = torch.ones(1, 3, 96, 128)
    painted = paint(white)
    assert float(painted.mean(1).std()) > 0.1
    thin = replace(paint, budget=Budget(largest=24 * 128))
    assert thin.rows(96, 128) == 24 and (thin(white) - painted).abs().max() < 1e-3


def test_what_was_given_is_not_changed() -> None:
    image = picture(20, 30)
    before = image.clone()
    painter(strength=0)(image).zero_()
    painter(strength=0.5, color="photo")(image).zero_()
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


# Texture


@pytest.fixture
def grain() -> TextureNetwork:
    torch.manual_seed(1)
    return TextureNetwork(TextureArchitecture(2, 2, 1)).eval()


def test_texture_takes_what_was_told_and_names_a_size_that_fits(grain: TextureNetwork) -> None:
    size = (400, 800)
    needed = fast.texture_memory(grain, size, torch.float32)
    with pytest.raises(DeviceError, match=r"800 x 400 pixels is too large.*use --size \d+x\d+$") as caught:
        fast.texture(grain, MIX[:, :1], size, FastOptions(memory=needed * 0.9e-9))
    width, height = map(int, str(caught.value).split()[-1].split("x"))
    assert abs(width / height - 2) < 0.05
    found = fast.texture(grain, MIX[:, :1], (height, width), FastOptions(memory=needed * 0.9e-9))
    assert found.shape == (1, 3, height, width) and found.min() >= 0 and found.max() <= 1


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("out of memory"), RuntimeError("shapes")])
def test_texture_that_runs_out_of_memory_is_an_error_of_one_line(
    grain: TextureNetwork, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(grain, "sample", fail)
    kind, says = (RuntimeError, "shapes") if "shapes" in str(error) else (DeviceError, "smaller --size")
    with pytest.raises(kind, match=says):
        fast.texture(grain, MIX[:, :1], (32, 32), FastOptions())
