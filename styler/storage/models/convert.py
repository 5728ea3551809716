"""Trained networks as files of ours, or of other tools: pytorch/examples' for a style, junyanz's else."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from styler.errors import InputError, OutputError
from styler.networks.pix2pix import Generator
from styler.storage import cards, disk
from styler.storage.foreign import residual, write
from styler.storage.models import library, onnx, onnx_generators
from styler.storage.models.graphs import Parity
from styler.storage.models.library import Model
from styler.storage.translation import Statistics, Translation


class Converted(NamedTuple):
    """What the file was if it was another tool's, else "", and how the other tool loads what was written."""

    found: str
    use: str


def convert(path: Path | str, output: Path | str, style: str, overwrite: bool = False) -> Converted:
    """Write any model as ours (.safetensors), or as another tool's (.pth).

    Raises:
        InputError: if `style` is not said clearly, or said where there is none to choose.
        OutputError: if `output` has another ending, or cannot be written.
        CheckpointError: if `path` holds no model, or one that the other tool does not have.
    """
    suffix = Path(output).suffix.lower()
    if suffix not in (library.SUFFIX, ".pth"):
        endings = f"{library.SUFFIX} nor .pth"
        raise OutputError(f"{disk.display(output)} ends in neither {endings}: choose one of them")
    if style and suffix == library.SUFFIX:
        raise InputError(f"a {library.SUFFIX} file keeps all styles: leave out --style, or write a .pth file")
    model = library.read(path)
    disk.prove_writable(output, overwrite=overwrite, inputs=[path])
    if suffix == library.SUFFIX:
        library.keep(path, model, output, overwrite)
        return Converted(model.found, "")
    if isinstance(model.network, Generator):
        library.check_no_style(path, style)
        return Converted(model.found, write.write(output, model.network, overwrite))
    network, card, _ = library.transform_of(path, model)
    residual.write_pytorch_examples(output, network, cards.mix(card, style), overwrite)
    return Converted(model.found, "")


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
        raise InputError(f"{disk.display(path)} paints by the picture's statistics: leave out --statistics")
    network, card, _ = library.transform_of(path, model)
    return onnx.export(output, network, cards.mix(card, style), overwrite)


def _statistics(path: Path | str, model: Model, asked: str) -> Statistics:
    """What is asked, or what the file says; InputError for stored statistics where there are none."""
    told = Translation.of(model.card.information).statistics
    stored = asked == "stored" or (asked == "auto" and told == "stored")
    if asked == "stored" and model.card.network["norm"] != "batch":
        raise InputError(f"{disk.display(path)} has stored no statistics: leave out --statistics stored")
    return "stored" if stored else "picture"
