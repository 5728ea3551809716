"""Pictures in and out of files; the only storage module that imports kinds, pixels, recipe and sheets."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor
from torch.nn import functional

from styler.errors import InputError, OutputError, StylerError
from styler.image import size as geometry
from styler.storage import disk
from styler.storage.magic import HEAD_BYTES, HEIC, PICTURES, kind_of
from styler.storage.names import display
from styler.storage.pictures import modes
from styler.storage.pictures import recipe as recipes
from styler.storage.pictures.codec import SETTINGS, hushed
from styler.storage.pictures.sheet import sheet

__all__ = [
    "FORMATS",
    "Picture",
    "encode",
    "format_of",
    "load",
    "load_levels",
    "measure",
    "read_recipe",
    "save",
    "sheet",
]

MAX_PIXELS = 100_000_000
MINIMUM = 16  # pixels a side; VGG's pooling leaves nothing of less
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM")

# What the name's ending means for writing.
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".avif": "AVIF",
}


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
        """The Image with white where it is transparent; `image` may be of another size than `alpha`."""
        if self.alpha is None:
            return self.image
        alpha = geometry.resize(self.alpha, (self.image.shape[-2], self.image.shape[-1]))
        return self.image * alpha + 1 - alpha


def load(
    source: Path | str, *, max_pixels: int = MAX_PIXELS, long_side: int | None = None, minimum: int = MINIMUM
) -> Picture:
    """Load one picture, its first frame, from a file or from standard input ("-").

    Args:
        max_pixels: more are refused before anything is decoded.
        long_side: shrink to this many pixels while decoding, to bound memory; never enlarges.
        minimum: the smallest side accepted, in pixels.

    Raises:
        InputError: whatever is wrong with the file.
    """
    with _opening(source, max_pixels, minimum) as (image, file, heard):
        name = _shown(source) if str(source) == "-" else Path(source).name
        notes = _notes(image, name)
        color, alpha, tags = _decoded(image, long_side, minimum, heard)
        return Picture(
            image=_unit(_planes(color)),
            alpha=None if alpha is None else _unit(_planes(alpha)),
            name=name,
            sha256=disk.digest(file),
            credits=recipes.read_credits(tags, image.info),
            warnings=tuple(dict.fromkeys(heard)),
            notes=notes,
        )


def measure(source: Path | str, *, max_pixels: int = MAX_PIXELS, minimum: int = MINIMUM) -> tuple[int, int]:
    """Height and width of the Image that `load` would make, from the file's header.

    Raises InputError as `load`, as far as the header shows what is wrong.
    """
    with _opening(source, max_pixels, minimum) as (image, _, heard):
        width, height = image.size
        # Of a TIFF Pillow gives the upright size. A whole PNG it decodes in search of tags after the pixels.
        known = image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info)
        turned = not known and modes.lies(_tags(image, heard).get(ExifTags.Base.Orientation))
        return (width, height) if turned else (height, width)


def load_levels(source: Path | str, long_side: int | None = None) -> Tensor:
    """One picture on white as bytes [3, H, W], in half the time of `load`, which tells the rest."""
    with _opening(source, MAX_PIXELS, MINIMUM) as (image, _, heard):
        color, alpha, _ = _decoded(image, long_side, MINIMUM, heard)
    planes = _planes(color)[0]
    if alpha is not None:
        opacity = _unit(_planes(alpha)[0])
        planes = _unit(planes) * opacity + 1 - opacity
    return planes if planes.dtype == torch.uint8 else (planes * 255).round().to(torch.uint8)


@contextmanager
def _opening(
    source: Path | str, max_pixels: int, minimum: int
) -> Iterator[tuple[Image.Image, BinaryIO, list[str]]]:
    """An opened picture of accepted size, its file, and the list into which Pillow's warnings come."""
    with disk.open_input(source) as file:
        head = file.read(HEAD_BYTES)
        file.seek(0)
        shown = _shown(source)
        with _refusals(shown, head, max_pixels), SETTINGS.used(max_pixels) as heard:
            image = _opened(file, head)
            _check_size(image, shown, max_pixels, minimum)
            yield image, file, heard


def _shown(source: Path | str) -> str:
    return "standard input" if str(source) == "-" else display(source)


@contextmanager
def _refusals(shown: str, head: bytes, max_pixels: int) -> Iterator[None]:
    """Turn whatever a codec raises for a foreign file into an InputError that tells what the file is."""
    try:
        yield
    except StylerError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(_too_many(shown, f"over {2 * max_pixels:,} pixels", max_pixels)) from error
    except MemoryError as error:
        raise InputError(f"{shown} needs more memory than there is: shrink it first") from error
    except Exception as error:
        raise InputError(f"{shown} {_fault(head, error)}") from error


def _fault(head: bytes, error: Exception) -> str:
    kind = kind_of(head)
    if not head:
        return "is empty: give a picture"
    if kind == HEIC and "HEIF" not in Image.OPEN:
        return "is a HEIC picture: pip install 'styler[heif]' to read it"
    if kind is None or kind not in PICTURES:
        return f"is {kind or 'not a picture'}: give one of {', '.join(READABLE)}"
    if isinstance(error, UnidentifiedImageError):
        return f"is {kind} that is damaged or of a variant that Pillow does not read: export it again"
    return f"is {kind} that cannot be decoded ({display(str(error))}): get or export it again"


