"""A narrow VGG's start in closed form, and the scale of its channels.

Tensors only: what the narrow network is to imitate comes as the wide one's values at some positions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import scipy.linalg
import torch
import torch.nn.functional as F
from torch import Tensor

from styler.networks.vgg import TORCHVISION, Convolution

SAMPLE = 24000
"""Positions of the pictures that each closed-form solution is made from."""
RIDGE = 1e-4
"""Ridge of the regressions, relative to the mean energy of a regressor."""
QR_ROWS = 2000
"""Positions that the selection of channels is made from."""
CHUNK = 16
"""Pictures that go through a network at a time."""

Positions = tuple[Tensor, Tensor, Tensor]
"""Picture, row and column, [P] each, sorted by picture."""


def positions(images: Tensor, names: Iterable[str], draw: torch.Generator) -> dict[str, Positions]:
    """Random places in the feature maps of the named convolutions, the same number in each picture."""
    n, _, height, width = images.shape
    found: dict[str, Positions] = {}
    for name in names:
        sides = (side >> int(name[4]) - 1 for side in (height, width))
        top, left = (torch.randint(side, (SAMPLE,), generator=draw).to(images.device) for side in sides)
        found[name] = (torch.arange(SAMPLE, device=images.device) * n // SAMPLE, top, left)
    return found


@torch.no_grad()
def closed_form(
    images: Tensor,
    widths: Mapping[str, int],
    where: Mapping[str, Positions],
    wanted: Mapping[str, Tensor],
    draw: torch.Generator,
) -> tuple[dict[str, Convolution], dict[str, Tensor]]:
    """A narrow network whose channels imitate a well spread selection of a wide network's channels.

    Args:
        images: [N, 3, H, W], varied and many: the solution is only as general as they are.
        widths: channels of each convolution, shallow to deep.
        where: positions in the maps of each convolution.
        wanted: what the wide network has there before the ReLU, [P, C'].

    Each convolution is the ridge regression from what the narrow network has to the wide one's values; the
    selection is that of a QR decomposition with pivoting, each channel scaled to rms 1 after the ReLU. Only
    conv1_1 is made from `images` alone. Also returns the rms [C] of the selected channels in the wide one.
    """
    x = normalized(images)
    made: dict[str, Convolution] = {}
    scales: dict[str, Tensor] = {}
    for name, width in widths.items():
        if name.endswith("_1") and made:
            x = F.max_pool2d(x, 2)
        patches = _patches(x, where[name])
        if not made:
            made[name] = _principal(patches, width)
        else:
            selected, scales[name] = _selection(wanted[name], width, draw)
            made[name] = _regression(patches, selected)
        x = torch.cat([convolved(part, *made[name]) for part in torch.split(x, CHUNK)])
    return made, scales


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


def _regression(patches: Tensor, wanted: Tensor) -> Convolution:
    regressors, wanted = F.pad(patches, (0, 1), value=1.0).double(), wanted.double()
    count = len(patches)
    solved = ridge(regressors.T @ regressors / count, regressors.T @ wanted / count, RIDGE).float()
    return solved[:-1].T.reshape(wanted.shape[1], -1, 3, 3).contiguous(), solved[-1]


# The scale of the channels


@torch.no_grad()
def balanced(
    convolutions: Mapping[str, Convolution], images: Tensor, scales: Mapping[str, Tensor], whitening: float
) -> dict[str, Convolution]:
    """The same network with other scales of its channels, which statistics of style are weighted by.

    With `whitening` 1 all channels of a layer get rms 1 on `images`, with 0 they keep the proportions of
    `scales`, those of the wide network, and in the first layer those that filters of norm 1 have. Fully
    whitened, faint detail weighs as much as light and color, and a painting gets its colors and grain wrong.
    """
    made: dict[str, Convolution] = {}
    x, before = normalized(images), torch.ones(3, device=images.device)
    for name, (weight, bias) in convolutions.items():
        if name.endswith("_1") and made:
            x = F.max_pool2d(x, 2)
        x = torch.cat([convolved(part, weight, bias) for part in torch.split(x, CHUNK)])
        rms = x.square().mean((0, 2, 3)).sqrt().clamp_min(1e-3)
        natural = scales[name] if name in scales else rms / weight.flatten(1).norm(dim=1)
        wanted = natural ** (1 - whitening)
        factor = wanted / wanted.square().mean().sqrt() / rms
        made[name] = (weight * factor[:, None, None, None] / before[:, None, None], bias * factor)
        before = factor
    return made
