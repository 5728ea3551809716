"""Load picture files as Images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from styler.image.levels import from_pixels, to_levels, to_planes, to_unit
from styler.image.size import SMALLEST, resize, size_of
from styler.storage.pictures.decode import MAX_PIXELS as MAX_PIXELS
from styler.storage.pictures.decode import decode
from styler.storage.pictures.decode import measure as measure
from styler.storage.pictures.decode import read_recipe as read_recipe


@dataclass(frozen=True)
class Picture:
    """A loaded picture, upright and in sRGB.

    `image` is [1, 3, H, W] and `alpha` [1, 1, H, W] in [0, 1]; `alpha` is None when nothing is
    transparent. `name` is the base name, `sha256` that of the file's bytes. `notes` matter less
    than `warnings`.
    """

    image: Tensor
    alpha: Tensor | None
    name: str
    sha256: str
    credits: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def on_white(self) -> Tensor:
        """The Image on white; `image` may be of another size than `alpha`."""
        if self.alpha is None:
            return self.image
        alpha = resize(self.alpha, size_of(self.image))
        return self.image * alpha + 1 - alpha


def load_picture(
    source: Path | str, *, max_pixels: int = MAX_PIXELS, long_side: int | None = None, minimum: int = SMALLEST
) -> Picture:
    """Load one picture, its first frame, from a file or from standard input ("-").

    Args:
        max_pixels: more are refused before anything is decoded.
        long_side: shrink to this many pixels while decoding, to bound memory; never enlarges.
        minimum: the smallest side accepted, in pixels.

    Raises:
        InputError: whatever is wrong with the file.
    """
    found = decode(source, max_pixels=max_pixels, long_side=long_side, minimum=minimum)
    alpha = None if found.alpha is None else from_pixels(found.alpha)
    return Picture(
        from_pixels(found.color),
        alpha,
        found.name,
        found.sha256,
        found.credits,
        found.warnings,
        found.notes,
    )


def load_levels(source: Path | str, long_side: int | None = None) -> Tensor:
    """One picture on white as bytes [3, H, W], in half the time of `load_picture`."""
    found = decode(source, long_side=long_side)
    planes = to_planes(found.color)[0]
    if found.alpha is not None:
        opacity = from_pixels(found.alpha)[0]
        planes = to_unit(planes) * opacity + 1 - opacity
    return planes if planes.dtype == torch.uint8 else to_levels(planes)
