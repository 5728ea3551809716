"""affinelayer's `.pict` files: the tensors of a translator, of 8 bits each, as its web page has them.

Three blocks, each after its length as a big-endian uint32: a JSON list of names and shapes, a codebook of 256
little-endian float32 spread by the mu law, and a byte for each value, which is its row in the codebook.
"""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

CODES = 256
NAMES_BYTES = 1 << 20  # far above the 5 kB of 60 tensors


def is_pict(head: bytes) -> bool:
    """Whether a file that begins with `head` is one."""
    return 2 <= int.from_bytes(head[:4], "big") <= NAMES_BYTES and head[4:].lstrip().startswith(b"[{")


def tensors(data: bytes) -> dict[str, Tensor]:
    """All tensors by name, float32, as TensorFlow lays them out; ValueError or KeyError if it is damaged."""
    names, after = _block(data, 0)
    book, after = _block(data, after)
    codes, after = _block(data, after)
    if len(book) != 4 * CODES or after != len(data):
        raise ValueError(f"its codebook has {len(book)} bytes, and {len(data) - after} are left over")
    values = torch.from_numpy(np.frombuffer(book, "<f4")[np.frombuffer(codes, np.uint8)])
    shapes = _shapes(names)
    sizes = [math.prod(shape) for shape in shapes.values()]
    if sum(sizes) != len(values):
        raise ValueError(f"it names {sum(sizes):,} values and holds {len(values):,}")
    ends = itertools.accumulate(sizes)
    return {
        key: values[end - size : end].view(shape)
        for (key, shape), size, end in zip(shapes.items(), sizes, ends, strict=True)
    }


def _block(data: bytes, start: int) -> tuple[bytes, int]:
    """The block that begins there, and where it ends."""
    begin = start + 4
    end = begin + int.from_bytes(data[start:begin], "big")
    if not begin < end <= len(data):
        raise ValueError(f"a block is cut: it ends at byte {end:,} of {len(data):,}")
    return data[begin:end], end


def _shapes(names: bytes) -> dict[str, tuple[int, ...]]:
    """Shape by name, in their order."""
    try:
        listed: list[Any] = json.loads(names)
        shapes = {str(one["name"]): tuple(int(side) for side in one["shape"]) for one in listed}
    except (RecursionError, TypeError) as error:
        raise ValueError("its names are no list of names and shapes") from error
    if len(shapes) < len(listed) or any(side < 1 for shape in shapes.values() for side in shape):
        raise ValueError("its names or its shapes make no sense")
    return shapes
