"""Networks of styles out of our files, run by onnxruntime; no torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from styler.errors import CheckpointError, DeviceError, InputError, is_shortage
from styler.image.grain import noise_for
from styler.plans import (
    KINDS,
    LayerPlan,
    ResidualArchitecture,
    ResidualPlan,
    check,
    residual_flow,
    tuples,
)
from styler.storage.cards import VGG, Card, shares
from styler.storage.header import FAULTS, THUMBNAILS, Header, damaged, sealed
from styler.storage.names import display, install
from styler.storage.onnx.graph import INPUT, Ends, GraphLayer, GraphNorm, Nodes, graph

OUTPUT = "painted"
Array = NDArray[np.float32]


def runtime() -> Any:
    """The module `onnxruntime`, an extra; raises InputError where it is not installed."""
    try:
        return importlib.import_module("onnxruntime")
    except ImportError as error:
        raise InputError(f"onnxruntime is not installed: {install('onnx')}") from error


@dataclass(frozen=True, eq=False)
class StyleNetwork:
    """A network that paints photos, as read from a file of ours; `arrays` has float32 by key."""

    card: Card
    config: ResidualArchitecture
    arrays: Mapping[str, Array]

    @classmethod
    def read(cls, path: Path | str) -> StyleNetwork:
        """Read the network in a file of ours, after all in it was checked.

        Raises CheckpointError if it is none that paints photos, or damaged.
        """
        header, data = sealed(path, partial(_prove, path))
        arrays = {own: header.array(data, key) for key, own in header.keys.items() if own != THUMBNAILS}
        if not all(np.isfinite(array).all() for array in arrays.values()):
            raise damaged(path, ValueError("some of its values are not finite"))
        return cls(header.card, _config(header.card), arrays)

    def painter(self, style: str, threads: int) -> Callable[[Array], Array]:
        """The function that paints an Image [1, 3, H, W] in [0, 1] in a style, or a blend of styles.

        Raises:
            InputError: if there is no such style, or no onnxruntime.
            DeviceError: when a picture is painted for which memory does not suffice.
        """
        engine, mix = runtime(), np.asarray(shares(self.card, style), np.float32)
        options = engine.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # what is fatal, and is raised
        data = self.graph(mix)
        session = engine.InferenceSession(data, options, providers=["CPUExecutionProvider"])

        def paint(image: Array) -> Array:
            try:
                given = image + noise_for(image[0], self.config.grain)
                if self.config.norm == "instance":  # which takes a constant away: see `tasks.onepass`
                    given -= given.mean((2, 3), keepdims=True)
                painted: Array = session.run([OUTPUT], {INPUT: given})[0]
            except Exception as error:  # its classes are those of a C extension
                if not is_shortage(error):
                    raise
                raise DeviceError("out of memory: use a smaller --size") from error
            return painted

        return paint

    def graph(self, mix: Array) -> bytes:
        """The network with a mix of its styles [S], as ONNX."""
        nodes, plan = Nodes(partial(self._values, mix=mix)), ResidualPlan.of(self.config)
        stride = 1 << self.config.halvings
        ends = Ends(self.config.inputs, self.config.outputs, OUTPUT, stride, max(16, stride + 1))
        return graph(nodes, lambda x: residual_flow(plan, x, nodes), ends)

    def _values(self, layer: LayerPlan, mix: Array) -> GraphLayer:
        norm = None
        if layer.normed:
            gain, offset = (mix @ self.arrays[f"{layer.key}.norm.{name}"] for name in ("weight", "bias"))
            norm = GraphNorm(gain, offset, self.config.eps)
        weight, bias = self.arrays[f"{layer.key}.conv.weight"], self.arrays.get(f"{layer.key}.conv.bias")
        return GraphLayer(layer, weight, bias, norm)


def _config(card: Card) -> ResidualArchitecture:
    """The configuration that a card has; raises one of `FAULTS` for fields that are out of bounds."""
    fields = {key: tuples(value) for key, value in card.network.items() if key != "architecture"}
    config = ResidualArchitecture(**fields)
    check(config)
    return config


def _prove(path: Path | str, header: Header) -> None:
    """Raise CheckpointError unless the tensors in a header are those of a network that paints photos."""
    card, shown = header.card, display(path)
    if card.kind == VGG or KINDS[card.kind].takes != "photo":
        raise CheckpointError(f"{shown} is no network of styles, and --engine onnx paints with no other")
    try:
        config = _config(card)
        if config.norm == "batch":
            raise CheckpointError(f"{shown} has batch norms, and --engine onnx cannot: leave it out")
        expected = ResidualPlan.of(config).shapes(config)
        shapes = {own: header.entries[key].shape for key, own in header.keys.items() if own != THUMBNAILS}
        if odd := sorted(key for key in expected.keys() | shapes if expected.get(key) != shapes.get(key)):
            raise ValueError(f"its network should have other tensors: {odd[0]} does not fit")
    except FAULTS as error:
        raise damaged(path, error) from error
