"""A narrow VGG's start in closed form, and the scale of its channels.

Only conv1_1 starts from the statistics of pictures alone: solved for, it would be a copy of the teacher's
filters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import scipy.linalg
import torch
import torch.nn.functional as F
from torch import Tensor

from styler.features import Features
from styler.networks.vgg import TORCHVISION, Convolution

SAMPLE = 40000
"""Positions of the pictures that each closed-form solution is made from."""
RIDGE = 1e-4
"""Ridge of the regressions, relative to the mean energy of a regressor."""
QR_ROWS = 2000
"""Positions that the selection of channels is made from."""
QUIETEST = 0.03
"""Least rms of a channel, relative to the loudest of its layer, that its scale is made from."""
CHUNK = 16
"""Pictures that go through a network at a time."""

Positions = tuple[Tensor, Tensor, Tensor]
"""Picture, row and column, [P] each, sorted by picture."""


@dataclass(frozen=True)
class Start:
    """Convolutions to begin with, and what the rms of each one's channels [C] is to be in the end."""

    convolutions: dict[str, Convolution]
    proportions: dict[str, Tensor]


def positions(images: Tensor, names: Iterable[str], draw: torch.Generator) -> dict[str, Positions]:
    """Random places in the feature maps of the named convolutions, the same number in each picture."""
    n, _, height, width = images.shape
    places: dict[str, Positions] = {}
    for name in names:
        sides = (side >> int(name[4]) - 1 for side in (height, width))
        top, left = (torch.randint(side, (SAMPLE,), generator=draw).to(images.device) for side in sides)
        places[name] = (torch.arange(SAMPLE, device=images.device) * n // SAMPLE, top, left)
    return places


@torch.no_grad()
def closed_form(
    images: Tensor,
    widths: Mapping[str, int],
    given: Mapping[str, Convolution],
    places: Mapping[str, Positions],
    targets: Mapping[str, Tensor],
    whitening: float,
    draw: torch.Generator,
) -> Start:
    """A narrow network whose channels imitate a well spread selection of a wide network's channels.

    Each convolution is the ridge regression from what the narrow network has to the wide one's values; the
    selection is that of a QR decomposition with pivoting, each channel scaled to rms 1 after the ReLU. Only
    conv1_1 is made from `images` alone.

    Args:
        images: [N, 3, H, W], varied and many: the solution is only as general as they are.
        widths: channels of each convolution, shallow to deep.
        given: the first convolutions, as they are to be.
        places: positions in the maps of each convolution that is not given.
        targets: what the wide network has there before the ReLU, [P, C'].
        whitening: 0 keeps the wide network's proportions of the channels' rms, 1 makes all alike; filters of
            norm 1 give those of the first layer. Fully whitened, faint detail weighs as much as light and
            color, and a painting gets its colors and grain wrong.
    """
    x = normalized(images).half()  # maps of all images at once; rms 1, so that half precision will do
    start = Start({}, {})
    for name, width in widths.items():
        if name.endswith("_1") and start.convolutions:
            x = torch.cat([F.max_pool2d(part, 2) for part in torch.split(x, CHUNK)])
        if name in given:
            start.convolutions[name] = given[name]
        elif not start.convolutions:
            weight, bias = _principal(_patches(x, places[name]), width)
            start.convolutions[name] = weight, bias
            start.proportions[name] = weight.flatten(1).norm(dim=1) ** (whitening - 1)
        else:
            selected, scale = _selection(targets[name], width, draw)
            start.convolutions[name] = _regression(_patches(x, places[name]), selected)
            start.proportions[name] = scale ** (1 - whitening)
        x = _layer(x, *start.convolutions[name])
        if name in given:
            start.proportions[name] = _rms(x)
    return start


@torch.no_grad()
def balanced(
    convolutions: Mapping[str, Convolution], images: Tensor, proportions: Mapping[str, Tensor]
) -> dict[str, Convolution]:
    """The same network with other scales of its channels, which statistics of style are weighted by.

    The channels' rms on `images` become those of `proportions`, times a number that makes a layer's rms 1.
    Layers without proportions stay as they are.
    """
    result: dict[str, Convolution] = {}
    x, before = normalized(images).half(), torch.ones(3, device=images.device)
    for name, (weight, bias) in convolutions.items():
        if name.endswith("_1") and result:
            x = torch.cat([F.max_pool2d(part, 2) for part in torch.split(x, CHUNK)])
        x = _layer(x, weight, bias)
        factor = torch.ones_like(bias)
        if name in proportions:
            wanted, rms = _floored(proportions[name]), _floored(_rms(x))
            factor = wanted / wanted.square().mean().sqrt() / rms
        result[name] = (weight * factor[:, None, None, None] / before[:, None, None], bias * factor)
        before = factor
    return result


def normalized(images: Tensor) -> Tensor:
    """An Image as the narrow network wants it."""
    mean, std = (torch.tensor(x).view(1, 3, 1, 1).to(images) for x in (TORCHVISION.mean, TORCHVISION.std))
    return (images - mean) / std


def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One convolution of the narrow network with its ReLU."""
    padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
    return F.relu(F.conv2d(padded, weight.to(x.dtype), bias.to(x.dtype)))


def ridge(moments: Tensor, cross: Tensor, strength: float) -> Tensor:
    """Ridge regression [K, C] from the moments [K, K] of regressors and [K, C] of these with the targets."""
    damping = strength * moments.diagonal().mean().clamp_min(torch.finfo(moments.dtype).tiny)
    damped = moments + damping * torch.eye(len(moments), dtype=moments.dtype, device=moments.device)
    return torch.cholesky_solve(cross, torch.linalg.cholesky(damped))


@torch.no_grad()
def before_relu(
    features_of: Callable[[Tensor, Iterable[str]], Features], images: Tensor, places: Mapping[str, Positions]
) -> dict[str, Tensor]:
    """The wide network's values [P, C'] at the positions of each convolution, before the ReLU."""
    parts: dict[str, list[Tensor]] = {name: [] for name in places}
    for first in range(0, len(images), CHUNK):
        values = features_of(images[first : first + CHUNK], places)
        for name, (picture, top, left) in places.items():
            here = (picture >= first) & (picture < first + CHUNK)
            parts[name].append(values[name][picture[here] - first, :, top[here], left[here]].float())
    return {name: torch.cat(rows) for name, rows in parts.items()}


def _layer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One convolution with its ReLU, of many pictures in half precision, a few at a time."""
    maps = (convolved(part.float(), weight, bias) for part in torch.split(x, CHUNK))
    return torch.cat([part.clamp(max=6e4).half() for part in maps])


