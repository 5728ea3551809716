"""Sealed files: safetensors whose header describes them and proves that nothing in them changed.

The header's metadata has one key, `styler`, with JSON. Its `sha256` is that of the whole file with this very
field filled with zeros, so a file proves itself and there is no second file that could fall out of step.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import safetensors.torch
from torch import Tensor

from styler.storage import magic

KEY = "styler"
BLANK = "0" * 64
HEADER_BYTES = 1 << 20  # far above the 10 kB of a VGG-19's header

_BYTES = {"U8": 1, "F16": 2, "BF16": 2, "F32": 4}


@dataclass(frozen=True)
class Entry:
    """What a header says of a tensor: its type as safetensors writes it ("F16"), and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """What the tensor takes; raises KeyError for a type that sealed files do not have."""
        return _BYTES[self.dtype] * math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """The beginning of a safetensors file.

    Attributes:
        about: what the file says of itself, None if it is not sealed.
        tensors: entries of the tensors by key, as they are: another tool's may lie.
        raw: the bytes up to the tensors.
    """

    about: dict[str, Any] | None
    tensors: Mapping[str, Any]
    raw: bytes

    def entries(self) -> dict[str, Entry]:
        """Type and shape of each tensor; raises KeyError, TypeError or ValueError where they are none."""
        return {
            key: Entry(str(given["dtype"]), tuple(int(side) for side in given["shape"]))
            for key, given in self.tensors.items()
        }

    @property
    def bytes(self) -> int:
        """The size of the whole file; raises as `entries`."""
        return len(self.raw) + sum(entry.bytes for entry in self.entries().values())


def pack(tensors: Mapping[str, Tensor], about: Mapping[str, object]) -> bytes:
    """The bytes of a sealed file; `about` is described in JSON. Equal arguments give equal bytes."""
    text = json.dumps({**about, "sha256": BLANK}, sort_keys=True)
    kept = {key: tensor.detach().cpu().contiguous() for key, tensor in tensors.items()}
    data = safetensors.torch.save(kept, {KEY: text})
    return data.replace(BLANK.encode(), hashlib.sha256(data).hexdigest().encode(), 1)


def is_safetensors(data: bytes) -> bool:
    """Whether a file that begins with `data` is one, with a header of a size that we read."""
    size = int.from_bytes(data[:8], "little")
    return magic.kind_of(data[: magic.HEAD_BYTES]) == "a safetensors file" and size <= HEADER_BYTES


def parse(data: bytes) -> Header:
    """The header in the first bytes of a safetensors file; raises ValueError, TypeError or AttributeError."""
    raw = data[: 8 + int.from_bytes(data[:8], "little")]
    try:
        entries = json.loads(raw[8:])
        about = json.loads(entries.pop("__metadata__", {}).get(KEY, "null"))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    return Header(about, entries, raw)


def fault(header: Header, seal: str, data: bytes) -> str:
    """What is wrong with the seal of the whole file `data`, "" if it is right."""
    whole = hashlib.sha256(header.raw.replace(seal.encode(), BLANK.encode(), 1))
    whole.update(memoryview(data)[len(header.raw) :])
    found = whole.hexdigest()
    return "" if found == seal else f"its sha256 is {found[:16]}..., and it was written with {seal[:16]}..."
