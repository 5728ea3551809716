"""Slim weight files: a VGG's convolutions as safetensors that say what they are; and other tools' VGG files.

They are sealed (see `sealed`); the description is format, network, normalization, padding, sha256 and what
else the writer wants to tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from styler.errors import WeightsError
from styler.features import Extractor
from styler.networks.vgg import (
    BLOCKS,
    TORCHVISION,
    Convolution,
    Normalization,
    check_convolutions,
    convolution_names,
    torchvision_keys,
)
from styler.options.shared import Padding
from styler.storage import disk, format, magic

FORMAT = 1

_INDEXED = re.compile(r"features\.(\d+)\.(weight|bias)")
_NAMED = re.compile(r"(conv[1-5]_[1-4])(?:_1)?\.(weight|bias)")


class DamagedError(WeightsError):
    """A slim file that is not what was written."""


@dataclass(frozen=True)
class About:
    """What a slim file says of itself; `information` is whatever its writer added: licence, source, ..."""

    network: str
    normalization: Normalization
    padding: Padding
    layers: tuple[str, ...]
    sha256: str
    information: Mapping[str, Any]


# Slim files


def write_slim(
    path: Path | str,
    network: str,
    convolutions: Mapping[str, Convolution],
    normalization: Normalization = TORCHVISION,
    padding: Padding = "zero",
    information: Mapping[str, object] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write `convolutions` as `dtype` to one slim file, atomically; equal arguments give equal bytes.

    Raises:
        WeightsError: if they are no first layers of `network`, or not finite as `dtype`.
        OutputError: if the file cannot be written.
    """
    converted = {name: (weight.to(dtype), bias.to(dtype)) for name, (weight, bias) in convolutions.items()}
    check_convolutions(network, converted)
    about = {
        **(information or {}),
        "format": FORMAT,
        "network": network,
        "normalization": asdict(normalization),
        "padding": padding,
    }
    tensors = {
        f"{name}.{part}": tensor
        for name, pair in converted.items()
        for part, tensor in zip(("weight", "bias"), pair, strict=True)
    }
    disk.write(path, format.pack(tensors, about))


def read_slim(path: Path) -> Extractor:
    """The network in a slim file, after its hash, layers, shapes and values were checked.

    Raises:
        WeightsError: if it is another kind of file; DamagedError if it is not what was written.
    """
    with disk.open_input(path) as file:
        data = file.read()
    about, header = _parse(path, data)
    if fault := format.fault(header, about.sha256, data):
        raise DamagedError(f"{disk.display(path)} is damaged: {fault}")
    try:
        tensors = safetensors.torch.load(data)
        found = {name: (tensors[f"{name}.weight"], tensors[f"{name}.bias"]) for name in about.layers}
    except (safetensors.SafetensorError, KeyError) as error:
        raise DamagedError(f"{disk.display(path)} cannot be read: {error}") from error
    return Extractor(about.network, found, about.normalization, about.padding)


def read_about(path: Path) -> About:
    """What a slim file says of itself, from its header only: nothing is checked against the hash."""
    with disk.open_input(path) as file:
        return _parse(path, file.read(8 + format.HEADER_BYTES))[0]


def _parse(path: Path, data: bytes) -> tuple[About, format.Header]:
    """The description in the first bytes of a slim file, and its header."""
    if not format.is_safetensors(data):
        raise DamagedError(f"{_what(path, data)}; expected a file made by styler weights add or fetch")
    try:
        header = format.parse(data)
        about = _claimed(path, header)
        return _about(about, header.tensors), header
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{disk.display(path)} has a damaged header ({error})") from error


def _claimed(path: Path, header: format.Header) -> dict[str, Any]:
    """A copy of the description, after it was made sure that it is one of a slim file in a known format."""
    shown = disk.display(path)
    if header.about is None:
        raise DamagedError(
            f"{shown} is not one of styler's weight files: styler weights add vgg19 {shown} makes one of it"
        )
    if "kind" in header.about:
        raise WeightsError(
            f"{shown} is a style network, which has no features: styler fast --model {shown} paints with it"
        )
    if header.about["format"] > FORMAT:
        raise WeightsError(
            f"{shown} has format {header.about['format']}, and this styler reads up to {FORMAT}: "
            "pip install --upgrade styler"
        )
    return dict(header.about)


