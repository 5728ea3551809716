"""Half-painted pictures and noise: what a loss network sees while it is used, and no photo shows."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

import styler
from styler.events import Event, Item, Step
from styler.features import Extractor
from styler.options.optimize import OptimizeOptions
from styler.storage.datasets.photos import Pictures
from styler.storage.models import vgg
from styler.tasks.optimize import optimize

STEPS = 3, 9, 24
"""Steps after which a picture is half painted."""


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
    options = OptimizeOptions(
        size=max(content.shape[-2:]),
        scales=1,
        steps=max(steps),
        init=init,
        seed=seed,
        parameterization="pixels",
    )
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


def paint(
    photos: str,
    paintings: str,
    output: str,
    painter: str = "compact",
    runs: int = 64,
    side: int = 256,
    seed: int = 0,
) -> Generator[Event, None, dict[str, object]]:
    """Write half-painted pictures as RUN-STEP.png, a third of them begun from noise; goes on where it was.

    Args:
        photos, paintings: folders or lists.
        output: folder.
        painter: network of the loss.
        runs: optimizations, each of which gives a picture for each of STEPS.
    """
    folder, network = Path(output), vgg.load(painter)
    contents, styles = Pictures(photos, seed), Pictures(paintings, seed + 1)
    for run in range(runs):
        yield Item(run + 1, runs, f"{run:04}")
        files = {step: folder / f"{run:04}-{step:02}.png" for step in STEPS}
        if all(file.is_file() for file in files.values()):
            continue
        draw = np.random.default_rng((seed, run))
        content, style = contents.crop(draw, side), styles.crop(draw, side)
        folder.mkdir(parents=True, exist_ok=True)
        for picture in halfway(content, style, network, STEPS, "noise" if run % 3 == 0 else "content", run):
            styler.save(files[picture.step], picture.image, overwrite=True)
    return {"output": output, "seed": seed}