def _floored(rms: Tensor) -> Tensor:
    """The rms of channels [C], those of dead channels raised, so that no scale grows without bound."""
    return rms.clamp_min(max(QUIETEST * rms.max().item(), 1e-6))


def _rms(x: Tensor) -> Tensor:
    """Root mean square of each channel, [C]."""
    energies = [part.float().square().mean((0, 2, 3)) * len(part) for part in torch.split(x, CHUNK)]
    return (torch.stack(energies).sum(0) / len(x)).sqrt()


def _patches(x: Tensor, places: Positions) -> Tensor:
    """The 3x3 neighborhoods [P, 9 C] of positions, in the order of a convolution's weight."""
    n, top, left = places
    rows: list[Tensor] = []
    for first in range(0, len(x), CHUNK):
        padded = F.pad(x[first : first + CHUNK].float(), (1, 1, 1, 1), mode="reflect")
        here = (n >= first) & (n < first + CHUNK)
        near, y, z = n[here] - first, top[here], left[here]
        parts = [padded[near, :, y + dy, z + dx] for dy in range(3) for dx in range(3)]
        rows.append(torch.stack(parts, 2).flatten(1))
    return torch.cat(rows)


def _principal(patches: Tensor, width: int) -> Convolution:
    """Pairs of opposite filters along the leading principal axes of picture patches, each of rms 1."""
    centred = (patches - patches.mean(0)).double()
    energies, axes = torch.linalg.eigh(centred.T @ centred / len(patches))
    count = (width + 1) // 2
    filters = (axes / energies.clamp_min(1e-9).sqrt()).flip(1)[:, :count].T.float()
    filters = torch.cat([filters, -filters])[:width]
    bias = -filters @ patches.mean(0)
    return filters.view(width, -1, 3, 3) * 2**0.5, bias * 2**0.5


def _selection(before: Tensor, width: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """`width` channels [P, width] that span the others best after the ReLU, and their rms there.

    They are divided by this rms.
    """
    after = F.relu(before)
    scale = after.square().mean(0).sqrt()
    live = (scale > 1e-2 * scale.max()).nonzero()[:, 0]
    rows = after[:: max(1, len(after) // QR_ROWS), live]
    _, order = scipy.linalg.qr(rows.cpu().numpy(), mode="r", pivoting=True)
    chosen = live[torch.from_numpy(order[:width].astype("int64")).to(live.device)]
    picked, scale = before[:, chosen] / scale[chosen], scale[chosen]
    if missing := width - len(chosen):
        # The teacher has no more channels that live: what is left begins as random mixtures of them.
        mixtures = picked @ torch.randn(len(chosen), missing, generator=draw).to(picked)
        rms = F.relu(mixtures).square().mean(0).sqrt().clamp_min(1e-3)
        picked = torch.cat([picked, mixtures / rms], 1)
        scale = torch.cat([scale, scale.min().expand(missing)])
    return picked, scale


def _regression(patches: Tensor, targets: Tensor) -> Convolution:
    regressors, targets = F.pad(patches, (0, 1), value=1.0).double(), targets.double()
    count = len(patches)
    solved = ridge(regressors.T @ regressors / count, regressors.T @ targets / count, RIDGE).float()
    return solved[:-1].T.reshape(targets.shape[1], -1, 3, 3).contiguous(), solved[-1]
