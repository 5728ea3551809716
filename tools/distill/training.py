"""Distillation: a narrow VGG whose features predict a wide one's.

Convolutions start from a network that is there, or in closed form from the wide network's features; then all
that are not frozen are trained together to let a linear map predict the wide network's features from theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distill.cache import on_grid
from distill.closed_form import RIDGE, convolved, normalized, ridge
from distill.options import DistillOptions
from styler.engine.fit import TrainingState, fit
from styler.errors import InputError
from styler.events import TrainStep
from styler.features import Features
from styler.networks.vgg import Convolution, convolution_names

DECAY = 0.97
"""What the running moments keep of the past at each step."""


@dataclass(frozen=True)
class Batch:
    """What a step learns from.

    Attributes:
        items: numbers of the crops, which say where the grid lies in each.
        inputs: Image [N, 3, S, S], or what the frozen layers make of it.
        targets: the wide network's features on the grid, [N, P, C'], by layer.
    """

    items: Sequence[int]
    inputs: Tensor
    targets: Mapping[str, Tensor]


def train(
    student: Student,
    batches: Callable[[int], Batch],
    options: DistillOptions,
    start: TrainingState | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[TrainStep | TrainingState, None, TrainingState]:
    """Train `student` in place on `batches`: step -> Batch, which must depend on the step alone.

    Args:
        start: the state of a run that was interrupted; its options have to be the same.
        stop: asked after each step; once true, the state is yielded and the training ends early.
    """
    weights = {name: weight for name, weight in options.layers if weight and name in student.layers}
    optimizer = torch.optim.AdamW(student.groups(options.learning_rate), betas=(0.9, 0.99), weight_decay=0.0)

    def step(index: int, batch: Batch) -> Mapping[str, Tensor]:
        features = student(batch.inputs)
        return {
            name: weight
            * student.unexplained(name, on_grid(name, features[name], batch.items), batch.targets[name])
            for name, weight in weights.items()
        }

    return (yield from fit(step, batches, student, [optimizer], options, start, stop))


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


def frozen_of(freeze: str) -> tuple[str, ...]:
    """The convolutions up to the one named, none for an empty text; raises InputError for another name."""
    names = convolution_names("compact")
    if freeze and freeze not in names[:-1]:
        raise InputError(f"--freeze is '{freeze}'; choose one of {', '.join(names[:-1])}")
    return names[: names.index(freeze) + 1] if freeze else ()


def vary(images: Tensor, draw: torch.Generator) -> Tensor:
    """Change the colors and contrast of most of a batch at random and add noise to a quarter of it.

    Features then also hold for colors and grain that no photo has but a picture in the making does.
    """
    n = len(images)

    def some(chance: float) -> Tensor:
        return (torch.rand(n, 1, 1, generator=draw) < chance).float()

    mix = torch.eye(3) + 0.2 * some(0.7) * torch.randn(n, 3, 3, generator=draw)
    contrast = torch.exp(0.25 * some(0.7) * torch.randn(n, 1, 1, generator=draw))
    shift = 0.1 * some(0.7) * torch.randn(n, 3, 1, generator=draw)
    grain = 0.08 * some(0.25) * torch.rand(n, 1, 1, generator=draw)
    noise = torch.randn(images.shape, generator=draw)
    flat = contrast * (mix @ (images.flatten(2) - 0.5)) + 0.5 + shift
    return (flat.view_as(images) + grain[..., None] * noise).clamp(0, 1)


class Student(nn.Module):
    """The part of the narrow network that is trained: float32 weights, used as `dtype`, and running moments.

    The moments [C + 1, C + 1] of a layer's channels and a constant, and [C + 1, C'] of these with the wide
    network's, give at each step the best linear map from one to the other.

    Args:
        convolutions: of the whole network.
        wide: layers that are compared -> channels of the wide network.
        frozen: convolutions that are not part of it; it takes what they make of a picture.
    """

    def __init__(
        self,
        convolutions: Mapping[str, Convolution],
        wide: Mapping[str, int],
        dtype: torch.dtype,
        frozen: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.dtype = dtype
        self.kept = {name: convolutions[name] for name in frozen}
        self.names = tuple(name for name in convolutions if name not in self.kept)
        self.layers = [name for name in wide if name.replace("relu", "conv") in self.names]
        for name in self.names:
            weight, bias = convolutions[name]
            self.register_parameter(f"{name}_weight", nn.Parameter(weight.float().clone()))
            self.register_parameter(f"{name}_bias", nn.Parameter(bias.float().clone()))
        for name in self.layers:
            own = len(convolutions[name.replace("relu", "conv")][1]) + 1
            self.register_buffer(f"{name}_own", torch.zeros(own, own))
            self.register_buffer(f"{name}_cross", torch.zeros(own, wide[name]))

    def convolutions(self) -> dict[str, Convolution]:
        """The whole network's weights and biases as they are, copied."""
        trained = {
            name: (
                getattr(self, f"{name}_weight").detach().clone(),
                getattr(self, f"{name}_bias").detach().clone(),
            )
            for name in self.names
        }
        return {**self.kept, **trained}

    def groups(self, relative_rate: float) -> list[dict[str, Any]]:
        """One group of parameters a convolution, with a learning rate relative to the rms of its weight.

        The closed form leaves weights whose sizes differ by a factor of 70 from layer to layer; one rate for
        all would hardly move the first and tear up the last.
        """
        groups = []
        for name in self.names:
            weight, bias = getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias")
            rate = relative_rate * weight.detach().square().mean().sqrt().item()
            groups.append({"params": [weight, bias], "lr": rate})
        return groups

    def forward(self, inputs: Tensor) -> Features:
        """All its ReLU layers, for an Image [N, 3, H, W] or for what the frozen layers make of one."""
        x = inputs if self.kept else normalized(inputs)
        x = x.to(self.dtype).contiguous(memory_format=torch.channels_last)
        features: Features = {}
        for name in self.names:
            x = convolved(pooled(name, x), getattr(self, f"{name}_weight"), getattr(self, f"{name}_bias"))
            features[name.replace("conv", "relu")] = x
        return features

    def unexplained(self, name: str, own: Tensor, wide: Tensor) -> Tensor:
        """The share of the variance of `wide` [N, P, C'] that the best map from `own` [N, P, C] leaves over.

        The map is solved for from the running moments and then held fixed: at the best map the derivative
        with respect to it is zero anyway.
        """
        regressors, wide = F.pad(own.flatten(0, 1).float(), (0, 1), value=1.0), wide.flatten(0, 1).float()
        with torch.no_grad():
            moments, cross = getattr(self, f"{name}_own"), getattr(self, f"{name}_cross")
            moments.mul_(DECAY).add_(regressors.T @ regressors / len(wide), alpha=1 - DECAY)
            cross.mul_(DECAY).add_(regressors.T @ wide / len(wide), alpha=1 - DECAY)
            best = ridge(moments, cross, RIDGE)
            variance = (wide - wide.mean(0)).square().sum()
        return (regressors @ best - wide).square().sum() / variance


def pooled(name: str, x: Tensor) -> Tensor:
    """What a convolution takes: 2x2 maxima where its block begins, but for the first."""
    return F.max_pool2d(x, 2) if name.endswith("_1") and name != "conv1_1" else x


@torch.no_grad()
def through(convolutions: Mapping[str, Convolution], images: Tensor, dtype: torch.dtype) -> Tensor:
    """What the first convolutions of a network make of an Image [N, 3, H, W]."""
    x = normalized(images).to(dtype).contiguous(memory_format=torch.channels_last)
    for name, (weight, bias) in convolutions.items():
        x = convolved(pooled(name, x), weight, bias)
    return x
