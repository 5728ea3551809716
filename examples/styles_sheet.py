"""Remake the sheet of docs/styles.md: masks, blends, scales, colors and statistics, in about five minutes.

    python examples/styles_sheet.py [OUT.jpg]

The pictures are left in a folder beside the sheet; those that are there are not painted again.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage

from styler import OptimizeOptions, load, load_network, optimize, run, save
from styler.engine.terms import Style
from styler.storage.pictures.sheet import sheet

HERE = Path(__file__).parent
SIDE = 320


def face(height: int, width: int) -> torch.Tensor:
    """A soft oval around the cat's face, [1, 1, H, W]."""
    y, x = np.mgrid[0:height, 0:width]
    oval = ((x / width - 0.5) / 0.25) ** 2 + ((y / height - 0.52) / 0.45) ** 2 < 1
    return torch.from_numpy(ndimage.gaussian_filter(oval.astype(np.float32), width / 60))[None, None]


def main() -> None:
    """Paint what is missing and put the sheet together."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "styles_sheet.jpg"
    folder, network = out.with_suffix(""), load_network("compact")
    folder.mkdir(parents=True, exist_ok=True)
    photo = load(HERE / "cat.jpg", long_side=2 * SIDE).image
    waves, ink, mosaic = (
        load(HERE.parent / f"styles/{name}.jpg", long_side=1024).image for name in ("waves", "ink", "mosaic")
    )
    mask = face(photo.shape[-2], photo.shape[-1])
    parts = [Style(waves, masks=[(1 - mask, None)]), Style(mosaic, masks=[(mask, None)])]
    ways: dict[str, tuple[list[Any], dict[str, Any], torch.Tensor | None]] = {
        "masks": (parts, {}, None),
        "protect": ([waves], {}, mask),
        "blend": ([Style(waves, 0.7), Style(ink, 0.3)], {}, None),
        "small strokes": ([waves], {"style_scale": (0.4,)}, None),
        "few colors": ([waves], {"style_colors": 4}, None),
        **{name: ([waves], {"style_loss": name}, None) for name in LOSSES},
    }
    painted = {}
    for name, (styles, changes, protect) in ways.items():
        path = folder / f"{name}.png"
        if not path.exists():
            options = OptimizeOptions(size=SIDE, **changes)
            save(path, run(optimize(photo, styles, network, options, protect=protect)))
        painted[name] = load(path).image
    images, names = list(painted.values()), list(painted)
    captions = [names[:5], names[5:]]
    save(out, sheet([images[:5], images[5:]], captions=captions, cell=(195, 260)), overwrite=True, quality=80)


LOSSES = ("covariance", "gram", "mean", "wasserstein", "sliced")


if __name__ == "__main__":
    main()
