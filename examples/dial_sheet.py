"""Remake the sheet of the style dial, two photos at a style weight of 0.3, 1 and 3, in about three minutes.

python examples/dial_sheet.py
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from styler import OptimizeOptions, load, load_network, optimize, run, save
from styler.storage.pictures.sheet import sheet

HERE = Path(__file__).parent
PAIRS = (("cat", "mosaic"), ("lake", "swirls"))
WEIGHTS = (0.3, 1.0, 3.0)


def main() -> None:
    """Paint all six and put the sheet together."""
    network, rows = load_network("compact"), list[list[Tensor]]()
    for photo, style in PAIRS:
        content = load(HERE / f"{photo}.jpg").image
        painting = load(HERE.parent / "styles" / f"{style}.jpg", long_side=1024).image
        options = [OptimizeOptions(size=384, style_weight=weight) for weight in WEIGHTS]
        rows.append([content, *(run(optimize(content, [painting], network, each)) for each in options)])
    heads = ["photo", *(f"--style-weight {weight:g}" for weight in WEIGHTS)]
    save(
        HERE / "dial_sheet.jpg", sheet(rows, column_labels=heads, cell=(195, 260)), overwrite=True, quality=88
    )


if __name__ == "__main__":
    main()
