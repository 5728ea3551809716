"""Steady videos without optical flow: shots, statistics shared over a shot, and how its picture moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.image.fit import fit
from styler.image.grain import STILL, Place
from styler.image.size import resize, size_of
from styler.image.warp import turned
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

_TRACKED = 512  # long side in pixels at which movement is measured
_SOFT = 0.12  # cycles for a pixel at which movement counts e^-1 as much as that of large forms
_BLOCKS = 8  # along each side, in which frames are compared but for the outer ones, where things enter
_BETTER = 0.8  # of a block's difference to the next frame that a movement leaves at most where it is right
_SEEN = 0.3  # levels of difference that count
_MOVING = 0.4  # of the blocks that must have moved; a head before a blank wall is fewer
_WRONG = 0.25  # of them, blocks at most in which the movement is wrong


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
        gray: that frame, small, in levels, uint8 [h, w].
        place: how far the picture has moved since the first frame, in pixels of the frames.
    """

    look: Look
    usual: float
    frames: int
    lookups: int
    recent: int
    seen: Tensor
    aim: tuple[Moments, ...]
    moments: tuple[Moments, ...]
    gray: Tensor
    place: Place = STILL


Gather = Callable[[Tensor], Sequence[Moments]]


def followed(shot: Shot | None, image: Tensor, gather: Gather) -> Shot:
    """The shot with one more frame, or a new one after a cut; `gather` looks up a frame's statistics.

    Statistics are looked up at the first frame and then at each EVERY-th, as in ReReVST (Wang et al. 2020),
    and wherever the picture has changed: stale ones would paint what came into view too loud or too pale.
    Where it has changed altogether, as from black, the new ones are used at once.
    """
    look, gray = _look_of(image), gray_of(image)
    if shot is None or _is_cut(shot, change(shot.look, look)):
        moments = tuple(gather(image))
        return Shot(look, 0.0, 1, 1, 0, look.thumbnail, moments, moments, gray)
    shot = replace(shot, frames=shot.frames + 1, recent=shot.recent + 1)
    if _is_blank(look):  # whatever comes after a black frame is compared with what was before it
        return shot
    usual, scale = shot.usual + _USUAL * (change(shot.look, look) - shot.usual), len(image[0, 0]) / len(gray)
    down, right = (a + scale * b for a, b in zip(shot.place, movement(shot.gray, gray), strict=True))
    shot = replace(shot, look=look, usual=usual, gray=gray, place=(down, right))
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


# Movement


def gray_of(image: Tensor) -> Tensor:
    """An Image [1, 3, H, W] as small gray levels, uint8 [h, w]."""
    gray = image.float().mean(1, keepdim=True)
    size = size_of(gray)
    return resize(gray, fit(size, min(_TRACKED, max(size))))[0, 0].mul(255).round().to(torch.uint8)


def movement(before: Tensor, after: Tensor) -> Place:
    """Pixels (down, right) by which a picture, gray levels [H, W], has moved as a whole.

    Phase correlation, of large forms above all (Kuglin and Hines 1975), between pixels by a parabola through
    the logarithm. (0, 0) where that is not so for most of it: where a part moves, or nothing does.
    """
    if before.shape != after.shape:
        return STILL
    one, other = (x.float() for x in (before, after))
    height, width = one.shape
    window = torch.outer(torch.hann_window(height), torch.hann_window(width))
    spectra = [torch.fft.rfft2((x - x.mean()) * window) for x in (one, other)]
    cross = spectra[1] * spectra[0].conj()
    squares = torch.fft.fftfreq(height)[:, None] ** 2 + torch.fft.rfftfreq(width) ** 2
    phases = cross / cross.abs().clamp(min=1e-6) * torch.exp(-squares / _SOFT**2)
    surface = torch.fft.irfft2(phases, s=(height, width))
    row, column = divmod(int(surface.argmax()), width)
    down = _signed(row + _vertex(surface[:, column], row), height)
    right = _signed(column + _vertex(surface[row], column), width)
    shifted = turned(one[None, None], 0, 1, (down, right))[0, 0]
    still, moved = (_differences(x, other) for x in (one, shifted))
    better = float((moved < _BETTER * still - _SEEN).float().mean())
    worse = float((still < _BETTER * moved - _SEEN).float().mean())
    return (down, right) if better > _MOVING and worse < _WRONG * better else STILL


def _differences(one: Tensor, other: Tensor) -> Tensor:
    """Mean differences of gray levels in the inner blocks."""
    return F.adaptive_avg_pool2d((one - other).abs()[None], _BLOCKS)[0, 1:-1, 1:-1]


def _vertex(values: Tensor, peak: int) -> float:
    """Where the peak is beside the largest of periodic values [K], which is at `peak`: from -0.5 to 0.5."""
    a, b, c = (float(values[(peak + step) % len(values)].clamp(min=1e-9).log()) for step in (-1, 0, 1))
    bend = a - 2 * b + c
    return max(-0.5, min(0.5, 0.5 * (a - c) / bend)) if bend < 0 else 0.0


def _signed(place: float, length: int) -> float:
    """A place of something periodic as the shorter way to it."""
    return place if place <= length / 2 else place - length


# Saved and restored

_NAMES = ("aim", "moments")


def to_tensors(shot: Shot) -> dict[str, Tensor]:
    """A shot as named tensors, to be saved."""
    counts = (shot.usual, shot.frames, shot.lookups, shot.recent, *shot.place)
    numbers = torch.tensor(counts, dtype=torch.float64)
    look = {
        "thumbnail": shot.look.thumbnail,
        "chroma": shot.look.chroma,
        "seen": shot.seen,
        "gray": shot.gray,
    }
    tensors = {"numbers": numbers, **look}
    for name, several in zip(_NAMES, (shot.aim, shot.moments), strict=True):
        tensors |= {f"{name}.{i}.{part}": x for i, m in enumerate(several) for part, x in m._asdict().items()}
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def from_tensors(tensors: Mapping[str, Tensor], device: torch.device) -> Shot:
    """The inverse of `to_tensors`; the statistics go to `device`."""
    usual, frames, lookups, recent, down, right = tensors["numbers"].tolist()
    count = sum(name.startswith("aim.") for name in tensors) // 2
    aim, moments = (
        tuple(
            Moments(*(tensors[f"{name}.{i}.{part}"].to(device) for part in Moments._fields))
            for i in range(count)
        )
        for name in _NAMES
    )
    look = Look(tensors["thumbnail"], tensors["chroma"])
    counts = usual, int(frames), int(lookups), int(recent)
    return Shot(look, *counts, tensors["seen"], aim, moments, tensors["gray"], (down, right))
