"""Distillation: a narrow VGG whose features tell as much of a picture as a wide one's.

Convolutions start in closed form, layer by layer, from the wide network's features; then all are trained
together to let a linear map predict the wide network's features from the narrow one's. Only conv1_1 starts from
the statistics of pictures alone: solved for, it would be a copy of the teacher's filters.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import scipy.linalg
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.engine import TrainingState, fit
from styler.errors import InputError
from styler.events import TrainStep
from styler.features import Extractor, Features
from styler.networks.vgg import TORCHVISION, Convolution, convolution_names
from styler.options import DistillOptions

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
"""Layers whose features are matched, with weights: the usual layers of style and content, and some between."""

SAMPLE_BATCHES = 15
"""Batches after the last one of the training whose pictures the closed form is solved on."""
CHUNK = 16
"""Pictures that go through a network at a time in the closed form."""
SAMPLE = 24000
"""Positions of the pictures that each closed-form solution is made from."""
DECAY = 0.97
"""What the running moments keep of the past at each step."""
RIDGE = 1e-4
"""Ridge of the regressions, relative to the mean energy of a regressor."""
GRID = 8
"""Pixels between two positions that the training compares: neighbors tell almost the same."""


@dataclass(frozen=True)
class Teacher:
    """A wide network, or one that stands for it: `maps` lead from its channels to the wide network's.

    A map (weight [C_wide, C], bias [C_wide]) is followed by a ReLU.
    """

    extractor: Extractor
    maps: Mapping[str, tuple[Tensor, Tensor]] = field(default_factory=dict)


def distill(
    teachers: Sequence[Teacher],
    batches: Callable[[int], Tensor],
    options: DistillOptions,
    start: TrainingState | None = None,
) -> Generator[TrainStep | TrainingState, None, dict[str, Convolution]]:
    """Make a narrow VGG of `options.widths` in the layout of `compact`.

    Args:
        teachers: each layer is learned from the first one that has it.
        batches: step -> Image [N, 3, H, W]; what comes must depend on the step alone.
        start: the state of a run that was interrupted; its options have to be the same.

    Yields a TrainStep a step and from time to time the TrainingState. Returns the convolutions, every channel
    scaled as `balanced` says, for TORCHVISION's normalization and reflection padding.
    """
    after = range(options.steps, options.steps + SAMPLE_BATCHES)
    sample = torch.cat([vary(batches(index), options.seed, index) for index in after])
    device = sample.device
    dtype = precision(options, device)
    wide = [_converted(teacher, dtype) for teacher in teachers]
    convolutions = closed_form(wide, sample, widths_of(options.widths), options.seed)
    with torch.no_grad():
        channels = {name: f.shape[1] for name, f in targets(wide, sample[:1], LAYERS).items()}
    student = Student(convolutions, channels, dtype).to(device)
    optimizer = torch.optim.AdamW(
        student.parameters(), options.learning_rate, betas=(0.9, 0.99), weight_decay=0.0
    )

    def step(index: int, batch: Tensor) -> Mapping[str, Tensor]:
        images = vary(batch, options.seed, index)
        with torch.no_grad():
            wanted = targets(wide, images, LAYERS)
        found = student(images)
        return {
            name: weight * student.unexplained(name, grid(name, found[name], index), grid(name, wanted[name], index))
            for name, weight in LAYERS.items()
        }

    yield from fit(step, batches, student, [optimizer], options, start)
    return balanced(student.convolutions(), sample, options.whitening)


def widths_of(text: str) -> tuple[int, ...]:
    """`32,48,96,96,96` -> the channels of five blocks; raises InputError for anything else."""
    parts = text.split(",")
    if len(parts) != 5 or not all(part.strip().isdecimal() and 2 <= int(part) <= 512 for part in parts):
        raise InputError(f"--widths is '{text}'; give five numbers from 2 to 512, as in 32,48,96,96,96")
    return tuple(int(part) for part in parts)


def precision(options: DistillOptions, device: torch.device) -> torch.dtype:
    """The number type to train in; bfloat16 pays where the device multiplies it in hardware."""
    if options.precision != "auto":
        return torch.float32 if options.precision == "float32" else torch.bfloat16
    able = torch.cpu.get_capabilities().get("avx512_bf16", False) if device.type == "cpu" else True
    return torch.bfloat16 if able else torch.float32


def vary(images: Tensor, seed: int, index: int) -> Tensor:
    """Change the colors and contrast of most of a batch at random and add noise to a quarter of it.

    Features then also hold for colors and grain that no photo has but a picture in the making does.
    """
    draw = torch.Generator().manual_seed((seed << 32) + index)
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


def targets(teachers: Sequence[Teacher], images: Tensor, layers: Iterable[str]) -> Features:
    """What the student is to tell: the wide network's layers, through the teachers' maps."""
    found = _raw(teachers, images, layers)
    for teacher in teachers:
        for name, (weight, bias) in teacher.maps.items():
            if name in found:
                weight, bias = weight[:, :, None, None].to(found[name]), bias.to(found[name])
                found[name] = F.relu(F.conv2d(found[name], weight, bias))
    return found


def _raw(teachers: Sequence[Teacher], images: Tensor, layers: Iterable[str]) -> Features:
    """Each layer from the first teacher that has it."""
    found: Features = {}
    for teacher in teachers:
        extractor = teacher.extractor
        mine = [name for name in layers if name in extractor.layers and name not in found]
        x = images.to(extractor.mean.dtype).contiguous(memory_format=torch.channels_last)
        found |= extractor(x, mine, padding="reflect")
    return found


def _converted(teacher: Teacher, dtype: torch.dtype) -> Teacher:
    extractor = copy.deepcopy(teacher.extractor).to(dtype=dtype, memory_format=torch.channels_last)
    return Teacher(extractor, teacher.maps)


def grid(name: str, features: Tensor, index: int) -> Tensor:
    """Every GRID-th pixel's channels, [P, C] in float32; the grid moves with the step."""
    stride = max(1, GRID >> (int(name[4]) - 1))
    top, left = index % stride, index // stride % stride
    picked = features[:, :, top::stride, left::stride]
    return picked.permute(0, 2, 3, 1).flatten(0, 2).float()


