"""Decode picture files to pixels in sRGB."""

from __future__ import annotations

import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from styler.errors import InputError, StylerError, is_shortage
from styler.options.fields import SMALLEST
from styler.storage.disk import digest, open_input
from styler.storage.magic import HEAD_BYTES, HEIC, PICTURES, kind_of
from styler.storage.names import display, install, one_line
from styler.storage.pictures import modes, recipe
from styler.storage.pictures.encode import FORMATS

MAX_PIXELS = 100_000_000
_READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "PPM")


@dataclass(frozen=True)
class Decoded:
    """A decoded picture, upright and in sRGB.

    `color` is [H, W, 3], uint8 or, of deep gray, float32 in [0, 1]; `alpha` is uint8 [H, W, 1], None when
    nothing is transparent. The rest is as in `load.Picture`.
    """

    color: modes.Pixels
    alpha: NDArray[np.uint8] | None
    name: str
    sha256: str
    credits: Mapping[str, str]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def decode(
    source: Path | str, *, max_pixels: int = MAX_PIXELS, long_side: int | None = None, minimum: int = SMALLEST
) -> Decoded:
    """Decode one picture, its first frame; see `load.load_picture`. Raises InputError."""
    with _opening(source, max_pixels, minimum) as (image, file, warned):
        name = _name_of(source) if str(source) == "-" else Path(source).name
        notes = _notes(image, name)
        if modes.is_hdr(file):
            warned.append("it is HDR, and is read as it is, so that colors come out paler")
        color, alpha, tags = _decoded(image, long_side, minimum, warned)
        credits = recipe.read_credits(tags, image.info)
        return Decoded(color, alpha, name, digest(file), credits, tuple(dict.fromkeys(warned)), notes)


def measure(source: Path | str, *, max_pixels: int = MAX_PIXELS, minimum: int = SMALLEST) -> tuple[int, int]:
    """Height and width of the Image that `decode` would return, from the file's header.

    Raises InputError as `decode`, as far as the header shows what is wrong.
    """
    with _opening(source, max_pixels, minimum) as (image, _, warned):
        width, height = image.size
        # Of a TIFF Pillow gives the upright size. A whole PNG it decodes in search of tags after the pixels.
        known = image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info)
        turned = not known and modes.lies(_tags(image, warned).get(ExifTags.Base.Orientation))
        return (width, height) if turned else (height, width)


@contextmanager
def _opening(
    source: Path | str, max_pixels: int, minimum: int
) -> Iterator[tuple[Image.Image, BinaryIO, list[str]]]:
    """An opened picture of accepted size, its file, and a list that collects Pillow's warnings."""
    with open_input(source) as file:
        head = file.read(HEAD_BYTES)
        file.seek(0)
        name = _name_of(source)
        with _refusals(name, head, max_pixels), SETTINGS.used(max_pixels) as warned:
            image = _opened(file, head)
            _check_size(image, name, max_pixels, minimum)
            yield image, file, warned


def _name_of(source: Path | str) -> str:
    return "standard input" if str(source) == "-" else display(source)


@contextmanager
def _refusals(name: str, head: bytes, max_pixels: int) -> Iterator[None]:
    """Turn any error of a codec into an InputError that names the kind of the file."""
    try:
        yield
    except StylerError:
        raise
    except Image.DecompressionBombError as error:
        raise InputError(_too_many(name, f"over {2 * max_pixels:,} pixels", max_pixels)) from error
    except Exception as error:
        if is_shortage(error):
            raise InputError(f"{name} needs more memory than there is: shrink it first") from error
        raise InputError(f"{name} {_fault(head, error)}") from error


def _fault(head: bytes, error: Exception) -> str:
    kind = kind_of(head)
    if not head:
        return "is empty: give a picture"
    if kind == HEIC and "HEIF" not in Image.OPEN:
        return f"is a HEIC picture: {install('heif')} to read it"
    if kind is None or kind not in PICTURES:
        return f"is {kind or 'not a picture'}: give one of {', '.join(_READABLE)}"
    if isinstance(error, UnidentifiedImageError):
        return f"is {kind} that is damaged or of a variant that Pillow does not read: export it again"
    return f"is {kind} that cannot be decoded ({display(one_line(str(error)))}): get or export it again"


def _opened(file: BinaryIO, head: bytes) -> Image.Image:
    """Read the header of a picture in one of the allowed formats; nothing is decoded yet."""
    if kind_of(head) == HEIC and find_spec("pillow_heif"):
        import pillow_heif  # an extra

        pillow_heif.register_heif_opener()
        return Image.open(file, formats=["HEIF"])
    return Image.open(file, formats=_READABLE)


