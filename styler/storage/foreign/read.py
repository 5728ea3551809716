"""The tensors in a file of another tool's, whatever wraps them; no code in it is run."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import safetensors
import torch
from torch import Tensor

from styler.errors import CheckpointError
from styler.storage import disk, magic
from styler.storage.foreign import pict
from styler.storage.names import display

FILE_BYTES = 1 << 30  # pix2pixHD's generator has 730 MB, a VGG-19, which is told what it is, 574

State = dict[str, Tensor]

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params")


_PREFIXES = ("module.", "_orig_mod.")


class Refusal(Exception):
    """Why a file is no network of ours: the end of a sentence that begins with its name."""


@contextmanager
def refusing(path: Path | str) -> Iterator[None]:
    """Turn a Refusal into a CheckpointError that names the file."""
    try:
        yield
    except Refusal as refusal:
        raise CheckpointError(f"{display(path)} {refusal}") from refusal.__cause__


def read(path: Path | str) -> State:
    """All tensors in the file by key, without the prefixes that wrappers of networks put before all of them.

    Raises CheckpointError if it holds anything else. InputError: if there is no such file.
    """
    with refusing(path):
        state = _tensors(Path(path))
    while prefix := next((p for p in _PREFIXES if state and all(key.startswith(p) for key in state)), ""):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def _tensors(path: Path) -> State:
    with disk.open_input(path) as file:
        head = file.read(magic.HEAD_BYTES)
        size = file.seek(0, os.SEEK_END)
        if not head:
            raise Refusal("is empty: give a network as .pth or .safetensors")
        if size > FILE_BYTES:
            raise Refusal(f"has {size >> 20} MB, far too much for a network of ours: give another file")
        return _state(_decoded(path, file, head))


def _decoded(path: Path, file: BinaryIO, head: bytes) -> object:
    """What a safetensors file or a pickle holds."""
    try:
        if magic.kind_of(head) == "a safetensors file":
            with safetensors.safe_open(path, "pt", device="cpu") as opened:
                # A copy, because the tensors point into the file, which may change or go.
                return {key: opened.get_tensor(key).clone() for key in opened.keys()}  # noqa: SIM118
        if pict.is_pict(head):
            file.seek(0)
            return pict.tensors(file.read())
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
    raise Refusal(f"is {magic.kind_of(head) or 'of an unknown kind'}: give a network as .pth or .safetensors")


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


def complain(what: str, keys: Iterable[str]) -> None:
    """Raise a Refusal that says so of the keys, if there are any."""
    if found := list(keys):
        raise Refusal(f"{what} {first(found)}, so it is no network that can be used here")


def first(keys: Iterable[str]) -> str:
    """The first three of the keys and how many more there are, for a sentence."""
    found = [display(key) for key in keys]
    return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "") or "none at all"
