"""The file format of trained networks: safetensors that describe themselves and prove that nothing changed.

The metadata of the header has one key, `styler`, with JSON: the fields of a `Card` and the number of the
format. Its `sha256` is that of the whole file with this very field filled with zeros, so a file proves itself
and there is no second file that could fall out of step.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from styler.errors import CheckpointError, WeightsError
from styler.networks import kinds
from styler.networks.residual import PIX2PIX, ResidualArchitecture
from styler.networks.vgg import VGGArchitecture
from styler.storage import disk, magic
from styler.storage.cards import VGG, Card
from styler.storage.names import display

_FORMAT = 2
SUFFIX = ".safetensors"
_KEY = "styler"
_BLANK = "0" * 64
_HEADER_BYTES = 1 << 20  # far above the 10 kB of a VGG-19's header
_REASON = 150  # characters of what is wrong, which may have the file's own words
_THUMBNAIL_SIDE = 512  # pixels
_THUMBNAILS = "thumbnails"

_FOREIGN = "not one of styler's networks: styler models add or styler weights add makes one of another tool's"
_FEATURE_FIELDS = {"format", "network", "normalization", "padding", "licence", "sha256"}
"""What the description of a feature network had in format 1, beside its information."""
_DIMENSIONS = 8  # of a tensor, at most; ours have 4
_BYTES = {"U8": 1, "F16": 2, "BF16": 2, "F32": 4}
_FLOATS = {"F16", "BF16", "F32"}
_FAULTS = (ValueError, KeyError, TypeError, AttributeError, OverflowError)


class _FormatError(CheckpointError, WeightsError):
    """A file of ours that cannot be read: it may hold a trained network or weights."""


class DamagedError(_FormatError):
    """A file of ours that is not what was written."""


class Contents(NamedTuple):
    """A whole file: its card, the tensors of the network, and uint8 thumbnails [S, 3, h, w] or None."""

    card: Card
    tensors: dict[str, Tensor]
    thumbnails: Tensor | None


# Files


def write(
    path: Path | str,
    card: Card,
    tensors: Mapping[str, Tensor],
    thumbnails: Tensor | None = None,
    dtype: torch.dtype = torch.float16,
    overwrite: bool = True,
) -> None:
    """Write a network with its values as `dtype`, atomically and sealed; equal arguments give equal bytes.

    Raises:
        CheckpointError: if card, tensors and thumbnails do not fit, or values are not finite as `dtype`.
        OutputError: if the file cannot be written, or exists without `overwrite`.
    """
    values = {key: tensor.detach().to(dtype) for key, tensor in tensors.items()}
    pictures = {} if thumbnails is None else {_THUMBNAILS: thumbnails}
    data = _pack({**values, **pictures}, card)
    try:
        _check_values(values)
        _check_tensors(_parse(data))
    except _FAULTS as error:
        raise CheckpointError(f"{display(path)} is not written: {error}") from error
    disk.write(path, data, overwrite=overwrite)


def read(path: Path | str) -> Contents:
    """Read a file of ours after its size, its seal, and types, shapes and values of its tensors were checked.

    Raises:
        DamagedError: if it is not what was written. FormatError: if its format is newer.
        InputError: if there is no such file.
    """
    with disk.open_input(path) as file:
        header = _read_header(path, file)  # which proves the size, before all is read
        _prove(path, header)
        file.seek(0)
        data = file.read()
    if fault := _fault(header, data):
        raise DamagedError(f"{display(path)} is damaged: {fault}. Get it again")
    try:
        stored = safetensors.torch.load(data)
        tensors = {own: stored[key] for key, own in header.keys.items()}
        thumbnails = tensors.pop(_THUMBNAILS, None)
        _check_values(tensors)
    except (safetensors.SafetensorError, ValueError) as error:
        raise _damaged(path, error) from error
    return Contents(header.card, tensors, thumbnails)


def read_card(path: Path | str) -> Card:
    """Read the card in the header of a file of ours; no network is built, and the seal is not checked.

    Raises as `read`.
    """
    with disk.open_input(path) as file:
        return _read_header(path, file).card


def prove_card(path: Path | str) -> Card:
    """Read the card and check that the tensors in the header are those of its network; raises as `read`."""
    with disk.open_input(path) as file:
        header = _read_header(path, file)
    _prove(path, header)
    return header.card


def read_thumbnails(path: Path | str) -> Tensor | None:
    """Read uint8 thumbnails [S, 3, h, w] of a file of ours, None where it has none; raises as `read`."""
    read_card(path)  # which proves type and shape
    try:
        with safetensors.safe_open(path, "pt") as file:
            return file.get_tensor(_THUMBNAILS).clone() if _THUMBNAILS in file.keys() else None  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise _damaged(path, error) from error


def is_ours(path: Path | str) -> bool:
    """Whether a file claims to be one of ours, whatever its state."""
    mark = f'"{_KEY}":'.encode()
    with disk.open_input(path) as file:
        head = file.read(_HEADER_BYTES)
    return _is_safetensors(head) and mark in head


# The header


class _TensorEntry(NamedTuple):
    """A tensor in a header: its type as safetensors writes it ("F16"), and its shape."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Header:
    """The beginning of a file of ours.

    Attributes:
        card: what the file says of itself, in the words of today's format.
        entries: the tensors in the file.
        keys: our keys of those of them that we use, by the file's: other ones in an older format.
        raw: the bytes up to the tensors.
    """

    card: Card
    entries: Mapping[str, _TensorEntry]
    keys: Mapping[str, str]
    raw: bytes

    @property
    def file_size(self) -> int:
        """Bytes of the whole file; raises KeyError for a type of number that files of ours do not have."""
        tensors = self.entries.values()
        return len(self.raw) + sum(_BYTES[entry.dtype] * math.prod(entry.shape) for entry in tensors)


