"""Style losses: statistics of features over places, plain or under guides, and distances between them.

A guide says how much each place counts (Gatys et al. 2017, spatial control): a map [1, 1, h, w] that sums to
1, or None where all places count the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.losses.perceptual import FLOOR, NOTHING, Gather, Part, floor_of, squares
from styler.networks.vgg import Typical

Guide = Tensor | None
Sums = Sequence[Tensor]
LEVELS = 1024
"""Quantiles that a distribution of a style is known by."""
_PLACES = 2048
"""Places of a map whose products are added up at a time."""
_JITTER = 1e-2
"""Variance added to each channel, relative to the mean one: roots of less would be all rounding."""


class Statistic(Protocol):
    """A statistic of features that add up over parts, for any number of regions, each under its guide."""

    def gather(self, guides: Sequence[Guide]) -> Gather:
        """What to gather of features."""

    def targets(self, sums: Sums, guides: Sequence[Guide]) -> list[tuple[Tensor, ...]]:
        """Target of each region, of what was gathered of a style; those of several styles can be averaged."""

    def errors(
        self, sums: Sums, guides: Sequence[Guide], targets: Sequence[Sums], usual: Typical
    ) -> list[Tensor]:
        """Error of each region, a scalar: 0 at the target, about 1 where nothing of it is met."""


class StyleMoments(NamedTuple):
    """Channel mean [N, C] and second moment [N, C, C] of features over positions."""

    mean: Tensor
    second: Tensor


def moments(features: Tensor) -> StyleMoments:
    """Channel moments of features [N, C, H, W].

    One matrix product forward and one backward; autograd takes three for the plain formula.
    """
    return StyleMoments(*_Moments.apply(features))


def guided_moments(features: Tensor, part: Part, guide: Guide) -> StyleMoments:
    """Addends to the channel moments of the features [N, C, H, W] of a part, under a guide."""
    if guide is None:
        mean, second = moments(features)
        return StyleMoments(mean * part.share, second * part.share)
    return StyleMoments(*_GuidedMoments.apply(features, part.of(guide)))


def gram_matrix(features: Tensor) -> Tensor:
    """Gram matrices [N, C, C] of features [N, C, H, W] (Gatys et al. 2016, eq. 3), divided by H*W only."""
    return moments(features).second


def covariance(mean: Tensor, second: Tensor) -> Tensor:
    """Centred covariance [N, C, C] from the two `moments`."""
    return second - mean[:, :, None] * mean[:, None, :]


def _relative_error(x: Tensor, target: Tensor, usual: float = 0.0) -> Tensor:
    """Squared distance to a target over its squared norm, [N]: 0 at the target, 1 at zero, at any size.

    Args:
        x: [N, ...].
        target: [N, ...], or [1, ...] for all.
        usual: squared norm that photos have; a hundredth of it is added to the target's, which may be near 0.
    """
    return squares(x - target) / (squares(target) + FLOOR * usual).clamp_min(floor_of(target))


def gram_error(own: StyleMoments, target: StyleMoments, usual: Typical = NOTHING) -> Tensor:
    """Relative squared distance of Gram matrices, [N].

    Gatys et al. 2016, eq. 4, divided by the target's own squared norm instead of 4 N^2 M^2.
    """
    return _relative_error(own.second, target.second, usual.covariance + usual.mean**2)


def covariance_error(own: StyleMoments, target: StyleMoments, usual: Typical = NOTHING) -> Tensor:
    """Mean of the relative squared distances of channel means and of centred covariances, [N].

    The Gram matrix is covariance plus mean times mean, and the means make up a quarter to half of it: matched
    apart, they do not hide the covariance, which holds strokes and colors.
    """
    centered = covariance(*own)
    return 0.5 * (
        _relative_error(own.mean, target.mean, usual.mean)
        + _relative_error(centered, covariance(*target), usual.covariance)
    )


def mean_error(own: StyleMoments, target: StyleMoments, usual: Typical = NOTHING) -> Tensor:
    """Relative squared distance of channel means, [N]: the simplest statistic that paints at all."""
    return _relative_error(own.mean, target.mean, usual.mean)


def wasserstein_error(own: StyleMoments, target: StyleMoments, usual: Typical = NOTHING) -> Tensor:
    """Squared 2-Wasserstein distance of Gaussians with these moments, [N], relative to the target's energy.

    |m - m'|^2 + tr(S + S' - 2 (L^T S L)^(1/2)) with S' = L L^T, whose root has the trace of the usual one. In
    float64 on the CPU, for the root of a nearly singular matrix.
    """
    centered, aim = (covariance(*x).to("cpu", torch.float64) for x in (own, target))
    energy = aim.diagonal(dim1=1, dim2=2).sum(1)
    channels = aim.shape[-1]
    usual_energy = FLOOR * (usual.mean + channels * usual.variance)
    jitter = (_JITTER * (energy + usual_energy) / channels).clamp_min(1e-12)
    identity = jitter[:, None, None] * torch.eye(channels, dtype=torch.float64)
    factor = torch.linalg.cholesky(aim + identity)
    both = torch.linalg.eigvalsh(factor.transpose(1, 2) @ (centered + identity) @ factor)
    spread = (centered + aim + 2 * identity).diagonal(dim1=1, dim2=2).sum(1)
    distance = spread - 2 * both.clamp_min(1e-24).sqrt().sum(1)
    error: Tensor = squares(own.mean - target.mean) + distance.to(own.mean)
    scale = squares(target.mean) + energy.to(own.mean) + usual_energy
    return error / scale.clamp_min(floor_of(target.mean))


STYLE_ERRORS: Mapping[str, Callable[[StyleMoments, StyleMoments, Typical], Tensor]] = {
    "covariance": covariance_error,
    "gram": gram_error,
    "mean": mean_error,
    "wasserstein": wasserstein_error,
}
"""Distances of moments."""


class _OfMoments:
    """A statistic of channel means and second moments."""

    def __init__(self, error: Callable[[StyleMoments, StyleMoments, Typical], Tensor]) -> None:
        self.error = error

    def gather(self, guides: Sequence[Guide]) -> Gather:
        return lambda x, part: tuple(sum for guide in guides for sum in guided_moments(x, part, guide))

    def targets(self, sums: Sums, guides: Sequence[Guide]) -> list[tuple[Tensor, ...]]:
        return [(sums[2 * index], sums[2 * index + 1]) for index in range(len(guides))]

    def errors(
        self, sums: Sums, guides: Sequence[Guide], targets: Sequence[Sums], usual: Typical
    ) -> list[Tensor]:
        own = self.targets(sums, guides)
        return [
            self.error(StyleMoments(*x), StyleMoments(*target), usual).mean()
            for x, target in zip(own, targets, strict=True)
        ]


class _Sliced:
    """Sliced Wasserstein distance (Heitz et al. 2021): features along fixed directions, sorted.

    As many orthonormal directions as there are channels, drawn once, so that L-BFGS sees one objective. The
    target is a style's quantiles, which know no size.
    """

    def gather(self, guides: Sequence[Guide]) -> Gather:
        return lambda x, part: (_Projection.apply(x, _directions(x.shape[1]).to(x.device)),)

    def targets(self, sums: Sums, guides: Sequence[Guide]) -> list[tuple[Tensor, ...]]:
        (projections,) = sums
        return [(_quantiles(projections.flatten(2)[0], _as_row(guide)),) for guide in guides]

    def errors(
        self, sums: Sums, guides: Sequence[Guide], targets: Sequence[Sums], usual: Typical
    ) -> list[Tensor]:
        (projections,) = sums
        rows = projections.flatten(2)[0]
        floor, errors = FLOOR * (usual.mean + len(rows) * usual.variance), []
        for guide, (quantiles,) in zip(guides, targets, strict=True):
            energy = quantiles.square().mean(1).sum() + floor
            distance = _SlicedDistance.apply(rows, _as_row(guide), quantiles)
            errors.append(distance / energy.clamp_min(floor_of(quantiles)))
        return errors


STATISTICS: Mapping[str, Statistic] = {
    **{name: _OfMoments(error) for name, error in STYLE_ERRORS.items()},
    "sliced": _Sliced(),
}
"""Statistics by the name of `--style-loss`."""


@functools.cache
def _directions(channels: int) -> Tensor:
    """Orthonormal directions [C, C], the same each time."""
    generator = torch.Generator().manual_seed(channels)
    basis: Tensor = torch.linalg.qr(torch.randn(channels, channels, generator=generator)).Q
    return basis


def _as_row(guide: Guide) -> Guide:
    return None if guide is None else guide.flatten()


def _middles(weights: Guide, count: int, like: Tensor) -> Tensor:
    """Share of the places below each of `count` sorted ones and half of its own, float64."""
    if weights is None:
        return (torch.arange(count, device=like.device, dtype=torch.float64) + 0.5) / count
    return weights.double().cumsum(0) - 0.5 * weights


def _quantiles(rows: Tensor, weights: Guide) -> Tensor:
    """Quantiles [K, M] of the values [K, P] of places with these weights [P]."""
    levels = (torch.arange(LEVELS, device=rows.device, dtype=torch.float64) + 0.5) / LEVELS
    found = []
    for row in rows:
        values, order = row.sort(stable=True)
        middles = _middles(None if weights is None else weights[order], len(row), row)
        high = torch.searchsorted(middles, levels).clamp(0, len(row) - 1)
        low = (high - 1).clamp_min(0)
        between = (levels - middles[low]) / (middles[high] - middles[low]).clamp_min(1e-12)
        found.append(torch.lerp(values[low], values[high], between.clamp(0, 1).to(row)))
    return torch.stack(found)


class _SlicedDistance(torch.autograd.Function):
    """Sum over directions of the mean squared distance of sorted values [K, P] to quantiles [K, M]; a scalar.

    The gradient is made on the way: one direction's sorting is in memory at a time.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weights: Guide, quantiles: Tensor) -> Tensor:
        gradient, total = torch.empty_like(rows), rows.new_zeros(())
        levels = quantiles.shape[1]
        for row, goal, out in zip(rows, quantiles, gradient, strict=True):
            values, order = row.sort(stable=True)
            share = 1 / len(row) if weights is None else weights[order]
            middles = _middles(None if weights is None else weights[order], len(row), row)
            place = (middles * levels - 0.5).clamp(0, levels - 1)
            low = place.long()
            target = torch.lerp(goal[low], goal[(low + 1).clamp_max(levels - 1)], (place - low).to(row))
            gap = share * (values - target)
            total += torch.dot(gap, values - target)
            out[order] = 2 * gap
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradients[0] * gradient, None, None


