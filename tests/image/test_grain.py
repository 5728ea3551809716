"""Grain: its spectrum and variance, seeds, and that pictures without any stay what they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from styler.image.grain import COARSE, FLAT, flatness, grain, grained, roughened, roughened_anew, with_grain


def test_grain_is_white_noise_and_smooth_noise_of_the_same_variance() -> None:
    """By Parseval: high frequencies have the white part alone, all of them 1 and the square of 1.5."""
    noise = grain((256, 320), 5)
    assert noise.shape == (1, 1, 256, 320) and noise.dtype == torch.float32
    power = np.abs(np.fft.fft2(noise[0, 0].numpy().astype(float))) ** 2 / (256 * 320)
    assert power.mean() == pytest.approx(1 + COARSE**2, rel=0.1)
    down, right = (np.abs(np.fft.fftfreq(side)) for side in power.shape)
    fine = power[np.hypot(down[:, None], right[None]) > 0.35]
    assert fine.mean() == pytest.approx(1, rel=0.05)
    # The Gaussian of 1.8 pixels has the gain 4 pi 1.8^2 at the origin, for a variance of 1.
    low = power[np.hypot(down[:, None], right[None]) < 0.01]
    assert low.mean() == pytest.approx(1 + COARSE**2 * 4 * np.pi * 1.8**2, rel=0.3)


def test_each_picture_of_a_batch_has_grain_of_its_own_that_its_number_decides() -> None:
    photos = torch.full((3, 3, 20, 24), 0.5)
    one = grained(photos, 0.02, seed=4, first=6)
    assert torch.equal(one, grained(photos, 0.02, seed=4, first=6))
    assert torch.equal(one[2:], grained(photos[:1], 0.02, seed=4, first=8))
    assert not torch.equal(one[0], one[1]) and not torch.equal(one, grained(photos, 0.02, seed=5, first=6))
    assert torch.equal(one[:, 0], one[:, 1]) and torch.equal(one[:, 0], one[:, 2])  # gray
    assert grained(photos, 0.0) is photos


def ramp(height: int, width: int) -> torch.Tensor:
    """An even ramp in steps of whole levels, as a picture of the sky has it."""
    rows = torch.linspace(90, 190, height).round() / 255
    return rows[:, None].expand(1, 3, height, width).clone()


def test_flat_places_get_a_little_grain_and_others_none() -> None:
    """The least that a camera would make: half a level, once white and once smooth."""
    noise = 0.5 + 0.02 * torch.randn(1, 1, 300, 64, generator=torch.Generator().manual_seed(0))
    photo = noise.expand(1, 3, 300, 64).clone()
    assert roughened(photo) is photo
    for flat in (torch.ones(1, 3, 300, 64), ramp(300, 64)):
        added = (roughened(flat) - flat)[:, :1]
        deviation = FLAT * (1 + COARSE**2) ** 0.5
        assert 0.5 * deviation < float(added.std()) < 1.1 * deviation
        assert float(added.abs().max()) < 0.05
        photo[..., 32:] = flat[..., 32:]
        changed = (roughened(photo) != photo)[0, 0]
        assert not changed[:, :28].any() and changed[:, 36:].float().mean() > 0.9


def test_the_grain_of_flat_places_is_the_same_each_time_and_at_every_height() -> None:
    """A taller picture begins as the shorter one: no seam between the rows that are made at once."""
    white = torch.ones(1, 3, 600, 40)
    made = roughened(white)
    assert torch.equal(made, roughened(white.clone())) and torch.equal(white, torch.ones(1, 3, 600, 40))
    assert torch.equal(roughened(white[..., :300, :].contiguous()), made[..., :300, :])
    steps = (made[..., 1:, :] - made[..., :-1, :]).abs().mean((0, 1, 3))
    assert float(steps[255]) < 1.5 * float(steps.mean())  # where two bands meet


def test_in_training_flat_places_get_other_grain_in_each_step() -> None:
    white = torch.ones(2, 3, 32, 24)
    one, other = roughened_anew(white, 5, 0), roughened_anew(white, 5, 2)
    assert torch.equal(one, roughened_anew(white, 5, 0)) and not torch.equal(one, other)
    assert not torch.equal(one[0], one[1]) and torch.equal(one[1:], roughened_anew(white[:1], 5, 1))
    rough = torch.rand(2, 3, 32, 24, generator=torch.Generator().manual_seed(0))
    assert torch.equal(roughened_anew(rough, 5, 0), rough)


def test_a_network_that_has_grain_of_its_own_gets_no_other() -> None:
    white = torch.ones(1, 3, 32, 24)
    assert torch.equal(with_grain(white, 0.02), grained(white, 0.02))
    assert torch.equal(with_grain(white, 0.0), roughened(white))
    assert flatness(white).min() == 1
