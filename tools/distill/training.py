"""Distillation: a narrow VGG whose features tell as much of a picture as a wide one's.

Convolutions start in closed form, layer by layer, from the wide network's features; then all are trained
together to let a linear map predict the wide network's features from the narrow one's. Only conv1_1 starts
from the statistics of pictures alone: solved for, it would be a copy of the teacher's filters.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.closed_form import (
    CHUNK,
    RIDGE,
    Positions,
    balanced,
    closed_form,
    convolved,
    normalized,
    positions,
    ridge,
)
from distill.options import DistillOptions
from styler.device import form_for
from styler.engine.fit import TrainingState, fit
from styler.errors import InputError
from styler.events import TrainStep
from styler.features import Extractor, Features
from styler.networks.vgg import Convolution, convolution_names

LAYERS: Mapping[str, float] = {
    "relu1_1": 1.0,
    "relu1_2": 0.5,
    "relu2_1": 1.0,
    "relu2_2": 0.5,
    "relu3_1": 1.0,
    "relu3_2": 0.5,
    "relu3_4": 0.5,
    "relu4_1": 1.0,
    "relu4_2": 0.5,
    "relu5_1": 1.0,
}
"""Layers whose features are matched, with weights: the usual ones of style and content, and some between."""

SAMPLE_BATCHES = 15
"""Batches after the last one of the training whose pictures the closed form is solved on."""
DECAY = 0.97
"""What the running moments keep of the past at each step."""
GRID = 8
"""Pixels between two positions that the training compares: neighbors tell almost the same."""


def distill(
    teacher: Extractor,
    batches: Callable[[int], Tensor],
    options: DistillOptions,
    start: TrainingState | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[TrainStep | TrainingState, None, dict[str, Convolution]]:
    """Make a narrow VGG of `options.widths` in the layout of `compact`.

    Args:
        teacher: the wide network, at least as deep as relu5_1.
        batches: step -> Image [N, 3, H, W]; what comes must depend on the step alone.
        start: the state of a run that was interrupted; its options have to be the same.
        stop: asked after each step; once true, the state is yielded and the training ends early.

    Yields a TrainStep a step and from time to time the TrainingState. Returns the convolutions, `balanced`,
    for TORCHVISION's normalization and reflection padding.
    """
    after = range(options.steps, options.steps + SAMPLE_BATCHES)
    sample = torch.cat([vary(batches(index), options.seed, index) for index in after])
    device = sample.device
    dtype = form_for(options.precision, device).dtype
    wide = copy.deepcopy(teacher).to(dtype).to(memory_format=torch.channels_last)
    convolutions, scales = first_guess(wide, sample, widths_of(options.widths), options.seed)
    with torch.no_grad():
        channels = {name: f.shape[1] for name, f in features_of(wide, sample[:1], LAYERS).items()}
    student = Student(convolutions, channels, dtype).to(device)
    optimizer = torch.optim.AdamW(student.groups(options.learning_rate), betas=(0.9, 0.99), weight_decay=0.0)

    def step(index: int, batch: Tensor) -> Mapping[str, Tensor]:
        images = vary(batch, options.seed, index)
        with torch.no_grad():
            wanted = features_of(wide, images, LAYERS)
        found = student(images)
        return {
            name: weight
            * student.unexplained(name, grid(name, found[name], index), grid(name, wanted[name], index))
            for name, weight in LAYERS.items()
        }

    yield from fit(step, batches, student, [optimizer], options, start, stop)
    return balanced(student.convolutions(), sample, scales, options.whitening)


def widths_of(text: str) -> dict[str, int]:
    """Convolution -> channels, from `32,64,96,96,96` for the five blocks or from one number a convolution.

    Raises InputError for anything else.
    """
    names = convolution_names("compact")
    parts = text.split(",")
    if len(parts) not in (5, len(names)) or not all(
        p.strip().isdecimal() and 2 <= int(p) <= 512 for p in parts
    ):
        raise InputError(
            f"--widths is '{text}'; give five numbers from 2 to 512, as in 32,64,96,96,96, or {len(names)}"
        )
    if len(parts) == 5:
        parts = [parts[int(name[4]) - 1] for name in names]
    return dict(zip(names, map(int, parts), strict=True))


def vary(images: Tensor, seed: int, index: int) -> Tensor:
    """Change the colors and contrast of most of a batch at random and add noise to a quarter of it.

    Features then also hold for colors and grain that no photo has but a picture in the making does.
    """
    draw = torch.Generator().manual_seed((seed * 1_000_003 + index) % 2**32)
    n = len(images)

    def some(chance: float) -> Tensor:
        return (torch.rand(n, 1, 1, generator=draw) < chance).float()

    mix = torch.eye(3) + 0.2 * some(0.7) * torch.randn(n, 3, 3, generator=draw)
    contrast = torch.exp(0.25 * some(0.7) * torch.randn(n, 1, 1, generator=draw))
    shift = 0.1 * some(0.7) * torch.randn(n, 3, 1, generator=draw)
    grain = 0.08 * some(0.25) * torch.rand(n, 1, 1, generator=draw)
    noise = torch.randn(images.shape, generator=draw)
    mix, contrast, shift, grain, noise = (x.to(images.device) for x in (mix, contrast, shift, grain, noise))
    flat = contrast * (mix @ (images.flatten(2) - 0.5)) + 0.5 + shift
    return (flat.view_as(images) + grain[..., None] * noise).clamp(0, 1)


def features_of(teacher: Extractor, images: Tensor, layers: Iterable[str]) -> Features:
    """The wide network's features, with reflection at the borders as the narrow network has it."""
    x = images.to(teacher.mean.dtype).contiguous(memory_format=torch.channels_last)
    features: Features = teacher(x, layers, padding="reflect")
    return features


