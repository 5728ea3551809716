"""Networks as data: their kinds, bounds of their fields, layers of residual ones; no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple, Protocol, TypeVar, get_args, get_type_hints

from styler.options.translate import GeneratorNorm

T = TypeVar("T")
X = TypeVar("X")
L_co = TypeVar("L_co", covariant=True)
L_contra = TypeVar("L_contra", contravariant=True)
L = TypeVar("L")

Borders = Literal["zero", "reflect", "wrap"]
Upsampling = Literal["transposed", "resize", "shifted", "bilinear", "shuffle"]
"""How a layer enlarges: a transposed convolution; nearest pixels and a 3x3 convolution with reflected
borders; nearest pixels, a row and a column of zeros at the top and the left, and a 4x4 convolution; bilinear
pixels and a convolution; or a convolution whose channels become the pixels of squares (Shi et al. 2016)."""


def bounded(default: T, low: float, high: float) -> T:
    """A field of a network's configuration: its default and its bounds, inclusive.

    Those of a tuple are its numbers' bounds.
    """
    bounds: T = dataclasses.field(default=default, metadata={"low": low, "high": high})
    return bounds


@dataclass(frozen=True)
class Kind:
    """A kind of trained network.

    Attributes:
        takes: photos to paint, noise to make texture of, one side of a pair to translate into the other, or
            small pictures to enlarge.
        styles: whether its norms have gains and offsets for each of several styles.
        architectures: those of `ARCHITECTURES` that do for it.
    """

    takes: Literal["photo", "noise", "pair", "small"]
    styles: bool
    architectures: tuple[str, ...]


KINDS: Mapping[str, Kind] = {
    "transform": Kind("photo", True, ("residual",)),
    "texture": Kind("noise", True, ("texture",)),
    "translate": Kind("pair", False, ("unet", "residual")),
    "enlarge": Kind("small", False, ("enlarge",)),
}


def tuples(value: Any) -> Any:
    """JSON has lists where configurations have tuples."""
    return tuple(value) if isinstance(value, list) else value


def check(config: Any) -> None:
    """Raise ValueError if a field of a configuration is of another type, or out of bounds.

    A header that lies must not make us build for hours.
    """
    hints = get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if not _fits(value, field, get_args(hints[field.name])):
            raise ValueError(f"{field.name} is {value!r}")


def _fits(value: object, field: dataclasses.Field[Any], choices: tuple[object, ...]) -> bool:
    """Whether a value is one of a Literal's choices, a truth value, or numbers in the field's bounds."""
    if isinstance(field.default, bool):
        return isinstance(value, bool)
    if "low" not in field.metadata:
        return any(type(value) is type(choice) and value == choice for choice in choices)
    low, high = field.metadata["low"], field.metadata["high"]
    if isinstance(field.default, tuple):
        numbers = value if isinstance(value, tuple) else (None,)
        return all(_within(number, int, low, high) for number in numbers) and len(set(numbers)) == len(
            numbers
        )
    return _within(value, type(field.default), low, high)


def _within(value: object, kind: type, low: float, high: float) -> bool:
    return type(value) is kind and isinstance(value, int | float) and low <= value <= high


# Residual networks


@dataclass(frozen=True, kw_only=True)
class ResidualArchitecture:
    """Configuration of a residual network; the defaults are Johnson's, with nearest pixels to double.

    Attributes:
        inputs, outputs: channels of the pictures.
        width: channels at full resolution; each halving doubles them.
        halvings: of the picture's sides.
        blocks: at the lowest resolution.
        kernel: side of the first and the last convolution's.
        borders: of the convolutions that halve; the others' are reflected.
        norm: all have gains and offsets.
        styles: rows of each norm's gains and offsets; 0: they are but one.
        eps: what the norms add to the variance.
        upsampling: how layers double.
        dropout: whether blocks have it.
        grain: of the noise that photos get before they are painted, see `image.grain`; 0: none.
        pixels: whether pictures are in [0, 1] inside, too, or in [-1, 1] and end in a tanh.
    """

    inputs: int = bounded(3, 1, 64)
    outputs: int = bounded(3, 1, 64)
    width: int = bounded(32, 1, 512)
    halvings: int = bounded(2, 1, 12)
    blocks: int = bounded(5, 0, 64)
    kernel: Literal[7, 9] = 9
    borders: Literal["reflect", "zero"] = "reflect"
    norm: GeneratorNorm = "instance"
    styles: int = bounded(1, 0, 1000)
    eps: float = bounded(1e-5, 1e-12, 1)
    upsampling: Literal["resize", "transposed"] = "resize"
    dropout: bool = False
    grain: float = bounded(0.0, 0, 1)
    pixels: Literal["unsigned", "signed"] = "unsigned"


JOHNSON = ResidualArchitecture()
"""As Johnson et al. have it."""
PIX2PIX = ResidualArchitecture(
    width=64,
    blocks=9,
    kernel=7,
    borders="zero",
    norm="batch",
    styles=0,
    upsampling="transposed",
    dropout=True,
    pixels="signed",
)
"""As the authors of pix2pix changed it: 7x7 ends, and zero borders where it halves."""


@dataclass(frozen=True, kw_only=True)
class LayerPlan:
    """A layer; see `layers.Layer`.

    Attributes:
        key: of its values in a file, up to the last dot but one.
        normed: whether a norm follows the convolution, which has no bias then.
    """

    key: str
    channels: tuple[int, int]
    kernel: int = 3
    normed: bool = True
    stride: int = 1
    up: Upsampling | None = None
    borders: Borders = "reflect"
    slope: float = 0.0
    place: int = 0
    enters: bool = False
    leaves: bool = False


class BlockPlan(NamedTuple):
    """Two layers whose result is added to their input."""

    first: LayerPlan
    second: LayerPlan


class ResidualPlan(NamedTuple):
    """The layers of a residual network, in the order in which they work."""

    down: tuple[LayerPlan, ...]
    blocks: tuple[BlockPlan, ...]
    up: tuple[LayerPlan, ...]
    last: LayerPlan

    @classmethod
    def of(cls, config: ResidualArchitecture) -> ResidualPlan:
        """The layers that a configuration asks for."""

        def layer(key: str, channels: tuple[int, int], kernel: int = 3, **more: Any) -> LayerPlan:
            more = {"normed": config.norm != "none", **more}
            return LayerPlan(key=key, channels=channels, kernel=kernel, **more)

        def block(index: int) -> BlockPlan:
            place = index + 1 if config.dropout else 0
            first = layer(f"blocks.{index}.first", (widest, widest), place=place)
            return BlockPlan(first, layer(f"blocks.{index}.second", (widest, widest), slope=1.0))

        widths = [config.width * 2**k for k in range(config.halvings + 1)]
        pairs, widest, signed = list(pairwise(widths)), widths[-1], config.pixels == "signed"
        enlarging = enumerate(reversed(pairs))
        ends = {"kernel": config.kernel}
        return cls(
            (
                layer("down.0", (config.inputs, config.width), **ends, enters=signed),
                *(
                    layer(f"down.{k}", pair, stride=2, borders=config.borders)
                    for k, pair in enumerate(pairs, 1)
                ),
            ),
            tuple(map(block, range(config.blocks))),
            tuple(layer(f"up.{k}", (b, a), up=config.upsampling) for k, (a, b) in enlarging),
            layer("last", (config.width, config.outputs), **ends, normed=False, slope=1.0, leaves=signed),
        )

    def layers(self) -> list[LayerPlan]:
        """All layers."""
        return [*self.down, *(layer for block in self.blocks for layer in block), *self.up, self.last]

    def shapes(self, config: ResidualArchitecture) -> dict[str, tuple[int, ...]]:
        """The shapes of all values by key; of the norms' without stored moments."""
        shapes: dict[str, tuple[int, ...]] = {}
        rows = (config.styles,) if config.styles else ()
        for layer in self.layers():
            before, after = layer.channels
            sides = (before, after) if layer.up == "transposed" else (after, before)
            shapes[f"{layer.key}.conv.weight"] = (*sides, layer.kernel, layer.kernel)
            if layer.normed:
                shapes |= {f"{layer.key}.norm.{name}": (*rows, after) for name in ("weight", "bias")}
            else:
                shapes[f"{layer.key}.conv.bias"] = (after,)
        return shapes


