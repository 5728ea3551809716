"""Remake the sheet of trained styles: every example photo by every network, in one pass each.

    python examples/fast_sheet.py [OUT.jpg] [MODEL ...]

A MODEL is a file or a name of `styler models`; without any it is those that came with styler. The first row
shows the photos, each other row two styles, with the thumbnails in the networks' files.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import torch
from torch import Tensor

from styler.options.fast import FastOptions
from styler.storage.models import library
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet
from styler.tasks.fast import painter

HERE = Path(__file__).parent
PHOTOS = ("lake", "harbour", "still_life", "cat")
SIDE = 512
CELL = 150


def main() -> None:
    """Paint all and put the sheet together."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "fast_sheet.jpg"
    wanted = sys.argv[2:] or [entry.name for entry in library.installed() if entry.bundled and entry.card]
    photos = [load_picture(HERE / f"{name}.jpg", long_side=SIDE).image for name in PHOTOS]
    styles = [style for name in wanted for style in painted(library.read(library.locate(name, "")), photos)]
    half = -(-len(styles) // 2)
    lines = [*zip_longest(styles[:half], styles[half:])]
    rows = [[torch.ones(1, 3, 16, 16), *photos] * len(lines[0])]
    rows += [[picture for style in line if style for picture in style[1]] for line in lines]
    captions = [
        [],
        *([text for style in line if style for text in (style[0], *[""] * len(photos))] for line in lines),
    ]
    save_picture(out, sheet(rows, captions=captions, cell=CELL), overwrite=True, quality=85)


def painted(model: library.Model, photos: Sequence[Tensor]) -> Iterator[tuple[str, list[Tensor]]]:
    """Each style of a network that paints photos: its name, thumbnail, and the photos in it."""
    if model.card.kind != "transform":
        return
    for index, mix in enumerate(torch.eye(len(model.card.styles)).split(1)):
        shown = torch.ones(1, 3, 16, 16) if model.thumbnails is None else model.thumbnails[index][None] / 255
        paint = painter(model.network.eval(), mix, FastOptions())
        yield model.card.styles[index].name, [shown, *(paint(photo) for photo in photos)]


if __name__ == "__main__":
    main()
