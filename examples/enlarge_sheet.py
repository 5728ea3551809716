"""Remake the sheet of docs/enlarge.md: pictures made small, and enlarged again four times.

    python examples/enlarge_sheet.py [OUT.jpg]

The pictures are styler's own, and none of them was trained on. Takes a few seconds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from styler import load, save
from styler.image.size import resize
from styler.jobs.enlarge import open_networks
from styler.options.enlarge import EnlargeOptions
from styler.storage.pictures.sheet import sheet
from styler.tasks.enlarge.enlarger import STORED

HERE = Path(__file__).parent
PICTURES = {"cat": (0.35, 0.3), "harbour": (0.3, 0.35), "../styles/waves": (0.4, 0.4)}
"""Picture, and where the corner of the square is, as shares of its height and width."""
SIDE, FACTOR = 256, 4


def main() -> None:
    """Enlarge, and put the sheet together."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "enlarge_sheet.jpg"
    network = open_networks(EnlargeOptions(), torch.device("cpu")).networks[FACTOR]
    rows = []
    for name, (top, left) in PICTURES.items():
        image = load(HERE / f"{name}.jpg", long_side=768).image
        height, width = image.shape[-2:]
        small = resize(image, (height // FACTOR, width // FACTOR))
        y, x = (int(share * side) for share, side in ((top, height), (left, width)))
        with torch.inference_mode():
            ours = network(small, STORED).clamp(0, 1)
        size = (height // FACTOR * FACTOR, width // FACTOR * FACTOR)
        squares = (resize(small, size), ours, resize(image, size))
        rows.append([square[..., y : y + SIDE, x : x + SIDE] for square in squares])
    save(
        out,
        sheet(rows, column_labels=["bicubic", "styler enlarge", "as it was"], cell=SIDE),
        quality=88,
        overwrite=True,
    )


if __name__ == "__main__":
    main()
