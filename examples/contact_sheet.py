"""Remake the README's contact sheet: every example photo in every example style, with the default options.

    python examples/contact_sheet.py [OUT.jpg] [OPTION=VALUE ...]

for example `python examples/contact_sheet.py sheet.jpg size=512 style_loss=gram`. Takes about ten minutes on
two cores. The pictures are left in a folder beside the sheet; those that are there are not painted again.
"""

from __future__ import annotations

import sys
from pathlib import Path

from styler import OptimizeOptions, load, load_network, optimize, run, save
from styler.storage.pictures.sheet import sheet

HERE = Path(__file__).parent
PHOTOS = ("lake", "harbour", "still_life", "cat")
STYLES = ("swirls", "waves", "stained_glass", "mosaic", "ink")


def options_from(words: list[str]) -> OptimizeOptions:
    """`name=value` words as options; values are numbers where they look like it."""
    values = dict(word.split("=", 1) for word in words)
    return OptimizeOptions.of({"size": 384, **{name: number(value) for name, value in values.items()}})


def number(text: str) -> int | float | str:
    """An int, a float, or the text itself."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def main() -> None:
    """Paint what is missing and put the sheet together."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "contact_sheet.jpg"
    options, network = options_from(sys.argv[2:]), load_network("compact")
    folder = out.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    styles = [load(HERE.parent / "styles" / f"{name}.jpg", long_side=1024).image for name in STYLES]
    rows = [[load(HERE / f"{photo}.jpg").image] for photo in PHOTOS]
    for name, row in zip(PHOTOS, rows, strict=True):
        for style_name, style in zip(STYLES, styles, strict=True):
            painted = folder / f"{name}-{style_name}.png"
            if not painted.exists():
                save(painted, run(optimize(row[0], [style], network, options)))
                print(painted)
            row.append(load(painted).image)
    rows.insert(0, [1 + 0 * styles[0][..., :16, :16], *styles])
    save(out, sheet(rows, cell=200), overwrite=True, quality=85)


if __name__ == "__main__":
    main()
