"""Compare the style losses at equal content.

    python benchmarks/style_losses.py [--size 192] [--output FOLDER] CONTENT STYLE [CONTENT STYLE ...]

For each pair and each `--style-loss` the content's weight is sought, on a logarithmic scale, at which the
painting keeps as much of the photo as the default does: the structure error of the content layers of the
built-in network. Then only the style differs. The table has, for each painting, its errors by all statistics
relative to those of the photo (0 is the style, 1 no nearer than the photo), and the means over pairs. The
paintings are kept in FOLDER, to be looked at or judged by other networks.
"""

from __future__ import annotations

import argparse
import math
import time
import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from styler.engine.terms import make_terms, typical, view_of
from styler.events import result_of
from styler.image.size import fit, resize
from styler.losses.perceptual import objective, shares, structure, structure_error
from styler.networks.vgg import Typical
from styler.options.optimize import OptimizeOptions
from styler.options.shared import StyleLoss
from styler.storage.models import vgg
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture
from styler.tasks.optimize import optimize

LOSSES: tuple[StyleLoss, ...] = ("covariance", "gram", "mean", "wasserstein", "sliced")
CLOSE, TRIES = 0.02, 4
"""Relative difference of content errors that counts as none, and the most paintings to get there."""


@dataclass(frozen=True)
class Painting:
    """A painting by one loss: the content's weight that it took, CPU seconds, content and style errors."""

    image: Tensor
    weight: float
    seconds: float
    content: float
    style: Mapping[str, float]


class Easel:
    """A photo and a style, and what is measured of their paintings."""

    def __init__(self, content: Tensor, style: Tensor, options: OptimizeOptions) -> None:
        self.content, self.style, self.options = content, style, options
        self.network = vgg.load(vgg.BUILT_IN)
        self.view = view_of(self.network, options)
        layers = {name for name, _ in (*options.content_layers, *options.style_layers)}
        self.usual: Mapping[str, Typical] = typical(self.network, layers, self.view.walk)

    @torch.no_grad()
    def content_error(self, image: Tensor) -> float:
        """Structure error of the content layers, by their shares."""
        options, walk, error = self.options, self.view.walk, 0.0
        share = dict(shares(options.content_layers))
        photo = dict(walk(self.content, set(share)))
        for name, x in walk(image, set(share)):
            target = structure(photo[name], self.usual[name].variance)
            error += share[name] * structure_error(x, target).item()
        return error

    @torch.no_grad()
    def style_errors(self, image: Tensor) -> dict[str, float]:
        """Style errors of an image by each statistic."""
        size = image.shape[-2], image.shape[-1]
        errors = {}
        for name in LOSSES:
            options = replace(self.options, style_loss=name, content_weight=0.0)
            terms = make_terms(self.content, [self.style], self.view, options, size, self.usual, 1.0)
            losses = objective(self.view.walk, terms)(image)
            errors[name] = float(sum(losses.values()))
        return errors

    def paint(self, loss: StyleLoss, weight: float) -> Painting:
        """Paint by a loss at a weight of the content."""
        options = replace(self.options, style_loss=loss, content_weight=weight)
        begun = time.process_time()
        image = result_of(optimize(self.content, [self.style], self.network, options))
        seconds = time.process_time() - begun
        return Painting(image, weight, seconds, self.content_error(image), self.style_errors(image))

    def equal(self, loss: StyleLoss, wanted: float) -> Painting:
        """The painting by a loss whose content error is nearest to the wanted one, by the secant rule."""
        tried = [self.paint(loss, 1.0)]
        slope = -0.5  # of the logarithm of the error over that of the weight, as it is for the default
        while len(tried) < TRIES and abs(math.log(tried[-1].content / wanted)) > CLOSE:
            if len(tried) > 1:
                (w, e), (v, f) = ((math.log(p.weight), math.log(p.content)) for p in tried[-2:])
                slope = min(-0.05, (f - e) / (v - w)) if v != w else slope
            step = math.log(wanted / tried[-1].content) / slope
            tried.append(self.paint(loss, tried[-1].weight * math.exp(max(-2.5, min(2.5, step)))))
        return min(tried, key=lambda p: abs(math.log(p.content / wanted)))


def main() -> None:
    """Print the table of all pairs."""
    parser = argparse.ArgumentParser(description=typing.cast(str, __doc__).split("\n")[0])
    parser.add_argument("pairs", nargs="+", metavar="CONTENT STYLE")
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.output:
        asked.output.mkdir(parents=True, exist_ok=True)
    options, means = OptimizeOptions(size=asked.size), {name: dict.fromkeys(LOSSES, 0.0) for name in LOSSES}
    pairs = list(zip(asked.pairs[::2], asked.pairs[1::2], strict=True))
    print("pair, loss: weight, content, CPU seconds | " + ", ".join(LOSSES), flush=True)
    for content, style in pairs:
        photo = load_picture(content).image
        size = fit((photo.shape[-2], photo.shape[-1]), asked.size)
        easel = Easel(resize(photo, size), load_picture(style).image, options)
        before, default = easel.style_errors(easel.content), easel.paint(LOSSES[0], 1.0)
        for loss in LOSSES:
            painting = default if loss == LOSSES[0] else easel.equal(loss, default.content)
            relative = {name: error / before[name] for name, error in painting.style.items()}
            means[loss] = {name: means[loss][name] + relative[name] / len(pairs) for name in LOSSES}
            label = f"{Path(content).stem} x {Path(style).stem}, {loss}"
            row = ", ".join(f"{relative[name]:.3f}" for name in LOSSES)
            figures = f"{painting.weight:.3g}, {painting.content:.4f}, {painting.seconds:.0f} s"
            print(f"{label}: {figures} | {row}", flush=True)
            if asked.output:
                name = f"{Path(content).stem}-{Path(style).stem}-{loss}.png"
                save_picture(asked.output / name, painting.image, overwrite=True)
    for loss in LOSSES:
        print(f"mean, {loss} | " + ", ".join(f"{means[loss][name]:.3f}" for name in LOSSES))


if __name__ == "__main__":
    main()
