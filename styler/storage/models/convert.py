"""Trained networks as files of ours, and as ONNX."""

from __future__ import annotations

from pathlib import Path

from styler.errors import InputError, OutputError
from styler.networks.pix2pix import Generator
from styler.storage import cards
from styler.storage.cards import Statistics, Translation
from styler.storage.format import SUFFIX
from styler.storage.models import library, onnx, onnx_generators
from styler.storage.models.graphs import Parity
from styler.storage.models.library import Model
from styler.storage.names import display


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
    path: Path | str, output: Path | str, style: str, statistics: str, overwrite: bool = False
) -> list[Parity]:
    """Write a style or a blend, or a translator, as an ONNX file; raises and returns as `graphs.write`.

    `statistics` are those of a translator's norms; auto: as its file says.

    Raises:
        InputError: for a style or statistics that the network does not have.
        CheckpointError: as `models.read`, or if it makes textures.
    """
    model = library.read(path)
    if isinstance(model.network, Generator):
        library.check_no_style(path, style)
        return onnx_generators.export(output, model.network, _statistics(path, model, statistics), overwrite)
    if statistics != "auto":
        raise InputError(f"{display(path)} paints by the picture's statistics: leave out --statistics")
    network, card, _ = library.transform_of(path, model)
    return onnx.export(output, network, cards.mix(card, style), overwrite)


def _statistics(path: Path | str, model: Model, asked: str) -> Statistics:
    """What is asked, or what the file says; InputError for stored statistics where there are none."""
    told = Translation.of(model.card.information).statistics
    stored = asked == "stored" or (asked == "auto" and told == "stored")
    if asked == "stored" and model.card.network["norm"] != "batch":
        raise InputError(f"{display(path)} has stored no statistics: leave out --statistics stored")
    return "stored" if stored else "picture"