class Pair(Protocol[L_co]):
    """A block of two layers."""

    @property
    def first(self) -> L_co: ...  # noqa: D102
    @property
    def second(self) -> L_co: ...  # noqa: D102


class Residual(Protocol[L_co]):
    """A residual network of layers of one sort."""

    @property
    def down(self) -> Sequence[L_co]: ...  # noqa: D102
    @property
    def blocks(self) -> Sequence[Pair[L_co]]: ...  # noqa: D102
    @property
    def up(self) -> Sequence[L_co]: ...  # noqa: D102
    @property
    def last(self) -> L_co: ...  # noqa: D102


class Walk(Protocol[L_contra, X]):
    """What `flow.Run` does for a residual network."""

    def layer(self, layer: L_contra, x: X, level: int = 0) -> X: ...  # noqa: D102
    def residual(self, first: L_contra, second: L_contra, x: X) -> X: ...  # noqa: D102


def residual_flow(network: Residual[L], x: X, run: Walk[L, X]) -> X:
    """The way of a picture through a residual network, with sides that its stride divides."""
    for level, layer in enumerate(network.down):
        x = run.layer(layer, x, level)
    for block in network.blocks:
        x = run.residual(block.first, block.second, x)
    for level, layer in zip(reversed(range(len(network.up))), network.up, strict=True):
        x = run.layer(layer, x, level)
    return run.layer(network.last, x)
