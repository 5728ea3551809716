"""Crops and the teacher's features of them on disk, so that the teacher sees each crop once."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from styler.errors import InputError
from styler.events import TrainStep
from styler.features import Features
from styler.storage import disk
from styler.storage.names import display

CHUNK = 64
"""Crops in a file."""
GRID = 16
"""Pixels between two positions that are kept of each layer: neighbors tell almost the same."""
CARD = "cache.json"

Crops = Callable[[int], Tensor]
"""Index of a crop -> Image [1, 3, S, S]."""


@dataclass
class Table:
    """Tensors of `count` items in files of CHUNK items each; a file is whole or not there.

    The folder says in `cache.json` what its tensors were made of.
    """

    folder: Path
    count: int
    _open: dict[int, Any] = field(default_factory=dict)

    def begin(self, made_of: Mapping[str, object]) -> None:
        """Make the folder, or go on in it; raises InputError if it was made of something else."""
        card, text = self.folder / CARD, json.dumps(made_of, sort_keys=True, default=str)
        if card.is_file() and card.read_text("utf-8") != text:
            raise InputError(
                f"{display(self.folder)} was made of other data or options: give another --cache"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        disk.write(card, text.encode())

    def missing(self) -> list[int]:
        """The chunks that are not there yet."""
        return [index for index in range(-(-self.count // CHUNK)) if not self._file(index).is_file()]

    def members(self, chunk: int) -> range:
        """The items of a chunk."""
        return range(chunk * CHUNK, min(self.count, (chunk + 1) * CHUNK))

    def write(self, chunk: int, tensors: Mapping[str, Tensor]) -> None:
        """Write a chunk's tensors, [items, ...] each."""
        disk.write(self._file(chunk), safetensors.torch.save(dict(tensors)))

    def __call__(self, items: Sequence[int], name: str) -> Tensor:
        """One tensor of some items, [len(items), ...]."""
        return torch.cat([self._slice(item // CHUNK, item % CHUNK, name) for item in items])

    def _slice(self, chunk: int, row: int, name: str) -> Tensor:
        if chunk not in self._open:
            self._open[chunk] = safetensors.safe_open(self._file(chunk), "pt")
        part: Tensor = self._open[chunk].get_slice(name)[row : row + 1]
        return part

    def _file(self, chunk: int) -> Path:
        return self.folder / f"{chunk:05}.safetensors"


def fill(
    table: Table, make: Callable[[range], Mapping[str, Tensor]], stop: Callable[[], bool]
) -> Generator[TrainStep, None, None]:
    """Write the chunks that `table` lacks, until `stop()` is true; yields a step for each."""
    lacking = table.missing()
    for done, chunk in enumerate(lacking, 1):
        if stop():
            return
        table.write(chunk, make(table.members(chunk)))
        yield TrainStep(done, len(lacking), {})


def on_grid(name: str, features: Tensor, items: Sequence[int]) -> Tensor:
    """Channels of every GRID-th pixel's position [N, P, C] of features [N, C, H, W] of square crops.

    Each item has an offset of its own. Sides of crops are multiples of GRID, so P is the same in all layers.
    """
    stride = max(1, GRID >> (int(name[4]) - 1))
    parts = [
        x[:, i % stride :: stride, i // stride % stride :: stride]
        for x, i in zip(features, items, strict=True)
    ]
    return torch.stack(parts).flatten(2).transpose(1, 2)


def to_bytes(images: Tensor) -> Tensor:
    """Images in [0, 1] as bytes."""
    return (images * 255).round().to(torch.uint8)


def from_bytes(levels: Tensor) -> Tensor:
    """The inverse of `to_bytes`."""
    return levels.float() / 255


def teacher_rows(
    crops: Crops, features_of: Callable[[Tensor], Features], batch: int
) -> Callable[[range], dict[str, Tensor]]:
    """Tensors of a chunk of the teacher's table: `pixels`, and each layer's features on the grid in fp16."""

    def rows(items: range) -> dict[str, Tensor]:
        pixels = to_bytes(torch.cat([crops(item) for item in items]))
        parts: dict[str, list[Tensor]] = {}
        for first in range(0, len(items), batch):
            images = from_bytes(pixels[first : first + batch])
            for name, features in features_of(images).items():
                kept = on_grid(name, features, items[first : first + batch])
                parts.setdefault(name, []).append(kept.clamp(max=6e4).to(torch.float16).cpu())
        return {"pixels": pixels, **{name: torch.cat(rows) for name, rows in parts.items()}}

    return rows


def order(seed: int, count: int, step: int, batch: int) -> list[int]:
    """The items of a batch: all items come once, in an order of its own, in each epoch."""
    drawn = []
    for place in range(step * batch, (step + 1) * batch):
        epoch, index = divmod(place, count)
        drawn.append(int(np.random.default_rng((seed, epoch)).permutation(count)[index]))
    return drawn
