"""Steady videos without optical flow: shot detection, and statistics shared over a shot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.networks.layers import Moments

_GRID = 24  # cells along each side of the thumbnail that frames are compared by
_REACH = 4  # cells by which a picture may move between two frames and still be the same shot
_BINS = 12  # of hue and of saturation each
_CUT = 0.22  # change from which a frame can begin a shot; below it are pans, fades and quick motion
_STANDS_OUT = 2.5  # times the shot's usual change that a cut must be
_USUAL = 0.1  # weight of a frame in the shot's usual change
_BLANK = 0.01  # spread of brightness under which a frame shows nothing

EVERY = 8  # frames between two lookups of the statistics
_SLOWEST = 0.05  # weight of a lookup in a long shot; in a short one all weigh the same
_STALE = 0.3  # how much, relative to its contrast, the picture has to change to call for a lookup
GAP = 4  # frames between two lookups even so, unless it is all of the contrast
FOLLOW = 0.5  # of the way to the statistics looked up that those in use go with each frame


@dataclass(frozen=True)
class Look:
    """Features of a frame: a thumbnail [3, _GRID, _GRID] and a histogram of chroma [_BINS, _BINS]."""

    thumbnail: Tensor
    chroma: Tensor


@dataclass(frozen=True)
class Shot:
    """State that is carried from frame to frame.

    Attributes:
        look: features of the last frame that was no blank.
        usual: change from frame to frame in this shot.
        frames: of this shot so far.
        lookups: of statistics so far.
        recent: frames since the last lookup.
        seen: the thumbnail at the last lookup.
        aim: mean of the statistics looked up.
        moments: statistics for the last frame; they follow `aim` without a jump.
    """

    look: Look
    usual: float
    frames: int
    lookups: int
    recent: int
    seen: Tensor
    aim: tuple[Moments, ...]
    moments: tuple[Moments, ...]


Gather = Callable[[Tensor], Sequence[Moments]]


def followed(shot: Shot | None, image: Tensor, gather: Gather) -> Shot:
    """The shot with one more frame, or a new one after a cut; `gather` looks up a frame's statistics.

    Statistics are looked up at the first frame and then at each EVERY-th, as in ReReVST (Wang et al. 2020),
    and wherever the picture has changed: stale ones would paint what came into view too loud or too pale.
    Where it has changed altogether, as from black, the new ones are used at once.
    """
    look = _look_of(image)
    if shot is None or _is_cut(shot, change(shot.look, look)):
        moments = tuple(gather(image))
        return Shot(look, 0.0, 1, 1, 0, look.thumbnail, moments, moments)
    shot = replace(shot, frames=shot.frames + 1, recent=shot.recent + 1)
    if _is_blank(look):  # whatever comes after a black frame is compared with what was before it
        return shot
    shot = replace(shot, look=look, usual=shot.usual + _USUAL * (change(shot.look, look) - shot.usual))
    stale = float((look.thumbnail - shot.seen).square().mean().sqrt() / shot.seen.std().clamp(min=_BLANK))
    if stale >= 1 or shot.recent == EVERY or (stale > _STALE and shot.recent >= GAP):
        weight = max(1 / (shot.lookups + 1), _SLOWEST, min(1.0, stale))
        aim = between(shot.aim, gather(image), weight)
        shot = replace(shot, aim=aim, lookups=shot.lookups + 1, recent=0, seen=look.thumbnail)
    return replace(shot, moments=between(shot.moments, shot.aim, FOLLOW if stale < 1 else 1.0))


def between(one: Sequence[Moments], other: Sequence[Moments], weight: float) -> tuple[Moments, ...]:
    """Linear interpolation from `one` (weight 0) to the `other` (1), each of the same norms."""
    pairs = zip(one, other, strict=True)
    return tuple(Moments(*(torch.lerp(x, y, weight) for x, y in zip(a, b, strict=True))) for a, b in pairs)


# Cuts


def _look_of(image: Tensor) -> Look:
    """Features of an Image [1, 3, H, W]."""
    thumbnail = F.adaptive_avg_pool2d(image.float(), _GRID)[0]
    return Look(thumbnail, _chroma(F.adaptive_avg_pool2d(image.float(), 4 * _GRID)[0]))


def _chroma(small: Tensor) -> Tensor:
    """Histogram of the shares of red and green in the light, weighted by light; blind to brightness."""
    light = small.sum(0)
    shares = small[:2] / light.clamp(min=1e-3)
    cells = (shares * _BINS).long().clamp(0, _BINS - 1)
    counts = torch.zeros(_BINS * _BINS).index_add(0, (cells[0] * _BINS + cells[1]).flatten(), light.flatten())
    smooth = F.avg_pool2d(counts.view(1, 1, _BINS, _BINS), 3, 1, 1)[0, 0]
    shares_of_light: Tensor = smooth / smooth.sum().clamp(min=1e-6)
    return shares_of_light


def change(one: Look, other: Look) -> float:
    """Difference of two frames, from 0 to about 1; 0 where one of them is a blank.

    Half of it is the difference of the histograms, half is one minus the best correlation of the thumbnails
    over the places to which the picture may have moved. Neither sees a change of brightness, such as a fade.
    """
    if _is_blank(one) or _is_blank(other):
        return 0.0
    colors = (one.chroma - other.chroma).abs().sum() / 2
    return float((colors + 1 - _correlation(one.thumbnail, other.thumbnail)) / 2)


def _correlation(one: Tensor, other: Tensor) -> Tensor:
    """The best correlation over shifts by up to _REACH cells, in [0, 1]."""
    inner = one[:, _REACH:-_REACH, _REACH:-_REACH]
    shifted = other.unfold(1, inner.shape[1], 1).unfold(2, inner.shape[2], 1)
    windows = shifted.permute(1, 2, 0, 3, 4).flatten(0, 1).flatten(1)
    a, b = inner.flatten() - inner.mean(), windows - windows.mean(1, keepdim=True)
    correlations: Tensor = (b @ a) / (a.norm() * b.norm(dim=1)).clamp(min=_BLANK)
    return correlations.max().clamp(0, 1)


def _is_cut(shot: Shot, changed: float) -> bool:
    """Whether a frame that differs so much from the last one begins a new shot."""
    return changed > max(_CUT, _STANDS_OUT * shot.usual)


def _is_blank(look: Look) -> bool:
    """Whether a frame shows nothing."""
    return float(look.thumbnail.std()) < _BLANK


# Saved and restored

_NAMES = ("aim", "moments")


def to_tensors(shot: Shot) -> dict[str, Tensor]:
    """A shot as named tensors, to be saved."""
    numbers = torch.tensor([shot.usual, shot.frames, shot.lookups, shot.recent], dtype=torch.float64)
    look = {"thumbnail": shot.look.thumbnail, "chroma": shot.look.chroma, "seen": shot.seen}
    tensors = {"numbers": numbers, **look}
    for name, several in zip(_NAMES, (shot.aim, shot.moments), strict=True):
        tensors |= {f"{name}.{i}.{part}": x for i, m in enumerate(several) for part, x in m._asdict().items()}
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def from_tensors(tensors: Mapping[str, Tensor], device: torch.device) -> Shot:
    """The inverse of `to_tensors`; the statistics go to `device`."""
    usual, frames, lookups, recent = tensors["numbers"].tolist()
    count = sum(name.startswith("aim.") for name in tensors) // 2
    aim, moments = (
        tuple(
            Moments(*(tensors[f"{name}.{i}.{part}"].to(device) for part in Moments._fields))
            for i in range(count)
        )
        for name in _NAMES
    )
    look = Look(tensors["thumbnail"], tensors["chroma"])
    return Shot(look, usual, int(frames), int(lookups), int(recent), tensors["seen"], aim, moments)
