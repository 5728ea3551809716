"""Perceptual losses: content, total variation, grid pattern; weighted sums of terms, by their statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.networks.vgg import Typical
from styler.options.fields import Layers

Walk = Callable[[Tensor, set[str]], Iterable[tuple[str, Tensor]]]
"""Image [N, 3, H, W] and layer names -> activations by name, as `Extractor.walk`."""
Objective = Callable[[Tensor], dict[str, Tensor]]
"""Image [N, 3, H, W] -> weighted scalar by term name; their sum is minimized."""


FLOOR = 0.01
"""Share of what photos usually have at a layer that every denominator has at least."""
NOTHING = Typical(0.0, 0.0, 0.0)
"""Figures of a network whose photos are not known: no floor but that of rounding."""
_EDGE = 1e-10
"""Squared gradient of pixels below which a total variation is smooth."""
EVEN = 0.001
"""Weight of places without any structure, relative to the usual one's square."""
_ROWS, _CHANNELS = 128, 8
"""Rows and channels of a map that are worked on at a time."""


class Part(NamedTuple):
    """Part of a feature map: its rows, its columns, and its share of all places."""

    rows: slice = slice(None)
    columns: slice = slice(None)
    share: float = 1.0

    def of(self, map: Tensor) -> Tensor:
        """The part of a map [N, C, H, W], a view of it."""
        return map[..., self.rows, self.columns]


WHOLE = Part()
Gather = Callable[[Tensor, Part], tuple[Tensor, ...]]
"""Features [N, C, h, w] of a part -> its addends to the statistics of the whole.

Statistics with four dimensions are maps: parts lie side by side in them, where others are added up.
"""


def as_map(features: Tensor, part: Part) -> tuple[Tensor, ...]:
    """Gather the features themselves."""
    return (features,)


@dataclass(frozen=True)
class Term:
    """One weighted part of an objective: `weight * function(*statistics of the activation at layer)`."""

    name: str
    layer: str
    weight: float
    function: Callable[..., Tensor]
    gather: Gather = as_map

    def __call__(self, features: Tensor) -> Tensor:
        """The weighted value, of the whole map."""
        return self.weight * self.function(*self.gather(features, WHOLE))


def objective(walk: Walk, terms: Sequence[Term]) -> Objective:
    """Objective of weighted `terms`, computed in one pass of the network."""
    layers = {term.layer for term in terms}

    def evaluate(image: Tensor) -> dict[str, Tensor]:
        losses = {
            term.name: term(activation)
            for layer, activation in walk(image, layers)
            for term in terms
            if term.layer == layer
        }
        return {term.name: losses[term.name] for term in terms}

    return evaluate


def content_error(x: Tensor, target: Tensor, usual: Typical = NOTHING) -> Tensor:
    """Squared distance of features [N, C, H, W] to `target`, over the target's spatial variance; [N].

    Gatys et al. 2016, eq. 1, where the sum is halved instead. What photos usually have is the least divisor,
    or a flat picture would outweigh any style; where that is unknown, a thousandth of the features' energy.
    """
    return squares(x - target) / content_scale(target, usual)


def content_scale(target: Tensor, usual: Typical = NOTHING) -> Tensor:
    """Denominator of `content_error`, [N]."""
    spread = squares(target - target.mean((-2, -1), keepdim=True))
    spread = spread.clamp_min(usual.variance * target[0].numel())
    return torch.maximum(spread, 1e-3 * squares(target)).clamp_min(floor_of(target))


class Structure(NamedTuple):
    """What `structure_error` knows of a photo's features [N, C, H, W].

    Attributes:
        weight: how loud each place is, [N, 1, H, W], 1 on average.
        pattern: the centered features times the weight, [N, C, H, W].
        floor: least variance of a channel, a scalar.
        spread: sum over channels of the standard deviations, [N].
        loudness: from 0 for a flat photo to 1 for one full of structure, [N].
    """

    weight: Tensor
    pattern: Tensor
    floor: float
    spread: Tensor
    loudness: Tensor