class Student(nn.Module):
    """The narrow network in training: float32 weights, used as `dtype`, and running moments by layer.

    The moments [C + 1, C + 1] of the student's channels and a constant, and [C + 1, C'] of these with the wide
    network's, give at each step the best linear map from one to the other.
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

        The map is solved for from the running moments and then held fixed: at the best map the derivative with
        respect to it is zero anyway.
        """
        regressors = F.pad(own, (0, 1), value=1.0)
        with torch.no_grad():
            moments, cross = getattr(self, f"{name}_own"), getattr(self, f"{name}_cross")
            moments.mul_(DECAY).add_(regressors.T @ regressors / len(own), alpha=1 - DECAY)
            cross.mul_(DECAY).add_(regressors.T @ wide / len(own), alpha=1 - DECAY)
            best = ridge(moments, cross, RIDGE)
            variance = (wide - wide.mean(0)).square().sum()
        return (regressors @ best - wide).square().sum() / variance


def ridge(moments: Tensor, cross: Tensor, strength: float) -> Tensor:
    """Ridge regression [K, C] from the moments [K, K] of K regressors and [K, C] of these with the targets."""
    damping = strength * moments.diagonal().mean().clamp_min(torch.finfo(moments.dtype).tiny)
    damped = moments + damping * torch.eye(len(moments), dtype=moments.dtype, device=moments.device)
    return torch.cholesky_solve(cross, torch.linalg.cholesky(damped))


# The start in closed form


@torch.no_grad()
def closed_form(
    teachers: Sequence[Teacher], images: Tensor, widths: Sequence[int], seed: int
) -> dict[str, Convolution]:
    """A narrow network whose channels imitate a well spread selection of the wide network's channels.

    Each convolution is the ridge regression from what the narrow network has to the wide one's values before the
    ReLU; the selection is that of a QR decomposition with pivoting, each channel scaled to rms 1 after the ReLU.
    """
    draw = torch.Generator().manual_seed(seed)
    names = convolution_names("compact")
    where = {name: _positions(images, int(name[4]), draw) for name in names}
    wanted = _before_relu(teachers, images, where)
    x, made = normalized(images), {}
    for name in names:
        if name.endswith("_1") and made:
            x = F.max_pool2d(x, 2)
        patches = _patches(x, where[name])
        width = widths[int(name[4]) - 1]
        if not made:
            made[name] = _principal(patches, width)
        else:
            made[name] = _regression(patches, _selection(wanted.pop(name), width, draw))
        x = torch.cat([convolved(part, *made[name]) for part in x.split(CHUNK)])
    return made


