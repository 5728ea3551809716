"""Headers of our networks' files, which describe the network and seal the whole file.

The metadata has one key, `styler`, with JSON: the fields of a `Card` and the number of the format. Its
`sha256` is that of the whole file with this very field filled with zeros, so a file proves itself and there
is no second file that could fall out of step.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from styler.errors import CheckpointError, WeightsError
from styler.plans import JOHNSON, PIX2PIX
from styler.storage import disk, magic
from styler.storage.cards import VGG, Card
from styler.storage.names import display

FORMAT = 2
SUFFIX = ".safetensors"
KEY = "styler"
BLANK = "0" * 64
HEADER_BYTES = 1 << 20  # far above the 10 kB of a VGG-19's header
_REASON = 150  # characters of what is wrong, which may have the file's own words
_THUMBNAIL_SIDE = 512  # pixels
THUMBNAILS = "thumbnails"

_FOREIGN = "not one of styler's networks: styler models add or styler weights add makes one of another tool's"
_FEATURE_FIELDS = {"format", "network", "normalization", "padding", "licence", "sha256"}
"""What the description of a feature network had in format 1, beside its information."""
_DIMENSIONS = 8  # of a tensor, at most; ours have 4
_BYTES = {"U8": 1, "F16": 2, "BF16": 2, "F32": 4}
FLOATS = {"F16", "BF16", "F32"}
FAULTS = (ValueError, KeyError, TypeError, AttributeError, OverflowError)


class FormatError(CheckpointError, WeightsError):
    """A file of ours that cannot be read: it may hold a trained network or weights."""


class DamagedError(FormatError):
    """A file of ours that is not what was written."""


def read_card(path: Path | str) -> Card:
    """Read the card in the header of a file of ours; no network is built, and the seal is not checked.

    Raises as `read`.
    """
    with disk.open_input(path) as file:
        return read_header(path, file).card


def sealed(path: Path | str, prove: Callable[[Header], None] = lambda header: None) -> tuple[Header, bytes]:
    """Header and bytes of a whole file of ours, its seal checked, and its header by `prove` first.

    Raises:
        DamagedError: if it is not what was written. FormatError: if its format is newer.
        InputError: if there is no such file.
    """
    with disk.open_input(path) as file:
        header = read_header(path, file)  # which proves the size, before all is read
        prove(header)
        file.seek(0)
        data = file.read()
    if fault := _fault(header, data):
        raise DamagedError(f"{display(path)} is damaged: {fault}. Get it again")
    return header, data


def is_ours(path: Path | str) -> bool:
    """Whether a file claims to be one of ours, whatever its state."""
    mark = f'"{KEY}":'.encode()
    with disk.open_input(path) as file:
        head = file.read(HEADER_BYTES)
    return _is_safetensors(head) and mark in head


class TensorEntry(NamedTuple):
    """A tensor in a header: its type as safetensors writes it ("F16"), its shape, and where it begins."""

    dtype: str
    shape: tuple[int, ...]
    begin: int


@dataclass(frozen=True)
class Header:
    """The beginning of a file of ours.

    Attributes:
        card: what the file says of itself, in the words of today's format.
        entries: the tensors in the file.
        keys: our keys of those of them that we use, by the file's: other ones in an older format.
        raw: the bytes up to the tensors.
    """

    card: Card
    entries: Mapping[str, TensorEntry]
    keys: Mapping[str, str]
    raw: bytes

    @property
    def file_size(self) -> int:
        """Bytes of the whole file; raises KeyError for a type of number that files of ours do not have."""
        tensors = self.entries.values()
        return len(self.raw) + sum(_BYTES[entry.dtype] * math.prod(entry.shape) for entry in tensors)

    def array(self, data: bytes, key: str) -> NDArray[np.float32]:
        """A tensor of floats in the bytes of the whole file."""
        entry = self.entries[key]
        kind = {"F16": "<f2", "BF16": "<u2", "F32": "<f4"}[entry.dtype]
        values = np.frombuffer(data, kind, math.prod(entry.shape), len(self.raw) + entry.begin)
        if entry.dtype == "BF16":  # the upper half of a float32
            values = (values.astype("<u4") << 16).view("<f4")
        return values.astype(np.float32).reshape(entry.shape)


def _fault(header: Header, data: bytes) -> str:
    """What is wrong with the seal of the whole file `data`, "" if it is right."""
    seal = header.card.sha256
    whole = hashlib.sha256(header.raw.replace(seal.encode(), BLANK.encode(), 1))
    whole.update(memoryview(data)[len(header.raw) :])
    digest = whole.hexdigest()
    return "" if digest == seal else f"its sha256 is {digest[:16]}..., and it was written with {seal[:16]}..."


def _is_safetensors(data: bytes) -> bool:
    """Whether a file that begins with `data` is one, with a header of a size that we read."""
    is_one = magic.kind_of(data[: magic.HEAD_BYTES]) == "a safetensors file"
    return is_one and _header_size(data) <= 8 + HEADER_BYTES


def _header_size(data: bytes) -> int:
    """Bytes before the tensors of a safetensors file that begins with `data`."""
    return 8 + int.from_bytes(data[:8], "little")


def read_header(path: Path | str, file: BinaryIO) -> Header:
    """The header of a file of ours, checked but for the shapes of the network's tensors."""
    shown, data = display(path), file.read(magic.HEAD_BYTES)
    if not _is_safetensors(data):
        kind = magic.kind_of(data) if data else "an empty file"
        raise DamagedError(f"{shown} is {kind or 'of an unknown kind'}, {_FOREIGN}")
    data += file.read(max(_header_size(data) - len(data), 0))
    try:
        header = parse(data)
        size = file.seek(0, os.SEEK_END)
        expected = header.file_size
    except FAULTS as error:
        raise damaged(path, error) from error
    except FormatError as error:
        raise type(error)(f"{shown} {error}") from None
    if size != expected:
        raise DamagedError(f"{shown} has {size:,} bytes and should have {expected:,}: get it again")
    return header


