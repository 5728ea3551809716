"""Datasets of pairs as batches of square crops, each a function of (seed, step) alone."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from styler.errors import InputError
from styler.image import conditions
from styler.image.conditions import Pair
from styler.image.levels import to_unit
from styler.image.size import Size, resize
from styler.options.translate import TrainTranslateOptions
from styler.storage.datasets.find_pairs import PairFiles, find_pairs, find_photos
from styler.storage.datasets.photos import FLAT, LONG_SIDE, Decoder, digest, spread

_CROPS = 8
"""Crops of one pair that are tried before the next pair is taken."""
LONGEST = 2
"""Largest ratio of the sides of a validation picture; longer ones are cropped."""
ORDER, VALIDATION = 1, 2
"""Second numbers of the seeds of the order and of what is random in validation pairs."""


class _Source(Protocol):
    """Loads pairs from their files."""

    @property
    def skipped(self) -> dict[str, str]:
        """Files that could not be used, and why."""

    def crop(self, files: PairFiles, draw: np.random.Generator, side: int) -> Pair | None:
        """A random square of a pair at `side` pixels; None if it cannot be read."""

    def whole(self, files: PairFiles, draw: np.random.Generator, side: int) -> Pair | None:
        """A pair whose short side is at most `side` pixels; None if it cannot be read."""


class PairSet:
    """Pairs to train on, shuffled anew each time all of them were drawn, and some to validate with.

    Attributes:
        names: what inputs and targets are called.
        channels: of inputs and targets.
        condition: how the inputs were made of the targets, if styler made them: a name and parameters.
        tints: colors of the paper of the inputs, as in `Translation`.
        labels: names and colors of the kinds of things in the inputs, as in `Translation`.
        notes: what was found and may not be as a person thinks, one sentence each.
    """

    def __init__(
        self,
        source: _Source,
        drawn: Sequence[PairFiles],
        held: Sequence[PairFiles],
        options: TrainTranslateOptions,
        *,
        names: tuple[str, str],
        channels: tuple[int, int] = (3, 3),
        condition: Mapping[str, Any] | None = None,
        tints: Sequence[Sequence[float]] = (),
        labels: Mapping[str, str] = MappingProxyType({}),
        notes: Sequence[str] = (),
        processes: int = 1,
    ) -> None:
        self.names, self.channels, self.condition, self.notes = names, channels, condition, tuple(notes)
        self.tints, self.labels = tints, labels
        self._source, self._drawn, self._held = source, list(drawn), list(held)
        self._seed, self._side = options.seed, options.crop
        self._together = options.batch * processes

    def __len__(self) -> int:
        return len(self._drawn)

    @property
    def skipped(self) -> dict[str, str]:
        """Pictures that could not be used so far, and why."""
        return self._source.skipped

    @property
    def held_count(self) -> int:
        """The number of pairs held out; `held` lacks those that cannot be read."""
        return len(self._held)

    def digest(self) -> str:
        """The SHA-256 of the pairs' names and the kind of their inputs, wherever they lie."""
        names = [files.name for files in (*self._drawn, *self._held)]
        return digest([*names, str(len(self._held)), json.dumps(self.condition, sort_keys=True)])

    def batch(self, step: int, count: int, side: int, first: int = 0) -> Pair:
        """Random squares of `count` pairs, their inputs and targets [count, C, side, side].

        They are those from `first` on of all that a step has, as in `Pictures.batch`.
        """
        pairs = [self._sample(step, index, side) for index in range(first, first + count)]
        return Pair(torch.cat([pair.inputs for pair in pairs]), torch.cat([pair.targets for pair in pairs]))

    @functools.cached_property
    def held(self) -> list[Pair]:
        """The pairs to validate with, of one picture each, at the size that crops are seen at."""
        draws = (np.random.default_rng((self._seed, VALIDATION, i)) for i in range(len(self._held)))
        pairs = map(self._source.whole, self._held, draws, [self._side] * len(self._held))
        return [pair for pair in pairs if pair is not None]

    def _sample(self, step: int, index: int, side: int) -> Pair:
        """The crop at one place of the order; pairs that cannot be read are passed over.

        So are inputs of one color, as long as there are others, see `Pictures.crop`.
        """
        draw = np.random.default_rng((self._seed, 0, step, index))
        turn, place = divmod(step * self._together + index, len(self))
        order, flat = _order(self._seed, turn, len(self)), None
        for files in (self._drawn[order[(place + ahead) % len(self)]] for ahead in range(len(self))):
            for _ in range(_CROPS):
                pair = self._source.crop(files, draw, side)
                if pair is None:
                    break
                if pair.inputs.std((2, 3)).max() >= FLAT:
                    return pair
                flat = pair
        if flat is None:
            reason = next(iter(self.skipped.values()))
            raise InputError(f"none of the {len(self)} pairs can be read, for example: {reason}")
        return flat