def _pack(tensors: Mapping[str, Tensor], card: Card) -> bytes:
    """The bytes of a sealed file."""
    text = json.dumps({**asdict(card), "format": _FORMAT, "sha256": _BLANK}, sort_keys=True)
    flat = {key: tensor.cpu().contiguous() for key, tensor in tensors.items()}
    data = safetensors.torch.save(flat, {_KEY: text})
    return data.replace(_BLANK.encode(), hashlib.sha256(data).hexdigest().encode(), 1)


def _fault(header: _Header, data: bytes) -> str:
    """What is wrong with the seal of the whole file `data`, "" if it is right."""
    seal = header.card.sha256
    whole = hashlib.sha256(header.raw.replace(seal.encode(), _BLANK.encode(), 1))
    whole.update(memoryview(data)[len(header.raw) :])
    digest = whole.hexdigest()
    return "" if digest == seal else f"its sha256 is {digest[:16]}..., and it was written with {seal[:16]}..."


def _is_safetensors(data: bytes) -> bool:
    """Whether a file that begins with `data` is one, with a header of a size that we read."""
    is_one = magic.kind_of(data[: magic.HEAD_BYTES]) == "a safetensors file"
    return is_one and _header_size(data) <= 8 + _HEADER_BYTES


def _header_size(data: bytes) -> int:
    """Bytes before the tensors of a safetensors file that begins with `data`."""
    return 8 + int.from_bytes(data[:8], "little")


def _read_header(path: Path | str, file: BinaryIO) -> _Header:
    """The header of a file of ours, checked but for the shapes of the network's tensors."""
    shown, data = display(path), file.read(magic.HEAD_BYTES)
    if not _is_safetensors(data):
        kind = magic.kind_of(data) if data else "an empty file"
        raise DamagedError(f"{shown} is {kind or 'of an unknown kind'}, {_FOREIGN}")
    data += file.read(max(_header_size(data) - len(data), 0))
    try:
        header = _parse(data)
        size = file.seek(0, os.SEEK_END)
        expected = header.file_size
    except _FAULTS as error:
        raise _damaged(path, error) from error
    except _FormatError as error:
        raise type(error)(f"{shown} {error}") from None
    if size != expected:
        raise DamagedError(f"{shown} has {size:,} bytes and should have {expected:,}: get it again")
    return header


def _damaged(path: Path | str, error: Exception) -> DamagedError:
    reason = display(str(error)[:_REASON])
    return DamagedError(f"{display(path)} is damaged ({reason}): get it again")


def _parse(data: bytes) -> _Header:
    """The header in the first bytes of a file; raises one of `_FAULTS`, or FormatError if it is not ours."""
    raw = data[: _header_size(data)]
    try:
        tensors = json.loads(raw[8:])
        about = json.loads(tensors.pop("__metadata__", {}).get(_KEY, "null"))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if about is None:
        raise DamagedError(f"is a safetensors file, {_FOREIGN}")
    if not about["format"] >= 1:  # also if it is no number
        raise ValueError(f"its format is {about['format']!r}")
    if about["format"] > _FORMAT:
        raise _FormatError(
            f"has format {about['format']:.6g}, and this styler reads up to {_FORMAT}: get a newer one"
        )
    entries = _entries_of(tensors)
    keys = {key: key for key in entries}
    if about["format"] < _FORMAT:
        about, keys = _upgraded(about, entries)
    card = Card.of(about)
    if _THUMBNAILS in entries:
        _check_thumbnails(entries[_THUMBNAILS], len(card.styles))
    return _Header(card, entries, keys, raw)