def damaged(path: Path | str, error: Exception) -> DamagedError:
    """The error about a file in which something is strange."""
    reason = display(str(error)[:_REASON])
    return DamagedError(f"{display(path)} is damaged ({reason}): get it again")


def parse(data: bytes) -> Header:
    """The header in the first bytes of a file; raises one of `FAULTS`, or FormatError if it is not ours."""
    raw = data[: _header_size(data)]
    try:
        tensors = json.loads(raw[8:])
        about = json.loads(tensors.pop("__metadata__", {}).get(KEY, "null"))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if about is None:
        raise DamagedError(f"is a safetensors file, {_FOREIGN}")
    if not about["format"] >= 1:  # also if it is no number
        raise ValueError(f"its format is {about['format']!r}")
    if about["format"] > FORMAT:
        raise FormatError(
            f"has format {about['format']:.6g}, and this styler reads up to {FORMAT}: get a newer one"
        )
    entries = _entries_of(tensors)
    keys = {key: key for key in entries}
    if about["format"] < FORMAT:
        about, keys = _upgraded(about, entries)
    card = Card.of(about)
    if THUMBNAILS in entries:
        _check_thumbnails(entries[THUMBNAILS], len(card.styles))
    return Header(card, entries, keys, raw)


def _entries_of(tensors: Mapping[str, Any]) -> dict[str, TensorEntry]:
    """The tensors of a header, which follow one another without a gap; raises one of `FAULTS`."""
    entries, places = {}, []
    for key, one in tensors.items():
        (begin, end) = one["data_offsets"]
        entry = TensorEntry(one["dtype"], tuple(one["shape"]), begin)
        count = math.prod(entry.shape[:_DIMENSIONS])
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
    about: dict[str, Any], entries: Mapping[str, TensorEntry]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A description of format 1 in the words of format 2, and `Header.keys`."""
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
        return {"architecture": "residual", **asdict(JOHNSON), **fields, "upsampling": upsampling}
    if kind != "translate":
        return {"architecture": kind, **fields}
    form, blocks = fields.pop("kind"), fields.pop("blocks")
    if form != "residual":
        return {"architecture": "unet", "skips": {"unet": True, "encoder-decoder": False}[form], **fields}
    unused = {"bias", "bottleneck_norm", "slope", "last"}
    fields = {key: value for key, value in fields.items() if key not in unused}
    return {
        "architecture": "residual",
        **asdict(PIX2PIX),
        **fields,
        "blocks": blocks,
        "dropout": bool(fields["dropout"]),
    }


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


def _check_thumbnails(entry: TensorEntry, styles: int) -> None:
    fits = entry.dtype == "U8" and len(entry.shape) == 4 and entry.shape[:2] == (styles, 3)
    if not (fits and all(0 < side <= _THUMBNAIL_SIDE for side in entry.shape[2:])):
        raise ValueError(f"its thumbnails are {entry.dtype} {list(entry.shape)}")
