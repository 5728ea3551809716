"""Remake the sheets of a texture at each depth and of a photo from its features, in about five minutes.

    python examples/synthesis_sheets.py

Besides the built-in network they need VGG-19, see `styler weights`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from styler.events import result_of
from styler.image.size import size_of
from styler.jobs.see import synthesis
from styler.options.synthesis import InvertOptions, TextureOptions
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet

HERE = Path(__file__).parent
NETWORKS = {"built in": "compact", "VGG-19": "vgg19"}


def main() -> None:
    """Make both."""
    style, photo = str(HERE.parent / "styles" / "waves.jpg"), str(HERE / "cat.jpg")
    texture = TextureOptions(size=192, sheet=True, overwrite=True, quality=85)
    result_of(synthesis.texture(style, str(HERE / "texture_sheet.jpg"), texture))
    pictures = []
    with tempfile.TemporaryDirectory() as folder:
        for network in NETWORKS.values():
            file = f"{folder}/{network}.png"
            result_of(synthesis.invert(photo, file, InvertOptions(network=network)))
            pictures.append(load_picture(file).image)
    captions = [[name] for name in NETWORKS]
    cell = size_of(pictures[0])
    image = sheet([[picture] for picture in pictures], captions=captions, cell=cell, letters=20)
    save_picture(HERE / "invert_sheet.jpg", image, overwrite=True, quality=80)


if __name__ == "__main__":
    main()