def _about(about: dict[str, Any], entries: Mapping[str, Any]) -> About:
    """Check the types of what a header says; raises ValueError, KeyError or TypeError."""
    network, padding, given = about.pop("network"), about.pop("padding"), about.pop("normalization")
    mean, std = (tuple(float(value) for value in given[key]) for key in ("mean", "std"))
    if network not in BLOCKS or padding not in get_args(Padding) or given["order"] not in ("rgb", "bgr"):
        raise ValueError(f"network {network!r}, padding {padding!r}, order {given['order']!r}")
    if len(mean) != 3 or len(std) != 3 or 0 in std:
        raise ValueError(f"mean {mean}, std {std}")
    layers = tuple(sorted(key.removesuffix(".weight") for key in entries if key.endswith(".weight")))
    seal = str(about.pop("sha256"))
    return About(network, Normalization(mean, std, given["order"]), padding, layers, seal, about)


# Other tools' files


def read_foreign(path: Path, network: str) -> dict[str, Convolution]:
    """The convolutions of `network` in a state dict (.pth, .safetensors) with torchvision's or Caffe's names.

    A pickle is opened without running any code in it; what needs code is refused.

    Raises:
        WeightsError: if the file is of another kind or network, or has wrong shapes, types or values.
    """
    found = _named(_tensors(path), network)
    if not found:
        raise WeightsError(f"{disk.display(path)} does not hold {network}: {_instead(path)}")
    check_convolutions(network, found)
    return found


def is_slim(path: Path) -> bool:
    """Whether a file claims to be one of ours, whatever its state."""
    with disk.open_input(path) as file:
        head = file.read(format.HEADER_BYTES)
    mark = f'"{format.KEY}":'.encode()
    return magic.kind_of(head[: magic.HEAD_BYTES]) == "a safetensors file" and mark in head


def _tensors(path: Path) -> dict[str, Tensor]:
    with disk.open_input(path) as file:
        head = file.read(magic.HEAD_BYTES)
    try:
        if magic.kind_of(head) == "a safetensors file":
            return _from_safetensors(path)
        if head.startswith((b"PK\x03\x04", b"\x80")):
            return _from_pickle(path)
    except WeightsError:
        raise
    except Exception as error:  # decoding a foreign file: torch raises a dozen kinds
        raise WeightsError(
            f"{disk.display(path)} was refused: it is damaged, or holds code or objects besides weights. "
            "Save its state_dict() and add that"
        ) from error
    raise WeightsError(f"{_what(path, head)}; expected VGG weights as .pth or .safetensors")


def _from_safetensors(path: Path) -> dict[str, Tensor]:
    with safetensors.safe_open(path, "pt", device="cpu") as file:
        keys = [key for key in file.keys() if _NAMED.search(key) or _INDEXED.search(key)]  # noqa: SIM118
        # A copy, because the tensors point into the file, which may change or go.
        return {key: file.get_tensor(key).clone() for key in keys}


def _from_pickle(path: Path) -> dict[str, Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict):
        raise WeightsError(f"{disk.display(path)} holds a {type(state).__name__}; expected a state_dict")
    return {
        key: value
        for key, value in state.items()
        if isinstance(key, str) and isinstance(value, Tensor) and value.layout is torch.strided
    }


def _named(tensors: Mapping[str, Tensor], network: str) -> dict[str, Convolution]:
    """Layer name -> convolution, or nothing unless the keys are those of the first layers of `network`."""
    names = {prefix.removeprefix("features."): name for name, prefix in torchvision_keys(network).items()}
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        key = key.replace("module.", "")  # DataParallel's mark, at the start or after "features."
        if match := _NAMED.fullmatch(key):
            parts.setdefault(match[1], {})[match[2]] = tensor
        elif match := _INDEXED.fullmatch(key):
            parts.setdefault(names.get(match[1], key), {})[match[2]] = tensor
    expected = convolution_names(network)[: len(parts)]
    if set(parts) != set(expected) or any(len(part) != 2 for part in parts.values()):
        return {}
    return {name: (parts[name]["weight"], parts[name]["bias"]) for name in expected}


def _instead(path: Path) -> str:
    tensors = _tensors(path)
    if fitting := [other for other in BLOCKS if other != "compact" and _named(tensors, other)]:
        return f"it is {' or '.join(fitting)}: styler weights add {fitting[0]} {disk.display(path)}"
    if any("running_mean" in key for key in tensors):
        return "it has batch normalization; the network without it is needed"
    found = ", ".join(list(tensors)[:3]) or "none"
    return f"expected keys such as features.0.weight or conv1_1.weight, found {disk.display(found)}"


def _what(path: Path, head: bytes) -> str:
    kind = magic.kind_of(head[: magic.HEAD_BYTES]) if head else "an empty file"
    return f"{disk.display(path)} is {kind or 'of an unknown kind'}"
