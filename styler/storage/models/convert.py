"""Trained networks as files of ours, and as ONNX for programs without torch, if those paint alike.

`torch.onnx.export` traces a network right, too, but it takes half a minute where this takes half a second,
needs a further package, and leaves the reshapes and scatters of the network's own shortcuts in the file.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor

from styler.errors import CheckpointError, InputError, OutputError
from styler.networks.kinds import ImageNetwork
from styler.networks.layers import Layer, Mode, Norm, extended, layers_of
from styler.plans import KINDS
from styler.storage import disk
from styler.storage.cards import Statistics
from styler.storage.header import SUFFIX
from styler.storage.models import enlargers, library
from styler.storage.models.library import Translator
from styler.storage.names import display
from styler.storage.onnx.graph import INPUT, Ends, GraphLayer, GraphNorm, Nodes, graph
from styler.storage.onnx.run import runtime

SIZES = ((16, 16), (53, 70), (127, 99))
"""Heights and widths at which it is compared, or as large as the network needs."""
TOLERANCE = 1 / 255


class Parity(NamedTuple):
    """Largest difference to our own painting, both clamped to [0, 1], at one height and width."""

    height: int
    width: int
    difference: float


def convert(path: Path | str, output: Path | str, overwrite: bool = False) -> str:
    """Write any model as ours; returns what the file was if it was another tool's, else "".

    Raises:
        OutputError: if `output` has another ending, or cannot be written.
        CheckpointError: if `path` holds no model.
    """
    if Path(output).suffix.lower() != SUFFIX:
        raise OutputError(
            f"{display(output)} does not end in {SUFFIX}: other tools' formats are read and not "
            "written, and styler models export writes .onnx"
        )
    model = library.read(path)
    library.keep(path, model, output, overwrite)
    return model.origin


def export(
    path: Path | str,
    output: Path | str,
    style: str,
    statistics: str,
    overwrite: bool = False,
    detail: float | None = None,
    clean: float | None = None,
) -> list[Parity]:
    """Write a style or a blend, or any other model, as an ONNX file; raises and returns as `write_onnx`.

    `statistics` are those of a translator's norms; auto: as its file says. `detail` and `clean` are levels of
    a network that enlarges, see `enlargers.mixture`.

    Raises:
        InputError: for a style or statistics that the network does not have.
        CheckpointError: as `models.read`, or if it makes textures.
    """
    model = library.read(path)
    takes = KINDS[model.card.kind].takes
    shown = display(Path(path).name)
    if takes in ("pair", "small"):
        library.check_no_style(path, model.card, style)
    if takes != "pair" and statistics != "auto":
        raise InputError(f"{shown} has no choice of statistics: leave out --statistics")
    if takes == "small":
        network = enlargers.mixture(Path(path), detail, clean).network
        return write_onnx(output, network, Mode("stored"), overwrite)
    if detail is not None or clean is not None:
        raise InputError(f"{shown} does not enlarge: leave out --detail and --clean")
    if takes == "pair":
        translator = library.generator_of(path, model)
        mode = Mode(_statistics(path, translator, statistics))
        return write_onnx(output, translator.network, mode, overwrite, translator.about.margin)
    painter, card, _ = library.transform_of(path, model)
    return write_onnx(output, painter, Mode(mix=library.mix(card, style)), overwrite)


def left_out(path: Path | str) -> list[str]:
    """What the ONNX file of a model leaves to the program that runs it.

    Raises CheckpointError if `path` holds no model.
    """
    card = library.read(path).card
    grain, texts = card.network.get("grain", 0), list[str]()
    if KINDS[card.kind].takes == "pair":
        about = library.Translation.of(card.information)
        if about.tints:
            tints = len(about.tints)
            texts.append(f"a drawing needs colored paper, of one of the {tints} tints that models show lists")
        if about.labels:
            texts.append(
                "a picture needs pure colors of labels, with none between two: "
                + ", ".join(f"{name} {color}" for name, color in about.labels.items())
            )
    if grain:
        texts.append(
            f"gray noise of strength {grain:g}, of which it makes texture, has to be added to the picture: "
            "styler.image.grain has it, and needs NumPy alone"
        )
    return texts


def _statistics(path: Path | str, model: Translator, asked: str) -> Statistics:
    """What is asked, or what the file says; InputError for stored statistics where there are none."""
    stored = asked == "stored" or (asked == "auto" and model.about.statistics == "stored")
    if asked == "stored" and model.network.config.norm != "batch":
        raise InputError(f"{display(path)} has stored no statistics: leave out --statistics stored")
    return "stored" if stored else "picture"


# ONNX


def write_onnx(
    path: Path | str, network: ImageNetwork, mode: Mode, overwrite: bool = True, margin: int = 0
) -> list[Parity]:
    """Write the network as it runs in a mode, without its dropout and without the grain that pictures get.

    Its input and its output are Images [N, C, H, W] of any size from `smallest_side` on; the output is
    clamped. The mode's mix of styles, [1, S], and stored statistics are written into the norms, and the
    `margin` that pictures get at the right and at the bottom, see `Translation`, before the first layer.

    Returns:
        The differences in onnxruntime, on noise, before the file was written.

    Raises:
        InputError: if the extra `onnx` is not installed.
        CheckpointError: if a difference is over TOLERANCE: then nothing is written.
        OutputError: if `path` has another ending, cannot be written, or exists without `overwrite`.
    """
    if Path(path).suffix.lower() != ".onnx":
        raise OutputError(f"{display(path)} does not end in .onnx: choose such a name")
    engine = runtime()
    disk.prove_writable(path, overwrite=overwrite)
    device = next(network.parameters()).device
    mix = None if mode.mix is None else mode.mix.to(device)
    mode = replace(mode, dropout=None, mix=mix)
    data = _graph(network, mode, margin)
    differences = _differences(engine, data, network, mode, margin)
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


def _graph(network: ImageNetwork, mode: Mode, margin: int) -> bytes:
    """The whole file."""
    nodes, config = Nodes(partial(_values, mode=mode)), network.config
    ends = Ends(
        config.inputs,
        config.outputs,
        _output(network, mode),
        network.stride,
        smallest_side(network),
        network.scale,
        network.corrects,
        margin,
    )
    return graph(nodes, lambda x: network.flow(x, nodes), ends)


def _values(layer: Layer, mode: Mode) -> GraphLayer:
    """The numbers of a layer as it runs in a mode."""
    norm, bias, prelu = layer.norm, layer.conv.bias, layer.prelu
    return GraphLayer(
        layer,
        _array(layer.conv.weight),
        None if bias is None else _array(bias),
        None if norm is None else _norm(norm, mode),
        None if prelu is None else _array(prelu),
        layer.factor,
    )


def _norm(norm: Norm, mode: Mode) -> GraphNorm:
    gain, offset = (_array(table[0]) for table in norm.affine(mode))
    stored = norm.stored(mode)
    moments = None if stored is None else (_array(stored.mean[0]), _array(stored.variance[0]))
    return GraphNorm(gain, offset, norm.eps, moments)


def _array(tensor: Tensor) -> NDArray[Any]:
    return tensor.detach().float().cpu().numpy()


def _output(network: ImageNetwork, mode: Mode) -> str:
    """The name of the output, in the file."""
    if network.scale > 1:
        return "enlarged"
    return "translated" if mode.mix is None else "painted"


def _differences(runtime: Any, data: bytes, network: ImageNetwork, mode: Mode, margin: int) -> list[Parity]:
    """onnxruntime's pictures against ours."""
    session = runtime.InferenceSession(data, providers=["CPUExecutionProvider"])
    draw, device = torch.Generator().manual_seed(0), next(network.parameters()).device
    least, differences = smallest_side(network), []
    for height, width in sorted({tuple(max(side, least) for side in size) for size in SIZES}):
        image = torch.rand(2, network.config.inputs, height, width, generator=draw)
        (theirs,) = session.run([_output(network, mode)], {INPUT: image.numpy()})
        with torch.inference_mode():
            ours = network(extended(image.to(device), margin), mode).clamp(0, 1).cpu()
        ours = ours[..., : theirs.shape[-2], : theirs.shape[-1]]
        differences.append(Parity(height, width, float((torch.from_numpy(theirs) - ours).abs().max())))
    return differences
