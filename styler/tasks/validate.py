"""Validation of generators on pairs held out of training, and choice of the best weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from styler.features import Extractor
from styler.image.conditions import Pair, grained
from styler.losses.metrics import embed, kernel_distance, perceptual_distance, psnr, ssim
from styler.networks.kinds import PictureNetwork
from styler.networks.layers import Mode


@dataclass(frozen=True)
class Best:
    """Best weights so far: the step they are of, their scores, and the state dict on the CPU."""

    step: int
    scores: Mapping[str, float]
    weights: Mapping[str, Tensor]


def better_of(
    before: Best | None, step: int, scores: Mapping[str, float], generator: PictureNetwork, keep: str
) -> Best:
    """The better of the former best weights and those of a generator just validated; of equals the former.

    `keep` is the deciding score, less being better; never the difference of pixels, which prefers blur. If it
    is "last", or not among the scores for lack of pairs, the generator's weights are taken.
    """
    if before and keep in scores and not _distance(scores[keep]) < _distance(before.scores[keep]):
        return before
    weights = {name: value.detach().cpu().clone() for name, value in generator.state_dict().items()}
    return Best(step, dict(scores), weights)


def _distance(score: float) -> float:
    """A score, infinite where it is not finite."""
    return score if math.isfinite(score) else math.inf


def validate(
    generator: PictureNetwork, pairs: Sequence[Pair], extractor: Extractor, mode: Mode
) -> dict[str, float]:
    """Mean metrics of a generator over pairs of one picture each; {} without pairs.

    l1 (of values in [0, 1]), psnr (dB, at most 100), ssim, perceptual (distance), and for two pairs or more
    kernel (distance of the sets).
    """
    scores, real, fake = [], [], []
    for pair in pairs:
        image = translate(generator, pair.inputs, mode)
        target = pair.targets.to(image.device)
        scores.append(
            {
                "l1": (image - target).abs().mean().item(),
                "psnr": min(100.0, psnr(image, target)),
                "ssim": ssim(image, target),
                "perceptual": perceptual_distance(extractor, image, target),
            }
        )
        real.append(embed(extractor, target))
        fake.append(embed(extractor, image))
    if not scores:
        return {}
    means = {name: sum(one[name] for one in scores) / len(scores) for name in scores[0]}
    if len(pairs) > 1:
        means["kernel"] = kernel_distance(torch.cat(real), torch.cat(fake))
    return {name: float(f"{value:.5g}") for name, value in means.items()}


@torch.inference_mode()
def translate(generator: PictureNetwork, inputs: Tensor, mode: Mode) -> Tensor:
    """Translate an Image on any device; the result is an Image on the generator's device, float32."""
    seen = grained(inputs, generator.config.grain, (0,)).to(next(generator.parameters()).device)
    image: Tensor = generator(seen, mode)
    return image.float().clamp(0, 1)
