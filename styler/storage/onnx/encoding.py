"""ONNX files, byte by byte: protocol buffers of onnx.proto, as far as our graphs need them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import NDArray

OPSET, IR = 18, 8  # of ONNX 1.13 from 2022, which all that runs such files now knows
_TYPES = {"float32": 1, "int64": 7}
"""Types of tensors (onnx.proto, TensorProto.DataType)."""
_REAL, _INTEGER, _TEXT, _INTEGERS = 1, 2, 3, 7
"""Types of attributes (onnx.proto, AttributeProto.AttributeType)."""

Attribute = float | int | str | Sequence[int]
Side = int | str
"""Length of a dimension, or the name of one that may be any."""


def node(operation: str, inputs: Iterable[str], output: str, attributes: dict[str, Attribute]) -> bytes:
    """An operation (NodeProto); its name is that of its output."""
    named = [_data(5, _attribute(name, value)) for name, value in attributes.items()]
    parts = [*(_data(1, name) for name in inputs), _data(2, output), _data(3, output), _data(4, operation)]
    return b"".join([*parts, *named])


def constant(name: str, values: NDArray[Any]) -> bytes:
    """A tensor of float32 or int64 (TensorProto)."""
    sides = b"".join(_integer(1, side) for side in values.shape)
    raw = values.astype(values.dtype.newbyteorder("<"), order="C").tobytes()
    return sides + _integer(2, _TYPES[values.dtype.name]) + _data(8, name) + _data(9, raw)


def end(name: str, shape: Iterable[Side]) -> bytes:
    """An input or output of float32 (ValueInfoProto)."""
    sides = (_integer(1, side) if isinstance(side, int) else _data(2, side) for side in shape)
    tensor = _integer(1, _TYPES["float32"]) + _data(2, b"".join(_data(1, side) for side in sides))
    return _data(1, name) + _data(2, _data(1, tensor))


def model(
    nodes: Iterable[bytes], constants: Iterable[bytes], ends: tuple[bytes, bytes], version: str, about: str
) -> bytes:
    """A whole file (ModelProto) of a graph with one input and one output."""
    graph = b"".join(_data(1, one) for one in nodes) + _data(2, "styler")
    graph += b"".join(_data(5, one) for one in constants) + _data(11, ends[0]) + _data(12, ends[1])
    texts = _data(2, "styler") + _data(3, version) + _data(6, about)
    return _integer(1, IR) + texts + _data(7, graph) + _data(8, _data(1, "") + _integer(2, OPSET))


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, float):
        return _data(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _integer(20, _REAL)
    if isinstance(value, int):
        return _data(1, name) + _integer(3, value) + _integer(20, _INTEGER)
    if isinstance(value, str):
        return _data(1, name) + _data(4, value) + _integer(20, _TEXT)
    return _data(1, name) + b"".join(_integer(8, one) for one in value) + _integer(20, _INTEGERS)


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _data(field: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; `value` is not negative."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
