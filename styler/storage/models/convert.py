"""Trained networks as files of ours, and as ONNX."""

from __future__ import annotations

from pathlib import Path

from styler.errors import InputError, OutputError
from styler.networks.layers import Mode
from styler.plans import KINDS
from styler.storage.cards import Statistics
from styler.storage.header import SUFFIX
from styler.storage.models import enlargers, library
from styler.storage.models.library import Translator
from styler.storage.names import display
from styler.storage.onnx import export as onnx
from styler.storage.onnx.export import Parity


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
    """Write a style or a blend, or any other model, as an ONNX file; raises and returns as `onnx.export`.

    `statistics` are those of a translator's norms; auto: as its file says. `detail` and `clean` are levels of
    a network that enlarges, see `enlargers.mixture`.

    Raises:
        InputError: for a style or statistics that the network does not have.
        CheckpointError: as `models.read`, or if it makes textures.
    """
    model = library.read(path)
    takes = KINDS[model.card.kind].takes
    if takes == "small":
        network = enlargers.mixture(Path(path), detail, clean).network
        return onnx.export(output, network, Mode("stored"), overwrite)
    if detail is not None or clean is not None:
        raise InputError(f"{display(path)} does not enlarge: leave out --detail and --clean")
    if takes == "pair":
        library.check_no_style(path, style)
        translator = library.generator_of(path, model)
        return onnx.export(
            output, translator.network, Mode(_statistics(path, translator, statistics)), overwrite
        )
    if statistics != "auto":
        raise InputError(f"{display(path)} paints by the picture's statistics: leave out --statistics")
    painter, card, _ = library.transform_of(path, model)
    return onnx.export(output, painter, Mode(mix=library.mix(card, style)), overwrite)


def _statistics(path: Path | str, model: Translator, asked: str) -> Statistics:
    """What is asked, or what the file says; InputError for stored statistics where there are none."""
    stored = asked == "stored" or (asked == "auto" and model.about.statistics == "stored")
    if asked == "stored" and model.network.config.norm != "batch":
        raise InputError(f"{display(path)} has stored no statistics: leave out --statistics stored")
    return "stored" if stored else "picture"
