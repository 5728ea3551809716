"""Remake the sheet of translations: lines, and what a generator that takes lines makes of them.

    python examples/translate_sheet.py [OUT.jpg] [CHECKPOINT]

The CHECKPOINT is a file or a name of `styler models`; without one it is `edges2photo`, which ships.
The lines of the first row are those of the example photos; the last drawing is made here.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from styler.storage.models import library
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet
from styler.tasks.translate import Preparation

HERE = Path(__file__).parent
PHOTOS = ("lake", "harbour", "still_life", "cat")
SIDE = 512
CELL = 225, 300


def house() -> Image.Image:
    """A house between hills and a tree, as one draws it."""
    paper = Image.new("RGB", (SIDE, 3 * SIDE // 4), "white")
    pen = ImageDraw.Draw(paper)
    pen.rectangle((180, 190, 330, 320), outline="black", width=4)
    pen.line((170, 195, 255, 110, 340, 195), fill="black", width=4)
    for box in ((235, 250, 275, 320), (195, 210, 225, 240), (285, 210, 315, 240)):
        pen.rectangle(box, outline="black", width=4)
    pen.ellipse((400, 30, 460, 90), outline="black", width=4)
    pen.arc((-180, 290, 180, 600), 200, 340, fill="black", width=4)
    pen.arc((320, 280, 760, 560), 200, 300, fill="black", width=4)
    for x in (90, 106):
        pen.line((x, 295, x, 205), fill="black", width=4)
    pen.ellipse((45, 95, 155, 207), outline="black", width=4)
    return paper


def main() -> None:
    """Translate all and put the sheet together."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "translate_sheet.jpg"
    model = library.read_generator(
        library.locate_generator(sys.argv[2] if len(sys.argv) > 2 else "edges2photo")
    )
    inputs, made_by = model.network.config.inputs, model.about.condition
    photos = (load_picture(HERE / f"{name}.jpg", long_side=SIDE).image for name in PHOTOS)
    seen = [Preparation(inputs, "photo", made_by)(photo) for photo in photos]
    drawn = torch.from_numpy(np.array(house()))
    seen.append(Preparation(inputs, "sketch", made_by)(drawn.permute(2, 0, 1)[None] / 255))
    rows = [[x.expand(-1, 3, -1, -1) for x in seen], [translated(model, x) for x in seen]]
    save_picture(out, sheet(rows, cell=CELL), overwrite=True, quality=85)


@torch.inference_mode()
def translated(model: library.Translator, x: Tensor) -> Tensor:
    """The Image that the generator makes of what it takes, [1, C, H, W]."""
    made: Tensor = model.network(x)
    return made.clamp(0, 1)


if __name__ == "__main__":
    main()
