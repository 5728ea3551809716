"""Perceptual losses: content, style statistics, total variation, grid pattern; weighted sums of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.errors import InputError
from styler.options.fields import Layers

Walk = Callable[[Tensor, set[str]], Iterable[tuple[str, Tensor]]]
"""Image [N, 3, H, W] and layer names -> activations by name, as `Extractor.walk`."""
Objective = Callable[[Tensor], dict[str, Tensor]]
"""Image [N, 3, H, W] -> weighted scalar by term name; their sum is minimized."""


class StyleMoments(NamedTuple):
    """Channel mean [N, C] and second moment [N, C, C] of features over positions."""

    mean: Tensor
    second: Tensor


@dataclass(frozen=True)
class Term:
    """One weighted part of an objective: `weight * function(activation at layer)`."""

    name: str
    layer: str
    weight: float
    function: Callable[[Tensor], Tensor]


def objective(walk: Walk, terms: Sequence[Term]) -> Objective:
    """Objective of weighted `terms`, computed in one pass of the network."""
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


def moments(features: Tensor) -> StyleMoments:
    """Channel moments of features [N, C, H, W].

    One matrix product forward and one backward; autograd takes three for the plain formula.
    """
    return StyleMoments(*_Moments.apply(features))


def gram_matrix(features: Tensor) -> Tensor:
    """Gram matrices [N, C, C] of features [N, C, H, W] (Gatys et al. 2016, eq. 3), divided by H*W only."""
    return moments(features).second


def covariance(mean: Tensor, second: Tensor) -> Tensor:
    """Centred covariance [N, C, C] from the two `moments`."""
    return second - mean[:, :, None] * mean[:, None, :]


def _relative_error(x: Tensor, target: Tensor) -> Tensor:
    """Squared distance to a target over its squared norm, [N]: 0 at the target, 1 at zero, at any size.

    Args:
        x: [N, ...].
        target: [N, ...], or [1, ...] for all.
    """
    return _squares(x - target) / _squares(target).clamp_min(_floor(target))


def content_error(x: Tensor, target: Tensor) -> Tensor:
    """Squared distance of features [N, C, H, W] to `target`, over the target's spatial variance; [N].

    Gatys et al. 2016, eq. 1, where the sum is halved instead. Features of a flat picture have no variance;
    then a thousandth of their energy stands in for it.
    """
    spread = _squares(target - target.mean((-2, -1), keepdim=True))
    scale = torch.maximum(spread, 1e-3 * _squares(target)).clamp_min(_floor(target))
    return _squares(x - target) / scale


def gram_error(x: Tensor, target: StyleMoments) -> Tensor:
    """Relative squared distance of Gram matrices, of features [N, C, H, W] and the target; [N].

    Gatys et al. 2016, eq. 4, divided by the target's own squared norm instead of 4 N^2 M^2.
    """
    return _relative_error(gram_matrix(x), target.second)


def covariance_error(x: Tensor, target: StyleMoments) -> Tensor:
    """Mean of the relative squared distances of channel means and of centred covariances, [N].

    The Gram matrix is covariance plus mean times mean, and the means make up a quarter to half of it: matched
    apart, they do not hide the covariance, which holds strokes and colors.
    """
    mean, second = moments(x)
    own = covariance(mean, second)
    return 0.5 * _relative_error(mean, target.mean) + 0.5 * _relative_error(own, covariance(*target))


STYLE_ERRORS: Mapping[str, Callable[[Tensor, StyleMoments], Tensor]] = {
    "covariance": covariance_error,
    "gram": gram_error,
}


def shares(layers: Layers) -> list[tuple[str, float]]:
    """Normalize layer weights to a sum of 1; InputError if all are 0."""
    whole = sum(weight for _, weight in layers)
    if not whole:
        raise InputError("all weights of the layers are 0; give one of them a weight")
    return [(name, weight / whole) for name, weight in layers]


def total_variation(image: Tensor) -> Tensor:
    """Mean squared difference of neighboring pixels of an image [N, C, H, W].

    Mahendran and Vedaldi 2015, with beta 2; the mean over all vertical neighbors plus that over all
    horizontal ones. It is 0 for a constant.
    """
    vertical = (image[..., 1:, :] - image[..., :-1, :]).square().mean()
    horizontal = (image[..., :, 1:] - image[..., :, :-1]).square().mean()
    return vertical + horizontal


def grid_pattern(image: Tensor, period: int = 4, window: int = 32) -> Tensor:
    """Power of patterns of an Image [N, C, H, W] in step with a grid of `period` pixels; a scalar.

    Strokes average out over the periods of a window of `window` pixels a side; artifacts of upsampling are at
    the same place in each period. The variance of the mean period of each window, averaged.
    """
    channels, (height, width) = image.shape[1], (side // period * period for side in image.shape[-2:])
    cells = F.pixel_unshuffle(image[..., :height, :width], period)
    side = [min(window // period, length) for length in cells.shape[-2:]]
    means = F.avg_pool2d(cells, side).reshape(len(image), channels, period * period, -1)
    return torch.var(means, 2, correction=0).mean()


def _squares(x: Tensor) -> Tensor:
    """Squared norm of each picture's values, [N, ...] -> [N]."""
    return x.square().flatten(1).sum(1)


def _floor(x: Tensor) -> float:
    """Least denominator: far below any real energy, far above the underflow of float32."""
    return 1e-12 * x[0].numel()


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
    """Sum of losses, which is minimized."""
    return torch.stack(list(losses.values())).sum()
