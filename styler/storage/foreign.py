"""The tensors in a file of another tool's, whatever wraps them; no code in it is run."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import safetensors
import torch
from torch import Tensor

from styler.storage import files, kinds

FILE_BYTES = 1 << 30  # a VGG-19, which is told what it is, has 574 MB; a style network 7

State = dict[str, Tensor]

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params")


class Refusal(Exception):
    """Why a file is no style network: the end of a sentence that begins with its name."""


def tensors(path: Path) -> State:
    """All tensors in the file, by key."""
    with files.open_input(path) as file:
        head = file.read(kinds.HEAD_BYTES)
        size = file.seek(0, os.SEEK_END)
        if not head:
            raise Refusal("is empty: give a trained style network")
        if size > FILE_BYTES:
            raise Refusal(f"has {size >> 20} MB, far too much for a style network: give another file")
        return _state(_decoded(path, file, head))


def _decoded(path: Path, file: BinaryIO, head: bytes) -> object:
    """What a safetensors file or a pickle holds."""
    try:
        if kinds.kind_of(head) == "a safetensors file":
            with safetensors.safe_open(path, "pt", device="cpu") as opened:
                # A copy, because the tensors point into the file, which may change or go.
                return {key: opened.get_tensor(key).clone() for key in opened.keys()}  # noqa: SIM118
        if head.startswith((b"PK\x03\x04", b"\x80")):
            _refuse_packed(file, head)
            file.seek(0)
            return torch.load(file, map_location="cpu", weights_only=True)
    except Refusal:
        raise
    except Exception as error:  # decoding a foreign file: torch raises a dozen kinds
        raise Refusal(
            "was refused: it is damaged, or holds code or objects besides tensors. "
            "Save its state_dict() and give that"
        ) from error
    raise Refusal(f"is {kinds.kind_of(head) or 'of an unknown kind'}: give a trained style network")


def _refuse_packed(file: BinaryIO, head: bytes) -> None:
    """torch packs nothing, so a ZIP that says it is larger unpacked is not torch's and may not fit here."""
    if head.startswith(b"PK"):
        with zipfile.ZipFile(file) as archive:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
                raise Refusal("is a compressed ZIP archive, not a PyTorch checkpoint: unpack it first")


def _state(loaded: object) -> State:
    """The state dict, out of the usual wrappers."""
    loaded = _unwrapped(_unwrapped(loaded))
    if not isinstance(loaded, Mapping):
        raise Refusal(f"holds a {type(loaded).__name__}: give a file with a network's state_dict()")
    if "param_groups" in loaded:
        raise Refusal("is the state of an optimizer: give the file of the network")
    strange = [repr(key) for key, value in loaded.items() if not _is_plain(key, value)]
    if strange:
        raise Refusal(f"holds other things than a network's tensors: {first(strange)}")
    return dict(loaded)


def _unwrapped(loaded: object) -> object:
    if not isinstance(loaded, Mapping):
        return loaded
    return next((loaded[key] for key in _WRAPPERS if isinstance(loaded.get(key), Mapping)), loaded)


def _is_plain(key: object, value: object) -> bool:
    return isinstance(key, str) and isinstance(value, Tensor) and value.layout is torch.strided


def first(keys: Iterable[str]) -> str:
    """The first three of the keys and how many more there are, for a sentence."""
    found = [files.display(key) for key in keys]
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "") or "none at all"
