"""Open other tools' files: PyTorch checkpoints, safetensors, affinelayer's `.pict`; no code in them is run.

A `.pict` file has the tensors of a translator, of 8 bits each, as its web page has them: three blocks, each
after its length as a big-endian uint32: a JSON list of names and shapes, a codebook of 256 little-endian
float32 spread by the mu law, and a byte for each value, which is its row in the codebook.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors
import torch
from torch import Tensor

from styler.errors import CheckpointError, is_shortage
from styler.storage import disk, magic, pickles
from styler.storage.names import display

FILE_BYTES = 1 << 30  # pix2pixHD's generator has 730 MB, a whole VGG-19 574

_CODES = 256  # rows of a codebook
_HEADER_BYTES = 1 << 24  # of a safetensors file: 100 kB describe 1000 tensors
_NAMES_BYTES = 1 << 20  # of a .pict file's names: far above the 5 kB of 60 tensors

StateDict = dict[str, Tensor]

_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "params_ema", "params")
_GENERATORS = ("g_ema", "G_ema", "ema", "generator", "netG", "G")
"""Keys of what is wanted where a file holds several networks."""
_DEEP = 3  # wrappers within wrappers
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


def read(path: Path | str) -> StateDict:
    """Read all tensors in the file by key, without the prefixes that wrappers of networks put before all.

    Raises CheckpointError if it holds anything else. InputError: if there is no such file.
    """
    with refusing(path):
        state = _tensors(Path(path))
    while prefix := next((p for p in _PREFIXES if state and all(key.startswith(p) for key in state)), ""):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def _tensors(path: Path) -> StateDict:
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
            if int.from_bytes(head[:8], "little") > _HEADER_BYTES:
                raise Refusal("describes far more tensors than a network of ours has: give another file")
            with safetensors.safe_open(path, "pt", device="cpu") as opened:
                # A copy, because the tensors point into the file, which may change or go.
                return {key: opened.get_tensor(key).clone() for key in opened.keys()}  # noqa: SIM118
        if _is_pict(head):
            file.seek(0)
            return _pict(file.read())
        if head.startswith((b"PK\x03\x04", b"\x80")):
            _refuse_packed(file, head)
            return pickles.load(file)
    except Refusal:
        raise
    except Exception as error:  # decoding a foreign file: torch raises a dozen kinds
        if is_shortage(error):
            raise Refusal("needs more memory than there is: close other programs") from error
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


def _state(loaded: object) -> StateDict:
    """The state dict, out of its wrappers."""
    loaded = _unwrapped(loaded)
    if not isinstance(loaded, Mapping):
        raise Refusal(f"holds a {type(loaded).__name__}: give a file with a network's state_dict()")
    if "param_groups" in loaded:
        raise Refusal("is the state of an optimizer: give the file of the network")
    strange = [repr(key) for key, value in loaded.items() if not _is_plain(key, value)]
    if strange:
        raise Refusal(f"holds other things than a network's tensors: {first(strange)}")
    _check_storage(loaded)
    return dict(loaded)


def _unwrapped(loaded: object) -> object:
    """What the usual wrappers hold; or else the only dictionary of tensors inside, whatever its key."""
    for _ in range(_DEEP):
        if not isinstance(loaded, Mapping) or _is_state(loaded):
            return loaded
        loaded = next((loaded[key] for key in _WRAPPERS if isinstance(loaded.get(key), Mapping)), loaded)
    states = dict(_states(loaded, _DEEP))
    chosen = next((key for key in _GENERATORS if key in states), None)
    if chosen is None and len(states) > 1:
        raise Refusal(f"holds several networks ({first(map(str, states))}): save one of them and give that")
    return states[chosen] if chosen else next(iter(states.values()), loaded)


def _states(loaded: object, depth: int) -> Iterator[tuple[object, Mapping[Any, Any]]]:
    """The dictionaries of tensors in a dictionary, by their keys; none of an optimizer."""
    if not depth or not isinstance(loaded, Mapping) or "param_groups" in loaded:
        return
    for key, value in loaded.items():
        if isinstance(value, Mapping) and _is_state(value):
            yield key, value
        else:
            yield from _states(value, depth - 1)


def _is_state(loaded: Mapping[Any, Any]) -> bool:
    return bool(loaded) and all(_is_plain(key, value) for key, value in loaded.items())


def _is_plain(key: object, value: object) -> bool:
    return isinstance(key, str) and isinstance(value, Tensor) and value.layout is torch.strided


def _check_storage(state: Mapping[str, Tensor]) -> None:
    """Raise Refusal if tensors take more memory than the file has for them: one value again and again."""
    held = {
        tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in state.values()
    }
    for key, tensor in state.items():
        if tensor.nbytes > tensor.untyped_storage().nbytes():
            raise Refusal(
                f"has {list(tensor.shape)} as the shape of {display(key)} and far fewer values: "
                "give a file that has them all"
            )
    if sum(tensor.nbytes for tensor in state.values()) > 2 * sum(held.values()):
        raise Refusal("has the same values for many tensors: give a file with those of each")


def complain(what: str, keys: Iterable[str]) -> None:
    """Raise a Refusal that says so of the keys, if there are any."""
    if listed := list(keys):
        raise Refusal(f"{what} {first(listed)}, so it is no network that can be used here")


def first(keys: Iterable[str]) -> str:
    """The first three of the keys and how many more there are, for a sentence."""
    shown = [display(key) for key in keys]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "") or "none at all"


# .pict files


def _is_pict(head: bytes) -> bool:
    """Whether a file that begins with `head` is a .pict file."""
    return 2 <= int.from_bytes(head[:4], "big") <= _NAMES_BYTES and head[4:].lstrip().startswith(b"[{")


def _pict(data: bytes) -> StateDict:
    """The tensors in a .pict file, float32, as TensorFlow has them; ValueError or KeyError if damaged."""
    names, after = _block(data, 0)
    book, after = _block(data, after)
    codes, after = _block(data, after)
    if len(book) != 4 * _CODES or after != len(data):
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
