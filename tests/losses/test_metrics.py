"""Measures of pictures: against plain definitions, at their ends, and on kinds that are alike or are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from narrow import NARROW
from scipy.ndimage import gaussian_filter
from torch import Tensor

from styler.features import Extractor
from styler.losses.metrics import embed, kernel_distance, perceptual_distance, psnr, ssim
from styler.networks.vgg import random_convolutions


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor("compact", random_convolutions("compact", NARROW))


def picture(seed: int = 0, channels: int = 3, size: tuple[int, int] = (40, 52)) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, channels, 6, 6, generator=draw)
    return torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1)


def noisy(image: Tensor, amount: float) -> Tensor:
    grain = torch.randn(image.shape, generator=torch.Generator().manual_seed(9))
    return (image + amount * grain).clamp(0, 1)


def test_psnr_by_hand() -> None:
    image = torch.zeros(1, 3, 4, 4)
    assert psnr(image, image + 0.1) == pytest.approx(20)
    assert psnr(image, image) == math.inf


def plain_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """One channel, by SciPy's filter, whose windows that leave the picture are cut off."""

    def mean(values: np.ndarray) -> np.ndarray:
        return gaussian_filter(values, 1.5, radius=5)[5:-5, 5:-5]

    vx, vy = mean(x * x) - mean(x) ** 2, mean(y * y) - mean(y) ** 2
    both = mean(x * y) - mean(x) * mean(y)
    light = (2 * mean(x) * mean(y) + 0.01**2) / (mean(x) ** 2 + mean(y) ** 2 + 0.01**2)
    return float((light * (2 * both + 0.03**2) / (vx + vy + 0.03**2)).mean())


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_against_a_plain_definition(channels: int) -> None:
    x, y = picture(0, channels).double(), noisy(picture(0, channels), 0.1).double()
    wanted = [plain_ssim(a.numpy(), b.numpy()) for a, b in zip(x[0], y[0], strict=True)]
    assert ssim(x, y) == pytest.approx(np.mean(wanted), abs=1e-9)
    assert ssim(x.float(), y.float()) == pytest.approx(np.mean(wanted), abs=1e-3)


def test_ssim_at_its_ends() -> None:
    x = picture()
    assert ssim(x, x) == pytest.approx(1)
    waves = 0.5 + 0.5 * torch.sin(2 * torch.arange(64.0)).expand(1, 3, 64, 64)
    assert ssim(waves, 1 - waves) < -0.9


def test_perceptual_distance_grows_with_the_damage(extractor: Extractor) -> None:
    x = picture()
    assert perceptual_distance(extractor, x, x) == 0
    little, much = (perceptual_distance(extractor, x, noisy(x, amount)) for amount in (0.02, 0.2))
    assert 0 < little < much < 1
    assert perceptual_distance(extractor, noisy(x, 0.2), x) == pytest.approx(much)


def test_perceptual_distance_is_the_mean_angle_of_features(extractor: Extractor) -> None:
    x, y = picture(1, 1), picture(2, 1)
    layers = [f"relu{block}_1" for block in range(1, 6)]
    wanted = []
    for layer in layers:
        a, b = (extractor(image.repeat(1, 3, 1, 1), [layer])[layer] for image in (x, y))
        cosine = torch.cosine_similarity(a, b, dim=1, eps=1e-12)
        seen = (a.norm(dim=1) > 0).float() + (b.norm(dim=1) > 0).float()
        wanted.append((seen / 2 - cosine).mean())
    assert perceptual_distance(extractor, x, y) == pytest.approx(torch.stack(wanted).mean().item(), abs=1e-5)


def rows(seed: int, count: int, shift: float = 0.0) -> Tensor:
    return torch.rand(count, 8, generator=torch.Generator().manual_seed(seed)) + shift


def test_kernel_distance_by_hand() -> None:
    """Features of length 1 already: the mean kernel within either, less twice that across."""
    real = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    fake = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    assert kernel_distance(real, fake) == pytest.approx(1 + 0 - 2 * (8 + 0 + 1 + 1) / 4)
    assert kernel_distance(10 * real, 10 * fake) == pytest.approx(kernel_distance(real, fake))


def test_kernel_distance_is_0_on_average_for_one_kind_however_few() -> None:
    drawn = [kernel_distance(rows(2 * i, 5), rows(2 * i + 1, 5)) for i in range(600)]
    error = np.std(drawn) / math.sqrt(len(drawn))
    assert abs(np.mean(drawn)) < 3 * error
    assert kernel_distance(rows(0, 50), rows(1, 50, 0.5)) > 20 * np.std(drawn) / 10


def test_pictures_of_one_kind_are_embedded_near_each_other(extractor: Extractor) -> None:
    smooth, more = (torch.cat([picture(seed) for seed in part]) for part in (range(12), range(12, 24)))
    rough = noisy(more, 0.2)
    found = [embed(extractor, images) for images in (smooth, more, rough)]
    assert found[0].shape == (12, sum(NARROW[2:]))
    assert kernel_distance(found[0], found[2]) > 3 * abs(kernel_distance(found[0], found[1]))
    grey = picture(0, 1)
    assert torch.equal(embed(extractor, grey), embed(extractor, grey.repeat(1, 3, 1, 1)))
