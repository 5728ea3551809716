"""Measures of pictures: against plain definitions, at their ends, and on kinds that are alike or are not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from narrow import NARROW
from scipy.ndimage import gaussian_filter
from torch import Tensor

from styler.features import Extractor
from styler.losses.metrics import embed, kernel_distance, perceptual_distance, psnr, ssim, weave
from styler.losses.perceptual import grid_pattern
from styler.networks.vgg import random_convolutions
from styler.storage.pictures.load import load_picture


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


# Weave


EXAMPLES = Path(__file__).parents[2] / "examples"


def woven(step: float, drift: float, amount: float, kind: str = "weave") -> Tensor:
    """A pattern [1, 1, 192, 256] at `step` pixels whose phase goes by `drift` radians over 30 pixels."""
    y, x = torch.meshgrid(torch.arange(192.0), torch.arange(256.0), indexing="ij")
    across = torch.sin(2 * math.pi * x / step + drift * y / 30)
    along = torch.sin(2 * math.pi * y / step + drift * x / 30)
    kinds = {"weave": across + along, "dots": 2 * across * along, "corduroy": math.sqrt(2) * across}
    return amount * kinds[kind][None, None]


@pytest.fixture(scope="module")
def lake() -> Tensor:
    return load_picture(EXAMPLES / "lake.jpg", long_side=256).image[..., :192, :256]


@pytest.mark.parametrize("kind", ["weave", "dots", "corduroy"])
@pytest.mark.parametrize(("step", "drift"), [(4, 0), (4, 2), (3.8, 2), (4.3, 3)])
def test_a_weave_is_seen_whether_it_drifts_or_not(lake: Tensor, kind: str, step: float, drift: float) -> None:
    photo = lake[..., : lake.shape[-2], : lake.shape[-1]]
    pattern = woven(step, drift, 1, kind)[..., : lake.shape[-2], : lake.shape[-1]]
    slight, strong = (weave(photo + amount * pattern, photo) for amount in (0.02, 0.05))
    assert weave(photo, photo) < 0.05 and 0.08 < slight < strong and strong > 0.25


def test_what_drifts_is_invisible_to_the_measure_in_step_with_pixels() -> None:
    gray = torch.full((1, 3, 192, 256), 0.5)
    still, moving = (gray + woven(4, drift, 0.05) for drift in (0, 5))
    assert grid_pattern(moving) < 0.2 * grid_pattern(still)
    assert weave(moving, gray) > 0.7 * weave(still, gray) > 0.5


def test_a_pattern_alone_is_all_of_a_pictures_gradient() -> None:
    """The Hann window spreads a sine over 3 bins, and the mean of 3 x 3 places over 5, all of them peaks."""
    gray = torch.full((1, 3, 64, 64), 0.5)
    assert 0.85 < weave(gray + woven(4, 0, 0.1)[..., :64, :64], gray) <= 1
    assert weave(gray, gray) == 0


def test_noise_strokes_and_pictures_are_no_weave(lake: Tensor) -> None:
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 3, 192, 256, generator=draw)
    gray, strokes = torch.full((1, 3, 192, 256), 0.5), gaussian_filter(noise.numpy(), (0, 0, 1, 4))
    for image in (
        gray + 0.1 * noise,
        gray + 0.1 * torch.from_numpy(strokes).sign(),
        gray + woven(16, 1, 0.1),
    ):
        assert weave(image, gray) < 0.05
    for name in ("cat", "still_life", "harbour"):
        picture = load_picture(EXAMPLES / f"{name}.jpg", long_side=512).image
        assert weave(picture, picture) < 0.06


def test_only_smooth_parts_of_the_photo_are_looked_at() -> None:
    gray, half = torch.full((1, 3, 192, 256), 0.5), torch.zeros(1, 3, 192, 256)
    half[..., 128:] = torch.rand(1, 3, 192, 128, generator=torch.Generator().manual_seed(0))
    pattern = woven(4, 1, 0.1)
    right, left = pattern.clone(), pattern.clone()
    right[..., :128], left[..., 128:] = 0, 0
    assert weave(gray + left, half) > 0.5 and weave(gray + right, half) == pytest.approx(0, abs=0.05)
