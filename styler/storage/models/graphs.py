"""A network as an ONNX file, for programs without torch; written only if it paints alike.

The graph is built node by node, of the network's plain operations, for any batch size, height and width.
`torch.onnx.export` traces a network right, too, but it takes half a minute where this takes half a second,
needs a further package, and leaves the reshapes and scatters of the network's own shortcuts in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from styler.errors import CheckpointError, InputError, OutputError
from styler.storage import disk
from styler.storage.names import display
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

    def constant(self, values: Tensor | Sequence[int] | Sequence[float] | float) -> str:
        """Add numbers: float32 tensors or floats, int64 lists of integers."""
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

    def cropped(self, x: str, sides: str) -> str:
        """The top left part with these sides."""
        return self.node("Slice", x, self.constant([0, 0]), sides, self.constant([2, 3]))

    def doubled(self, x: str) -> str:
        """Each pixel four times."""
        scales = self.constant([1.0, 1.0, 2.0, 2.0])
        modes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.node("Resize", x, "", scales, mode="nearest", **modes)

    def clamped(self, x: str) -> str:
        """To [0, 1]."""
        return self.node("Clip", x, self.constant(0.0), self.constant(1.0))


@dataclass(frozen=True)
class Program:
    """What a graph is to do, from an Image [N, C, H, W] to another of the same size.

    Attributes:
        draw: add it to a graph, from the name of the image; returns the name of the result.
        ours: the same in torch, on the CPU.
        channels: of input and output.
        output: the result's name in the file.
        smallest: the least height and width in pixels.
    """

    draw: Callable[[Graph, str], str]
    ours: Callable[[Tensor], Tensor]
    channels: tuple[int, int]
    output: str
    smallest: int = 16


def write(path: Path | str, program: Program, overwrite: bool = True) -> list[Parity]:
    """Write the program as an ONNX file.

    Returns:
        What was measured in onnxruntime, on noise, before the file was written.

    Raises:
        InputError: if the extra `onnx` is not installed.
        CheckpointError: if a difference is over TOLERANCE: then nothing is written.
        OutputError: if `path` has another ending, cannot be written, or exists without `overwrite`.
    """
    if Path(path).suffix.lower() != ".onnx":
        raise OutputError(f"{display(path)} does not end in .onnx: choose such a name")
    onnx, runtime = _extra()
    disk.prove_writable(path, overwrite=overwrite)
    data: bytes = _described(onnx, program).SerializeToString()
    found = _compared(runtime, data, program)
    if not all(parity.difference <= TOLERANCE for parity in found):  # also if it is no number
        worst = max(found, key=lambda parity: parity.difference)
        raise CheckpointError(
            f"{display(path)} is not written: onnxruntime paints {worst.width}x{worst.height} pixels "
            f"differently, by {255 * worst.difference:.1f} of 255 and not {255 * TOLERANCE:.0f} at most"
        )
    disk.write(path, data, overwrite=overwrite)
    return found


def _extra() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
    except ImportError as error:
        raise InputError("writing ONNX files needs more packages: pip install 'styler[onnx]'") from error
    return onnx, onnxruntime


def _described(onnx: Any, program: Program) -> Any:
    """The whole model."""
    graph, helper = Graph(onnx), onnx.helper
    result = program.draw(graph, INPUT)
    graph.nodes[-1].output[0] = program.output
    assert graph.nodes[-1].name == result
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["count", channels, "height", "width"])
        for name, channels in zip((INPUT, program.output), program.channels, strict=True)
    ]
    made = helper.make_graph(graph.nodes, "styler", ends[:1], ends[1:], graph.constants)
    model = helper.make_model(
        made,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="styler",
        producer_version=__version__,
        doc_string=f"Pictures in [0, 1], [N, C, H, W]; H and W are {program.smallest} at least",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _compared(runtime: Any, data: bytes, program: Program) -> list[Parity]:
    """onnxruntime's pictures against ours."""
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    draw = torch.Generator().manual_seed(0)
    found = []
    for height, width in sorted({tuple(max(side, program.smallest) for side in size) for size in SIZES}):
        image = torch.rand(2, program.channels[0], height, width, generator=draw)
        (theirs,) = session.run([program.output], {INPUT: image.numpy()})
        with torch.inference_mode():
            ours = program.ours(image).clamp(0, 1).cpu()
        found.append(Parity(height, width, float((torch.from_numpy(theirs) - ours).abs().max())))
    return found
