"""Adversarial losses on logits, and feature matching."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.options.translate import Adversary

_Maps = Sequence[Sequence[Tensor]]
"""Discriminator output: for each scale the maps [N, C, h, w] of its layers, the logits last."""


@dataclass(frozen=True)
class AdversarialLoss:
    """Losses of one logit, least where the logit is right for their side.

    Attributes:
        real: the discriminator's loss of a real picture.
        fake: the discriminator's loss of a generated picture.
        fooled: the generator's loss of a generated picture.
        even: the logit between real and fake.
    """

    real: Callable[[Tensor], Tensor]
    fake: Callable[[Tensor], Tensor]
    fooled: Callable[[Tensor], Tensor]
    even: float = 0.0


def _to_one(logit: Tensor) -> Tensor:
    return (logit - 1).square()


ADVERSARIAL_LOSSES: Mapping[Adversary, AdversarialLoss] = {
    # Goodfellow et al. 2014, with -log D in place of log(1 - D) for the generator.
    "bce": AdversarialLoss(lambda x: F.softplus(-x), F.softplus, lambda x: F.softplus(-x)),
    # Mao et al. 2017 with a = 0, b = c = 1.
    "least-squares": AdversarialLoss(_to_one, torch.square, _to_one, even=0.5),
    # Lim and Ye 2017.
    "hinge": AdversarialLoss(lambda x: F.relu(1 - x), lambda x: F.relu(1 + x), torch.neg),
}


def patch_loss(loss: Callable[[Tensor], Tensor], output: _Maps) -> Tensor:
    """Mean of a loss over patches, then over scales, in float32."""
    return torch.stack([loss(maps[-1].float()).mean() for maps in output]).mean()


def feature_matching(fake: _Maps, real: _Maps) -> Tensor:
    """Feature matching loss of a discriminator's maps, logits left out (Wang et al. 2018, eq. 4).

    Mean absolute differences, summed over layers; a mean over scales. Only the fake's maps get a gradient.
    """
    errors = [
        F.l1_loss(x.float(), y.detach().float())
        for some, others in zip(fake, real, strict=True)
        for x, y in zip(some[:-1], others[:-1], strict=True)
    ]
    return torch.stack(errors).sum() / len(fake)


def accuracy(real: _Maps, fake: _Maps, even: float) -> Tensor:
    """Balanced accuracy of a discriminator over patches; a mean over scales."""
    shares = [
        0.5 * ((some[-1] > even).float().mean() + (others[-1] < even).float().mean())
        for some, others in zip(real, fake, strict=True)
    ]
    return torch.stack(shares).mean()


def both_sides(discriminator: nn.Module, image: Tensor) -> tuple[_Maps, _Maps]:
    """Maps of a generated picture for the generator's and for the discriminator's loss, in one pass.

    Gradients of the first go to the image [N, C, H, W] alone, those of the second to the weights alone: so
    neither side is moved by the other's losses.
    """
    scales: list[int] = []
    maps = iter(_BothSides.apply(discriminator, image, scales, *discriminator.parameters()))
    own, other = ([[next(maps) for _ in range(count)] for count in scales] for _ in range(2))
    return own, other


class _BothSides(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, discriminator: nn.Module, image: Tensor, scales: list[int], *weights: Tensor
    ) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            ctx.image = image.detach().requires_grad_()
            output = discriminator(ctx.image)
        ctx.maps = [x for maps in output for x in maps]
        ctx.weights = weights
        ctx.set_materialize_grads(False)  # most maps have none
        scales.extend(map(len, output))
        return tuple(x.detach() for _ in range(2) for x in ctx.maps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        count = len(ctx.maps)
        (on_image,) = _backpropagated(ctx.maps, gradients[:count], (ctx.image,))
        return None, on_image, None, *_backpropagated(ctx.maps, gradients[count:], ctx.weights)


def _backpropagated(
    maps: Sequence[Tensor], gradients: Sequence[Tensor | None], to: Sequence[Tensor]
) -> Sequence[Tensor | None]:
    """Backpropagate the gradients of maps, where there are any, to some tensors alone."""
    pairs = [(x, gradient) for x, gradient in zip(maps, gradients, strict=True) if gradient is not None]
    if not pairs:
        return [None] * len(to)
    return torch.autograd.grad([x for x, _ in pairs], to, [y for _, y in pairs], retain_graph=True)
