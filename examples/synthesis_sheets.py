"""Remake the sheets of a texture at each depth and of a photo from its features, in about ten minutes.

python examples/synthesis_sheets.py

Besides the built-in network it needs VGG-19, see `styler weights`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from styler.events import result_of
from styler.jobs.see import synthesis
from styler.options.synthesis import InvertOptions, TextureOptions
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet

HERE = Path(__file__).parent
NETWORKS = {"compact": "the built-in network", "vgg19": "VGG-19"}
CELL = (560, 1060)
"""Of both inversions, in pixels."""


def main() -> None:
    """Make both."""
    style, photo = str(HERE.parent / "styles" / "waves.jpg"), str(HERE / "cat.jpg")
    texture = TextureOptions(size=192, sheet=True, overwrite=True, quality=85)
    result_of(synthesis.texture(style, str(HERE / "texture_sheet.jpg"), texture))
    sheets = []
    with tempfile.TemporaryDirectory() as folder:
        for network in NETWORKS:
            file = str(Path(folder, "invert.png"))
            result_of(synthesis.invert(photo, file, InvertOptions(network=network, overwrite=True)))
            sheets.append([load_picture(file).image])
    both = sheet(sheets, captions=[[name] for name in NETWORKS.values()], cell=CELL, letters=20)
    save_picture(HERE / "invert_sheet.jpg", both, overwrite=True, quality=80)


if __name__ == "__main__":
    main()
