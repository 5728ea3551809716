"""Half-painted pictures and noise: what a loss network sees while it is used, and no photo shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from styler.events import Step
from styler.features import Extractor
from styler.options.optimize import OptimizeOptions
from styler.tasks.optimize import optimize


@dataclass(frozen=True)
class Halfway:
    """An Image [1, 3, H, W] after `step` steps of an optimization, with its content and its style."""

    image: Tensor
    content: Tensor
    style: Tensor
    step: int


def halfway(
    content: Tensor, style: Tensor, painter: Extractor, steps: Sequence[int], init: str, seed: int = 0
) -> Iterator[Halfway]:
    """Paint `content` [1, 3, H, W] at its size from `init` (content or noise); the picture after `steps`."""
    options = OptimizeOptions(size=max(content.shape[-2:]), scales=1, steps=max(steps), init=init, seed=seed)
    for event in optimize(content, [style], painter, options):
        if isinstance(event, Step) and event.index in steps and event.image is not None:
            yield Halfway(event.image.clamp(0, 1), content, style, event.index)


def noise(draw: np.random.Generator, side: int) -> Tensor:
    """Noise [1, 3, side, side] in [0, 1]: up to four octaves of random strength, around a random color."""
    torch_draw = torch.Generator().manual_seed(int(draw.integers(2**31)))
    image = torch.rand(1, 3, 1, 1, generator=torch_draw).expand(1, 3, side, side)
    for octave in range(4):
        strength = 0.4 * draw.random() * (draw.random() < 0.6)
        coarse = torch.randn(1, 3, -(-side >> octave), -(-side >> octave), generator=torch_draw)
        image = image + strength * F.interpolate(coarse, (side, side), mode="bilinear")
    return image.clamp(0, 1)
