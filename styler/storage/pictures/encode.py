"""Encode pixels as picture files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from styler.errors import OutputError
from styler.storage import disk
from styler.storage.magic import ANIMATIONS
from styler.storage.names import display
from styler.storage.pictures.modes import srgb_profile
from styler.storage.pictures.recipe import save_options

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
}
"""The format that is written, by the ending of the file's name."""
PICTURES = frozenset({*FORMATS, *ANIMATIONS, ".bmp", ".ppm", ".pgm", ".jfif", ".heic", ".heif"})
"""Endings of files in a folder that are taken as pictures and animations."""


def format_of(path: Path | str) -> str:
    """The format that a name's ending asks for; raises OutputError for an ending that we do not write."""
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise OutputError(f"{display(path)} must end in one of {', '.join(FORMATS)}, after a name")
    return FORMATS[ending]


def put(target: Path | str, data: bytes, overwrite: bool) -> None:
    """Write a file whole or not at all; "-" is standard output. Raises OutputError."""
    if str(target) == "-":
        disk.send(data)
    else:
        disk.write(target, data, overwrite=overwrite)


def encode(
    pixels: NDArray[np.uint8],
    format: str,
    recipe: Mapping[str, object] | None,
    credits: Mapping[str, str],
    quality: int,
) -> bytes:
    """The bytes of a picture file with the sRGB profile; equal arguments give equal bytes.

    With `recipe` None the file has no metadata at all. Raises OutputError.

    Args:
        pixels: [H, W, 3], or [H, W, 4] with alpha for formats other than JPEG.
        format: a value of `FORMATS`.
        quality: of JPEG, WebP and AVIF, 0 to 100.
    """
    picture = Image.fromarray(pixels)
    options = {**_codec(format, quality), **save_options(format, recipe, credits)}
    buffer = io.BytesIO()
    try:
        picture.save(buffer, format, icc_profile=srgb_profile(), **options)
    except (OSError, ValueError, KeyError) as error:  # too large for the format, or a codec not built in
        size = f"{picture.width}x{picture.height}"
        raise OutputError(f"{format} cannot hold this {size} picture ({error}): choose .png") from error
    return buffer.getvalue()


def _codec(format: str, quality: int) -> dict[str, object]:
    lossy: dict[str, dict[str, object]] = {
        "JPEG": {"quality": quality, "subsampling": "4:4:4"},
        "WEBP": {"quality": quality},
        "AVIF": {"quality": quality, "subsampling": "4:4:4"},
    }
    return lossy.get(format, {})  # TIFF is not compressed: libtiff would refuse the recipe's EXIF block
