"""Save Images as picture files."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from styler.errors import OutputError
from styler.image.levels import to_pixels
from styler.image.size import resize
from styler.storage import disk
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


def format_of(path: Path | str) -> str:
    """The format that a name's ending asks for; raises OutputError for an ending that we do not write."""
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise OutputError(f"{display(path)} must end in one of {', '.join(FORMATS)}, after a name")
    return FORMATS[ending]


def save_picture(
    target: Path | str,
    image: Tensor,
    *,
    alpha: Tensor | None = None,
    recipe: Mapping[str, object] | None = None,
    credits: Mapping[str, str] | None = None,
    overwrite: bool = False,
    format: str | None = None,
    quality: int = 95,
) -> None:
    """Write a picture whole or not at all; "-" is standard output, as PNG unless `format` says otherwise.

    See `encode_picture` for the arguments. Raises OutputError.
    """
    ending = f"a.{format.lower()}" if format else ("a.png" if str(target) == "-" else target)
    data = encode_picture(
        image, format_of(ending), alpha=alpha, recipe=recipe, credits=credits, quality=quality
    )
    if str(target) == "-":
        disk.send(data)
    else:
        disk.write(target, data, overwrite=overwrite)


def encode_picture(
    image: Tensor,
    format: str,
    *,
    alpha: Tensor | None = None,
    recipe: Mapping[str, object] | None = None,
    credits: Mapping[str, str] | None = None,
    quality: int = 95,
) -> bytes:
    """The bytes of a picture file; equal arguments give equal bytes.

    Values are rounded to 8 bits and the sRGB profile is put in. JPEG has no transparency, so there
    the picture is laid on white. With `recipe` None the file has no metadata at all.

    Args:
        image: [1, 3, H, W] in [0, 1]; what is outside is clamped.
        format: a value of `FORMATS`.
        alpha: [1, 1, h, w] of any size, resized to the picture's.
        quality: of JPEG, WebP and AVIF, 0 to 100.
    """
    if alpha is not None:
        image, alpha = image.detach().float().cpu(), alpha.detach().float().cpu()
        alpha = resize(alpha, (image.shape[-2], image.shape[-1]))
        image = image * alpha + (1 - alpha) if format == "JPEG" else torch.cat([image, alpha], dim=1)
    picture = Image.fromarray(to_pixels(image))
    options = {**_codec(format, quality), **save_options(format, recipe, credits or {})}
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
