"""Datasets of pairs that tests make for themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from styler.options.translate import TrainTranslateOptions
from styler.storage.datasets.pairs import PairSet, open_pairs

SIZE = (40, 32)


def photo(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    """Smooth and colored; each seed another."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def inverse(picture: Image.Image) -> Image.Image:
    return picture.point([255 - level for level in range(256)] * 3)


def put(path: Path, picture: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def photos_in(root: Path, count: int) -> None:
    for index in range(count):
        put(root / f"{index:02}.png", photo(index))


def beside(*pictures: Image.Image) -> Image.Image:
    return Image.fromarray(np.concatenate([np.asarray(picture) for picture in pictures], 1))


def folders(root: Path, first: str = "A", second: str = "B", count: int = 6, start: int = 0) -> Path:
    """Photos and their inverses, of the same names, in two folders."""
    for index in range(start, start + count):
        put(root / first / f"{index:03}.png", photo(index))
        put(root / second / f"{index:03}.png", inverse(photo(index)))
    return root


def doubles(root: Path, count: int = 6, start: int = 0) -> Path:
    """The same side by side."""
    for index in range(start, start + count):
        put(root / f"{index:03}.png", beside(photo(index), inverse(photo(index))))
    return root


def opened(root: Path, processes: int = 1, **options) -> PairSet:
    return open_pairs(
        str(root), TrainTranslateOptions(**{"crop": 32, "batch": 2, "validation": 0.0, **options}), processes
    )


def belong(pairs: PairSet, side: int = 32) -> bool:
    """Whether targets are the inverses of their inputs, pixel on pixel."""
    batch = pairs.batch(3, 4, side)
    assert batch.inputs.shape == batch.targets.shape == (4, 3, side, side)
    assert batch.inputs.dtype == batch.targets.dtype == torch.float32
    return bool((batch.inputs + batch.targets - 1).abs().max() < 0.02)
