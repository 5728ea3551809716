"""Pictures whose labels fix what is seen but not its pixels, and a network that tells how well it is seen.

Voronoi cells stand for the regions of a street scene: four colors, each striped or checked, are the classes.
Angle, phase and tint are drawn anew for each cell, so that no translator can know them: one that takes the
mean paints the right color without a pattern, and only one that invents a pattern is recognized.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from styler.image.conditions import Pair

COLORS = np.array([[0.75, 0.3, 0.25], [0.3, 0.65, 0.3], [0.3, 0.4, 0.8], [0.75, 0.7, 0.3]])
CLASSES = 2 * len(COLORS)
"""Class c has color c // 2; it is striped where c is even, checked where it is odd."""
CELL = 512
"""Area of a cell in pixels, a mean."""
PERIOD = 6.0
"""Pixels from stripe to stripe and from check to check."""
CONTRAST, TINT = 0.2, 0.1
"""How far a pattern goes from its cell's color, and that from its class's: half ranges of [0, 1]."""

Grid = NDArray[np.float64]


class Regions(NamedTuple):
    """N pictures: their classes, int64 [N, H, W], and labels with pictures, Images [N, 3, H, W]."""

    classes: Tensor
    pair: Pair


def regions(count: int, side: int, seed: int) -> Regions:
    """`count` pictures of side x side pixels; picture i is a function of (seed, i, side)."""
    drawn = [_picture(side, np.random.default_rng((seed, index))) for index in range(count)]
    classes = torch.from_numpy(np.stack([classes for classes, _ in drawn]))
    pictures = torch.from_numpy(np.stack([picture for _, picture in drawn])).float()
    return Regions(classes, Pair(labels(classes), pictures.permute(0, 3, 1, 2).contiguous()))


def labels(classes: Tensor) -> Tensor:
    """Classes [N, H, W] as pictures [N, 3, H, W]: each class has a corner of the color cube."""
    return torch.stack([(classes >> bit) & 1 for bit in range(3)], 1).float()


def _picture(side: int, draw: np.random.Generator) -> tuple[NDArray[np.int64], Grid]:
    """Classes [H, W] of a picture, and the picture [H, W, 3]."""
    y, x = np.mgrid[:side, :side].astype(float)
    count = max(2, side * side // CELL)
    sites = draw.uniform(0, side, (count, 2, 1, 1))
    cells = ((y - sites[:, 0]) ** 2 + (x - sites[:, 1]) ** 2).argmin(0)
    kinds = draw.integers(CLASSES, size=count)
    painted = np.stack([_pattern(kind, y, x, draw) for kind in kinds])
    return kinds[cells], np.take_along_axis(painted, cells[None, ..., None], 0)[0]


def _pattern(kind: int, y: Grid, x: Grid, draw: np.random.Generator) -> Grid:
    """A class's pattern all over the picture, [H, W, 3]."""
    color = COLORS[kind // 2] + draw.uniform(-TINT, TINT, 3)
    angle, first, second = draw.uniform(0, 2 * np.pi, 3)
    pace = 2 * np.pi / PERIOD
    stripes = np.sin(pace * (x * np.cos(angle) + y * np.sin(angle)) + first)
    checks = 2 * np.sin(pace * x + first) * np.sin(pace * y + second)
    wave = np.clip(2 * (checks if kind % 2 else stripes), -1, 1)
    return np.clip(color + CONTRAST * wave[..., None], 0, 1)


class Scorer(nn.Module):
    """Seven convolutions that tell the class of each pixel from about 40 pixels around it."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, stride, dilation in zip(
            (3, *5 * (width,)), (1, 2, 1, 1, 1, 1), (1, 1, 1, 2, 4, 1), strict=True
        ):
            conv = nn.Conv2d(inputs, width, 3, stride, dilation, dilation, bias=False)
            layers += [conv, nn.BatchNorm2d(width), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, CLASSES, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Image [N, 3, H, W] -> logits [N, CLASSES, H, W]."""
        found = self.layers((2 * image - 1).contiguous(memory_format=torch.channels_last))
        return F.interpolate(found, image.shape[2:], mode="bilinear")


def trained_scorer(real: Regions, steps: int, batch: int = 8, seed: int = 0) -> Scorer:
    """A scorer that has seen real pictures only."""
    torch.manual_seed(seed)
    scorer = Scorer().to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(scorer.parameters(), 2e-3)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (1 - step / steps)
        chosen = drawn(len(real.classes), batch, step, seed)
        loss = F.cross_entropy(scorer(real.pair.targets[chosen]), real.classes[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return scorer.eval().requires_grad_(False)


def drawn(count: int, batch: int, step: int, seed: int) -> Tensor:
    """Which of `count` pictures are in the batch of a step: all come equally often, in random order."""
    turns = [divmod(place, count) for place in range(step * batch, (step + 1) * batch)]
    order = [np.random.default_rng((seed, turn)).permutation(count)[place] for turn, place in turns]
    return torch.tensor(order)


class Score(NamedTuple):
    """Share of the pixels whose class is recognized, and the mean over classes of intersection over union."""

    accuracy: float
    overlap: float


@torch.inference_mode()
def score(scorer: Scorer, images: Tensor, classes: Tensor) -> Score:
    """How well the classes that pictures [N, 3, H, W] were made of are recognized in them."""
    seen = torch.cat([scorer(part).argmax(1) for part in images.split(16)])
    hits = torch.bincount((CLASSES * classes + seen).flatten(), minlength=CLASSES**2).view(CLASSES, CLASSES)
    both, either = hits.diag(), hits.sum(0) + hits.sum(1) - hits.diag()
    return Score((both.sum() / hits.sum()).item(), (both / either.clamp_min(1)).mean().item())
