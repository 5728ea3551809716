"""Make pairs of drawings and rendered cats to train on: `python examples/pair_cats.py CATS -o PAIRS`.

CATS is a folder of render_cats.py, from whose file names the seeds are read. The drawing, left, is the
edges of the picture or a sketch of the cat (cat_sketches.py), as it is or cleaned as `--from-sketch` does;
its paper has the color that tells the coat. One cat in 32 goes to PAIRS/val. What is there is not made
again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from cat_shapes import shape
from cat_sketches import sketch
from PIL import Image
from render_cats import coat, tints, write

from styler.image import conditions, edges
from styler.options.translate import EdgeOptions
from styler.storage.datasets.find_pairs import write_record

EDGES = EdgeOptions(sigma=(1.0, 2.5))
HELD = 32
EDGED, RAW = 0.25, 0.5
"""Shares of edges among drawings, and of sketches that are not cleaned among sketches."""


def drawing(picture: Image.Image, seed: int, draw: np.random.Generator) -> torch.Tensor:
    """Lines of a cat [1, 1, H, W], 0 on 1."""
    if draw.random() < EDGED:
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
        return conditions.condition("edges", conditions.parameters_for("edges", EDGES))(pixels, draw)
    lines = torch.from_numpy(np.array(sketch(shape(seed), draw, picture.width)))[None, None] / 255
    return lines if draw.random() < RAW else edges.clean(lines)


def pair(picture: Image.Image, seed: int, number: int) -> Image.Image:
    """A drawing and the picture side by side."""
    draw = np.random.default_rng((seed, 23, number))
    tint = np.clip(np.array(coat(seed).tint) + draw.normal(0, 0.015, 3), 0, 1)
    lines = edges.tinted(drawing(picture, seed, draw), tint.tolist())
    both = Image.new("RGB", (2 * picture.width, picture.height))
    both.paste(Image.fromarray((lines[0].permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8)))
    both.paste(picture, (picture.width, 0))
    return both


def main() -> None:
    """Make the pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cats", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--drawings", type=int, default=2, help="drawings of each cat")
    chosen = parser.parse_args()
    record = {"name": "edges", **conditions.parameters_for("edges", EDGES)}
    for path in sorted(chosen.cats.glob("*.png")):
        seed = int(path.stem)
        held = seed % HELD == HELD - 1
        folder = chosen.output / ("val" if held else "train")
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1 if held else chosen.drawings):
            target = folder / f"{seed:05d}-{number}.png"
            if not target.exists():
                write(pair(Image.open(path).convert("RGB"), seed, number), target)
    about = {"layout": "side-by-side", "names": ["drawing", "cat"], "condition": record, "tints": tints()}
    write_record(chosen.output, about)


if __name__ == "__main__":
    main()
