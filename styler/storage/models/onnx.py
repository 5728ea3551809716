"""A trained network of styles as an ONNX file, with one style or blend baked into its norms."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from styler.networks.transform import STRIDE, Block, TransformNetwork
from styler.storage.models import graphs
from styler.storage.models.graphs import SIZES, Graph, Parity, Program

__all__ = ["SIZES", "Graph", "export"]


def export(path: Path | str, network: TransformNetwork, mix: Tensor, overwrite: bool = True) -> list[Parity]:
    """Write the network with the blend `mix` [1, S]; its input and its output are Images [N, 3, H, W].

    Heights and widths are 16 pixels at least, as for the network; the output is clamped to [0, 1]. It returns
    and raises as `graphs.write`.
    """
    place = network.last.weight.device
    mix = mix.to(place)

    def draw(graph: Graph, image: str) -> str:
        return graph.clamped(_painted(graph, network, mix, image))

    def ours(image: Tensor) -> Tensor:
        made: Tensor = network(image.to(place), mix.expand(len(image), -1))
        return made

    return graphs.write(path, Program(draw, ours, (3, 3), "painted"), overwrite)


def _painted(graph: Graph, network: TransformNetwork, mix: Tensor, image: str) -> str:
    """`TransformNetwork.forward`."""
    x = graph.divisible(image, STRIDE)
    blocks = network.blocks()
    down, residual, up = blocks[:3], blocks[3:-2], blocks[-2:]
    for block in down:
        x = _block(graph, x, block, mix)
    for first, second in zip(residual[::2], residual[1::2], strict=True):
        x = graph.node("Add", _block(graph, _block(graph, x, first, mix), second, mix), x)
    for block in up:
        x = _block(graph, x, block, mix)
    assert network.last.bias is not None
    weight, bias = graph.constant(network.last.weight), graph.constant(network.last.bias)
    return graph.cropped(graph.node("Conv", graph.reflected(x, 4), weight, bias), graph.sides(image))


def _block(graph: Graph, x: str, block: Block, mix: Tensor) -> str:
    """A `Block`, with the norm's gains and offsets mixed beforehand."""
    y = _convolved(graph, x, block)
    gain, offset = (mix @ block.norm.weight)[0], (mix @ block.norm.bias)[0]
    parameters = graph.constant(gain), graph.constant(offset)
    y = graph.node("InstanceNormalization", y, *parameters, epsilon=block.norm.eps)
    return graph.node("Relu", y) if block.relu else y


def _convolved(graph: Graph, x: str, block: Block) -> str:
    """A block's convolution; transposed, or after nearest upsampling, where the block doubles."""
    weight = graph.constant(block.conv.weight)
    if block.transposed:
        return graph.node("ConvTranspose", x, weight, strides=[2, 2], pads=[1] * 4, output_padding=[1, 1])
    if block.up > 1:
        x = graph.doubled(x)
    x = graph.reflected(x, block.conv.weight.shape[-1] // 2)
    return graph.node("Conv", x, weight, strides=[block.stride] * 2)
