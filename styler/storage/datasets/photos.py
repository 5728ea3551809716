"""Batches of square crops of the pictures of a folder, each a function of (seed, step) alone."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from styler.errors import InputError
from styler.image.levels import to_unit
from styler.storage import disk
from styler.storage.names import display, is_private
from styler.storage.pictures.encode import PICTURES
from styler.storage.pictures.load import load_levels

Batch = TypeVar("Batch")
Item = TypeVar("Item")

_CACHE_BYTES = 2 << 30
LONG_SIDE = 1024
"""Pixels to which the long side is shrunk when a picture is decoded."""
_TRIES = 100
"""Draws until it is given up to find a picture that can be read, or a crop with contrast."""
FLAT = 1 / 255
"""Contrast, a standard deviation of values in [0, 1], below which a crop teaches nothing."""
_FEW = 20
"""Pictures for each held-out one, below which all are drawn: they are needed."""


class Decoder:
    """Pictures as bytes, decoded on first use and kept as long as there is room.

    Args:
        long_side: pictures are shrunk to this many pixels when decoded; None leaves them as they are.
        cache_bytes: how much of the decoded pictures is kept.

    `skipped` has the pictures that could not be used, and why. Several threads may call it at once.
    """

    def __init__(self, long_side: int | None = LONG_SIDE, cache_bytes: int = _CACHE_BYTES) -> None:
        self.long_side, self.room = long_side, cache_bytes
        self.skipped: dict[str, str] = {}
        self._kept: dict[Path, Tensor] = {}
        self._keeping = threading.Lock()

    def __call__(self, path: Path) -> Tensor | None:
        """A picture [3, H, W], or None if it cannot be read."""
        if path in self._kept:
            return self._kept[path]
        if str(path) in self.skipped:
            return None
        try:
            picture = load_levels(path, self.long_side)
        except InputError as error:
            self.skipped[str(path)] = str(error)
            return None
        with self._keeping:
            if picture.numel() <= self.room and path not in self._kept:
                self.room -= picture.numel()
                self._kept[path] = picture
        return picture


class Pictures:
    """The pictures of a dataset, from which random crops are drawn.

    Args:
        source: a folder, nested or not, or a text file that lists pictures or folders, one a line.
        seed: of the order and the crops.
        long_side: pictures are shrunk to this many pixels when decoded.
        cache_bytes: how much of the decoded pictures is kept.
        shrink: most that a crop is shrunk; 1 leaves all pixels as they are in the picture.
        hold_out: pictures, spread over all, that are never drawn but kept in `held`; of few pictures `held`
            are some that are drawn too.

    A picture is drawn in two steps, first its folder, with a chance in proportion to the square root of the
    number of pictures in it: large collections of one kind do not drown small ones. `skipped` has the
    pictures that could not be used, and why. Several threads may draw at once.

    Raises:
        InputError: if there is no picture at `source`, or none that can be read.
    """

    def __init__(
        self,
        source: Path | str,
        seed: int = 0,
        *,
        long_side: int = LONG_SIDE,
        cache_bytes: int = _CACHE_BYTES,
        shrink: float = math.inf,
        hold_out: int = 0,
    ) -> None:
        self.source, self.seed, self.shrink = source, seed, shrink
        self._decode = Decoder(long_side, cache_bytes)
        paths = find(Path(source))
        self.held = spread(paths, hold_out)
        drawn = [path for path in paths if path not in self.held] if len(paths) >= _FEW * hold_out else paths
        self.folders = _by_folder(drawn)
        share = np.sqrt([len(folder) for folder in self.folders])
        self.share = share / share.sum()

    @property
    def skipped(self) -> dict[str, str]:
        """Pictures that could not be used, and why."""
        return self._decode.skipped

    def __len__(self) -> int:
        return sum(len(folder) for folder in self.folders)

    def digest(self) -> str:
        """The SHA-256 of the pictures' names, wherever they lie."""
        paths = sorted(path for folder in self.folders for path in folder)
        return digest(relative(path, Path(self.source)) for path in paths)

    def batch(self, step: int, count: int, side: int, first: int = 0) -> Tensor:
        """`count` random crops of `side` pixels, half of them mirrored: an Image [count, 3, side, side].

        They are those from `first` on of the step's crops: processes that take one part each see together
        what a single process would see.
        """
        draws = (np.random.default_rng((self.seed, step, i)) for i in range(first, first + count))
        return torch.cat([self.crop(draw, side) for draw in draws])

    def crop(self, draw: np.random.Generator, side: int) -> Tensor:
        """A random square of a random picture; see `crop`."""
        return crop(self._draw, draw, side, self.shrink)

    def _draw(self, draw: np.random.Generator) -> Tensor:
        for _ in range(_TRIES):
            folder = self.folders[draw.choice(len(self.folders), p=self.share)]
            picture = self._decode(folder[draw.integers(len(folder))])
            if picture is not None:
                return picture
        raise InputError(
            f"{display(self.source)} has no pictures that can be read, or too few of them: "
            f"{len(self.skipped)} cannot be, for example {next(iter(self.skipped.values()))}"
        )