def normalized(images: Tensor) -> Tensor:
    """An Image as the narrow network wants it."""
    mean, std = (torch.tensor(x).view(1, 3, 1, 1).to(images) for x in (TORCHVISION.mean, TORCHVISION.std))
    return (images - mean) / std


def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One convolution of the narrow network with its ReLU."""
    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
    return F.relu(F.conv2d(padded, weight.to(x.dtype), bias.to(x.dtype)))


Positions = tuple[Tensor, Tensor, Tensor]
"""Picture, row and column, [P] each, sorted by picture."""


def _positions(images: Tensor, block: int, draw: torch.Generator) -> Positions:
    """Random places in the feature maps of a block, the same number in each picture."""
    n, _, h, w = images.shape
    top, left = (torch.randint(size >> block - 1, (SAMPLE,), generator=draw) for size in (h, w))
    return tuple(x.to(images.device) for x in (torch.arange(SAMPLE) * n // SAMPLE, top, left))


def _before_relu(
    teachers: Sequence[Teacher], images: Tensor, where: Mapping[str, Positions]
) -> dict[str, Tensor]:
    """The wide network's values [P, C'] at the positions of each convolution, before the ReLU."""
    parts: dict[str, list[Tensor]] = {name: [] for name in where}
    for first in range(0, len(images), CHUNK):
        values = _raw(teachers, images[first : first + CHUNK], where)
        for name, (picture, top, left) in where.items():
            here = (picture >= first) & (picture < first + CHUNK)
            parts[name].append(values[name][picture[here] - first, :, top[here], left[here]].float())
    return {name: torch.cat(rows) for name, rows in parts.items()}


def _patches(x: Tensor, where: Positions) -> Tensor:
    """The 3x3 neighborhoods [P, 9 C] of positions, in the order of a convolution's weight."""
    n, top, left = where
    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
    parts = [padded[n, :, top + dy, left + dx] for dy in range(3) for dx in range(3)]
    return torch.stack(parts, 2).flatten(1)


def _principal(patches: Tensor, width: int) -> Convolution:
    """Pairs of opposite filters along the leading principal axes of picture patches, each of rms 1."""
    centred = (patches - patches.mean(0)).double()
    energies, axes = torch.linalg.eigh(centred.T @ centred / len(patches))
    count = (width + 1) // 2
    filters = (axes / energies.clamp_min(1e-9).sqrt()).flip(1)[:, :count].T.float()
    filters = torch.cat([filters, -filters])[:width]
    bias = -filters @ patches.mean(0)
    return filters.view(width, -1, 3, 3) * 2**0.5, bias * 2**0.5


def _selection(before: Tensor, width: int, draw: torch.Generator) -> Tensor:
    """`width` channels [P, width] that span the others best after the ReLU, where each then has rms 1."""
    after = F.relu(before)
    scale = after.square().mean(0).sqrt()
    live = (scale > 1e-2 * scale.max()).nonzero()[:, 0]
    _, order = scipy.linalg.qr(after[:: max(1, len(after) // 2000), live].cpu().numpy(), mode="r", pivoting=True)
    chosen = live[torch.from_numpy(order[:width].astype("int64")).to(live.device)]
    picked = before[:, chosen] / scale[chosen]
    if missing := width - len(chosen):
        # The teacher has no more channels that live: what is left begins as random mixtures.
        mixture = torch.randn(len(chosen), missing, generator=draw).to(picked) / len(chosen) ** 0.5
        extra = picked @ mixture
        picked = torch.cat([picked, extra / F.relu(extra).square().mean(0).sqrt()], 1)
    return picked


def _regression(patches: Tensor, wanted: Tensor) -> Convolution:
    regressors = F.pad(patches, (0, 1), value=1.0).double()
    solved = ridge(regressors.T @ regressors / len(patches), regressors.T @ wanted.double() / len(patches), RIDGE)
    weight, bias = solved[:-1].T.float(), solved[-1].float()
    return weight.reshape(len(bias), -1, 3, 3), bias


def balanced(
    convolutions: Mapping[str, Convolution], images: Tensor, whitening: float
) -> dict[str, Convolution]:
    return dict(convolutions)
