"""Remake the sheet of learned paintings: four pictures of ours, learned on one photo; it and two others.

    python examples/learn_sheet.py [OUT.jpg] [PAINTING ...]

The first row shows the paintings, the second the photo that they are learned on, in 150 steps each.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import torch

from styler.events import result_of
from styler.jobs.fast import fast
from styler.options.fast import FastOptions
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet

HERE = Path(__file__).parent
PHOTOS = ("cat", "still_life", "harbour")
PAINTINGS = ("waves", "dots", "gold", "swirls")
SIDE, CELL = 512, 176


def main() -> None:
    """Learn, paint, and put the sheet together."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "learn_sheet.jpg"
    paintings = sys.argv[2:] or [str(HERE.parent / "styles" / f"{name}.jpg") for name in PAINTINGS]
    head = [load_picture(painting, long_side=CELL).image for painting in paintings]
    rows = [[torch.ones(1, 3, 16, 16), *head]]
    with tempfile.TemporaryDirectory() as home:
        os.environ["STYLER_HOME"] = home
        for name in PHOTOS:
            photo, row = HERE / f"{name}.jpg", []
            for index, painting in enumerate(paintings):
                target = Path(home) / f"{name}-{index}.png"
                result_of(fast([str(photo)], str(target), FastOptions(style=painting, size=SIDE)))
                row.append(load_picture(target).image)
            rows.append([load_picture(photo, long_side=CELL).image, *row])
    save_picture(out, sheet(rows, cell=CELL), overwrite=True, quality=80)


if __name__ == "__main__":
    main()