def crop(
    pick: Callable[[np.random.Generator], Tensor],
    draw: np.random.Generator,
    side: int,
    shrink: float = math.inf,
) -> Tensor:
    """A random square of a picture, of any size from `side` to all of it, shrunk to `side`.

    It is an Image [1, 3, side, side]. Squares of one color are passed over as long as there are others: where
    a network normalizes a constant its gradient has no bound, and would spoil that of the whole batch.

    Args:
        pick: draws a picture, bytes [3, H, W].
        draw: the randomness of everything.
        shrink: how many times larger than `side` a square may be.
    """
    for _ in range(_TRIES):
        square = _square(pick(draw), draw, side, shrink)
        if square.std((2, 3)).max() >= FLAT:
            break
    return square


def _square(picture: Tensor, draw: np.random.Generator, side: int, shrink: float) -> Tensor:
    height, width = picture.shape[1:]
    shortest = int(min(height, width, shrink * side))
    size = round(min(side, shortest) * (shortest / min(side, shortest)) ** draw.random())
    top, left = draw.integers(height - size + 1), draw.integers(width - size + 1)
    square = to_unit(picture[None, :, top : top + size, left : left + size])
    if draw.random() < 0.5:
        square = square.flip(3)
    if size != side:
        square = F.interpolate(square, (side, side), mode="bilinear", antialias=True)
    return square.contiguous()


def crops(pictures: Sequence[Tensor], seed: int, step: int, count: int, side: int) -> Tensor:
    """`count` random crops of pictures that are open, bytes [3, H, W], as `Pictures.batch` makes them."""

    def pick(draw: np.random.Generator) -> Tensor:
        return pictures[int(draw.integers(len(pictures)))]

    return torch.cat([crop(pick, np.random.default_rng((seed, step, i)), side) for i in range(count)])


def mixed(parts: Sequence[tuple[Pictures, int]], side: int) -> Callable[[int], Tensor]:
    """Batches of so many crops of each dataset: step -> Image [sum of the counts, 3, side, side]."""
    return lambda step: torch.cat([pictures.batch(step, count, side) for pictures, count in parts if count])


@contextmanager
def ahead(batches: Callable[[int], Batch], workers: int) -> Iterator[Callable[[int], Batch]]:
    """The same batches, each made in the background while those before it are used.

    Steps that are asked for in order seldom have to be waited for; others cost more time but are the same.
    An error in `batches` is raised where the batch is asked for. The threads end with the block.
    """
    waiting: dict[int, Future[Batch]] = {}
    pool = ThreadPoolExecutor(workers, "batches")

    def batch(step: int) -> Batch:
        steps = range(step, step + workers + 1)
        for other in [other for other in waiting if other not in steps]:
            waiting.pop(other).cancel()
        for other in steps:
            if other not in waiting:
                waiting[other] = pool.submit(batches, other)
        return waiting.pop(step).result()

    try:
        yield batch
    finally:
        pool.shutdown(cancel_futures=True)


def find(source: Path) -> list[Path]:
    """All pictures in a folder and below, or those that a text file lists, sorted by name.

    Hidden files and what trainings keep beside their networks are left out. Raises InputError if there are
    none.
    """
    if source.is_dir():
        paths = [path for path in source.rglob("*") if is_picture(path) and not _private(path, source)]
    elif source.suffix.lower() in PICTURES:
        paths = [source]
    else:
        paths = list(_listed(source))
    if not paths:
        raise InputError(f"{display(source)} holds no pictures: give a folder with JPEG, PNG or HEIC files")
    return sorted(paths)


def is_picture(path: Path) -> bool:
    """Whether a path is a file with a picture's ending, and not hidden."""
    return path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file()


def _private(path: Path, root: Path) -> bool:
    return any(map(is_private, path.relative_to(root).parts[:-1]))


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of the items, evenly spread over them."""
    return list(items[:: max(1, len(items) // count)][:count]) if count else []


def relative(path: Path, root: Path) -> str:
    """A picture's name in its dataset: its path from `root`, or its own name if it lies elsewhere."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else path.name


def digest(names: Iterable[str]) -> str:
    """The SHA-256 of some names in their order."""
    return hashlib.sha256("\0".join(names).encode(errors="surrogateescape")).hexdigest()


def _by_folder(paths: Iterable[Path]) -> list[list[Path]]:
    """The pictures of each folder."""
    folders: dict[Path, list[Path]] = {}
    for path in paths:
        folders.setdefault(path.parent, []).append(path)
    return list(folders.values())


def _listed(source: Path) -> Iterable[Path]:
    """The pictures of a list, whose paths are relative to its folder; a folder stands for all in it."""
    for line in lines(source):
        path = source.parent / line
        yield from find(path) if path.is_dir() else [path]


def lines(source: Path) -> list[str]:
    """The lines of a list that are not empty; raises InputError if the file is no text."""
    with disk.open_input(source) as file:
        try:
            text = file.read().decode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"{display(source)} is neither a folder nor a list: write one picture a line"
            ) from error
    return list(filter(None, map(str.strip, text.splitlines())))
