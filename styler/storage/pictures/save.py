"""Save Images as picture files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from styler.image.levels import to_pixels
from styler.image.size import resize, size_of
from styler.storage.pictures.encode import encode, format_of, put


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
    put(target, data, overwrite)


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
        alpha = resize(alpha, size_of(image))
        image = image * alpha + (1 - alpha) if format == "JPEG" else torch.cat([image, alpha], dim=1)
    return encode(to_pixels(image), format, recipe, credits or {}, quality)
