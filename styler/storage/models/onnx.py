"""A trained network as an ONNX file, for programs without torch; written only if it paints alike.

The graph is built node by node, by the network's own way, for any batch size, height and width.
`torch.onnx.export` traces a network right, too, but it takes half a minute where this takes half a second,
needs a further package, and leaves the reshapes and scatters of the network's own shortcuts in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from styler.errors import CheckpointError, InputError, OutputError
from styler.networks.kinds import ImageNetwork
from styler.networks.layers import Join, Layer, Mode, Norm, layers_of
from styler.storage import disk
from styler.storage.names import display, install
from styler.version import __version__

OPSET, IR = 18, 8  # of ONNX 1.13 from 2022, which all that runs such files now knows
SIZES = ((16, 16), (53, 70), (127, 99))
"""Heights and widths at which it is compared, or as large as the network needs."""
TOLERANCE = 1 / 255
INPUT = "image"


class Parity(NamedTuple):
    """Largest difference to our own painting, both clamped to [0, 1], at one height and width."""

    height: int
    width: int
    difference: float


def export(path: Path | str, network: ImageNetwork, mode: Mode, overwrite: bool = True) -> list[Parity]:
    """Write the network as it runs in a mode, without its dropout and without the grain that photos get.

    Its input and its output are Images [N, C, H, W] of any size from `smallest_side` on; the output is
    clamped. The mode's mix of styles, [1, S], and stored statistics are written into the norms.

    Returns:
        The differences in onnxruntime, on noise, before the file was written.

    Raises:
        InputError: if the extra `onnx` is not installed.
        CheckpointError: if a difference is over TOLERANCE: then nothing is written.
        OutputError: if `path` has another ending, cannot be written, or exists without `overwrite`.
    """
    if Path(path).suffix.lower() != ".onnx":
        raise OutputError(f"{display(path)} does not end in .onnx: choose such a name")
    onnx, runtime = _extra()
    disk.prove_writable(path, overwrite=overwrite)
    device = next(network.parameters()).device
    mix = None if mode.mix is None else mode.mix.to(device)
    mode = replace(mode, dropout=None, mix=mix)
    data: bytes = _model(onnx, network, mode).SerializeToString()
    differences = _differences(runtime, data, network, mode)
    if not all(parity.difference <= TOLERANCE for parity in differences):  # also if it is no number
        worst = max(differences, key=lambda parity: parity.difference)
        raise CheckpointError(
            f"{display(path)} is not written: onnxruntime paints {worst.width}x{worst.height} pixels "
            f"differently, by {255 * worst.difference:.1f} of 255 and not {255 * TOLERANCE:.0f} at most"
        )
    disk.write(path, data, overwrite=overwrite)
    return differences


def smallest_side(network: ImageNetwork) -> int:
    """Of pictures, in pixels: where a map may be a single pixel, it cannot be reflected."""
    reflects = any(layer.borders == "reflect" and layer.up is None for layer in layers_of(network))
    return max(16, network.stride + 1 if reflects else 0)


def _extra() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise InputError(f"writing ONNX files needs more packages: {install('onnx')}") from error
    return onnx, onnxruntime


class Nodes:
    """Runs a network on names of an ONNX graph's values, and collects nodes and constants (see `flow.Run`).

    Each method adds what it is called after, and returns its name.
    """

    def __init__(self, onnx: Any, mode: Mode) -> None:
        self.onnx, self.mode = onnx, mode
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def layer(self, layer: Layer, x: str, level: int = 0) -> str:
        """As in `flow.Run`, without dropout."""
        if layer.enters:
            x = self.node("Sub", self.node("Mul", x, self.constant(2.0)), self.constant(1.0))
        y = self.convolution(layer, x)
        if layer.norm is not None:
            y = self.norm(layer.norm, y)
        if layer.leaves:
            return self.node("Sigmoid", self.node("Mul", y, self.constant(2.0)))
        if layer.prelu is not None:
            return self.node("PRelu", y, self.constant(layer.prelu))
        return y if layer.slope == 1 else self.relu(y, layer.slope)

    def residual(self, first: Layer, second: Layer, x: str) -> str:
        """As in `flow.Run`."""
        return self.node("Add", self.layer(second, self.layer(first, x)), x)

    def joined(self, join: Join, *parts: str) -> str:
        """As in `flow.Run`."""
        first, *others = parts
        after = [self.relu(first, join.slope), *map(self.relu, others)]
        return self.node("Concat", *after, axis=1) if others else after[0]

    def added(self, x: str, y: str) -> str:
        """As in `flow.Run`."""
        return self.node("Add", x, y)

    def convolution(self, layer: Layer, x: str) -> str:
        """`Layer.convolved`."""
        parameters = [self.constant(p) for p in (layer.conv.weight, layer.conv.bias) if p is not None]
        side, strides = layer.conv.weight.shape[-1], [layer.stride] * 2
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
        return self.node("DepthToSpace", y, blocksize=layer.factor, mode="CRD") if shuffles else y

    def norm(self, norm: Norm, x: str) -> str:
        """`Norm.forward`, with the mix of gains and offsets as constants."""
        gain, offset = (self.constant(table[0]) for table in norm.affine(self.mode))
        stored = norm.stored(self.mode)
        if stored is None:
            return self.node("InstanceNormalization", x, gain, offset, epsilon=norm.eps)
        mean, variance = (self.constant(moment[0]) for moment in stored)
        return self.node("BatchNormalization", x, gain, offset, mean, variance, epsilon=norm.eps)

    def relu(self, x: str, slope: float = 0.0) -> str:
        """A ReLU, leaky if it has a slope below zero."""
        return self.node("LeakyRelu", x, alpha=slope) if slope else self.node("Relu", x)

    def node(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """An operation."""
        name = f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operation, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: Tensor | Sequence[int] | Sequence[float] | float) -> str:
        """Numbers: float32 of tensors and floats, int64 of lists of integers."""
        array: NDArray[Any] = (
            values.detach().float().cpu().numpy() if isinstance(values, Tensor) else np.array(values)
        )
        name = f"constant_{len(self.constants)}"
        array = array if array.dtype == np.int64 else array.astype(np.float32)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def reflected(self, x: str, margin: int) -> str:
        """`margin` reflected pixels on each side."""
        pads = self.constant([0, 0, margin, margin, 0, 0, margin, margin])
        return self.node("Pad", x, pads, mode="reflect")

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

    def clamped(self, x: str) -> str:
        """To [0, 1]."""
        return self.node("Clip", x, self.constant(0.0), self.constant(1.0))


def _model(onnx: Any, network: ImageNetwork, mode: Mode) -> Any:
    """The whole file: `flow.whole`, clamped."""
    nodes, helper, config = Nodes(onnx, mode), onnx.helper, network.config
    painted = network.flow(nodes.divisible(INPUT, network.stride) if network.stride > 1 else INPUT, nodes)
    if network.stride > 1:
        painted = nodes.cropped(painted, INPUT)
    if network.corrects:
        painted = nodes.added(painted, nodes.enlarged(INPUT, network.scale))
    nodes.clamped(painted)
    output, large = _output(network, mode), "large_" if network.scale > 1 else ""
    nodes.nodes[-1].output[0] = output
    ends = [
        helper.make_tensor_value_info(
            name, onnx.TensorProto.FLOAT, ["count", channels, f"{size}height", f"{size}width"]
        )
        for name, channels, size in ((INPUT, config.inputs, ""), (output, config.outputs, large))
    ]
    model = helper.make_model(
        helper.make_graph(nodes.nodes, "styler", ends[:1], ends[1:], nodes.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="styler",
        producer_version=__version__,
        doc_string=f"Pictures in [0, 1], [N, C, H, W]; H and W are {smallest_side(network)} at least",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _output(network: ImageNetwork, mode: Mode) -> str:
    """The name of the output, in the file."""
    if network.scale > 1:
        return "enlarged"
    return "translated" if mode.mix is None else "painted"


def _differences(runtime: Any, data: bytes, network: ImageNetwork, mode: Mode) -> list[Parity]:
    """onnxruntime's pictures against ours."""
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    draw, device = torch.Generator().manual_seed(0), next(network.parameters()).device
    least, differences = smallest_side(network), []
    for height, width in sorted({tuple(max(side, least) for side in size) for size in SIZES}):
        image = torch.rand(2, network.config.inputs, height, width, generator=draw)
        (theirs,) = session.run([_output(network, mode)], {INPUT: image.numpy()})
        with torch.inference_mode():
            ours = network(image.to(device), mode).clamp(0, 1).cpu()
        differences.append(Parity(height, width, float((torch.from_numpy(theirs) - ours).abs().max())))
    return differences
