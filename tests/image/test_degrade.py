"""Small pictures of training: shrunk as Pillow and torch do, JPEG blocks as libjpeg's, and aligned."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from styler.image.degrade import BLOCK, Degradation, degraded, jpeg, shrunk

CAT = Path(__file__).parents[2] / "examples" / "cat.jpg"
NONE = Degradation(blur=0, noise=0, jpeg=100)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    with Image.open(CAT) as cat:
        return cat.convert("RGB").resize((160, 128), Image.Resampling.BOX)


def tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255


def inside(x: Tensor) -> Tensor:
    return x[..., 3:-3, 3:-3]


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("way", ["box", "bilinear", "bicubic", "lanczos"])
def test_each_way_to_shrink_is_pillows(photo: Image.Image, way: str, factor: int) -> None:
    small = photo.resize((160 // factor, 128 // factor), Image.Resampling[way.upper()])
    ours = shrunk(tensor(photo), factor, way)
    assert (inside(ours) - inside(tensor(small))).abs().max() < 1.2 / 255  # Pillow rounds twice


def test_bicubic_is_torchs(photo: Image.Image) -> None:
    theirs = F.interpolate(tensor(photo), (32, 40), mode="bicubic", antialias=True)
    assert torch.allclose(inside(shrunk(tensor(photo), 4)), inside(theirs), atol=1e-5)


def test_a_blur_has_the_deviation_that_is_asked_for() -> None:
    """The variances of the box of a pixel and of the Gaussian add up."""
    line = torch.zeros(1, 1, 4, 160)
    line[..., 78:82] = 1  # one small pixel
    taps = shrunk(line, 4, "box", (0.0, 1.5))[0, 0, 0]
    places = torch.arange(40) - 19.5
    mean = (taps * places).sum() / taps.sum()
    variance = (taps * (places - mean).square()).sum() / taps.sum()
    assert taps.sum() == pytest.approx(1, abs=1e-4)
    assert variance == pytest.approx(1.5**2 + 2 / 12, rel=0.05)


@pytest.mark.parametrize("halved", [True, False])
@pytest.mark.parametrize("quality", [30, 75, 92])
def test_jpeg_is_libjpegs(photo: Image.Image, quality: int, halved: bool) -> None:
    file = io.BytesIO()
    photo.save(file, "JPEG", quality=quality, subsampling=2 if halved else 0)
    image, theirs = tensor(photo), tensor(Image.open(file))
    ours = jpeg(image, quality, halved)
    assert (ours - theirs).abs().mean() < 0.35 * (image - theirs).abs().mean()


def test_nothing_happens_to_what_is_merely_shrunk(photo: Image.Image) -> None:
    """And the large picture is cut where the small one is."""
    image = tensor(photo)[..., :128, :128]
    corners = set()
    for seed in range(12):
        small, target = degraded(image, 4, 1.0, NONE, np.random.default_rng(seed))
        assert small.shape[-2:] == (32 - BLOCK, 32 - BLOCK) and target.shape[-2:] == (96, 96)
        assert (inside(small) - inside(shrunk(target, 4, "box"))).abs().mean() < 0.02
        corners.add(float(target[0, 0, 0, 0]))
    assert len(corners) > 6


def test_strength_is_a_factor_of_noise_and_blocks(photo: Image.Image) -> None:
    image = tensor(photo)[..., :128, :128]

    def damage(strength: float) -> float:
        pairs = []
        for seed in range(20):
            draws = [np.random.default_rng(seed) for _ in range(2)]
            small, target = degraded(image, 4, strength, Degradation(blur=0, noise=20, jpeg=20), draws[0])
            pairs.append((inside(small) - inside(shrunk(target, 4))).abs().mean())
        return float(torch.stack(pairs).mean())

    none, some, all_of_it = map(damage, (0.0, 0.3, 1.0))
    assert none < some < 0.8 * all_of_it


def test_equal_draws_give_equal_pictures(photo: Image.Image) -> None:
    one, two = (degraded(tensor(photo), 4, 1.0, Degradation(), np.random.default_rng(5)) for _ in range(2))
    assert torch.equal(one[0], two[0]) and torch.equal(one[1], two[1])
