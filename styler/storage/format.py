"""Trained networks in files: safetensors that describe themselves and prove that nothing changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from styler.errors import CheckpointError
from styler.networks import kinds
from styler.networks.vgg import VGGArchitecture
from styler.storage import disk
from styler.storage.cards import VGG, Card
from styler.storage.header import (
    BLANK,
    FAULTS,
    FLOATS,
    FORMAT,
    KEY,
    THUMBNAILS,
    Header,
    damaged,
    parse,
    read_card,
    read_header,
    sealed,
)
from styler.storage.names import display


class Contents(NamedTuple):
    """A whole file: its card, the tensors of the network, and uint8 thumbnails [S, 3, h, w] or None."""

    card: Card
    tensors: dict[str, Tensor]
    thumbnails: Tensor | None


# Files


def write(
    path: Path | str,
    card: Card,
    tensors: Mapping[str, Tensor],
    thumbnails: Tensor | None = None,
    dtype: torch.dtype = torch.float16,
    overwrite: bool = True,
) -> None:
    """Write a network with its values as `dtype`, atomically and sealed; equal arguments give equal bytes.

    Raises:
        CheckpointError: if card, tensors and thumbnails do not fit, or values are not finite as `dtype`.
        OutputError: if the file cannot be written, or exists without `overwrite`.
    """
    values = {key: tensor.detach().to(dtype) for key, tensor in tensors.items()}
    pictures = {} if thumbnails is None else {THUMBNAILS: thumbnails}
    data = _pack({**values, **pictures}, card)
    try:
        _check_values(values)
        _check_tensors(parse(data))
    except FAULTS as error:
        raise CheckpointError(f"{display(path)} is not written: {error}") from error
    disk.write(path, data, overwrite=overwrite)


def read(path: Path | str) -> Contents:
    """Read a file of ours after its size, its seal, and types, shapes and values of its tensors were checked.

    Raises:
        DamagedError: if it is not what was written. FormatError: if its format is newer.
        InputError: if there is no such file.
    """
    header, data = sealed(path, partial(_prove, path))
    try:
        stored = safetensors.torch.load(data)
        tensors = {own: stored[key] for key, own in header.keys.items()}
        thumbnails = tensors.pop(THUMBNAILS, None)
        _check_values(tensors)
    except (safetensors.SafetensorError, ValueError) as error:
        raise damaged(path, error) from error
    return Contents(header.card, tensors, thumbnails)


def prove_card(path: Path | str) -> Card:
    """Read the card and check that the tensors in the header are those of its network; raises as `read`."""
    with disk.open_input(path) as file:
        header = read_header(path, file)
    _prove(path, header)
    return header.card


def read_thumbnails(path: Path | str) -> Tensor | None:
    """Read uint8 thumbnails [S, 3, h, w] of a file of ours, None where it has none; raises as `read`."""
    read_card(path)  # which proves type and shape
    try:
        with safetensors.safe_open(path, "pt") as file:
            return file.get_tensor(THUMBNAILS).clone() if THUMBNAILS in file.keys() else None  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise damaged(path, error) from error


def _pack(tensors: Mapping[str, Tensor], card: Card) -> bytes:
    """The bytes of a sealed file."""
    # Not sorted: labels are in the order of their palette.
    text = json.dumps({**asdict(card), "format": FORMAT, "sha256": BLANK})
    flat = {key: tensor.cpu().contiguous() for key, tensor in tensors.items()}
    data = safetensors.torch.save(flat, {KEY: text})
    return data.replace(BLANK.encode(), hashlib.sha256(data).hexdigest().encode(), 1)


# Checks


def _prove(path: Path | str, header: Header) -> None:
    """Raise DamagedError unless the tensors in a header are those of its network."""
    try:
        _check_tensors(header)
    except FAULTS as error:
        raise damaged(path, error) from error


def _check_tensors(header: Header) -> None:
    """Raise one of `FAULTS` unless the tensors are floating-point ones, and those of the card's network."""
    expected = _shapes(header.card)
    entries = {own: header.entries[key] for key, own in header.keys.items() if own != THUMBNAILS}
    shapes = {key: entry.shape for key, entry in entries.items()}
    odd = sorted(expected.keys() ^ shapes.keys())
    if odd := odd or sorted(key for key in expected if expected[key] != shapes[key]):
        raise ValueError(f"its network should have other tensors: {odd[0]} does not fit")
    if odd := sorted(key for key in entries if entries[key].dtype not in FLOATS):
        raise ValueError(f"{odd[0]} is of type {entries[odd[0]].dtype}")


def _shapes(card: Card) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's tensors by key; raises one of `FAULTS` for fields that are out of bounds."""
    if card.kind == VGG:
        return VGGArchitecture.of(card.network).shapes()
    network = kinds.empty(card.kind, card.network)
    return {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def _check_values(tensors: Mapping[str, Tensor]) -> None:
    for key, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"values of {key} are not finite")