_ordering = threading.Lock()


def _order(seed: int, turn: int, count: int) -> Sequence[int]:
    """The order of `count` pairs in the turn of that number; made once, whichever thread asks first."""
    with _ordering:
        return _shuffled(seed, turn, count)


@functools.lru_cache(maxsize=4)
def _shuffled(seed: int, turn: int, count: int) -> Sequence[int]:
    return [int(place) for place in np.random.default_rng((seed, ORDER, turn)).permutation(count)]


def open_pairs(dataset: str, options: TrainTranslateOptions, processes: int = 1) -> PairSet:
    """The pairs of a folder or list, see `find_pairs`; raises InputError if there is none.

    Inputs are the left pictures, or A, unless `options.direction` says otherwise; those whose labels are
    recorded are label pictures.
    """
    listing = find_pairs(dataset)
    drawn, held = _divided(listing.training, options, listing.validation)
    back = options.direction == "BtoA"
    labels = {} if back else listing.labels
    return PairSet(
        Files(replace(options, labels=options.labels or bool(labels))),
        drawn,
        held,
        options,
        names=listing.names[::-1] if back else listing.names,
        condition=None if back else listing.condition,
        tints=() if back else listing.tints,
        labels=labels,
        notes=listing.notes,
        processes=processes,
    )


def photo_pairs(photos: str, kind: str, options: TrainTranslateOptions, processes: int = 1) -> PairSet:
    """Pairs of photos and the inputs that are made of them, of a kind of `conditions.CONDITIONS`.

    Raises InputError if there is no photo.
    """
    parameters = conditions.parameters_for(kind, options)
    files, notes = find_photos(photos)
    drawn, held = _divided(files, options)
    return PairSet(
        Photos(conditions.condition(kind, parameters), options),
        drawn,
        held,
        options,
        names=(kind, "photo"),
        channels=(conditions.CONDITIONS[kind].channels, 3),
        condition={"name": kind, **parameters},
        notes=notes,
        processes=processes,
    )


def _divided(
    pairs: Sequence[PairFiles], options: TrainTranslateOptions, validation: Sequence[PairFiles] = ()
) -> tuple[list[PairFiles], list[PairFiles]]:
    """The pairs to draw and the pairs held out: of the dataset's validation part if it has one."""
    if not options.validation:
        return list(pairs), []
    if validation:
        return list(pairs), spread(validation, min(options.validation_most, len(validation)))
    count = min(options.validation_most, round(options.validation * len(pairs)), len(pairs) - 1)
    held = spread(pairs, count)
    taken = {files.paths for files in held}  # names need not differ: photos of a list lie anywhere
    return [files for files in pairs if files.paths not in taken], held


# Sources