def _check_size(image: Image.Image, name: str, max_pixels: int, minimum: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise InputError(_too_many(name, f"{width}x{height} pixels", max_pixels))
    if min(width, height) < minimum:
        raise InputError(f"{name} is {width}x{height}, under {minimum} pixels a side: give a larger picture")


def _too_many(name: str, what: str, max_pixels: int) -> str:
    return f"{name} has {what} and the limit is {max_pixels:,}: shrink it, or raise --max-pixels"


def _decoded(
    image: Image.Image, long_side: int | None, minimum: int, warned: list[str]
) -> tuple[modes.Pixels, NDArray[np.uint8] | None, dict[int, object]]:
    """Color [H, W, 3], alpha [H, W, 1] and EXIF tags of an opened picture; `warned` collects the warnings."""
    size = modes.fitted(image.size, long_side, minimum)
    warned += _losses(image)
    image.draft(None, (2 * size[0], 2 * size[1]))  # lets a JPEG be decoded at an eighth of its size or more
    with hushed() if image.format == "TIFF" else nullcontext():
        image.load()
    profile = image.info.get("icc_profile")
    tags = _tags(image, warned)
    split = modes.shrink(modes.layers(image, warned.append), size)
    split = modes.upright(split, tags.get(ExifTags.Base.Orientation))
    alpha = None if split.alpha is None else np.array(split.alpha)[..., None]
    color = modes.to_srgb(split.color, profile, warned.append)
    if image.format == "PNG":
        color = modes.apply_chunks(color, image.info, warned.append)
    return color, alpha, tags


def _notes(image: Image.Image, name: str) -> tuple[str, ...]:
    real = "JPEG" if image.format == "MPO" else image.format
    fits = FORMATS.get(Path(name).suffix.lower(), real) == real
    return () if fits else (f"it is {real} in spite of its name",)


def _losses(image: Image.Image) -> list[str]:
    """Warnings of what will not be read of an opened picture: further frames, further bits."""
    lost = []
    if getattr(image, "is_animated", False) and image.format != "MPO":  # MPO: a phone's previews and depth
        lost.append("it has several frames, of which only the first is used")
    if modes.loses_depth(image):
        lost.append("it has 16 bits a channel, of which only the upper 8 are used")
        image.info.pop("transparency", None)  # one 16-bit color, which cannot be found among 8-bit ones
    return lost


def _tags(image: Image.Image, warned: list[str]) -> dict[int, object]:
    """The main EXIF tags, empty if the block is broken."""
    try:
        return dict(image.getexif())
    except Exception:  # decoding foreign bytes: Pillow raises half a dozen kinds
        warned.append("its EXIF data cannot be read and was ignored, the orientation too")
        return {}


def read_recipe(source: Path | str) -> dict[str, object]:
    """The recipe that `save_picture` put into a picture; only its header is read, whatever its size.

    It is foreign data, see `recipe.parse`.

    Raises:
        InputError: if the file is no picture or has no recipe.
    """
    with open_input(source) as file:
        head = file.read(HEAD_BYTES)
        file.seek(0)
        with _refusals(_name_of(source), head, sys.maxsize), SETTINGS.used(sys.maxsize):
            return recipe.read(_opened(file, head), _name_of(source))


# Global state of Pillow and its libraries, which threads share

_SILENCE = logging.NullHandler()


class PillowSettings:
    """Pillow's pixel limit and warnings, set by the first thread that needs them and restored by the last.

    Threads that want the same limit decode at once, for Pillow's decoders run side by side; others wait.
    """

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._limit, self._users = 0, 0
        self._undo = ExitStack()
        self._own = threading.local()

    @contextmanager
    def used(self, max_pixels: int) -> Iterator[list[str]]:
        """Decode with a limit of pixels; the list collects the warnings of this thread."""
        with self._turn:
            self._turn.wait_for(lambda: not self._users or self._limit == max_pixels)
            if not self._users:
                self._set(max_pixels)
            self._users += 1
        warned: list[str] = []
        self._own.warned = warned
        try:
            yield warned
        finally:
            del self._own.warned
            with self._turn:
                self._users -= 1
                if not self._users:
                    self._undo.close()
                    self._turn.notify_all()

    def _set(self, max_pixels: int) -> None:
        logging.getLogger("PIL").addHandler(_SILENCE)  # without any handler its errors go to stderr
        before = Image.MAX_IMAGE_PIXELS
        self._undo.callback(setattr, Image, "MAX_IMAGE_PIXELS", before)
        self._undo.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        show = warnings.showwarning

        def collect(message: Warning | str, *more: Any) -> None:
            if hasattr(self._own, "warned"):
                self._own.warned.append(" ".join(str(message).split()))
            else:  # of a thread that decodes nothing
                show(message, *more)

        warnings.showwarning = collect  # type: ignore[assignment]  # arguments that have a default too
        self._limit = Image.MAX_IMAGE_PIXELS = max_pixels


SETTINGS = PillowSettings()
_hushing = threading.Lock()


@contextmanager
def hushed() -> Iterator[None]:
    """Silence standard error of C: libtiff prints faults of a file there before Pillow raises them."""
    with _hushing:  # or a second thread would take the first one's nowhere for stderr
        try:
            saved = os.dup(2)
        except OSError:  # stderr is closed
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(nowhere)
            os.close(saved)
