"""Learning curves of `styler fast --style FILE`: how near a painting comes in 75, 150 and 400 steps.

    python benchmarks/learn.py PHOTO PAINTING [PHOTO THAT IS NOT LEARNED FROM] [--judge JUDGE.PY] [--size 512]

Prints a line for each length: seconds of the processor and of the clock, for the whole command; the weighted
content and style terms of the last report of the training; and, with a judge (a program that prints JSON for
CONTENT STYLE OUTPUT), its figures for each photo. What is learned is kept in a folder of its own and removed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from styler.events import result_of
from styler.jobs.fast import fast
from styler.options.fast import LEARNING_STEPS, FastOptions
from styler.options.fields import parse_size
from styler.storage.models import library


def main() -> None:
    """Learn in each length, and print what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("photo")
    parser.add_argument("painting")
    parser.add_argument("unseen", nargs="*")
    parser.add_argument("--judge", metavar="JUDGE.PY", help="program that measures CONTENT STYLE OUTPUT")
    parser.add_argument("--size", type=parse_size, default=512)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["STYLER_HOME"] = home
        for length in LEARNING_STEPS:
            options = FastOptions(style=asked.painting, learn=length, size=asked.size, threads=1)
            print(f"{length}: {learned(asked.photo, options, Path(home))}", flush=True)
            for photo in [asked.photo, *asked.unseen] if asked.judge else []:
                output = str(Path(home) / f"{length}-{Path(photo).stem}.png")
                result_of(fast([photo], output, options))
                figures = judged(asked.judge, [photo, asked.painting, output])
                told = ", ".join(f"{name} {value}" for name, value in figures.items())
                print(f"  {Path(photo).name}: {told}", flush=True)


def learned(photo: str, options: FastOptions, home: Path) -> str:
    """Learn a painting on a photo and paint it; returns times and losses."""
    before, begun, busy = set(library.learned_folder().glob("*")), time.monotonic(), time.process_time()
    result_of(fast([photo], str(home / f"{options.learn}.png"), options))
    wall, busy = time.monotonic() - begun, time.process_time() - busy
    (file,) = set(library.learned_folder().glob("*")) - before
    losses = library.read_card(file).information["training"]["losses"]
    terms = ", ".join(f"{name} {value:.4f}" for name, value in losses.items())
    steps = LEARNING_STEPS[options.learn]
    return f"{steps} steps, {busy:.0f} s of the processor, {wall:.0f} s of the clock; {terms}"


def judged(judge: str, words: Sequence[str]) -> dict[str, float]:
    """The judge's figures for a content, a style and an output."""
    said = subprocess.run([sys.executable, judge, *words], check=True, capture_output=True, text=True)
    figures: dict[str, float] = json.loads(said.stdout)
    return {name: value for name, value in figures.items() if name != "output"}


if __name__ == "__main__":
    main()
