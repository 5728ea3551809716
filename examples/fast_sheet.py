"""Remake the sheet of trained styles: every example photo by every network, in one pass each.

    python examples/fast_sheet.py [OUT.jpg] [MODEL ...]

A MODEL is a file or a name of `styler models`; without any it is those that came with styler. The first row
shows the styles, from the thumbnails in the networks' files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from styler.options.fast import FastOptions
from styler.storage.models import library
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet
from styler.tasks.fast import painter

HERE = Path(__file__).parent
PHOTOS = ("lake", "harbour", "still_life", "cat")
SIDE = 512
CELL = 200


def main() -> None:
    """Paint all and put the sheet together."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "fast_sheet.jpg"
    wanted = sys.argv[2:] or [entry.name for entry in library.installed() if entry.bundled and entry.card]
    photos = [load_picture(HERE / f"{name}.jpg", long_side=SIDE).image for name in PHOTOS]
    head, rows = [torch.ones(1, 3, 16, 16)], [[photo] for photo in photos]
    for name in wanted:
        model = library.read(library.locate(name, ""))
        if model.card.kind != "transform":
            continue
        for index, mix in enumerate(torch.eye(len(model.card.styles)).split(1)):
            shown = (
                torch.ones(1, 3, 16, 16) if model.thumbnails is None else model.thumbnails[index][None] / 255
            )
            head.append(shown)
            for photo, row in zip(photos, rows, strict=True):
                row.append(painter(model.network.eval(), mix, FastOptions())(photo))
    save_picture(out, sheet([head, *rows], cell=CELL), overwrite=True, quality=85)


if __name__ == "__main__":
    main()
