"""Arguments of Python functions: options by name, and pictures of any kind."""

from __future__ import annotations

import dataclasses
import difflib
import io
import os
import typing
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from styler.api.errors import naming_arguments
from styler.api.picture import Picture
from styler.errors import InputError
from styler.image.levels import from_pixels, to_unit
from styler.image.size import SMALLEST
from styler.options.fields import TEXT_FORMS, Files, Numbers, Options, TextForm, fields_of
from styler.storage import disk
from styler.storage.inputs import STREAM, is_several
from styler.storage.names import display
from styler.storage.pictures.save import encode_picture

Kind = TypeVar("Kind", bound=Options)

PictureLike = str | os.PathLike[str] | Picture | Image.Image | NDArray[Any] | Tensor
"""A file, a Picture, or one of Pillow, NumPy ([H, W, C]) or torch ([C, H, W]); see `source_of`."""

_MODES = ("1", "L", "LA", "I;16", "P", "RGB", "RGBA")
"""Modes of Pillow that a PNG can hold."""
_NAMES = {"int": "a whole number", "float": "a number", "bool": "True or False", "str": "text"}


# Options


def options_from(
    function: str, kind: type[Kind], values: Mapping[str, object], allowed: Collection[str]
) -> Kind:
    """Options of keyword arguments; what a command takes as text may be text here.

    Raises:
        TypeError: for a name that is none of `allowed`, as Python itself does.
        InputError: for a value of the wrong type or out of bounds.
    """
    hints = {field.name: hint for field, hint in fields_of(kind).items()}
    for name in values:
        if name not in allowed:
            near = difflib.get_close_matches(name, allowed, 1)
            advice = f"; did you mean '{near[0]}'?" if near else ""
            raise TypeError(f"{function}() got an unexpected keyword argument '{name}'{advice}")
    with naming_arguments():
        return kind.of({name: _value(name, value, hints[name]) for name, value in values.items()})


def _value(name: str, value: object, hint: Any) -> object:
    """A value of the type of an option: one number or file for several, a path for text."""
    if hint == Files:
        several = value if isinstance(value, list | tuple) else (value,)
        return tuple(os.fspath(file) if isinstance(file, os.PathLike) else file for file in several)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if hint == Numbers and isinstance(value, int | float):
        return (float(value),)
    if hint in TEXT_FORMS and isinstance(value, str):
        return _parsed(name, value, TEXT_FORMS[hint])
    if hint in TEXT_FORMS or typing.get_origin(hint) is Literal:
        return value
    kinds = typing.get_args(hint) or (hint,)
    fits = isinstance(value, (*kinds, int) if float in kinds else kinds)
    if not fits or (isinstance(value, bool) and bool not in kinds):
        raise InputError(f"{name} is {value!r}; it must be {_NAMES[kinds[0].__name__]}")
    return value


def _parsed(name: str, text: str, form: TextForm) -> object:
    """The value of text, as the command line has it."""
    try:
        value: object = form.parse(text)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    return value


# Pictures


@dataclasses.dataclass(frozen=True)
class Source:
    """A picture for a job: the name of a file or of a style, or `data` that is to become the file `name`."""

    name: str
    data: bytes | None = None

    def file(self, folder: Path) -> str:
        """The file that a job opens; `data` is written into a folder."""
        if self.data is None:
            return self.name
        disk.write(folder / self.name, self.data)
        return str(folder / self.name)


