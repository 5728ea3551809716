"""Graphs of networks, node by node, by the network's own way, for any batch size, height and width."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from styler.plans import Borders, Upsampling
from styler.storage.onnx import encoding
from styler.storage.onnx.encoding import Attribute
from styler.version import __version__

L = TypeVar("L")
INPUT = "image"


class LayerShape(Protocol):
    """What is no number of a layer; see `layers.Layer`."""

    @property
    def stride(self) -> int: ...  # noqa: D102
    @property
    def up(self) -> Upsampling | None: ...  # noqa: D102
    @property
    def borders(self) -> Borders: ...  # noqa: D102
    @property
    def slope(self) -> float: ...  # noqa: D102
    @property
    def enters(self) -> bool: ...  # noqa: D102
    @property
    def leaves(self) -> bool: ...  # noqa: D102


class Sloped(Protocol):
    """A join; see `layers.Join`."""

    @property
    def slope(self) -> float: ...  # noqa: D102


class GraphNorm(NamedTuple):
    """A norm: gain and offset [C], what is added to the variance, and the moments [C] if they are stored."""

    gain: NDArray[Any]
    offset: NDArray[Any]
    eps: float
    moments: tuple[NDArray[Any], NDArray[Any]] | None = None


class GraphLayer(NamedTuple):
    """A layer with its numbers; `factor` is that of a shuffle, and `prelu` a learned slope."""

    shape: LayerShape
    weight: NDArray[Any]
    bias: NDArray[Any] | None
    norm: GraphNorm | None
    prelu: NDArray[Any] | None = None
    factor: int = 2


@dataclass(frozen=True)
class Ends:
    """Beginning and end of a network.

    Attributes:
        inputs, outputs: channels.
        output: name of the output in the file.
        stride: that divides the sides of what it works on.
        least: smallest side of a picture.
        scale, corrects: as in `flow.Flowing`.
        margin: pixels that pictures get at the right and at the bottom, as in `cards.Translation`.
    """

    inputs: int
    outputs: int
    output: str
    stride: int
    least: int
    scale: int = 1
    corrects: bool = False
    margin: int = 0


def graph(nodes: Nodes[Any], flow: Callable[[str], str], ends: Ends) -> bytes:
    """The whole file of a network that goes through `flow`: `flow.whole`, clamped to [0, 1]."""
    x = nodes.extended(INPUT, ends.margin) if ends.margin else INPUT
    y = flow(nodes.divisible(x, ends.stride) if ends.stride > 1 else x)
    if ends.stride > 1 or ends.margin:
        y = nodes.cropped(y, INPUT)
    if ends.corrects:
        y = nodes.added(y, nodes.enlarged(INPUT, ends.scale))
    nodes.node("Clip", y, nodes.constant(0.0), nodes.constant(1.0), output=ends.output)
    large = "large_" if ends.scale > 1 else ""
    about = f"Pictures in [0, 1], [N, C, H, W]; H and W are {ends.least} at least"
    both = (
        encoding.end(INPUT, ["count", ends.inputs, "height", "width"]),
        encoding.end(ends.output, ["count", ends.outputs, f"{large}height", f"{large}width"]),
    )
    return encoding.model(nodes.nodes, nodes.constants, both, __version__, about)


class Nodes(Generic[L]):
    """Runs a network on names of an ONNX graph's values, and collects nodes and constants (see `flow.Run`).

    Each method adds what it is called after, and returns its name.
    """

    def __init__(self, values: Callable[[L], GraphLayer]) -> None:
        self.values = values
        self.nodes: list[bytes] = []
        self.constants: list[bytes] = []

    def layer(self, layer: L, x: str, level: int = 0) -> str:
        """As in `flow.Run`, without dropout."""
        values = self.values(layer)
        shape = values.shape
        if shape.enters:
            x = self.node("Sub", self.node("Mul", x, self.constant(2.0)), self.constant(1.0))
        y = self.convolution(values, x)
        if values.norm is not None:
            y = self.norm(values.norm, y)
        if shape.leaves:
            return self.node("Sigmoid", self.node("Mul", y, self.constant(2.0)))
        if values.prelu is not None:
            return self.node("PRelu", y, self.constant(values.prelu))
        return y if shape.slope == 1 else self.relu(y, shape.slope)

    def residual(self, first: L, second: L, x: str) -> str:
        """As in `flow.Run`."""
        return self.node("Add", self.layer(second, self.layer(first, x)), x)

    def joined(self, join: Sloped, *parts: str) -> str:
        """As in `flow.Run`."""
        first, *others = parts
        after = [self.relu(first, join.slope), *map(self.relu, others)]
        return self.node("Concat", *after, axis=1) if others else after[0]

    def added(self, x: str, y: str) -> str:
        """As in `flow.Run`."""
        return self.node("Add", x, y)

    def convolution(self, values: GraphLayer, x: str) -> str:
        """`Layer.convolved`."""
        layer = values.shape
        parameters = [self.constant(array) for array in (values.weight, values.bias) if array is not None]
        side, strides = values.weight.shape[-1], [layer.stride] * 2
        if layer.up == "transposed":
            pads, more = [1] * 4, [side % 2] * 2
            return self.node("ConvTranspose", x, *parameters, strides=[2, 2], pads=pads, output_padding=more)
        if layer.up == "bilinear":
            x = self.enlarged(x, 2)
        elif layer.up not in (None, "shuffle"):
            x = self.doubled(x)
        if layer.up == "shifted":
            return self.node("Conv", x, *parameters, pads=[2, 2, 1, 1])
        if layer.borders == "zero" and layer.up is None:
            return self.node("Conv", x, *parameters, strides=strides, pads=[(side - 1) // 2] * 4)
        y = self.node("Conv", self.reflected(x, side // 2), *parameters, strides=strides)
        shuffles = layer.up == "shuffle"
        return self.node("DepthToSpace", y, blocksize=values.factor, mode="CRD") if shuffles else y

    def norm(self, norm: GraphNorm, x: str) -> str:
        """`Norm.forward`, with the mix of gains and offsets as constants."""
        gain, offset = self.constant(norm.gain), self.constant(norm.offset)
        if norm.moments is None:
            return self.node("InstanceNormalization", x, gain, offset, epsilon=norm.eps)
        mean, variance = map(self.constant, norm.moments)
        return self.node("BatchNormalization", x, gain, offset, mean, variance, epsilon=norm.eps)

    def relu(self, x: str, slope: float = 0.0) -> str:
        """A ReLU, leaky if it has a slope below zero."""
        return self.node("LeakyRelu", x, alpha=slope) if slope else self.node("Relu", x)

    def node(self, operation: str, *inputs: str, output: str = "", **attributes: Attribute) -> str:
        """An operation."""
        output = output or f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append(encoding.node(operation, inputs, output, attributes))
        return output

    def constant(self, values: NDArray[Any] | Sequence[int] | Sequence[float] | float) -> str:
        """Numbers: int64 of integers, else float32."""
        array = np.asarray(values)
        array = array if array.dtype == np.int64 else array.astype(np.float32)
        name = f"constant_{len(self.constants)}"
        self.constants.append(encoding.constant(name, array))
        return name

    def reflected(self, x: str, margin: int) -> str:
        """`margin` reflected pixels on each side."""
        pads = self.constant([0, 0, margin, margin, 0, 0, margin, margin])
        return self.node("Pad", x, pads, mode="reflect")

    def extended(self, image: str, margin: int) -> str:
        """The last pixels repeated `margin` times at the right and the bottom."""
        return self.node("Pad", image, self.constant([0, 0, 0, 0, 0, 0, margin, margin]), mode="edge")

    def divisible(self, image: str, stride: int) -> str:
        """Pixels reflected at the right and the bottom, as often as it takes, until `stride` divides both."""
        for axis in (2, 3):
            side = self.node("Shape", image, start=axis, end=axis + 1)
            zero, one, two, step = (self.constant([number]) for number in (0, 1, 2, stride))
            missing = self.node("Mod", self.node("Sub", zero, side), step)
            scalars = (self.node("Squeeze", end) for end in (zero, self.node("Add", side, missing), one))
            period = self.node("Mul", self.node("Sub", side, one), two)
            there = self.node("Mod", self.node("Range", *scalars), period)
            back = self.node("Sub", period, there)
            image = self.node("Gather", image, self.node("Min", there, back), axis=axis)
        return image

    def cropped(self, x: str, image: str) -> str:
        """The top left part, as large as the image."""
        sides = self.node("Shape", image, start=2)
        return self.node("Slice", x, self.constant([0, 0]), sides, self.constant([2, 3]))

    def doubled(self, x: str) -> str:
        """Each pixel four times."""
        scales = self.constant([1.0, 1.0, 2.0, 2.0])
        modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", x, "", scales, mode="nearest", **modes)

    def enlarged(self, x: str, scale: int) -> str:
        """`flow.enlarged`."""
        scales = self.constant([1.0, 1.0, float(scale), float(scale)])
        return self.node("Resize", x, "", scales, mode="linear", coordinate_transformation_mode="half_pixel")
