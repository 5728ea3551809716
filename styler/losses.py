"""Loss functions, pure and differentiable, and the objective that a list of weighted terms makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Walk = Callable[[Tensor, set[str]], Iterable[tuple[str, Tensor]]]
Objective = Callable[[Tensor], dict[str, Tensor]]
"""Image [N, 3, H, W] -> weighted scalar by term name; what is minimized is their sum."""


@dataclass(frozen=True)
class Term:
    """One weighted part of an objective: `weight * function(activation at layer)`."""

    name: str
    layer: str
    weight: float
    function: Callable[[Tensor], Tensor]


def objective(walk: Walk, terms: Sequence[Term]) -> Objective:
    """The objective of `terms`, all from one pass of `walk(image, layers)`, which is as `Extractor.walk`."""
    layers = {term.layer for term in terms}

    def evaluate(image: Tensor) -> dict[str, Tensor]:
        losses = {
            term.name: term.weight * term.function(activation)
            for layer, activation in walk(image, layers)
            for term in terms
            if term.layer == layer
        }
        return {term.name: losses[term.name] for term in terms}

    return evaluate


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [N, C] and second moment [N, C, C] over the positions of features [N, C, H, W].

    One matrix product forward and one backward; what autograd makes of the plain formula takes three.
    """
    mean, second = _Moments.apply(features)
    return mean, second


def gram_matrix(features: Tensor) -> Tensor:
    """Gram matrices [N, C, C] of features [N, C, H, W] (Gatys et al. 2016, eq. 3), divided by H*W only."""
    return moments(features)[1]


def covariance(mean: Tensor, second: Tensor) -> Tensor:
    """Centred covariance [N, C, C] from the two `moments`."""
    return second - mean[:, :, None] * mean[:, None, :]


def relative_error(x: Tensor, target: Tensor) -> Tensor:
    """Squared distance over the target's own squared norm: 0 at the target, 1 at zero, whatever the size."""
    return (x - target).square().sum() / target.square().sum().clamp_min(_floor(target))


def content_loss(target: Tensor) -> Callable[[Tensor], Tensor]:
    """Squared distance of features to `target` [N, C, H, W], over the target's spatial variance.

    Gatys et al. 2016, eq. 1, where the sum is halved instead. Features of a flat picture have no variance;
    then a thousandth of their energy stands in for it.
    """
    target = target.detach()
    spread = (target - target.mean((-2, -1), keepdim=True)).square().sum()
    scale = torch.maximum(spread, 1e-3 * target.square().sum()).clamp_min(_floor(target))
    return lambda x: (x - target).square().sum() / scale


def gram_loss(targets: Sequence[tuple[Tensor, Tensor]]) -> Callable[[Tensor], Tensor]:
    """Relative squared distance to a Gram matrix; `targets` are `moments`, blended by the caller.

    Gatys et al. 2016, eq. 4, divided by the target's own squared norm instead of 4 N^2 M^2.
    """
    ((_, second),) = targets
    return lambda x: relative_error(gram_matrix(x), second)


def covariance_loss(targets: Sequence[tuple[Tensor, Tensor]]) -> Callable[[Tensor], Tensor]:
    """Half the relative squared distance to a channel mean plus half that to a centred covariance.

    The Gram matrix is covariance plus mean times mean, and the means make up a quarter to half of it:
    matching the two apart keeps them from hiding what the covariance says of strokes and colors.
    """
    ((target_mean, second),) = targets
    target_covariance = covariance(target_mean, second)

    def loss(x: Tensor) -> Tensor:
        mean, own_second = moments(x)
        own = covariance(mean, own_second)
        return 0.5 * relative_error(mean, target_mean) + 0.5 * relative_error(own, target_covariance)

    return loss


def total_variation(image: Tensor) -> Tensor:
    """Mean squared difference of neighboring pixels of an image [N, C, H, W].

    Mahendran and Vedaldi 2015, with beta 2; the mean over all vertical neighbors plus that over all
    horizontal ones. It is 0 for a constant.
    """
    vertical = (image[..., 1:, :] - image[..., :-1, :]).square().mean()
    horizontal = (image[..., :, 1:] - image[..., :, :-1]).square().mean()
    return vertical + horizontal


def _floor(x: Tensor) -> float:
    """The least denominator: far below any real energy, far above what float32 rounds to 0."""
    return 1e-12 * x.numel()


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        flat = features.flatten(2)
        ctx.save_for_backward(features)
        # A plain 2-D product is three times as fast as the batched one on a CPU.
        products = [m @ m.T for m in flat]
        return flat.mean(2), torch.stack(products) / flat.shape[2]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        flat = features.flatten(2)
        count = flat.shape[2]
        on_mean, on_second = gradients
        symmetric = (on_second + on_second.transpose(1, 2)) / count
        offset = (on_mean / count)[:, :, None]
        gradient = torch.empty_like(flat)
        for g, o, s, m in zip(gradient, offset, symmetric, flat, strict=True):
            torch.mm(s, m, out=g).add_(o)  # addmm would copy the offset to full size first
        return gradient.view_as(features)


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """The sum that is minimized."""
    return torch.stack(list(losses.values())).sum()
