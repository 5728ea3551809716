"""How many frames of a video to learn from: nearness to the painting and flicker, by their number.

    python benchmarks/frames.py VIDEO PAINTING [--frames 1 2 4 8] [--size 384] [--judge JUDGE.PY]

Three pieces of the video, of eight frames each and away from the frames that are learned, are painted by
what was learned, with the statistics of their shot as `fast` does. Flicker is how a painted pixel changes
from frame to frame where the video's own changes by less than three levels, both moved as the camera has: RMS
in levels of 255. With a judge (a program that prints JSON for CONTENT STYLE OUTPUT), its mean figures for the
middle frame of each piece. What is learned is kept in a folder of its own and removed.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from learn import judged
from torch import Tensor
from warping import steadily

from styler.events import Note, result_of
from styler.image.warp import turned
from styler.jobs.training import learn as learning
from styler.options.fast import LEARNING_STEPS, FastOptions
from styler.options.fields import OutputSize, parse_size
from styler.storage.inputs import plan
from styler.storage.models import library
from styler.storage.pictures.save import save_picture
from styler.storage.styles import asked
from styler.storage.videos.video import open_video, readable
from styler.tasks import steady

PIECES = (1 / 3, 0.53, 0.78)
"""Where the pieces begin, as shares of the video."""
LENGTH = 8
STILL = 3 / 255


def pieces(path: Path, size: OutputSize) -> list[list[Tensor]]:
    """The frames that are looked at, [1, 3, H, W] each."""
    video = open_video(path, size, FastOptions.max_pixels)
    frames = [frame.image for frame in readable(video, 0) if not isinstance(frame, Note)]
    starts = [min(int(len(frames) * share), len(frames) - LENGTH) for share in PIECES]
    return [frames[start : start + LENGTH] for start in starts]


def flicker(own: Sequence[Tensor], painted: Sequence[Tensor]) -> float:
    """RMS change of painted frames where the video's own hardly change but as the camera moves; levels."""
    found = []
    for (a, b), (x, y) in zip(itertools.pairwise(own), itertools.pairwise(painted), strict=True):
        place = steady.movement(*(steady.gray_of(frame) for frame in (a, b)))
        a, x = (turned(frame, 0, 1, place) for frame in (a, x))
        still = ((a - b).abs().amax(1, keepdim=True) < STILL).expand_as(x)
        found.append(float((x - y)[still].square().mean().sqrt()) * 255)
    return statistics.mean(found)


def learned(given: argparse.Namespace, count: int) -> tuple[learning.Part, float]:
    """What is learned from so many frames, and the seconds of the processor that it took."""
    learning.PICTURES = count
    options = FastOptions(style=given.painting, learn=given.learn, size=given.size, relearn=True)
    wish, begun = asked(options.style, library.styles), time.process_time()
    jobs = plan([given.video], None, "x").jobs
    (part,) = result_of(learning.learn(wish, jobs, options, lambda: False))
    return part, time.process_time() - begun


def main() -> None:
    """Learn from each number of frames, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("video")
    parser.add_argument("painting")
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--learn", choices=list(LEARNING_STEPS), default="normal")
    parser.add_argument("--size", type=parse_size, default=384)
    parser.add_argument("--judge", metavar="JUDGE.PY", help="program that measures CONTENT STYLE OUTPUT")
    given = parser.parse_args()
    shown = pieces(Path(given.video), given.size)
    with tempfile.TemporaryDirectory() as home:
        os.environ["STYLER_HOME"] = home
        for count in given.frames:
            part, seconds = learned(given, count)
            flickers, figures = [], []
            for number, piece in enumerate(shown):
                with torch.inference_mode():
                    paint = steadily(part.network.eval(), torch.ones(1, 1))
                    painted = [paint(frame) for frame in piece]
                flickers.append(flicker(piece, painted))
                if given.judge:
                    files = [Path(home) / f"{name}-{count}-{number}.png" for name in ("own", "painted")]
                    for file, image in zip(files, (piece, painted), strict=True):
                        save_picture(file, image[LENGTH // 2])
                    figures.append(judged(given.judge, [str(files[0]), given.painting, str(files[1])]))
            means = {name: statistics.mean(each[name] for each in figures) for name in (figures or [{}])[0]}
            told = "".join(f", {name} {value:.3f}" for name, value in means.items())
            print(
                f"{count} frames, {seconds:.0f} s: flicker {statistics.mean(flickers):.2f}{told}", flush=True
            )


if __name__ == "__main__":
    main()
