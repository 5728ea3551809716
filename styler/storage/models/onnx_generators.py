"""A translator as an ONNX file, without its dropout."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from styler.networks.pix2pix import EPS, LEAK, Generator, Layer, Mode, Norm, Residual, ResidualGenerator, UNet
from styler.networks.transform import Moments
from styler.storage.cards import Statistics
from styler.storage.models import graphs
from styler.storage.models.graphs import Graph, Parity, Program


def export(
    path: Path | str, network: Generator, statistics: Statistics, overwrite: bool = True
) -> list[Parity]:
    """Write the network with norms by the picture's statistics, or by those that it has stored.

    Its input and its output are Images [N, C, H, W] of any size; it pads and crops by itself. It returns
    and raises as `graphs.write`.
    """
    mode, place = Mode(statistics), next(network.parameters()).device

    def draw(graph: Graph, image: str) -> str:
        return _translated(graph, network, mode, image)

    def ours(image: Tensor) -> Tensor:
        made: Tensor = network(image.to(place), mode)
        return made

    made = network.made
    # Where a map may be a single pixel, it cannot be reflected.
    smallest = max(16, network.stride + 1 if made.kind == "residual" else 0)
    program = Program(draw, ours, (made.inputs, made.outputs), "translated", smallest)
    return graphs.write(path, program, overwrite)


def _translated(graph: Graph, network: Generator, mode: Mode, image: str) -> str:
    """`Generator.forward`."""
    two, one = graph.constant(2.0), graph.constant(1.0)
    x = graph.divisible(image, network.stride)
    x = graph.node("Sub", graph.node("Mul", x, two), one)
    if isinstance(network, UNet):
        x = _there_and_back(graph, network, mode, x)
    else:
        assert isinstance(network, ResidualGenerator)
        x = _straight(graph, network, mode, x)
    return graph.cropped(graph.node("Sigmoid", graph.node("Mul", x, two)), graph.sides(image))


def _there_and_back(graph: Graph, network: UNet, mode: Mode, x: str) -> str:
    """`UNet.translated`."""
    skips = []
    for layer in network.down:
        x = graph.node("LeakyRelu", _layer(graph, x, layer, mode), alpha=LEAK)
        skips.append(x)
    above = ""
    for layer in network.up:
        above = _layer(graph, _joined(graph, network, skips.pop(), above), layer, mode)
    return above


def _joined(graph: Graph, network: UNet, skip: str, above: str) -> str:
    """`UNet.joined`; nothing came up to the innermost layer."""
    made = network.made
    risen = graph.node("Relu", above) if above else ""
    if risen and made.kind == "encoder-decoder":
        return risen
    beside = (
        graph.node("LeakyRelu", skip, alpha=made.slope / LEAK) if made.slope else graph.node("Relu", skip)
    )
    return graph.node("Concat", beside, risen, axis=1) if risen else beside


def _straight(graph: Graph, network: ResidualGenerator, mode: Mode, x: str) -> str:
    """`ResidualGenerator.translated`."""
    for layer in (network.first, *network.down):
        x = graph.node("Relu", _layer(graph, x, layer, mode))
    for block in network.residual:
        assert isinstance(block, Residual)
        y = graph.node("Relu", _layer(graph, x, block.first, mode))
        x = graph.node("Add", _layer(graph, y, block.second, mode), x)
    for layer in network.up:
        x = graph.node("Relu", _layer(graph, x, layer, mode))
    return _layer(graph, x, network.last, mode)


def _layer(graph: Graph, x: str, layer: nn.Module, mode: Mode) -> str:
    """`Layer.forward` without dropout."""
    assert isinstance(layer, Layer)
    y = _convolved(graph, x, layer)
    return y if layer.norm is None else _normalized(graph, y, layer.norm, mode)


def _normalized(graph: Graph, x: str, norm: Norm, mode: Mode) -> str:
    gain, offset = graph.constant(norm.weight), graph.constant(norm.bias)
    stored: Moments | None = norm.stored(mode)
    if stored is None:
        return graph.node("InstanceNormalization", x, gain, offset, epsilon=EPS)
    mean, variance = (graph.constant(moment[0]) for moment in stored)
    return graph.node("BatchNormalization", x, gain, offset, mean, variance, epsilon=EPS)


def _convolved(graph: Graph, x: str, layer: Layer) -> str:
    """`Layer.convolved`."""
    parameters = [
        graph.constant(value) for value in (layer.conv.weight, layer.conv.bias) if value is not None
    ]
    side, strides = layer.conv.weight.shape[-1], [layer.stride] * 2
    if layer.up == "transposed":
        return graph.node(
            "ConvTranspose", x, *parameters, strides=[2, 2], pads=[1] * 4, output_padding=[side % 2] * 2
        )
    if layer.up is not None:
        x = graph.doubled(x)
    if layer.up == "shifted":
        return graph.node("Conv", x, *parameters, pads=[2, 2, 1, 1])
    if layer.reflect or layer.up is not None:
        return graph.node("Conv", graph.reflected(x, side // 2), *parameters, strides=strides)
    return graph.node("Conv", x, *parameters, strides=strides, pads=[(side - 1) // 2] * 4)
