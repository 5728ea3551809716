"""How other tools name the parameters of pix2pix's generators, and which generator such names tell of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count, takewhile
from typing import NamedTuple

from styler.networks.pix2pix import GeneratorArchitecture
from styler.options.translate import GeneratorNorm

Keys = Iterable[str]


class Place(NamedTuple):
    """What a layer's convolution and its norm are called; "" where there is no norm."""

    conv: str
    norm: str = ""


@dataclass(frozen=True)
class Parts:
    """What follows a `Place`: the endings of a convolution's and of a norm's tensors."""

    weight: str = ".weight"
    bias: str = ".bias"
    gain: str = ".weight"
    offset: str = ".bias"
    mean: str = ".running_mean"
    variance: str = ".running_var"


@dataclass(frozen=True)
class Dialect:
    """One tool's names.

    Attributes:
        name: the tool's.
        mark: what one key at least matches in its files, and none in those of the dialects after it.
        told: of the keys, an architecture without channels and norm, as the keys do not tell of these.
        places: of the layers of such an architecture, in the order in which they work.
        parts: the endings.
        trained_with_dropout: None where the keys do not tell.
        plain: the norm where norms have no parameters; None: instance norm if convolutions have biases.
        channels_last: whether kernels are [h, w, ., .], as TensorFlow has them.
        decoder_first: whether on the way up the channels from below come before those of the skip.
        note: what is lost.
    """

    name: str
    mark: str
    told: Callable[[Keys], GeneratorArchitecture]
    places: Callable[[GeneratorArchitecture], list[Place]]
    parts: Parts = Parts()
    trained_with_dropout: Callable[[GeneratorArchitecture], bool | None] = lambda made: None
    plain: GeneratorNorm | None = None
    channels_last: bool = False
    decoder_first: bool = False
    note: str = ""


def recognized(keys: Keys) -> Dialect | None:
    """The dialect of these keys."""
    return next((one for one in DIALECTS if any(re.fullmatch(one.mark, key) for key in keys)), None)


def _length(keys: Keys, name: Callable[[int], str], first: int) -> int:
    """How many of the keys name(first), name(first + 1), ... there are without a gap."""
    there = set(keys)
    return sum(1 for _ in takewhile(lambda number: name(number) in there, count(first)))


# junyanz/pytorch-CycleGAN-and-pix2pix, U-Net: blocks within blocks


def _level(level: int) -> str:
    """The block between `level` halvings and one more."""
    return "model.model" + ".1.model" * (level > 0) + ".3.model" * (level - 1)


def _nested(keys: Keys) -> GeneratorArchitecture:
    halvings = 1 + _length(keys, lambda level: f"{_level(level)}.1.weight", 1)
    return GeneratorArchitecture(halvings=halvings, dropout=unet_dropout(halvings))


def unet_dropout(halvings: int) -> tuple[int, ...]:
    """Where their U-Net of that depth has dropout, if it has."""
    return tuple(range(2, halvings - 3))


def _nested_places(made: GeneratorArchitecture) -> list[Place]:
    deepest = _level(made.halvings - 1)
    between = [_level(level) for level in range(1, made.halvings - 1)]
    down = [Place(f"{level}.1", f"{level}.2") for level in between]
    up = [Place(f"{level}.5", f"{level}.6") for level in reversed(between)]
    innermost = [Place(f"{deepest}.1"), Place(f"{deepest}.3", f"{deepest}.4")]
    return [Place("model.model.0"), *down, *innermost, *up, Place("model.model.3")]


# junyanz's residual network, and pix2pixHD's global generator, which is deeper: one row of modules


def _row(keys: Keys) -> GeneratorArchitecture:
    found = [match for match in (re.fullmatch(_BLOCK, key) for key in keys) if match]
    start = min(int(match[1]) for match in found)
    dropout = not any(match[2] == "5" for match in found)
    blocks = _length(keys, lambda index: f"model.{index}.conv_block.1.weight", start)
    halvings = (start - 4) // 3
    return GeneratorArchitecture(
        "residual", halvings=halvings, blocks=blocks, dropout=(1,) if dropout else ()
    )


