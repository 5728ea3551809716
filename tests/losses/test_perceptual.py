"""Losses against answers worked out by hand, in float64, and by finite differences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from styler.losses.perceptual import (
    Term,
    content_error,
    grid_pattern,
    objective,
    shares,
    total_variation,
)
from styler.losses.style import (
    StyleMoments,
    covariance,
    covariance_error,
    gram_error,
    gram_matrix,
    moments,
)


def features(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def errors(target: Tensor) -> list[tuple[Any, Any]]:
    """Each error as a function of features, with the goal that it takes for a `target`."""
    goal = moments(target)
    return [
        (content_error, target),
        *((of_features(error), goal) for error in (gram_error, covariance_error)),
    ]


def of_features(error: Any) -> Any:
    """A function of moments as one of features."""
    return lambda x, goal: error(moments(x), goal)


def test_gram_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])
    assert gram_matrix(x).tolist() == [[[2.5, 0.5], [0.5, 5.0]]]


def test_moments_against_einsum_and_numpy() -> None:
    x = features(2, 5, 7, 3)
    mean, second = moments(x)
    torch.testing.assert_close(second, torch.einsum("nchw,ndhw->ncd", x, x) / 21)
    torch.testing.assert_close(mean, x.mean((2, 3)))
    for n in range(2):
        expected = torch.cov(x[n].flatten(1), correction=0)
        torch.testing.assert_close(covariance(mean, second)[n], expected)


def test_moments_pass_gradcheck() -> None:
    x = features(2, 3, 4, 5).requires_grad_()
    assert torch.autograd.gradcheck(moments, x)
    assert torch.autograd.gradcheck(gram_matrix, x)


def test_losses_pass_gradcheck() -> None:
    target, x = features(1, 3, 4, 5, seed=1), features(1, 3, 4, 5).requires_grad_()
    for error, goal in errors(target):
        assert torch.autograd.gradcheck(lambda x, error=error, goal=goal: error(x, goal), x)
    assert torch.autograd.gradcheck(total_variation, x)


@given(st.permutations(range(12)))
def test_statistics_ignore_where_pixels_are(order: list[int]) -> None:
    x = features(1, 3, 3, 4)
    shuffled = x.flatten(2)[..., order].view_as(x)
    torch.testing.assert_close(gram_matrix(shuffled), gram_matrix(x))
    assert covariance_error(moments(shuffled), moments(x)).item() == pytest.approx(0, abs=1e-20)


def test_errors_are_zero_at_their_target_and_one_far_away() -> None:
    x = features(2, 4, 6, 6)
    centred = x - x.mean((2, 3), keepdim=True)
    assert content_error(x, x).tolist() == [0, 0]
    assert content_error(torch.zeros_like(x), centred).tolist() == pytest.approx([1, 1])
    for error in (gram_error, covariance_error):
        assert error(moments(x), moments(x)).tolist() == [0, 0]
        assert error(moments(torch.zeros_like(x)), moments(x)).tolist() == pytest.approx([1, 1])


def test_errors_are_free_of_size_and_scale() -> None:
    x, y = features(1, 4, 6, 6), features(1, 4, 6, 6, seed=1)
    for error in map(of_features, (gram_error, covariance_error)):
        expected = error(y, moments(x))
        torch.testing.assert_close(error(y.repeat(1, 1, 3, 1), moments(x.repeat(1, 1, 2, 3))), expected)
        torch.testing.assert_close(error(7 * y, moments(7 * x)), expected)
    torch.testing.assert_close(content_error(7 * y, 7 * x), content_error(y, x))


def test_a_batch_is_compared_picture_by_picture() -> None:
    x, y = features(3, 4, 6, 6), features(3, 4, 6, 6, seed=1)
    for error, goal in errors(y):
        single = [slice(i, i + 1) for i in range(3)]
        parts = [y[i] if goal is y else StyleMoments(*(g[i] for g in goal)) for i in single]
        apart = [error(x[i], part) for i, part in zip(single, parts, strict=True)]
        torch.testing.assert_close(error(x, goal), torch.cat(apart))


def test_covariance_error_sees_what_the_mean_hides() -> None:
    x = 1 + 0.1 * features(1, 3, 16, 16)
    flat = x.mean((2, 3), keepdim=True).expand_as(x)
    assert gram_error(moments(flat), moments(x)) < 0.01
    assert covariance_error(moments(flat), moments(x)) > 0.45


def test_shares_sum_to_one() -> None:
    assert shares((("relu1_1", 1.0), ("relu2_1", 3.0))) == [("relu1_1", 0.25), ("relu2_1", 0.75)]


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_a_flat_content_gives_finite_losses(value: float) -> None:
    target = torch.full((1, 2, 4, 4), value)
    x = torch.rand(1, 2, 4, 4, requires_grad=True)
    for error, goal in errors(target):
        (gradient,) = torch.autograd.grad(error(x, goal).sum(), x)
        assert gradient.isfinite().all()


def test_total_variation_by_hand() -> None:
    constant = torch.full((1, 3, 5, 4), 0.3)
    ramp = torch.arange(4.0).expand(1, 1, 5, 4) * 0.5
    board = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(2, 2).view(1, 1, 4, 4)
    assert total_variation(constant) == 0
    assert total_variation(ramp).item() == pytest.approx(0.25)
    assert total_variation(board).item() == pytest.approx(2)


def test_a_grid_pattern_is_one_that_keeps_step_with_the_grid() -> None:
    """By hand: columns 1 0 0 0 vary by 3/16 around their mean; out of step, they average out."""
    column = torch.tensor([1.0, 0.0, 0.0, 0.0])
    assert grid_pattern(column.repeat(16).expand(1, 3, 64, 64)).item() == pytest.approx(3 / 16)
    assert grid_pattern(column[[1, 2, 3, 0]].repeat(16).expand(2, 1, 32, 64)).item() == pytest.approx(3 / 16)
    assert grid_pattern(torch.tensor([1.0, 0.0]).repeat(32).expand(1, 3, 64, 64)).item() == pytest.approx(
        1 / 4
    )
    stripes = (torch.arange(65) % 5 == 0).float()
    assert grid_pattern(stripes.expand(1, 3, 65, 65)) < 0.02
    assert grid_pattern(torch.full((1, 3, 33, 17), 0.3)) == pytest.approx(0, abs=1e-12)
    noise = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    assert grid_pattern(noise) == pytest.approx(15 / 16 / 12 / 64, rel=0.1)  # a mean of 64 draws


def test_a_grid_pattern_has_a_gradient() -> None:
    x = torch.rand(1, 2, 8, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(grid_pattern, x)


def test_objective_weighs_and_asks_for_each_layer_once() -> None:
    asked = []

    def walk(image: Tensor, layers: set[str]) -> Iterator[tuple[str, Tensor]]:
        asked.append(layers)
        yield from {"image": image, "a": 2 * image}.items()

    terms = [
        Term("x", "a", 3.0, torch.sum),
        Term("y", "a", 1.0, torch.mean),
        Term("z", "image", 0.5, torch.sum),
    ]
    losses = objective(walk, terms)(torch.ones(1, 1, 2, 2))
    assert {k: v.item() for k, v in losses.items()} == {"x": 24.0, "y": 2.0, "z": 2.0}
    assert asked == [{"a", "image"}]
