"""How good a generator is on pairs that it does not learn from, and which of its weights are kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from styler.features import Extractor
from styler.image.conditions import Pair
from styler.losses.metrics import embedded, kernel_distance, perceptual_distance, psnr, ssim
from styler.networks.kinds import PictureNetwork
from styler.networks.layers import Mode

SCORES = {
    "l1": "mean absolute difference of values in [0, 1]",
    "psnr": "peak signal-to-noise ratio in dB, 100 at most",
    "ssim": "structural similarity, 1 at most",
    "perceptual": "distance of the loss network's features",
    "kernel": "kernel distance of the two sets of pictures on the same features",
}


@dataclass(frozen=True)
class Best:
    """The weights that did best so far: after how many steps, their scores, and themselves on the CPU."""

    step: int
    scores: Mapping[str, float]
    weights: Mapping[str, Tensor]


def best_of(
    before: Best | None, step: int, scores: Mapping[str, float], generator: PictureNetwork, keep: str
) -> Best:
    """The better one of what was best before and a generator that has just been measured.

    `keep` is the score that decides, less being better: not the difference of pixels, which prefers blur. If
    it is "last", or is not among the scores for lack of pairs, that is always the newer one.
    """
    if before and keep in scores and not _distance(scores[keep]) < _distance(before.scores[keep]):
        return before
    weights = {name: value.detach().cpu().clone() for name, value in generator.state_dict().items()}
    return Best(step, dict(scores), weights)


def _distance(score: float) -> float:
    """A score; of a network that has lost its mind the worst."""
    return score if math.isfinite(score) else math.inf


def scores_of(
    generator: PictureNetwork, pairs: Sequence[Pair], extractor: Extractor, mode: Mode
) -> dict[str, float]:
    """The means of SCORES over pairs of one picture each; {} without pairs, no kernel distance of one."""
    measured, real, fake = [], [], []
    for pair in pairs:
        made = translated(generator, pair.inputs, mode)
        wanted = pair.targets.to(made.device)
        measured.append(
            {
                "l1": (made - wanted).abs().mean().item(),
                "psnr": min(100.0, psnr(made, wanted)),
                "ssim": ssim(made, wanted),
                "perceptual": perceptual_distance(extractor, made, wanted),
            }
        )
        real.append(embedded(extractor, wanted))
        fake.append(embedded(extractor, made))
    if not measured:
        return {}
    means = {name: sum(one[name] for one in measured) / len(measured) for name in measured[0]}
    if len(pairs) > 1:
        means["kernel"] = kernel_distance(torch.cat(real), torch.cat(fake))
    return {name: float(f"{value:.5g}") for name, value in means.items()}


@torch.inference_mode()
def translated(generator: PictureNetwork, inputs: Tensor, mode: Mode) -> Tensor:
    """What a generator makes of an Image on any device: an Image on its own device, float32."""
    made: Tensor = generator(inputs.to(next(generator.parameters()).device), mode)
    return made.float().clamp(0, 1)
