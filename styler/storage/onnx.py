"""A trained style network as an ONNX file, for programs without torch; written only if it paints alike.

The graph is built node by node, of the network's plain operations, for any batch size, height and width, and
with one style or blend baked into its norms. `torch.onnx.export` traces the network right, too, but it takes
half a minute where this takes half a second, needs a further package, and leaves the reshapes and scatters of
the network's own shortcuts in the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from styler import __version__
from styler.errors import CheckpointError, InputError, OutputError
from styler.networks.transform import STRIDE, Block, TransformNetwork
from styler.storage import files

OPSET, IR = 18, 8  # of ONNX 1.13 from 2022, which all that runs such files now knows
SIZES = ((16, 16), (53, 70), (127, 99))  # heights and widths at which it is compared
TOLERANCE = 1 / 255
INPUT, OUTPUT = "image", "painted"


class Parity(NamedTuple):
    """Largest difference to our own painting, both clamped to [0, 1], at one height and width."""

    height: int
    width: int
    difference: float


class Graph:
    """Nodes and constants that are being collected; each method adds what it is called after, names it."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Add an operation; returns the name of its result."""
        name = f"{operation.lower()}_{len(self.nodes)}"
        self.nodes.append(self.onnx.helper.make_node(operation, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: Tensor | Sequence[int] | Sequence[float]) -> str:
        """Add numbers: float32 tensors or lists of floats, int64 lists of integers."""
        array: NDArray[Any] = (
            values.detach().float().cpu().numpy() if isinstance(values, Tensor) else np.array(values)
        )
        name = f"constant_{len(self.constants)}"
        kept = array if array.dtype == np.int64 else array.astype(np.float32)
        self.constants.append(self.onnx.numpy_helper.from_array(kept, name))
        return name

    def reflected(self, x: str, margin: int) -> str:
        """`margin` reflected pixels on each side."""
        pads = self.constant([0, 0, margin, margin, 0, 0, margin, margin])
        return self.node("Pad", x, pads, mode="reflect")

    def sides(self, image: str) -> str:
        """Height and width, int64 [2]."""
        return self.node("Shape", image, start=2)

    def divisible(self, image: str, sides: str) -> str:
        """Reflected pixels at the right and the bottom until STRIDE divides both sides."""
        stride = self.constant([STRIDE])
        missing = self.node("Mod", self.node("Sub", stride, self.node("Mod", sides, stride)), stride)
        pads = self.node("Concat", self.constant([0] * 6), missing, axis=0)
        return self.node("Pad", image, pads, mode="reflect")

    def cropped(self, x: str, sides: str) -> str:
        """The top left part with these sides."""
        return self.node("Slice", x, self.constant([0, 0]), sides, self.constant([2, 3]))

    def block(self, x: str, block: Block, mix: Tensor) -> str:
        """A `Block`, with the norm's gains and offsets mixed beforehand."""
        y = self.convolved(x, block)
        gain, offset = (mix @ block.norm.weight)[0], (mix @ block.norm.bias)[0]
        y = self.node(
            "InstanceNormalization", y, self.constant(gain), self.constant(offset), epsilon=block.norm.eps
        )
        return self.node("Relu", y) if block.relu else y

    def convolved(self, x: str, block: Block) -> str:
        """A block's convolution; transposed, or after nearest upsampling, where the block doubles."""
        weight = self.constant(block.conv.weight)
        if block.transposed:
            return self.node("ConvTranspose", x, weight, strides=[2, 2], pads=[1] * 4, output_padding=[1, 1])
        if block.up > 1:
            scales = self.constant([1.0, 1.0, 2.0, 2.0])
            modes = {
                "mode": "nearest",
                "coordinate_transformation_mode": "asymmetric",
                "nearest_mode": "floor",
            }
            x = self.node("Resize", x, "", scales, **modes)
        x = self.reflected(x, block.conv.weight.shape[-1] // 2)
        return self.node("Conv", x, weight, strides=[block.stride] * 2)


def export(path: Path | str, network: TransformNetwork, mix: Tensor, overwrite: bool = True) -> list[Parity]:
    """Write the network with the blend `mix` [1, S]; its input and its output are Images [N, 3, H, W].

    Heights and widths are 16 pixels at least, as for the network; the output is clamped to [0, 1].

    Returns:
        What was measured in onnxruntime, on noise, before the file was written.

    Raises:
        InputError: if the extra `onnx` is not installed.
        CheckpointError: if a difference is over TOLERANCE: then nothing is written.
        OutputError: if `path` has another ending, cannot be written, or exists without `overwrite`.
    """
    if Path(path).suffix.lower() != ".onnx":
        raise OutputError(f"{files.display(path)} does not end in .onnx: choose such a name")
    onnx, runtime = _extra()
    files.prove_writable(path, overwrite=overwrite)
    data: bytes = _described(onnx, network, mix).SerializeToString()
    found = _compared(runtime, data, network, mix)
    if not all(parity.difference <= TOLERANCE for parity in found):  # also if it is no number
        worst = max(found, key=lambda parity: parity.difference)
        raise CheckpointError(
            f"{files.display(path)} is not written: onnxruntime paints {worst.width}x{worst.height} pixels "
            f"differently, by {255 * worst.difference:.1f} of 255 and not {255 * TOLERANCE:.0f} at most"
        )
    files.write(path, data, overwrite=overwrite)
    return found


def _extra() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise InputError("writing ONNX files needs more packages: pip install 'styler[onnx]'") from error
    return onnx, onnxruntime


def _described(onnx: Any, network: TransformNetwork, mix: Tensor) -> Any:
    """The whole model."""
    graph, helper = Graph(onnx), onnx.helper
    result = _painted(graph, network, mix.to(network.last.weight.device))
    graph.nodes[-1].output[0] = OUTPUT
    assert graph.nodes[-1].name == result
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["count", 3, "height", "width"])
        for name in (INPUT, OUTPUT)
    ]
    made = helper.make_graph(graph.nodes, "styler", ends[:1], ends[1:], graph.constants)
    model = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="styler",
        producer_version=__version__,
        doc_string="RGB in [0, 1] to RGB in [0, 1], [N, 3, H, W]; H and W are 16 at least",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _painted(graph: Graph, network: TransformNetwork, mix: Tensor) -> str:
    """`TransformNetwork.forward`, clamped."""
    sides = graph.sides(INPUT)
    x = graph.divisible(INPUT, sides)
    blocks = network.blocks()
    down, residual, up = blocks[:3], blocks[3:-2], blocks[-2:]
    for block in down:
        x = graph.block(x, block, mix)
    for first, second in zip(residual[::2], residual[1::2], strict=True):
        x = graph.node("Add", graph.block(graph.block(x, first, mix), second, mix), x)
    for block in up:
        x = graph.block(x, block, mix)
    assert network.last.bias is not None
    weight, bias = graph.constant(network.last.weight), graph.constant(network.last.bias)
    x = graph.node("Conv", graph.reflected(x, 4), weight, bias)
    return graph.node(
        "Clip", graph.cropped(x, sides), graph.constant(torch.zeros(())), graph.constant(torch.ones(()))
    )


def _compared(runtime: Any, data: bytes, network: TransformNetwork, mix: Tensor) -> list[Parity]:
    """onnxruntime's pictures against ours."""
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    draw = torch.Generator().manual_seed(0)
    found = []
    for height, width in SIZES:
        image = torch.rand(2, 3, height, width, generator=draw)
        (theirs,) = session.run([OUTPUT], {INPUT: image.numpy()})
        device = network.last.weight.device
        with torch.inference_mode():
            ours = network(image.to(device), mix.to(device).expand(2, -1)).clamp(0, 1).cpu()
        found.append(Parity(height, width, float((torch.from_numpy(theirs) - ours).abs().max())))
    return found