def _entries_of(tensors: Mapping[str, Any]) -> dict[str, _TensorEntry]:
    """The tensors of a header, which follow one another without a gap; raises one of `_FAULTS`."""
    entries, places = {}, []
    for key, one in tensors.items():
        entry = _TensorEntry(one["dtype"], tuple(one["shape"]))
        (begin, end), count = one["data_offsets"], math.prod(entry.shape[:_DIMENSIONS])
        sound = len(entry.shape) <= _DIMENSIONS and all(map(_is_size, (*entry.shape, begin, end)))
        if not (sound and end - begin == count * _BYTES[entry.dtype]):
            raise ValueError(f"{key} has a strange shape or place")
        entries[key] = entry
        places.append((begin, end))
    for (_, end), (begin, _) in itertools.pairwise([(0, 0), *sorted(places)]):
        if begin != end:
            raise ValueError("its tensors do not follow one another")
    return entries


def _is_size(number: object) -> bool:
    return type(number) is int and 0 <= number <= 1 << 62


def _upgraded(
    about: dict[str, Any], entries: Mapping[str, _TensorEntry]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A description of format 1 in the words of format 2, and `_Header.keys`."""
    if "kind" in about:
        network = _upgraded_network(about["kind"], about["network"])
        keys = {key: _upgraded_key(about["kind"], network, key) for key in entries}
        return {**about, "network": network}, {key: own for key, own in keys.items() if own}
    keys = {key: key for key in entries}
    information = {key: value for key, value in about.items() if key not in _FEATURE_FIELDS}
    biases = sorted(key for key in entries if key.endswith(".bias"))
    network = {
        "body": about["network"],
        "widths": [entries[key].shape[0] for key in biases],
        "normalization": about["normalization"],
        "padding": about["padding"],
    }
    common = {"licence": about.get("licence", ""), "sha256": about["sha256"], "styles": []}
    return {"kind": VGG, "network": network, "information": information, **common}, keys


def _upgraded_network(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a trained network's configuration in format 1 as today's."""
    fields = dict(fields)
    if kind == "transform":
        ways = {"nearest": "resize", "transpose": "transposed"}
        upsampling = ways[fields["upsampling"]]
        return {**kinds.described(ResidualArchitecture()), **fields, "upsampling": upsampling}
    if kind != "translate":
        return {"architecture": kind, **fields}
    form, blocks = fields.pop("kind"), fields.pop("blocks")
    if form != "residual":
        return {"architecture": "unet", "skips": {"unet": True, "encoder-decoder": False}[form], **fields}
    unused = {"bias", "bottleneck_norm", "slope", "last"}
    fields = {key: value for key, value in fields.items() if key not in unused}
    return {**kinds.described(PIX2PIX), **fields, "blocks": blocks, "dropout": bool(fields["dropout"])}


def _upgraded_key(kind: str, network: Mapping[str, Any], key: str) -> str:
    """Today's key of a tensor in format 1; "" for one that is not used any more."""
    if kind in ("transform", "texture"):
        key = re.sub(r"^last\.", "last.conv.", key)
    if network["architecture"] != "residual":
        return key
    if kind == "transform" and key.endswith("conv.bias") and key != "last.conv.bias":
        return ""  # a norm takes out what it adds
    if kind == "translate":
        key = re.sub(r"^down\.(\d+)", lambda match: f"down.{int(match[1]) + 1}", key)
        key = re.sub(r"^first\.", "down.0.", key)
    return re.sub(r"^residual\.", "blocks.", key)


# Checks


def _prove(path: Path | str, header: _Header) -> None:
    """Raise DamagedError unless the tensors in a header are those of its network."""
    try:
        _check_tensors(header)
    except _FAULTS as error:
        raise _damaged(path, error) from error


def _check_tensors(header: _Header) -> None:
    """Raise one of `_FAULTS` unless the tensors are floating-point ones, and those of the card's network."""
    expected = _shapes(header.card)
    entries = {own: header.entries[key] for key, own in header.keys.items() if own != _THUMBNAILS}
    shapes = {key: entry.shape for key, entry in entries.items()}
    odd = sorted(expected.keys() ^ shapes.keys())
    if odd := odd or sorted(key for key in expected if expected[key] != shapes[key]):
        raise ValueError(f"its network should have other tensors: {odd[0]} does not fit")
    if odd := sorted(key for key in entries if entries[key].dtype not in _FLOATS):
        raise ValueError(f"{odd[0]} is of type {entries[odd[0]].dtype}")


def _shapes(card: Card) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's tensors by key; raises one of `_FAULTS` for fields that are out of bounds."""
    if card.kind == VGG:
        return VGGArchitecture.of(card.network).shapes()
    network = kinds.empty(card.kind, card.network)
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def _check_thumbnails(entry: _TensorEntry, styles: int) -> None:
    fits = entry.dtype == "U8" and len(entry.shape) == 4 and entry.shape[:2] == (styles, 3)
    if not (fits and all(0 < side <= _THUMBNAIL_SIDE for side in entry.shape[2:])):
        raise ValueError(f"its thumbnails are {entry.dtype} {list(entry.shape)}")


def _check_values(tensors: Mapping[str, Tensor]) -> None:
    for key, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"values of {key} are not finite")
