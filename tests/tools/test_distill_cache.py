"""Crops and features on disk: whole files, the right rows, and only of the same data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from distill.cache import CHUNK, Table, fill, from_bytes, on_grid, order, to_bytes

from styler.errors import InputError


def filled(folder: Path, count: int) -> Table:
    table = Table(folder, count)
    table.begin({"seed": 1})
    list(fill(table, lambda items: {"square": torch.tensor([[i * i] for i in items])}, lambda: False))
    return table


def test_rows_come_back_in_the_order_asked_for(tmp_path: Path) -> None:
    table = filled(tmp_path, CHUNK + 3)
    assert table([CHUNK + 2, 5, CHUNK], "square").flatten().tolist() == [(CHUNK + 2) ** 2, 25, CHUNK**2]


def test_only_what_is_missing_is_made(tmp_path: Path) -> None:
    filled(tmp_path, CHUNK)
    longer = Table(tmp_path, 3 * CHUNK)
    longer.begin({"seed": 1})
    assert longer.missing() == [1, 2]
    stops = iter([False, True])
    steps = list(fill(longer, lambda items: {"square": torch.zeros(len(items), 1)}, lambda: next(stops)))
    assert [(step.index, step.total) for step in steps] == [(1, 2)]
    assert longer.missing() == [2]


def test_other_data_are_refused(tmp_path: Path) -> None:
    filled(tmp_path, 2)
    with pytest.raises(InputError, match="made of other data or options: give another --cache"):
        Table(tmp_path, 2).begin({"seed": 2})


def test_the_grid_has_as_many_positions_in_every_layer_and_moves_with_the_item() -> None:
    for block in range(1, 6):
        side = 64 >> (block - 1)
        features = torch.arange(side * side).view(1, 1, side, side).expand(2, 1, side, side)
        rows = on_grid(f"relu{block}_1", features, [0, 1])
        assert rows.shape == (2, 16, 1)
        assert rows[0, 0] == 0 and rows[1, 0] == (side if block < 5 else 0)


def test_an_epoch_has_every_item_once() -> None:
    drawn = [order(3, 10, step, 4) for step in range(5)]
    items = [item for batch in drawn for item in batch]
    assert sorted(items[:10]) == sorted(items[10:]) == list(range(10))
    assert drawn[0] == order(3, 10, 0, 4) != order(4, 10, 0, 4)


def test_levels_survive() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(to_bytes(from_bytes(levels)), levels)
