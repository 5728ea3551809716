"""Grain: its spectrum and variance, seeds, and that pictures without any stay what they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from styler.image.grain import COARSE, grain, grained


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
