"""Remake the sheets of docs/seeing.md, in about twenty minutes.

    python examples/seeing_sheets.py [features] [saliency] [imagine] [dream]

Besides the built-in network they need VGG-19 and squeezenet, see `styler weights`.
"""

from __future__ import annotations

import shlex
import sys
import tempfile
from pathlib import Path

from torch import Tensor

from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture
from styler.storage.pictures.sheet import sheet
from styler.ui.cli import styler

HERE = Path(__file__).parent
QUALITY = 75
MAPS = "features examples/cat.jpg --size 400 --top 4 --layer relu2_2,relu3_3,relu4_3"
LOOK = "saliency examples/cat.jpg --size 224"
EXCITED = "imagine --size 160 --steps 128 --channel"
DREAM = "dream examples/harbour.jpg --size 400"
ROWS = {
    "features": [[("built in", MAPS), ("VGG-19", f"{MAPS} --network vgg19")]],
    "saliency": [
        [("SqueezeNet, tabby", LOOK), ("SqueezeNet, goldfish", f"{LOOK} --class goldfish")],
        [
            ("built in, relu5_1", f"{LOOK} --layer relu5_1"),
            ("VGG-19, relu5_1", f"{LOOK} --layer relu5_1 --network vgg19"),
        ],
    ],
    "imagine": [
        [
            ("conv4_2:18", f"{EXCITED} conv4_2:18"),
            ("conv4_4:3", f"{EXCITED} conv4_4:3"),
            ("conv5_1:7", f"{EXCITED} conv5_1:7"),
            ("conv4_4:3, --plain", f"{EXCITED} conv4_4:3 --plain"),
        ],
        [
            ("VGG-19, conv4_2:18", f"{EXCITED} conv4_2:18 --network vgg19"),
            ("VGG-19, conv4_4:3", f"{EXCITED} conv4_4:3 --network vgg19"),
            ("VGG-19, conv4_4:5", f"{EXCITED} conv4_4:5 --network vgg19"),
            ("VGG-19, --plain", f"{EXCITED} conv4_4:5 --network vgg19 --plain"),
        ],
        [
            ("goldfish", "imagine --class goldfish"),
            ("tabby", "imagine --class tabby"),
            ("goldfish, --plain", "imagine --class goldfish --plain"),
            ("tabby, --plain", "imagine --class tabby --plain"),
        ],
    ],
    "dream": [
        [
            ("relu3_3", f"{DREAM} --layer relu3_3"),
            ("relu4_4", DREAM),
            ("relu5_1", f"{DREAM} --layer relu5_1"),
        ],
        [
            ("VGG-19, relu3_3", f"{DREAM} --network vgg19 --layer relu3_3"),
            ("VGG-19, relu4_4", f"{DREAM} --network vgg19"),
            ("VGG-19, relu5_1", f"{DREAM} --network vgg19 --layer relu5_1"),
        ],
        [
            ("SqueezeNet, goldfish", f"{DREAM} --class goldfish --steps 20"),
            ("guide: the cat", f"{DREAM} --guide examples/cat.jpg --layer relu4_2"),
            ("VGG-19, guide: the cat", f"{DREAM} --guide examples/cat.jpg --layer relu4_2 --network vgg19"),
        ],
    ],
}
CELLS = {"features": (880, 560), "saliency": (460, 600), "imagine": 180, "dream": (188, 250)}
"""Of each sheet, in pixels."""
LETTERS = 16


def main() -> None:
    """Run the commands of the sheets that are named, or of all."""
    for name in sys.argv[1:] or ROWS:
        with tempfile.TemporaryDirectory() as folder:
            pictures = [[made(words, Path(folder, "made.png")) for _, words in row] for row in ROWS[name]]
        captions = [[caption for caption, _ in row] for row in ROWS[name]]
        image = sheet(pictures, captions=captions, cell=CELLS[name], letters=LETTERS)
        save_picture(HERE / f"{name}_sheet.jpg", image, overwrite=True, quality=QUALITY)


def made(words: str, path: Path) -> Tensor:
    """The picture that a command makes, which is named as from the repository's root."""
    words = words.replace("examples/", f"{HERE}/")
    styler.main([*shlex.split(words), "--overwrite", "-o", str(path)], standalone_mode=False, obj={})
    return load_picture(path).image


if __name__ == "__main__":
    main()
