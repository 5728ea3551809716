"""Compare ways to paint: each photo in the style of the same place, painted in several ways side by side.

    python examples/panel_sheet.py OUT --photo FILE... --style FILE... --way LABEL=NETWORK[,OPTION=VALUE...]

for example `--way before=old.safetensors,content_loss=squared --way now=compact --way VGG-19=vgg19`.
With --all every photo is painted in every style, in one way. The pictures are left in a folder beside the
sheet; those that are there are not painted again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from contact_sheet import options_from
from torch import Tensor

from styler import load, load_network, optimize, run, save
from styler.storage.models.vgg import resolve
from styler.storage.pictures.sheet import sheet


def paint(photo: str, style: str, way: str, size: int, folder: Path) -> Tensor:
    """The picture of a photo in a style, from the folder or painted now."""
    label, _, words = way.partition("=")
    network, *values = words.split(",")
    target = folder / f"{Path(photo).stem}-{Path(style).stem}-{label}.png"
    if not target.exists():
        options = options_from([f"size={size}", *values])
        content, look = load(photo, long_side=size).image, load(style, long_side=size).image
        save(target, run(optimize(content, [look], load_network(resolve(network)), options)))
        print(target)
    return load(target).image


def main() -> None:
    """Paint what is missing and put the sheet together."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--photo", nargs="+", required=True)
    parser.add_argument("--style", nargs="+", required=True)
    parser.add_argument("--way", action="append", default=[])
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--cell", type=int, default=160)
    given = parser.parse_args()
    folder = given.out.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    ways = given.way or ["now=compact"]
    if given.all:
        pairs = [[(photo, style) for style in given.style] for photo in given.photo]
        rows = [[paint(*pair, ways[0], given.size, folder) for pair in row] for row in pairs]
        rows = [[load(photo).image, *row] for photo, row in zip(given.photo, rows, strict=True)]
        styles = [load(style, long_side=512).image for style in given.style]
        rows.insert(0, [1 + 0 * styles[0][..., :16, :16], *styles])
        heads = []
    else:
        rows = [
            [load(photo).image, load(style, long_side=512).image]
            + [paint(photo, style, way, given.size, folder) for way in ways]
            for photo, style in zip(given.photo, given.style, strict=True)
        ]
        heads = ["photo", "style", *(way.partition("=")[0] for way in ways)]
    save(given.out, sheet(rows, column_labels=heads, cell=given.cell), overwrite=True, quality=80)


if __name__ == "__main__":
    main()