def _flat(x: Tensor) -> Tensor:
    """A view [N, C, H*W] of x [N, C, H, W], also where its channels lie side by side; of a part a copy."""
    if x.is_contiguous() or x.stride(1) != 1:
        return x.flatten(2)
    return x.permute(0, 2, 3, 1).flatten(1, 2).transpose(1, 2)


def _sums(weighted: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over places of w [N, C, P], [N, C], and of w x^T, [N, C, C], of features x [N, C, P].

    On a CPU a part of the places at a time, whose sums add up in float64. One sum over all of them rounds by
    more than the moments of a picture and of its tiles may differ, for covariances are small differences of
    them. A plain product is three times as fast as the batched one.
    """
    size = _PLACES if features.device.type == "cpu" else features.shape[2]
    wide = torch.float64 if features.device.type == "cpu" else features.dtype
    means = features.new_zeros(weighted.shape[:2], dtype=wide)
    products = means.new_zeros(*means.shape, means.shape[1])
    for mean, product, w, x in zip(means, products, weighted, features, strict=True):
        for part, places in zip(w.split(size, 1), x.split(size, 1), strict=True):
            mean += part.sum(1)
            product += part @ places.T
    return means.to(features), products.to(features)


class _Projection(torch.autograd.Function):
    """Features [N, C, H, W] along directions [K, C] -> [N, K, H, W].

    In float64 and rounded then: a value is the same bits in a picture and in its tiles. A sort makes much of
    little, for values that are nearly equal take the place of each other.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, directions: Tensor) -> Tensor:
        ctx.save_for_backward(directions)
        n, _, height, width = features.shape
        projected = features.new_empty(n, len(directions), height * width)
        exact = directions.double()
        for out, flat in zip(projected, _flat(features), strict=True):
            for part, some in zip(out.split(_PLACES, 1), flat.split(_PLACES, 1), strict=True):
                part.copy_(exact @ some.double())
        return projected.view(n, -1, height, width)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (directions,) = ctx.saved_tensors
        return F.conv2d(gradients[0], directions.T[:, :, None, None].to(gradients[0])), None


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        flat = _flat(features)
        ctx.save_for_backward(features)
        sums, products = _sums(flat, flat)
        return sums / flat.shape[2], products / flat.shape[2]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        flat = _flat(features)
        count = flat.shape[2]
        on_mean, on_second = gradients
        symmetric = (on_second + on_second.transpose(1, 2)) / count
        offset = (on_mean / count)[:, :, None]
        layout = torch.channels_last if features.stride(1) == 1 else torch.contiguous_format
        gradient = torch.empty_like(features, memory_format=layout)
        for g, o, s, m in zip(_flat(gradient), offset, symmetric, flat, strict=True):
            torch.mm(s, m, out=g).add_(o)  # addmm would copy the offset to full size first
        return gradient


class _GuidedMoments(torch.autograd.Function):
    """Sums over places of g x and g x x^T, of x [N, C, H, W] and g [1, 1, H, W]."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, guide: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(features, guide)
        flat = _flat(features)
        return _sums(flat * guide.flatten(2), flat)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        features, guide = ctx.saved_tensors
        on_mean, on_second = gradients
        symmetric = on_second + on_second.transpose(1, 2)
        flat = _flat(features)
        gradient = torch.stack([s @ m for s, m in zip(symmetric, flat, strict=True)])
        return gradient.add_(on_mean[:, :, None]).mul_(guide.flatten(2)).view_as(features), None
