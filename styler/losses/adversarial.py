"""What generator and discriminator want of the discriminator's answers, as logits, and of its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.options.translate import Adversary

Maps = Sequence[Sequence[Tensor]]
"""What a discriminator gives: for each of its scales its layers' maps [N, C, h, w], the logits last."""


@dataclass(frozen=True)
class Game:
    """The losses of one logit; each is 0 or least where its side has what it wants.

    Attributes:
        real: the discriminator's, of an answer to a real picture.
        fake: the discriminator's, of an answer to a fake.
        fooled: the generator's, of an answer to a fake.
        even: the logit that says neither real nor fake.
    """

    real: Callable[[Tensor], Tensor]
    fake: Callable[[Tensor], Tensor]
    fooled: Callable[[Tensor], Tensor]
    even: float = 0.0


def _to_one(logit: Tensor) -> Tensor:
    return (logit - 1).square()


GAMES: Mapping[Adversary, Game] = {
    # Goodfellow et al. 2014, with -log D in place of log(1 - D) for the generator.
    "bce": Game(lambda x: F.softplus(-x), F.softplus, lambda x: F.softplus(-x)),
    # Mao et al. 2017 with a = 0, b = c = 1.
    "least-squares": Game(_to_one, torch.square, _to_one, even=0.5),
    # Lim and Ye 2017.
    "hinge": Game(lambda x: F.relu(1 - x), lambda x: F.relu(1 + x), torch.neg),
}


def judged(loss: Callable[[Tensor], Tensor], answers: Maps) -> Tensor:
    """The mean of a loss over all patches, then over scales, in float32."""
    return torch.stack([loss(maps[-1].float()).mean() for maps in answers]).mean()


def feature_matching(fake: Maps, real: Maps) -> Tensor:
    """How far the layers' maps of a fake are from those of the real picture, the logits left out.

    Wang et al. 2018 (pix2pixHD), eq. 4: mean absolute differences, summed over layers; a mean over scales.
    Only the fake's maps get a gradient.
    """
    errors = [
        F.l1_loss(x.float(), y.detach().float())
        for some, others in zip(fake, real, strict=True)
        for x, y in zip(some[:-1], others[:-1], strict=True)
    ]
    return torch.stack(errors).sum() / len(fake)


def share_right(real: Maps, fake: Maps, even: float) -> Tensor:
    """The share of patches, half real and half fake, that a discriminator calls right; a mean over scales."""
    shares = [
        0.5 * ((some[-1] > even).float().mean() + (others[-1] < even).float().mean())
        for some, others in zip(real, fake, strict=True)
    ]
    return torch.stack(shares).mean()


def both_sides(discriminator: nn.Module, image: Tensor) -> tuple[Maps, Maps]:
    """What a discriminator makes of a fake, for the generator and for itself, in one pass.

    Gradients of the first maps go to the image [N, C, H, W] alone, those of the second to the weights alone:
    so neither side is moved by what the other wants.
    """
    scales: list[int] = []
    found = _Judged.apply(discriminator, image, scales, *discriminator.parameters())
    maps = iter(found)
    own, other = ([[next(maps) for _ in range(count)] for count in scales] for _ in range(2))
    return own, other


class _Judged(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, discriminator: nn.Module, image: Tensor, scales: list[int], *weights: Tensor
    ) -> tuple[Tensor, ...]:
        with torch.enable_grad():
            ctx.image = image.detach().requires_grad_()
            judged = discriminator(ctx.image)
        ctx.maps = [x for maps in judged for x in maps]
        ctx.weights = weights
        ctx.set_materialize_grads(False)  # most maps have none
        scales.extend(map(len, judged))
        return tuple(x.detach() for _ in range(2) for x in ctx.maps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:
        count = len(ctx.maps)
        (on_image,) = _sent(ctx.maps, gradients[:count], (ctx.image,))
        return None, on_image, None, *_sent(ctx.maps, gradients[count:], ctx.weights)


def _sent(
    maps: Sequence[Tensor], gradients: Sequence[Tensor | None], to: Sequence[Tensor]
) -> Sequence[Tensor | None]:
    """Gradients of maps, where there are any, sent back to some tensors and nowhere else."""
    known = [(x, gradient) for x, gradient in zip(maps, gradients, strict=True) if gradient is not None]
    if not known:
        return [None] * len(to)
    return torch.autograd.grad([x for x, _ in known], to, [y for _, y in known], retain_graph=True)
