"""Texture synthesis: statistics that are met, borders that wrap around, numbers of parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from styler.engine.parameterization import HalfChromaImage, PyramidImage
from styler.errors import InputError
from styler.events import Note, result_of
from styler.features import Extractor
from styler.image.size import resize, shrink_periodic
from styler.losses.perceptual import NOTHING
from styler.losses.style import STYLE_ERRORS, moments
from styler.networks.vgg import FULL_WIDTHS, random_convolutions
from styler.options.synthesis import TextureOptions
from styler.storage.models import vgg
from styler.storage.pictures.load import load_picture
from styler.tasks import synthesis

EXTRACTOR = Extractor("compact", random_convolutions("compact", (4, 6, 8, 10, 12), seed=3), padding="reflect")
POOL4 = synthesis.depths(EXTRACTOR, "pool4")


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand((1, 3, height, width), generator=torch.Generator().manual_seed(seed))


def made(size: tuple[int, int] = (48, 48), extractor: Extractor = EXTRACTOR, **changes: Any) -> Tensor:
    options = TextureOptions(**{"steps": 10, "coarse_steps": 10, **changes})
    style = resize(noise(12, 16, 5), (48, 64))
    return result_of(synthesis.texture(style, size, extractor, options, options.up_to))


def test_a_texture_that_is_still_noise_says_so() -> None:
    style = resize(noise(12, 16, 5), (48, 64))
    for rate, told in ((1e-9, ["no step has changed the picture by a level"]), (0.05, [])):
        options = TextureOptions(steps=2, coarse_steps=2, optimizer="adam", learning_rate=rate)
        run = synthesis.texture(style, (32, 32), EXTRACTOR, options, "pool4")
        texts = [event.text for event in run if isinstance(event, Note)]
        assert [text.split(":")[0] for text in texts] == told
        assert all("--learning-rate 1e-09 is too small for that" in text for text in texts)


def test_the_paper_has_so_many_parameters() -> None:
    by_layer = dict(zip(synthesis.TEXTURE_LAYERS, (64, *FULL_WIDTHS), strict=False))
    found = [synthesis.count(list(by_layer.values())[: i + 1], "gram") for i in range(5)]
    assert found == [2080, 4160, 12416, 45312, 176640]
    every = [width for width, count in zip(FULL_WIDTHS, (2, 2, 4, 4), strict=False) for _ in range(count + 1)]
    assert synthesis.count(every, "gram") == 852128
    assert synthesis.count([64, 64], "covariance") == 4160 + 128 and synthesis.count([64, 64], "mean") == 128


def test_depths_are_the_papers_layers_and_the_one_that_is_named() -> None:
    assert POOL4 == synthesis.TEXTURE_LAYERS
    assert synthesis.depths(EXTRACTOR, "relu3_2") == ("relu1_1", "pool1", "pool2", "relu3_2")
    with pytest.raises(InputError, match="no layer 'pool9'"):
        synthesis.depths(EXTRACTOR, "pool9")


@pytest.mark.parametrize("size", [(16, 16), (33, 70), (48, 100)])
@pytest.mark.parametrize("tileable", [False, True])
def test_a_texture_has_any_size(size: tuple[int, int], tileable: bool) -> None:
    found = made(size, tileable=tileable, steps=2, coarse_steps=2)
    assert found.shape == (1, 3, *size) and found.min() >= 0 and found.max() <= 1


def test_a_texture_has_the_statistics_of_its_style() -> None:
    style = resize(noise(12, 16, 5), (48, 64))
    target = moments(EXTRACTOR(style, ["relu1_1"], padding="reflect")["relu1_1"])

    def error(image: Tensor) -> float:
        features = EXTRACTOR(image, ["relu1_1"], padding="reflect")["relu1_1"]
        return float(STYLE_ERRORS["gram"](moments(features), target, NOTHING))

    assert error(made(steps=40, coarse_steps=40)) < 0.1 * error(noise(48, 48))
    assert not torch.equal(made(seed=1), made(seed=2)) and torch.equal(made(seed=1), made(seed=1))


# Repetition


def test_circular_features_roll_with_the_picture() -> None:
    image = noise(48, 64).double()
    network = EXTRACTOR.double()
    rolled = network(image.roll((16, 32), (2, 3)), POOL4, pooling="average", padding="circular")
    for name, features in network(image, POOL4, pooling="average", padding="circular").items():
        shift = (16 * features.shape[2] // 48, 32 * features.shape[3] // 64)
        torch.testing.assert_close(rolled[name], features.roll(shift, (2, 3)))
    EXTRACTOR.float()


def test_gradients_pass_a_circular_border() -> None:
    image = noise(6, 8).double().requires_grad_()
    network = EXTRACTOR.double()
    assert torch.autograd.gradcheck(lambda x: network(x, ["relu1_2"], padding="circular")["relu1_2"], image)
    EXTRACTOR.float()


@pytest.mark.parametrize("kind", [PyramidImage, HalfChromaImage])
def test_a_wrapped_parameterization_rolls_with_the_picture(kind: Any) -> None:
    image = noise(32, 48).double()
    rolled = kind(image.roll((16, 16), (2, 3)), True)()
    torch.testing.assert_close(rolled, kind(image, True)().roll((16, 16), (2, 3)))


def test_a_periodic_picture_shrinks_to_a_periodic_one() -> None:
    rows, columns = torch.arange(48.0)[:, None] / 48, torch.arange(64.0) / 64
    wave = (0.5 + 0.2 * torch.sin(2 * torch.pi * (rows + 2 * columns)))[None, None]
    rows, columns = torch.arange(45.0)[:, None] / 45, torch.arange(50.0) / 50
    expected = (0.5 + 0.2 * torch.sin(2 * torch.pi * (rows + 2 * columns)))[None, None]
    torch.testing.assert_close(shrink_periodic(wave, (45, 50)), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(96, 96), (90, 70)])
def test_a_tileable_texture_has_no_seam(size: tuple[int, int]) -> None:
    """Across its border it changes as from any pixel to the next, and an ordinary one by far more."""
    network = vgg.load(vgg.BUILT_IN)
    style = load_picture(Path(__file__).parents[2] / "styles/waves.jpg", long_side=128).image

    def seam(tileable: bool) -> float:
        options = TextureOptions(steps=20, coarse_steps=20, tileable=tileable)
        image = result_of(synthesis.texture(style, size, network, options, "pool4"))
        around = [(image - image.roll(1, dim)).square().mean((1, 5 - dim))[0] for dim in (2, 3)]
        return sum(float(lines[0] / lines[1:].mean()) for lines in around) / 2

    assert seam(tileable=True) < 1.5
    assert seam(tileable=False) > 2
