"""Style statistics: by hand, against scipy, under guides, and their gradients."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from styler.losses.perceptual import NOTHING, WHOLE
from styler.losses.style import STATISTICS, StyleMoments, covariance, mean_error, moments, wasserstein_error


def features(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def error(name: str, x: Tensor, target: Tensor, guide: Tensor | None = None) -> Tensor:
    """Error of features under a guide to a target's features under none."""
    statistic = STATISTICS[name]
    goals = statistic.targets(statistic.gather([None])(target, WHOLE), [None])
    (found,) = statistic.errors(statistic.gather([guide])(x, WHOLE), [guide], goals, NOTHING)
    return found


@pytest.mark.parametrize("name", STATISTICS)
def test_it_is_0_at_its_target_and_about_1_where_nothing_of_it_is(name: str) -> None:
    x = features(1, 6, 20, 20).relu()
    assert error(name, x, x).item() == pytest.approx(0, abs=1e-4)
    assert error(name, x, x.flip(3)).item() == pytest.approx(0, abs=1e-4)
    assert error(name, torch.zeros_like(x), x).item() == pytest.approx(1, abs=0.15)
    assert error(name, 2 * x, x) > 0.1


@pytest.mark.parametrize("name", STATISTICS)
def test_it_has_the_right_gradient_with_and_without_a_guide(name: str) -> None:
    x, target, guide = (
        features(1, 4, 5, 6),
        features(1, 4, 7, 3, seed=1).relu(),
        torch.rand(1, 1, 5, 6).double(),
    )
    for where in (None, guide / guide.sum()):
        check = lambda x, where=where: error(name, x, target, where)  # noqa: E731
        assert torch.autograd.gradcheck(check, x.requires_grad_())


@pytest.mark.parametrize("name", STATISTICS)
def test_a_guide_of_0_and_1_is_as_if_only_those_places_were_there(name: str) -> None:
    x, target = features(1, 5, 8, 12).relu(), features(1, 5, 9, 9, seed=1).relu()
    guide = torch.zeros(1, 1, 8, 12, dtype=torch.double)
    guide[..., 5:] = 1 / (8 * 7)
    x.requires_grad_()
    guided = error(name, x, target, guide)
    assert guided.item() == pytest.approx(error(name, x[..., 5:], target).item(), rel=1e-3)
    (gradient,) = torch.autograd.grad(guided, x)
    assert not gradient[..., :5].any() and gradient[..., 5:].any()


@pytest.mark.parametrize("name", STATISTICS)
def test_it_knows_no_size_and_no_place(name: str) -> None:
    x, target = features(1, 5, 8, 12).relu(), features(1, 5, 9, 9, seed=1).relu()
    once = error(name, x, target).item()
    assert error(name, x.repeat(1, 1, 2, 3), target.repeat(1, 1, 3, 1)).item() == pytest.approx(
        once, rel=2e-2
    )
    order = torch.randperm(96, generator=torch.Generator().manual_seed(0))
    assert error(name, x.flatten(2)[..., order].view_as(x), target).item() == pytest.approx(once)


def test_wasserstein_is_that_of_gaussians() -> None:
    """Against the formula with `scipy.linalg.sqrtm`."""
    x, y = (
        moments(features(1, 6, 30, 30, seed=seed) * torch.arange(1, 7).view(1, 6, 1, 1)) for seed in (0, 1)
    )
    mean = y.mean + 0.5
    y = StyleMoments(mean, covariance(*y) + mean[:, :, None] * mean[:, None, :])
    (m, s), (n, t) = ((a.mean[0].numpy(), covariance(*a)[0].numpy()) for a in (x, y))
    jitter = 0.01 * np.trace(t) / 6 * np.eye(6)
    root = scipy.linalg.sqrtm(t + jitter)
    cross = scipy.linalg.sqrtm(root @ (s + jitter) @ root).real
    expected = np.sum((m - n) ** 2) + np.trace(s + t + 2 * jitter - 2 * cross)
    assert wasserstein_error(x, y).item() == pytest.approx(expected / (n @ n + np.trace(t)), rel=1e-9)


def test_the_gradient_of_the_gram_error_is_that_of_the_paper() -> None:
    """Gatys et al. 2015, eq. 6: (G - G') F over the places, here with the target's norm for the weight."""
    x, target = features(1, 5, 6, 7).requires_grad_(), features(1, 5, 4, 9, seed=1)
    (gradient,) = torch.autograd.grad(error("gram", x, target), x)
    rows, goal = x.detach().flatten(2)[0], target.flatten(2)[0]
    own, aim = rows @ rows.T / 42, goal @ goal.T / 36
    expected = 4 * (own - aim) @ rows / 42 / aim.square().sum()
    torch.testing.assert_close(gradient.flatten(2)[0], expected, rtol=1e-12, atol=1e-17)
    step = 1e-6 * features(1, 5, 6, 7, seed=2)
    slope = (error("gram", x + step, target) - error("gram", x - step, target)).item() / 2
    assert slope == pytest.approx((gradient * step).sum().item(), rel=1e-6)


@pytest.mark.parametrize("name", STATISTICS)
def test_places_may_be_shuffled(name: str) -> None:
    x, target = features(1, 5, 6, 7), features(1, 5, 4, 9, seed=1)
    order = torch.randperm(42, generator=torch.Generator().manual_seed(3))
    shuffled = x.flatten(2)[..., order].unflatten(2, (6, 7))
    assert error(name, shuffled, target).item() == pytest.approx(error(name, x, target).item(), rel=1e-12)


def test_means_by_hand() -> None:
    x, y = (moments(torch.tensor(values).view(1, 2, 1, 2)) for values in ([1.0, 3, 0, 0], [1.0, 1, 2, 2]))
    assert mean_error(x, y).item() == pytest.approx((1 + 4) / (1 + 4))


def test_sliced_sees_more_than_moments() -> None:
    """Two values against a Gaussian of the same mean and covariance."""
    values = features(1, 1, 64, 64)
    values = (values - values.mean()) / values.std(correction=0)
    coin = torch.ones(1, 1, 64, 64, dtype=torch.double)
    coin[..., ::2] = -1
    assert error("covariance", values, coin).item() == pytest.approx(0, abs=1e-9)
    assert error("sliced", values, coin).item() == pytest.approx(2 - 2 * (2 / np.pi) ** 0.5, rel=0.02)