def structure(target: Tensor, usual: float) -> Structure:
    """The Structure of a photo's features [N, C, H, W]; `usual` is the variance of a channel in photos."""
    floor = FLOOR * usual
    variance, mean = torch.var_mean(target, (2, 3), correction=0, keepdim=True)
    # Few rows and few channels at a time: a large picture's maps would not fit in memory several times.
    energy = [
        ((rows - mean).square() / (variance + floor)).mean(1, keepdim=True)
        for rows in torch.split(target, _ROWS, 2)
    ]
    around = F.avg_pool2d(F.pad(torch.cat(energy, 2), (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    weight = (around + EVEN).sqrt_()
    weight /= weight.mean((2, 3), keepdim=True)
    pattern, powers = torch.empty_like(target), []
    for channels, out in zip(*(torch.split(x, _CHANNELS, 1) for x in (target, pattern)), strict=True):
        centered = channels - (weight * channels).mean((2, 3), keepdim=True)
        torch.mul(centered, weight, out=out)
        powers.append((out * centered).mean((2, 3)))
    power = torch.cat(powers, 1)
    average = power.mean(1)
    return Structure(weight, pattern, floor, (power + floor).sqrt().sum(1), average / (average + floor))


def structure_error(x: Tensor, target: Structure) -> Tensor:
    """Structural distance to a photo, free of color and contrast, [N]: 2 for an unrelated picture.

    Twice one minus the mean correlation of the channels of x [N, C, H, W] with the photo's. Places count by
    the structure that the photo has there, channels by their deviation. A flat photo has no structure to
    keep, and no error.
    """
    return structure_distance(target, *structure_sums(x, target))


def structure_sums(x: Tensor, target: Structure, part: Part = WHOLE) -> tuple[Tensor, ...]:
    """Statistics of `structure_distance`, [N, C] each, of the features of a part."""
    means = _WeightedSums.apply(x, part.of(target.weight), part.of(target.pattern))
    return tuple(mean * part.share for mean in means)


def structure_distance(target: Structure, mean: Tensor, square: Tensor, product: Tensor) -> Tensor:
    """The `structure_error` of features with these statistics."""
    deviation = ((square - mean.square()).clamp_min(0) + target.floor).sqrt()
    agreement = (product / deviation).sum(1) / target.spread
    error: Tensor = 2 * target.loudness * (1 - agreement)
    return error


def shares(layers: Layers) -> list[tuple[str, float]]:
    """Normalize layer weights to a sum of 1."""
    whole = sum(weight for _, weight in layers)
    return [(name, weight / whole) for name, weight in layers]


def total_variation(image: Tensor) -> Tensor:
    """Mean squared difference of neighboring pixels of an image [N, C, H, W].

    Mahendran and Vedaldi 2015, with beta 2; the mean over all vertical neighbors plus that over all
    horizontal ones. It is 0 for a constant.
    """
    vertical = (image[..., 1:, :] - image[..., :-1, :]).square().mean()
    horizontal = (image[..., :, 1:] - image[..., :, :-1]).square().mean()
    return vertical + horizontal


def gradient_norm(image: Tensor, beta: float = 2.0) -> Tensor:
    """Mean over pixels of the length of the gradient to the power of `beta`, of an image [N, C, H, W].

    The total variation of Mahendran and Vedaldi 2015, as a mean; the border is replicated. Of a flat image it
    is 0, and so is its gradient, for every beta from 1 on.
    """
    down = F.pad(image[..., 1:, :] - image[..., :-1, :], (0, 0, 0, 1))
    right = F.pad(image[..., :, 1:] - image[..., :, :-1], (0, 1))
    lengths: Tensor = (down.square() + right.square() + _EDGE) ** (beta / 2)
    return lengths.mean() - float(_EDGE ** (beta / 2))


def alpha_norm(image: Tensor, alpha: float = 6.0) -> Tensor:
    """Mean of the distances from middle gray to the power of `alpha` (Mahendran and Vedaldi 2015)."""
    distances: Tensor = (image - 0.5).abs() ** alpha
    return distances.mean()


def out_of_range(image: Tensor) -> Tensor:
    """Mean squared distance of values from the range [0, 1]; a scalar."""
    return (image - image.clamp(0, 1)).square().mean()


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


def squares(x: Tensor) -> Tensor:
    """Squared norm of each picture's values, [N, ...] -> [N]."""
    return x.square().flatten(1).sum(1)


def floor_of(x: Tensor) -> float:
    """Least denominator: far below any real energy, far above the underflow of float32."""
    return 1e-12 * x[0].numel()


class _WeightedSums(torch.autograd.Function):
    """Means over places of w x, w x^2 and p x, [N, C] each, of x [N, C, H, W], w [N, 1, H, W] and p like x.

    One pass back in place of three, and nothing of x's size is kept but x.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, pattern: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(x, weight, pattern)
        weighted = x * weight
        return weighted.mean((2, 3)), (weighted * x).mean((2, 3)), (pattern * x).mean((2, 3))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        x, weight, pattern = ctx.saved_tensors
        on_mean, on_square, on_product = (g[:, :, None, None] / x[0, 0].numel() for g in gradients)
        return torch.addcmul(on_mean, x, 2 * on_square).mul_(weight).addcmul_(pattern, on_product), None, None


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """Sum of losses, which is minimized."""
    return torch.stack(list(losses.values())).sum()
