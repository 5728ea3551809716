"""Compare prints with their preview: the same command at several sizes.

    python benchmarks/prints.py [--sizes 512,1024,2048] [--output FOLDER [--judge JUDGE.PY]] CONTENT STYLE ...

The first size is the preview's, and every print is shrunk to it. Then each has its content error (the
structure error of the content layers of the built-in network) and its style error relative to the photo's (0
is the style, 1 no nearer than the photo), with ratios to the preview's; and the figures of a judge, a program
that prints JSON for CONTENT STYLE OUTPUT. FOLDER gets all pictures and a sheet: photo, preview and prints,
whole and, in the second row, the middle of each at its own size.
"""

from __future__ import annotations

import argparse
import time
import typing
from pathlib import Path

import torch
from learn import judged
from style_losses import LOSSES, Easel
from torch import Tensor

from styler.events import result_of
from styler.image.size import fit, resize
from styler.options.optimize import OptimizeOptions
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet
from styler.tasks.optimize import optimize

CELL = 256


def main() -> None:
    """Print a line for each pair and size."""
    parser = argparse.ArgumentParser(description=typing.cast(str, __doc__).split("\n")[0])
    parser.add_argument("pairs", nargs="+", metavar="CONTENT STYLE")
    parser.add_argument("--sizes", default="512,1024,2048")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--judge", metavar="JUDGE.PY", help="program that measures CONTENT STYLE OUTPUT")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    sizes = [int(size) for size in asked.sizes.split(",")]
    if asked.output:
        asked.output.mkdir(parents=True, exist_ok=True)
    for content, style in zip(asked.pairs[::2], asked.pairs[1::2], strict=True):
        name = f"{Path(content).stem}-{Path(style).stem}"
        images = compare(name, load_picture(content).image, load_picture(style).image, sizes)
        if asked.output:
            for size, image in zip(sizes, images[1:], strict=True):
                path = asked.output / f"{name}-{size}.png"
                save_picture(path, image, overwrite=True)
                if asked.judge:
                    print(f"  {size} px: {judged(asked.judge, [content, style, str(path)])}", flush=True)
            save_picture(asked.output / f"{name}.png", beside(images, sizes), overwrite=True)


def compare(name: str, content: Tensor, style: Tensor, sizes: list[int]) -> list[Tensor]:
    """Paint at every size and print the figures; returns the photo, at the first size, and the paintings."""
    small = fit((content.shape[-2], content.shape[-1]), sizes[0])
    easel = Easel(resize(content, small), style, OptimizeOptions(size=sizes[0]))
    before = easel.style_errors(easel.content)[LOSSES[0]]
    images, first = [easel.content], None
    for size in sizes:
        begun = time.process_time()
        image = result_of(optimize(content, [style], easel.network, OptimizeOptions(size=size)))
        seconds, shrunk = time.process_time() - begun, resize(image, small)
        errors = easel.content_error(shrunk), easel.style_errors(shrunk)[LOSSES[0]] / before
        first = first or errors
        ratios = ", ".join(f"{error / of:.2f}" for error, of in zip(errors, first, strict=True))
        print(
            f"{name}, {size} px: content {errors[0]:.4f}, style {errors[1]:.4f}; "
            f"of the preview's {ratios}; {seconds:.0f} s",
            flush=True,
        )
        images.append(image)
    return images


def beside(images: list[Tensor], sizes: list[int]) -> Tensor:
    """A sheet of the photo, the preview and the prints, whole and in their middle."""
    middles = [middle(image) for image in images]
    labels = ["photo", *(f"{size} px" for size in sizes)]
    return sheet([images, middles], row_labels=["whole", "100 %"], column_labels=labels, cell=CELL)


def middle(image: Tensor) -> Tensor:
    """The cell's size of an image, cut out."""
    top, left = ((side - CELL) // 2 for side in image.shape[-2:])
    return image[..., top : top + CELL, left : left + CELL]


if __name__ == "__main__":
    main()