def _opened(file: BinaryIO, head: bytes) -> Image.Image:
    """Read the header of a picture in one of the allowed formats; nothing is decoded yet."""
    if kind_of(head) == HEIC and find_spec("pillow_heif"):
        import pillow_heif  # an extra

        pillow_heif.register_heif_opener()
        return Image.open(file, formats=["HEIF"])
    return Image.open(file, formats=READABLE)


def _check_size(image: Image.Image, shown: str, max_pixels: int, minimum: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise InputError(_too_many(shown, f"{width}x{height} pixels", max_pixels))
    if min(width, height) < minimum:
        raise InputError(f"{shown} is {width}x{height}, under {minimum} pixels a side: give a larger picture")


def _too_many(shown: str, what: str, max_pixels: int) -> str:
    return f"{shown} has {what} and the limit is {max_pixels:,}: shrink it, or raise --max-pixels"


def _decoded(
    image: Image.Image, long_side: int | None, minimum: int, heard: list[str]
) -> tuple[modes.Pixels, NDArray[np.uint8] | None, dict[int, object]]:
    """Color [H, W, 3], alpha [H, W, 1] and EXIF tags of an opened picture; `heard` collects the warnings."""
    size = modes.fitted(image.size, long_side, minimum)
    heard += _losses(image)
    image.draft(None, (2 * size[0], 2 * size[1]))  # lets a JPEG be decoded at an eighth of its size or more
    with hushed() if image.format == "TIFF" else nullcontext():
        image.load()
    profile = image.info.get("icc_profile")
    tags = _tags(image, heard)
    split = modes.shrink(modes.layers(image, heard.append), size)
    split = modes.upright(split, tags.get(ExifTags.Base.Orientation))
    alpha = None if split.alpha is None else np.array(split.alpha)[..., None]
    return modes.to_srgb(split.color, profile, heard.append), alpha, tags


def _notes(image: Image.Image, name: str) -> tuple[str, ...]:
    real = "JPEG" if image.format == "MPO" else image.format
    fits = FORMATS.get(Path(name).suffix.lower(), real) == real
    return () if fits else (f"it is {real} in spite of its name",)


def _losses(image: Image.Image) -> list[str]:
    """What this program will not see of an opened picture: further frames, further bits."""
    lost = []
    if getattr(image, "is_animated", False) and image.format != "MPO":  # MPO: a phone's previews and depth
        lost.append("it has several frames, of which only the first is used")
    if modes.loses_depth(image):
        lost.append("it has 16 bits a channel, of which only the upper 8 are used")
        image.info.pop("transparency", None)  # one 16-bit color, which cannot be found among 8-bit ones
    return lost


def _tags(image: Image.Image, heard: list[str]) -> dict[int, object]:
    """The main EXIF tags, empty if the block is broken."""
    try:
        return dict(image.getexif())
    except Exception:  # decoding foreign bytes: Pillow raises half a dozen kinds
        heard.append("its EXIF data cannot be read and was ignored, the orientation too")
        return {}


def _planes(values: NDArray[Any]) -> Tensor:
    """[H, W, C] as a contiguous [1, C, H, W]."""
    return torch.from_numpy(values).permute(2, 0, 1)[None].contiguous()


def _unit(levels: Tensor) -> Tensor:
    """Bytes as float32 in [0, 1]; floats are that already."""
    return levels.float().div_(255) if levels.dtype == torch.uint8 else levels


def read_recipe(source: Path | str) -> dict[str, object]:
    """The recipe that `save` put into a picture; only its header is read, whatever its size.

    It is foreign data: names in it are never opened, and values must be checked before use.

    Raises:
        InputError: if the file is no picture or has no recipe.
    """
    with disk.open_input(source) as file:
        head = file.read(HEAD_BYTES)
        file.seek(0)
        with _refusals(_shown(source), head, sys.maxsize), SETTINGS.used(sys.maxsize):
            return recipes.read(_opened(file, head), _shown(source))


def format_of(path: Path | str) -> str:
    """The format that a name's ending asks for; raises OutputError for an ending that we do not write."""
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise OutputError(f"{display(path)} must end in one of {', '.join(FORMATS)}")
    return FORMATS[ending]


def save(
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

    See `encode` for the arguments. Raises OutputError.
    """
    ending = f"a.{format.lower()}" if format else ("a.png" if str(target) == "-" else target)
    data = encode(image, format_of(ending), alpha=alpha, recipe=recipe, credits=credits, quality=quality)
    if str(target) == "-":
        disk.send(data)
    else:
        disk.write(target, data, overwrite=overwrite)


def encode(
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
        image, alpha = image.detach().float().cpu(), _resized(alpha, image.shape[-2:])
        image = image * alpha + (1 - alpha) if format == "JPEG" else torch.cat([image, alpha], dim=1)
    picture = _pillow_image(image)
    options = {**_codec(format, quality), **recipes.save_options(format, recipe, credits or {})}
    buffer = io.BytesIO()
    try:
        picture.save(buffer, format, icc_profile=modes.srgb_profile(), **options)
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


def _resized(alpha: Tensor, size: Sequence[int]) -> Tensor:
    alpha = alpha.detach().float().cpu()
    if tuple(alpha.shape[-2:]) == tuple(size):
        return alpha
    return functional.interpolate(alpha, size=tuple(size), mode="bicubic", antialias=True).clamp(0, 1)


def _pillow_image(image: Tensor) -> Image.Image:
    """[1, 3 or 4, H, W] in [0, 1] to RGB or RGBA, rounded to the nearest level; NaN is black."""
    levels = image.detach().float().nan_to_num(0).clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(levels[0].permute(1, 2, 0).contiguous().cpu().numpy())
