"""Print the weave of every network of styles that ships, on three example photos.

    python benchmarks/weave.py [--photos examples/lake.jpg,...] [--size 512] [MODEL ...]

The figure is `styler.losses.metrics.weave`: the share of the gradient's power, where the photo is smooth, in
peaks at steps of 3.2 to 7 pixels. Photos and paintings have up to 0.05, the first row the photos' own; a sine
of 2 % of the range in rows and one in columns, drawn on a photo, 0.2. Stripes that are painted are seen too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from styler.losses.metrics import weave
from styler.options.fast import FastOptions
from styler.storage.models import library
from styler.storage.pictures.load import load_picture
from styler.tasks.fast import painter

EXAMPLES = Path(__file__).parents[1] / "examples"
PHOTOS = ",".join(str(EXAMPLES / f"{name}.jpg") for name in ("lake", "harbour", "cat"))


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("models", nargs="*", metavar="MODEL")
    words.add_argument("--photos", default=PHOTOS)
    words.add_argument("--size", type=int, default=512)
    chosen = words.parse_args()
    photos = {
        Path(name).stem: load_picture(name, long_side=chosen.size).image for name in chosen.photos.split(",")
    }
    models = chosen.models or [
        entry.name for entry in library.installed() if entry.bundled and entry.card.kind == "transform"
    ]
    print(f"{'':22s}" + "".join(f"{name:>10s}" for name in photos))
    print(f"{'(the photo)':22s}" + "".join(f"{weave(photo, photo):10.3f}" for photo in photos.values()))
    for name in models:
        for style, paintings in painted(name, list(photos.values())):
            values = [weave(*pair) for pair in zip(paintings, photos.values(), strict=True)]
            print(f"{style:22s}" + "".join(f"{value:10.3f}" for value in values), flush=True)


def painted(name: str, photos: list[Tensor]) -> Iterator[tuple[str, list[Tensor]]]:
    """The name of each style of a network, and the photos in that style."""
    model = library.read(library.locate(name, ""))
    for style, mix in zip(model.card.styles, torch.eye(len(model.card.styles)).split(1), strict=True):
        paint = painter(model.network.eval(), mix, FastOptions())
        yield style.name, [paint(photo) for photo in photos]


if __name__ == "__main__":
    main()