def _row_places(made: GeneratorArchitecture) -> list[Place]:
    start = 4 + 3 * made.halvings
    end = start + made.blocks
    second = 6 if made.dropout else 5  # dropout is a module too
    blocks = [f"model.{index}.conv_block.{part}" for index in range(start, end) for part in (1, second)]
    down, up = range(1, start, 3), range(end, end + 3 * made.halvings, 3)
    names = [*(f"model.{index}" for index in down), *blocks, *(f"model.{index}" for index in up)]
    return [*(Place(name, _next(name)) for name in names), Place(f"model.{end + 3 * made.halvings + 1}")]


def _next(name: str) -> str:
    """`model.4` -> `model.5`."""
    outer, _, number = name.rpartition(".")
    return f"{outer}.{int(number) + 1}"


# eriklindernoren/PyTorch-GAN: numbered layers, ReLUs before the skips, a last layer of its own


def _numbered(keys: Keys) -> GeneratorArchitecture:
    halvings = _length(keys, lambda number: f"down{number}.model.0.weight", 1)
    return GeneratorArchitecture(halvings=halvings, dropout=(1, 2, 3, 4), slope=0.2, last="shifted")


def _numbered_places(made: GeneratorArchitecture) -> list[Place]:
    def places(way: str, numbers: Iterable[int]) -> list[Place]:
        return [Place(f"{way}{number}.model.0", f"{way}{number}.model.1") for number in numbers]

    down = places("down", range(1, made.halvings + 1))
    bare = [Place(down[0].conv), *down[1:-1], *(Place(place.conv) for place in down[1:][-1:])]
    return [*bare, *places("up", range(1, made.halvings)), Place("final.2")]


# affinelayer/pix2pix-tensorflow: paths of TensorFlow's, a norm on the bottleneck


def _path(way: str, number: int) -> str:
    return f"generator/{way}_{number}"


def _paths(keys: Keys) -> GeneratorArchitecture:
    halvings = _length(keys, lambda number: f"{_path('encoder', number)}/conv2d/kernel", 1)
    return GeneratorArchitecture(halvings=halvings, bottleneck_norm=True)


def _path_places(made: GeneratorArchitecture) -> list[Place]:
    numbers = range(1, made.halvings + 1)
    down, up = (
        [
            Place(f"{_path(way, n)}/{conv}", f"{_path(way, n)}/batch_normalization" if n > 1 else "")
            for n in numbers
        ]
        for way, conv in (("encoder", "conv2d"), ("decoder", "conv2d_transpose"))
    )
    return [*down, *reversed(up)]


_BLOCK = r"model\.(\d+)\.conv_block\.(\d+)\.weight"

JUNYANZ = Dialect(
    "junyanz U-Net",
    r"model\.model\.1\.model\.1\.weight",
    _nested,
    _nested_places,
    trained_with_dropout=lambda made: None if made.dropout else False,  # few halvings have no place for it
)
JUNYANZ_RESIDUAL = Dialect(
    "junyanz residual network",
    r"model\.10\.conv_block\.1\.weight",
    _row,
    _row_places,
    trained_with_dropout=lambda made: bool(made.dropout),
)
PIX2PIXHD = Dialect(
    "pix2pixHD global generator",
    _BLOCK,
    _row,
    _row_places,
    trained_with_dropout=lambda made: bool(made.dropout),
)
ERIKLINDERNOREN = Dialect(
    "eriklindernoren U-Net",
    r"down1\.model\.0\.weight",
    _numbered,
    _numbered_places,
    trained_with_dropout=lambda made: True,
    plain="instance",
    decoder_first=True,
    note="the dropout of its way down is left out",
)
AFFINELAYER = Dialect(
    "affinelayer U-Net",
    r"generator/encoder_1/conv2d/kernel",
    _paths,
    _path_places,
    Parts("/kernel", "/bias", "/gamma", "/beta", "/moving_mean", "/moving_variance"),
    trained_with_dropout=lambda made: True,
    channels_last=True,
    decoder_first=True,
)
DIALECTS = (JUNYANZ, JUNYANZ_RESIDUAL, PIX2PIXHD, ERIKLINDERNOREN, AFFINELAYER)
