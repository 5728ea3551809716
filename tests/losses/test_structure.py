"""Structure-weighted, color-free content error: by hand, at its target, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from styler.losses.perceptual import structure, structure_error


def features(seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((2, 5, 9, 7), generator=generator, dtype=torch.float64).relu()


def test_structure_error_by_hand():
    """The formula, place by place, against `torch.corrcoef`'s weighted cousin in numpy."""
    target, x = features()[:1], features(1)[:1]
    found = structure(target, 0.4)
    w, a, b = (t[0].flatten(1).numpy() for t in (found.weight, x, target))
    floor = 0.004
    correlations, deviations, powers = [], [], []
    for ours, theirs in zip(a, b, strict=True):
        ours, theirs = ours - np.average(ours, weights=w[0]), theirs - np.average(theirs, weights=w[0])
        own, power, both = (np.mean(w[0] * p) for p in (ours**2, theirs**2, ours * theirs))
        correlations.append(both / np.sqrt((own + floor) * (power + floor)))
        deviations.append(np.sqrt(power + floor))
        powers.append(power)
    share = np.array(deviations) / sum(deviations)
    loudness = np.mean(powers) / (np.mean(powers) + floor)
    expected = 2 * loudness * np.sum(share * (1 - np.array(correlations)))
    assert structure_error(x, found).item() == pytest.approx(expected, rel=1e-9)


def test_structure_error_is_0_for_the_photo_and_near_4_for_its_negative():
    target = features()
    found = structure(target, 1e-9)
    assert torch.allclose(structure_error(target, found), torch.zeros(2, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(
        structure_error(-target, found), torch.full((2,), 4.0, dtype=torch.float64), atol=1e-6
    )


def test_structure_error_ignores_color_and_contrast():
    """Mean and scale of each channel."""
    target, x = features(), features(1)
    found = structure(target, 1e-9)
    gain, offset = torch.rand(2, 1, 5, 1, 1, dtype=torch.float64) + 0.5
    assert torch.allclose(structure_error(x * gain + offset, found), structure_error(x, found), atol=1e-6)


def test_a_flat_photo_asks_for_nothing():
    found = structure(torch.full((1, 5, 9, 7), 0.7), 0.4)
    x = features()[:1].float().requires_grad_()
    error = structure_error(x, found)
    error.sum().backward()
    assert error.item() < 1e-9 and x.grad.abs().max() < 1e-9


def test_structure_error_has_the_right_gradient():
    found = structure(features(), 0.4)
    assert torch.autograd.gradcheck(lambda x: structure_error(x, found), features(1).requires_grad_())


def test_structure_counts_more_where_the_photo_has_some():
    target = torch.zeros(1, 1, 8, 16)
    checks = (torch.arange(8)[:, None] + torch.arange(6)) % 2
    target[..., 10:] = 2.0 * checks - 1
    weight = structure(target, 0.4).weight
    assert weight[..., 12:].min() > 5 * weight[..., :7].max() and weight.mean() == pytest.approx(1)
