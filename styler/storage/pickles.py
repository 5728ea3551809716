"""Open PyTorch's files: tensors and plain values, no code, and no more memory than the file has bytes."""

from __future__ import annotations

import os
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import torch

_OPERATIONS = 1_000_000  # far above the 10,000 of a network with 500 tensors
_BEFORE = 3  # pickles before that of the tensors, in files of PyTorch before 1.6: magic, protocol, sizes
_NAMES = re.compile(
    r"collections OrderedDict|torch (\w+Storage|Size|device|b?float\d+|u?int\d+|bool)"
    r"|torch\.storage (Untyped|Typed)Storage|torch\.nn\.parameter Parameter"
    r"|torch\._utils _rebuild_(tensor(_v[23])?|parameter(_with_state)?)|(builtins|__builtin__) set"
)
"""What a state dict has names of. torch allows more: classes that take as much memory as they are told to."""


def load(file: BinaryIO) -> Any:
    """What `torch.save` wrote, on the CPU; torch's own warnings are not shown.

    Raises an Exception of any kind for a file that is damaged, or not of tensors and plain values only.
    """
    _check_archive(file)
    for name in _names(file):
        if not _NAMES.fullmatch(name):
            raise ValueError(f"it holds {name}")
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(file, map_location="cpu", weights_only=True)


def _check_archive(file: BinaryIO) -> None:
    """Raise ValueError for a ZIP archive whose entries are compressed, or have the same bytes in common."""
    if not _is_archive(file):
        return
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("it is compressed")
    if sum(entry.file_size for entry in entries) > file.seek(0, os.SEEK_END):
        raise ValueError("its entries are larger than the file")


def _is_archive(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(2) == b"PK"


def _names(file: BinaryIO) -> Iterator[str]:
    """The names of classes and functions in the pickle of the tensors; raises ValueError if it is damaged."""
    if _is_archive(file):
        with zipfile.ZipFile(file) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(name) as pickle:
                yield from _called(pickletools.genops(pickle))
        return
    file.seek(0)
    for _ in range(_BEFORE + 1):
        yield from _called(pickletools.genops(file))


def _called(operations: Iterable[tuple[pickletools.OpcodeInfo, object, int | None]]) -> Iterator[str]:
    for index, (operation, argument, _) in enumerate(operations):
        if index > _OPERATIONS:
            raise ValueError("it is far too long")
        if operation.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif operation.name == "STACK_GLOBAL":  # of protocol 4, which torch does not read
            yield operation.name
