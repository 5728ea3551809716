"""Print how steady videos are: the warping error on pans made from photos, where the motion is known.

    python benchmarks/warping.py MODEL [MODEL ...] [--frames 24] [--size 384] [--noise 1]

Pans: a window slides over each photo to and fro by a few pixels and fractions of them, and each frame has
its own slight noise, as a camera's. The error is the RMS difference, in levels of 255, between a painted
frame moved by the known motion and the next painted frame, away from the borders; the mean over frames and
photos.

Still: a piece of another photo passes before a photo that does not move, without noise, and the error is how
the part that it never comes near to changes from frame to frame.

Each column has, after the error, how it is to that of the first row. Give a model and one that was trained
with --video-stable to compare them.
"""

from __future__ import annotations

import argparse
import itertools
import math
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.networks.layers import Mode
from styler.networks.residual import ResidualNetwork
from styler.options.fast import FastOptions
from styler.storage.models import library
from styler.storage.pictures.load import load_picture
from styler.tasks import steady
from styler.tasks.fast import painter

PHOTOS = ("cat", "harbour", "lake", "still_life")
BORDER = 24  # pixels at each side that are left out: what enters there was never seen
REACH = 56  # pixels as far as which the network sees
Place = tuple[float, float]
Paint = Callable[[Tensor], Tensor]


def path(frames: int) -> list[Place]:
    """Where the window's upper left corner is in each frame, in pixels (down, right)."""
    return [(12 * (1 - math.cos(0.13 * t)), 80 * (1 - math.cos(2 * math.pi * t / 48))) for t in range(frames)]


def moved(image: Tensor, place: Place, size: tuple[int, int]) -> Tensor:
    """The window of that `size` whose corner is at `place`, interpolated."""
    (top, left), (height, width) = place, image.shape[-2:]
    y = (2 * (torch.arange(size[0]) + top) + 1) / height - 1
    x = (2 * (torch.arange(size[1]) + left) + 1) / width - 1
    grid = torch.stack(torch.broadcast_tensors(x, y[:, None]), -1)[None]
    return F.grid_sample(image, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def pan(photo: Tensor, places: list[Place], size: int, spread: float) -> Iterator[Tensor]:
    """The frames, rounded to 8 bits as a video's are; `spread` of the noise in levels."""
    noise = torch.Generator().manual_seed(0)
    shape = (size * 3 // 4, size)
    for place in places:
        frame = moved(photo, place, shape)
        noisy = frame + spread / 255 * torch.randn(frame.shape, generator=noise)
        yield noisy.clamp(0, 1).mul(255).round().div(255)


def error(frames: list[Tensor], places: list[Place]) -> float:
    """Mean over frames of the RMS difference to the frame before, moved; levels of 255."""
    pairs = zip(itertools.pairwise(frames), itertools.pairwise(places), strict=True)
    found = []
    for (before, after), (one, other) in pairs:
        motion = (other[0] - one[0], other[1] - one[1])
        difference = moved(before, motion, (after.shape[-2], after.shape[-1])) - after
        inner = difference[..., BORDER:-BORDER, BORDER:-BORDER]
        found.append(float(inner.square().mean().sqrt()) * 255)
    return statistics.mean(found)


def alone(network: ResidualNetwork, mix: Tensor) -> Paint:
    """Each frame by its own statistics."""
    return lambda image: network(image, Mode(mix=mix)).clamp(0, 1)


def steadily(network: ResidualNetwork, mix: Tensor) -> Paint:
    """Frames by the statistics of their shot; to be made anew for each video."""
    shot: steady.Shot | None = None
    whole = painter(network, mix, FastOptions())

    def paint(image: Tensor) -> Tensor:
        nonlocal shot
        shot = steady.followed(shot, image, whole.moments)
        return whole(image, shot.moments, shot.place)

    return paint


def measured(photos: list[Tensor], make: Callable[[], Paint], frames: int, size: int, noise: float) -> float:
    """The error over all photos of what `make` makes for each."""
    places = path(frames)
    errors = []
    for photo in photos:
        paint = make()
        errors.append(error([paint(frame) for frame in pan(photo, places, size, noise)], places))
    return statistics.mean(errors)


def passing(photos: list[Tensor], make: Callable[[], Paint], frames: int, size: int) -> float:
    """The error of what stands still while something passes."""
    errors = []
    for photo, other in itertools.pairwise([*photos, photos[0]]):
        paint, shown, reach = make(), [], size // 3
        for t in range(frames):
            image = photo[..., : size * 3 // 4, :size].clone()
            left = (reach - 64) * t // frames
            image[..., 20:116, left : left + 64] = other[..., 300:396, 300:364]
            shown.append(paint(image)[..., reach + REACH :])
        errors.append(error(shown, [(0.0, 0.0)] * frames))
    return statistics.mean(errors)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=384, help="width of the window in pixels")
    parser.add_argument("--noise", type=float, default=1.0, help="its standard deviation in levels of 255")
    given = parser.parse_args()
    folder = Path(__file__).parents[1] / "examples"
    photos = [load_picture(folder / f"{name}.jpg").image for name in PHOTOS]
    measure = partial(measured, photos, frames=given.frames, size=given.size, noise=given.noise)
    with torch.inference_mode():
        own = measure(lambda: lambda image: image)
        print(f"| RMS error; of the pans themselves {own:.2f} | pans | still |")
        print("|---|---|---|")
        first = None
        for file in given.models:
            model = library.read(file)
            mix = torch.eye(len(model.card.styles))[:1]
            for name, way in (("each frame alone", alone), ("statistics of the shot", steadily)):
                make = partial(way, model.network, mix)
                found = measure(make), passing(photos, make, given.frames, given.size)
                first = first or found
                cells = (f"{one:.2f} ({one / to:.2f})" for one, to in zip(found, first, strict=True))
                print(f"| {file.stem}, {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