class Files:
    """Pairs of pictures side by side, or of two pictures each."""

    def __init__(self, options: TrainTranslateOptions) -> None:
        longest = max(LONG_SIDE, 2 * round(options.crop * options.jitter))
        # Shrinking would mix the colors of labels.
        self._one = Decoder(None if options.labels else 2 * longest)
        self._two = Decoder(None if options.labels else longest)
        self._labels, self._back = options.labels, options.direction == "BtoA"
        self._jitter, self._mirror = options.jitter, options.mirror

    @property
    def skipped(self) -> dict[str, str]:
        """Files that could not be used, and why."""
        return {**self._one.skipped, **self._two.skipped}

    def crop(self, files: PairFiles, draw: np.random.Generator, side: int) -> Pair | None:
        """The same square of both."""
        pair = self._read(files)
        if pair is None:
            return None
        height, width = pair.inputs.shape[-2:]
        size = max(1, round(min(height, width) / self._jitter ** draw.random()))
        top, left = draw.integers(height - size + 1), draw.integers(width - size + 1)
        mirrored = draw.random() < 0.5 and self._mirror
        parts = (_part(picture, top, left, (size, size)) for picture in (pair.inputs, pair.targets))
        square = self._resized(Pair(*parts), (side, side))
        return _mirrored(square) if mirrored else square

    def whole(self, files: PairFiles, draw: np.random.Generator, side: int) -> Pair | None:
        """Both whole, except where they are very long."""
        pair = self._read(files)
        if pair is None:
            return None
        return _cut(self._resized(pair, _shown_at(pair.inputs, side)))

    def _read(self, files: PairFiles) -> Pair | None:
        """Inputs and targets [1, 3, H, W] of one size, as bytes."""
        halves = self._halves(files)
        if halves is None:
            return None
        pair = Pair(*(halves[::-1] if self._back else halves))
        size, other = _size(pair.inputs), _size(pair.targets)
        if size == other:
            return pair
        return self._resized(Pair(pair.inputs, pair.targets), min(size, other))

    def _halves(self, files: PairFiles) -> tuple[Tensor, Tensor] | None:
        if len(files.paths) == 1:
            both = self._one(files.paths[0])
            if both is None:
                return None
            half = both.shape[-1] // 2
            return both[None, ..., :half], both[None, ..., half : 2 * half]
        first, second = (self._two(path) for path in files.paths)
        return None if first is None or second is None else (first[None], second[None])

    def _resized(self, pair: Pair, size: Size) -> Pair:
        """A pair at another size, in [0, 1]; labels keep their colors."""
        inputs, targets = to_unit(pair.inputs), to_unit(pair.targets)
        if self._labels and _size(inputs) != size:
            inputs = F.interpolate(inputs, size, mode="nearest-exact")
        return Pair(resize(inputs, size), resize(targets, size))


class Photos:
    """Pairs of photos and inputs that are made of them, at the very size at which they are seen."""

    def __init__(self, make: conditions.InputMaker, options: TrainTranslateOptions) -> None:
        self._decode = Decoder(max(LONG_SIDE, 2 * round(options.crop * options.jitter)))
        self._make, self._jitter, self._mirror = make, options.jitter, options.mirror

    @property
    def skipped(self) -> dict[str, str]:
        """Photos that could not be used, and why."""
        return self._decode.skipped

    def crop(self, files: PairFiles, draw: np.random.Generator, side: int) -> Pair | None:
        """A square of the photo and of the input that is made of all of it."""
        photo = self._decode(files.paths[0])
        if photo is None:
            return None
        height, width = photo.shape[-2:]
        scale = side * self._jitter ** draw.random() / min(height, width)
        size = max(side, round(scale * height)), max(side, round(scale * width))
        pair = self._pair(photo, size, draw)
        top, left = draw.integers(size[0] - side + 1), draw.integers(size[1] - side + 1)
        mirrored = draw.random() < 0.5 and self._mirror
        parts = (_part(picture, top, left, (side, side)) for picture in (pair.inputs, pair.targets))
        square = Pair(*(part.contiguous() for part in parts))
        return _mirrored(square) if mirrored else square

    def whole(self, files: PairFiles, draw: np.random.Generator, side: int) -> Pair | None:
        """The whole photo, except where it is very long."""
        photo = self._decode(files.paths[0])
        return None if photo is None else _cut(self._pair(photo, _shown_at(photo, side), draw))

    def _pair(self, photo: Tensor, size: Size, draw: np.random.Generator) -> Pair:
        image = resize(to_unit(photo[None]), size)
        return Pair(self._make(image, draw), image)


def _size(picture: Tensor) -> Size:
    return picture.shape[-2], picture.shape[-1]


def _part(picture: Tensor, top: int, left: int, size: Size) -> Tensor:
    return picture[..., top : top + size[0], left : left + size[1]]


def _mirrored(pair: Pair) -> Pair:
    return Pair(pair.inputs.flip(3), pair.targets.flip(3))


def _shown_at(picture: Tensor, side: int) -> Size:
    """The size of a picture whose short side is shrunk to `side` pixels; never enlarged."""
    height, width = _size(picture)
    scale = min(1.0, side / min(height, width))
    return round(height * scale), round(width * scale)


def _cut(pair: Pair) -> Pair:
    """The middle of a pair, at most `LONGEST` times as long as it is wide."""
    height, width = _size(pair.inputs)
    most = LONGEST * min(height, width)
    size = min(height, most), min(width, most)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    parts = (_part(picture, top, left, size).contiguous() for picture in (pair.inputs, pair.targets))
    return Pair(*parts)