def source_of(value: object, argument: str) -> Source:
    """The source of a picture; InputError, which names the argument, for what is none.

    Files are named by str or Path. Pictures of Pillow keep profile, orientation and transparency. Arrays are
    [H, W] or [H, W, C], tensors [C, H, W] or [1, C, H, W], of 1, 3 or 4 channels: bytes, or floats in [0, 1].
    """
    if isinstance(value, str | os.PathLike):
        name = os.fspath(value)
        if name == STREAM or is_several(name):
            raise InputError(f"{argument} is {display(name)!r}, and this takes one picture: name a file")
        return Source(name)
    if isinstance(value, Picture):
        return Source(f"{argument}.png", value.png())
    if isinstance(value, Image.Image):
        return Source(f"{argument}.png", _from_pillow(value, argument))
    if isinstance(value, np.ndarray | Tensor):
        image = (
            _from_array(value, argument) if isinstance(value, np.ndarray) else _from_tensor(value, argument)
        )
        if image.shape[1] == 1:
            image = image.expand(-1, 3, -1, -1)
        alpha = image[:, 3:] if image.shape[1] == 4 else None
        return Source(f"{argument}.png", encode_picture(image[:, :3], "PNG", alpha=alpha))
    kinds = "a file's name, a Picture, a PIL image, a NumPy array or a torch tensor"
    raise InputError(f"{argument} is of type {type(value).__name__}; give {kinds}")


def _from_pillow(image: Image.Image, argument: str) -> bytes:
    if min(image.size) < SMALLEST:
        raise InputError(
            f"{argument} is {image.width} x {image.height} pixels; {SMALLEST} a side is the least"
        )
    form = "TIFF" if image.mode == "CMYK" else "PNG"
    kept = image if image.mode in _MODES or form == "TIFF" else image.convert("RGB")
    more = (
        {"transparency": image.info["transparency"]} if "transparency" in image.info and kept is image else {}
    )
    buffer = io.BytesIO()
    kept.save(buffer, form, icc_profile=image.info.get("icc_profile"), exif=image.getexif(), **more)
    return buffer.getvalue()


def _from_array(pixels: NDArray[Any], argument: str) -> Tensor:
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        hint = "; it looks like [C, H, W]: transpose(1, 2, 0)" if _is_planar(pixels.shape) else ""
        raise InputError(
            f"{argument} has the shape {pixels.shape}; an array is [H, W] or [H, W, C], of 1, 3 or 4 channels"
            f"{hint}"
        )
    _check(pixels.dtype == np.uint8, pixels.dtype.kind == "f", str(pixels.dtype), pixels.shape[:2], argument)
    image = from_pixels(np.array(pixels, np.uint8 if pixels.dtype == np.uint8 else np.float32))
    return _in_range(image, argument)


def _from_tensor(image: Tensor, argument: str) -> Tensor:
    planes = image[None] if image.ndim == 3 else image
    if planes.ndim != 4 or planes.shape[0] != 1 or planes.shape[1] not in (1, 3, 4):
        hint = (
            "; it looks like [H, W, C]: permute(2, 0, 1)"
            if image.ndim == 3 and image.shape[2] in (1, 3, 4)
            else ""
        )
        raise InputError(
            f"{argument} has the shape {tuple(image.shape)}; a tensor is [C, H, W] or [1, C, H, W], of 1, "
            f"3 or 4 channels{hint}"
        )
    _check(
        image.dtype == torch.uint8, image.is_floating_point(), str(image.dtype), planes.shape[2:], argument
    )
    return _in_range(to_unit(planes.detach().cpu()).float(), argument)


def _is_planar(shape: tuple[int, ...]) -> bool:
    return len(shape) == 3 and shape[0] in (1, 3, 4)


def _check(is_bytes: bool, is_float: bool, kind: str, size: tuple[int, ...], argument: str) -> None:
    """Raise InputError for a number type or a size that no picture has here."""
    if not is_bytes and not is_float:
        raise InputError(f"{argument} holds {kind}; give bytes (uint8), or floats in [0, 1]")
    if min(size) < SMALLEST:
        raise InputError(f"{argument} is {size[1]} x {size[0]} pixels; {SMALLEST} a side is the least")


def _in_range(image: Tensor, argument: str) -> Tensor:
    low, high = float(image.min()), float(image.max())
    if not (low >= -0.01 and high <= 1.01):  # NaN fails too; a resampling may overshoot a little
        advice = "divide by 255, or give bytes (uint8)" if high > 1.01 else "clamp or scale them"
        raise InputError(
            f"{argument} has floats from {low:g} to {high:g}, and they must be in [0, 1]: {advice}"
        )
    return image