def grid(name: str, features: Tensor, index: int) -> Tensor:
    """Every GRID-th pixel's channels, [P, C] in float32; the grid moves with the step."""
    stride = max(1, GRID >> (int(name[4]) - 1))
    top, left = index % stride, index // stride % stride
    picked = features[:, :, top::stride, left::stride]
    return picked.permute(0, 2, 3, 1).flatten(0, 2).float()


class Student(nn.Module):
    """The narrow network in training: float32 weights, used as `dtype`, and running moments by layer.

    The moments [C + 1, C + 1] of the student's channels and a constant, and [C + 1, C'] of these with the
    wide network's, give at each step the best linear map from one to the other.
    """

    def __init__(
        self, convolutions: Mapping[str, Convolution], wide: Mapping[str, int], dtype: torch.dtype
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.names = tuple(convolutions)
        for name, (weight, bias) in convolutions.items():
            self.register_parameter(f"{name}_weight", nn.Parameter(weight.clone()))
            self.register_parameter(f"{name}_bias", nn.Parameter(bias.clone()))
        for name, channels in wide.items():
            own = len(convolutions[name.replace("relu", "conv")][1]) + 1
            self.register_buffer(f"{name}_own", torch.zeros(own, own))
            self.register_buffer(f"{name}_cross", torch.zeros(own, channels))

    def convolutions(self) -> dict[str, Convolution]:
        """The weights and biases as they are, copied."""
        return {
            name: tuple(getattr(self, f"{name}_{part}").detach().clone() for part in ("weight", "bias"))
            for name in self.names
        }

    def groups(self, relative_rate: float) -> list[dict[str, Any]]:
        """One group of parameters a convolution, with a learning rate relative to the rms of its weight.

        The closed form leaves weights whose sizes differ by a factor of 70 from layer to layer; one rate for
        all would hardly move the first and tear up the last.
        """
        made = []
        for name in self.names:
            weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")
            rate = relative_rate * weight.detach().square().mean().sqrt().item()
            made.append({"params": [weight, bias], "lr": rate})
        return made

    def forward(self, images: Tensor) -> Features:
        """All its ReLU layers for an Image [N, 3, H, W]."""
        x = normalized(images).to(self.dtype).contiguous(memory_format=torch.channels_last)
        found: Features = {}
        for name in self.names:
            if name.endswith("_1") and found:
                x = F.max_pool2d(x, 2)
            x = convolved(x, getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias"))
            found[name.replace("conv", "relu")] = x
        return found

    def unexplained(self, name: str, own: Tensor, wide: Tensor) -> Tensor:
        """The share of the variance of `wide` [P, C'] that the best map from `own` [P, C] leaves over.

        The map is solved for from the running moments and then held fixed: at the best map the derivative
        with respect to it is zero anyway.
        """
        regressors = F.pad(own, (0, 1), value=1.0)
        with torch.no_grad():
            moments, cross = getattr(self, f"{name}_own"), getattr(self, f"{name}_cross")
            moments.mul_(DECAY).add_(regressors.T @ regressors / len(own), alpha=1 - DECAY)
            cross.mul_(DECAY).add_(regressors.T @ wide / len(own), alpha=1 - DECAY)
            best = ridge(moments, cross, RIDGE)
            variance = (wide - wide.mean(0)).square().sum()
        return (regressors @ best - wide).square().sum() / variance


@torch.no_grad()
def first_guess(
    teacher: Extractor, images: Tensor, widths: Mapping[str, int], seed: int
) -> tuple[dict[str, Convolution], dict[str, Tensor]]:
    """The closed form on what the teacher says of `images`; see `closed_form`."""
    draw = torch.Generator().manual_seed(seed)
    where = positions(images, widths, draw)
    return closed_form(images, widths, where, before_relu(teacher, images, where), draw)


def before_relu(teacher: Extractor, images: Tensor, where: Mapping[str, Positions]) -> dict[str, Tensor]:
    """The teacher's values [P, C'] at the positions of each convolution, before the ReLU."""
    parts: dict[str, list[Tensor]] = {name: [] for name in where}
    for first in range(0, len(images), CHUNK):
        values = features_of(teacher, images[first : first + CHUNK], where)
        for name, (picture, top, left) in where.items():
            here = (picture >= first) & (picture < first + CHUNK)
            parts[name].append(values[name][picture[here] - first, :, top[here], left[here]].float())
    return {name: torch.cat(rows) for name, rows in parts.items()}
