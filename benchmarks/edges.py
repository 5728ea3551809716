"""How well edges agree with the contours that people draw: F1 of styler's beside scikit-image's Canny.

    python benchmarks/edges.py BSDS500 [--count 50]

BSDS500 is a folder with `images/train/*.jpg`, `images/val/*.jpg` and `edges/train/*.png`, `edges/val/*.png`:
the share of people who drew a contour at each pixel, black for all of them. Width of the blur and thresholds
of each detector are chosen on the pictures to train on; the figures are of the others, over all pixels.

Precision: the share of found pixels at most 2 pixels from any contour. Recall: the share of drawn pixels, one
that two people drew counted twice, at most 2 pixels from a found one. Pixels are not matched one to one, as
the data set's own measure does, so compare within this table only. Needs the extra `test`.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage import feature
from torch import Tensor

from styler.image.color import luma
from styler.image.edges import Edges, draw
from styler.storage.datasets import photos
from styler.storage.pictures.load import load_picture

Detector = Callable[[Tensor], NDArray[np.bool_]]
"""From an Image [1, 3, H, W] to where edges are [H, W]."""

NEAR = np.hypot(*np.mgrid[-2:3, -2:3]) <= 2
SIGMAS = (1.0, 1.5, 2.0, 3.0)
PERCENTILES = ((85, 70), (90, 75), (93, 80), (96, 88))
SHORTEST = (10, 20)


@dataclass
class Score:
    """Counts of pixels: found, of these near a contour, drawn, of these near an edge."""

    counts: NDArray[np.float64]

    @property
    def precision(self) -> float:
        """Share of what is found that people drew."""
        return float(self.counts[1] / max(self.counts[0], 1))

    @property
    def recall(self) -> float:
        """Share of what people drew that is found."""
        return float(self.counts[3] / max(self.counts[2], 1))

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)


def score(detector: Detector, pictures: Iterable[tuple[Tensor, NDArray[np.float64]]]) -> Score:
    """How a detector does on pictures [1, 3, H, W] with contours [H, W], shares of people who drew them."""
    counts = np.zeros(4)
    for image, drawn in pictures:
        found = detector(image)
        near_drawn = ndimage.binary_dilation(drawn > 0, NEAR)
        near_found = ndimage.binary_dilation(found, NEAR)
        counts += found.sum(), (found & near_drawn).sum(), drawn.sum(), drawn[near_found].sum()
    return Score(counts)


def opened(folder: Path, part: str, count: int) -> list[tuple[Tensor, NDArray[np.float64]]]:
    """Pictures of a part of the data set, spread over all, with their contours."""
    paths = photos.spread(sorted((folder / "images" / part).glob("*.jpg")), count)
    pairs = [(load_picture(path), folder / "edges" / part / f"{path.stem}.png") for path in paths]
    return [(photo.image, 1 - load_picture(path).image[0, 0].double().numpy()) for photo, path in pairs]


def detectors() -> dict[str, dict[str, Detector]]:
    """Both, with all their settings."""
    ours: dict[str, Detector] = {}
    theirs: dict[str, Detector] = {}
    for sigma, (strong, weak) in itertools.product(SIGMAS, PERCENTILES):
        for shortest in SHORTEST:
            edges = Edges((sigma, sigma), strong, weak, shortest)
            ours[f"sigma {sigma:g}, {strong} and {weak} %, from {shortest} pixels"] = _ours(edges, sigma)
        theirs[f"sigma {sigma:g}, {strong} and {weak} %"] = _theirs(sigma, strong / 100, weak / 100)
    return {"styler": ours, "scikit-image": theirs}


def _ours(edges: Edges, sigma: float) -> Detector:
    return lambda image: draw(image, edges, sigma)[0, 0].numpy() == 0


def _theirs(sigma: float, strong: float, weak: float) -> Detector:
    def detect(image: Tensor) -> NDArray[np.bool_]:
        grey = luma(image)[0, 0].numpy()
        found: NDArray[np.bool_] = feature.canny(
            grey, sigma, low_threshold=weak, high_threshold=strong, use_quantiles=True, mode="reflect"
        )
        return found

    return detect


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="F1 of edges against human contours")
    parser.add_argument("folder", type=Path, metavar="BSDS500")
    parser.add_argument("--count", type=int, default=50, help="pictures of each part")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    train, val = (opened(asked.folder, part, asked.count) for part in ("train", "val"))
    print(f"{len(train)} pictures to choose by, {len(val)} others; 2 pixels of tolerance\n")
    print("| | F1 | precision | recall | seconds a picture | chosen |\n| --- | --- | --- | --- | --- | --- |")
    for name, settings in detectors().items():
        best = max(settings, key=lambda setting: score(settings[setting], train).f1)
        begun = time.process_time()
        result = score(settings[best], val)
        seconds = (time.process_time() - begun) / len(val)
        figures = f"{result.f1:.3f} | {result.precision:.3f} | {result.recall:.3f} | {seconds:.3f}"
        print(f"| {name} | {figures} | {best} |", flush=True)


if __name__ == "__main__":
    main()
